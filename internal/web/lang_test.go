package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestLanguageOrder(t *testing.T) {
	s := newSite(t, nil)
	for _, c := range []struct {
		name, target, cookie, accept, want string
	}{
		{"nothing said", "/", "", "", "ja"},
		{"browser", "/", "", "en-GB,en;q=0.8", "en"},
		{"browser prefers one we lack", "/", "", "zh-CN, en;q=0.5, ja;q=0.9", "ja"},
		{"browser refuses", "/", "", "en;q=0", "ja"},
		{"browser lacks ours", "/", "", "fr, zh", "ja"},
		{"browser talks nonsense", "/", "", "\x00;;q=x", "ja"},
		{"browser talks too long", "/", "", "en," + strings.Repeat("x,", 2000), "ja"},
		{"service before browser", "/?ui_locales=fr+en", "", "ja", "en"},
		{"service with no language of ours", "/?ui_locales=fr", "", "en", "en"},
		{"cookie before service", "/?ui_locales=en", "ja", "en", "ja"},
		{"broken cookie", "/", "xx", "en", "en"},
		{"query before cookie", "/?lang=en", "ja", "ja", "en"},
		{"unknown query", "/?lang=xx", "en", "ja", "en"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, c.target, nil)
			if c.cookie != "" {
				r.AddCookie(&http.Cookie{Name: s.cookieName(langCookie), Value: c.cookie})
			}
			r.Header.Set("Accept-Language", c.accept)
			if got := s.Lang(r); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestLanguageSwitchKeepsTheRequest(t *testing.T) {
	s := newSite(t, nil)
	w := get(s, "/login?tx=abc&x=1%262&lang=ja", home("x"))
	wants(t, w.Body.String(), `href="?lang=en&amp;tx=abc&amp;x=1%262"`, `hreflang="en"`)
	if got := w.Header().Get("Set-Cookie"); !strings.HasPrefix(got, "tsunagu-hub-lang=ja;") {
		t.Errorf("cookie %q", got)
	}
	if got := get(s, "/login?lang=xx", home("x")).Header().Get("Set-Cookie"); got != "" {
		t.Errorf("an unknown language was remembered: %s", got)
	}
	// A path that a browser would read as another host must not become a link.
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.URL.Path = "//example.com/"
	if body := render(s, r, home("x")).Body.String(); strings.Contains(body, "example.com") {
		t.Error("the switch leads to another host")
	}
	// The answer to a post has no address of its own.
	post := render(s, httptest.NewRequest(http.MethodPost, "/login/card", nil), home("x"))
	if strings.Contains(post.Body.String(), "hreflang") {
		t.Error("the answer to a post offers a language switch")
	}
}

func TestDates(t *testing.T) {
	at := time.Date(2026, 11, 22, 20, 5, 0, 0, time.UTC)
	for code, want := range map[string]string{"ja": "2026年11月23日（月）05:05", "en": "23 November 2026, 05:05 (Japan time)"} {
		if got := languageOf(code).datetime(at); got != want {
			t.Errorf("%s: %s, want %s", code, got, want)
		}
	}
}
