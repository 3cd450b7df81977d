package etax

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/clients/rp"
)

// TestPages visits every address: a title of its own, the headers, and no door that opens without a key.
func TestPages(t *testing.T) {
	w := newWorld(t)
	stranger, taro := w.browser(), w.browser()
	titles := map[string]string{}
	see := func(b *browser, path string, status int) {
		page := b.get(path)
		_, title, _ := strings.Cut(page.Body, "<title>")
		title, _, _ = strings.Cut(title, "</title>")
		if page.Status != status || page.URL.Path != path || title == "" {
			t.Errorf("%s: %d at %s, title %q", path, page.Status, page.URL, title)
		}
		if other, ok := titles[title]; ok && other != path {
			t.Errorf("%s and %s are both called %s", path, other, title)
		}
		titles[title] = path
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
		} {
			if got := page.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if csp := page.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: %s", path, csp)
		}
		if page.Has(signedIn) && strings.Contains(page.Header.Get("Content-Security-Policy"), "form-action") {
			t.Errorf("%s: the sign-out button would be blocked on its way to the hub", path)
		}
		en := b.get(path + "?lang=en")
		if !en.Has(`<html lang="en"`) {
			t.Errorf("%s: not in English", path)
		}
		b.get(path + "?lang=ja")
	}
	for _, path := range []string{"/", "/number", "/unlinked", "/help", rp.PathSignedOut} {
		see(stranger, path, http.StatusOK)
	}
	see(stranger, "/nothing-here", http.StatusNotFound)
	taro.launch()
	see(taro, "/bind", http.StatusOK)
	taro.post("/bind", "number", demoNumber, "password", demoPassword)
	for _, path := range []string{"/home", "/unlink", "/returns/new"} {
		see(taro, path, http.StatusOK)
	}
	see(taro, "/returns/none", http.StatusNotFound)
	for _, path := range []string{"/home", "/unlink", "/bind"} { // signed in on the way
		if page := w.browser().get(path); page.URL.Path != path && page.URL.Path != "/home" {
			t.Errorf("%s led to %s", path, page.URL)
		}
	}
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ready", rp.PathJWKS: `{"keys":[{`} {
		if page := stranger.get(path); page.Status != http.StatusOK || !strings.HasPrefix(page.Body, want) {
			t.Errorf("%s: %d %s", path, page.Status, page.Body)
		}
	}
}

func TestForeignPostsAreRefused(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/bind", "/number", "/unlink", "/returns/new", "/returns/x/send", "/returns/x/collect", rp.PathLogout} {
		r := httptest.NewRequest(http.MethodPost, path, nil)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		rec := httptest.NewRecorder()
		w.site.Handler().ServeHTTP(rec, r)
		if rec.Code != http.StatusForbidden || !strings.Contains(rec.Body.String(), `data-error="csrf"`) {
			t.Errorf("%s: %d", path, rec.Code)
		}
	}
}

func TestRegistrationIsJSON(t *testing.T) {
	b, err := Registration("etax", "https://etax.example", []byte(`{"keys":[]}`), false)
	var m map[string]any
	if err != nil || json.Unmarshal(b, &m) != nil || m["initiate_login_uri"] != "https://etax.example/login/initiate" || m["listed"] != true {
		t.Errorf("%s, %v", b, err)
	}
}

func TestSeedKeepsWhatIsThere(t *testing.T) {
	w := newWorld(t)
	w.config.Accounts = []Account{{demoNumber, rp.NewSecret("another password")}}
	w.restart()
	wantAt(t, w.browser().post("/number", "number", demoNumber, "password", demoPassword), "/home", "")
	w.config.Accounts = []Account{{"123", rp.NewSecret("x")}}
	if _, err := New(t.Context(), w.config); err == nil {
		t.Error("an account without a number was accepted")
	}
}
