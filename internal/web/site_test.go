package web

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

const homePage = `{{define "main"}}<h1>{{t "home.title"}}</h1>{{template "greeting" .Data}}{{end}}`

func messages(ja, en string) fstest.MapFS {
	return fstest.MapFS{"ja.json": {Data: []byte(ja)}, "en.json": {Data: []byte(en)}}
}

// config is a small but complete site.
func config() SiteConfig {
	return SiteConfig{
		Slug: "hub", Kind: Hub, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Messages: messages(`{"site.name":"つなぐ","home.title":"はじめに","greet":"{name}さん"}`,
			`{"site.name":"Tsunagu","home.title":"Start","greet":"Hello {name}"}`),
		Pages: fstest.MapFS{
			"home.html":           {Data: []byte(homePage)},
			"parts/greeting.html": {Data: []byte(`{{define "greeting"}}{{with .}}{{template "button" (button "label" (t "greet" "name" .) "id" "go" "hook" "launch" "hookValue" .)}}{{end}}{{end}}`)},
		},
	}
}

func newSite(t *testing.T, change func(*SiteConfig)) *Site {
	t.Helper()
	c := config()
	if change != nil {
		change(&c)
	}
	s, err := NewSite(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func home(data any) Page { return Page{Name: "home", Title: "home.title", Data: data} }

func render(s *Site, r *http.Request, p Page) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.Render(w, r, http.StatusOK, p)
	return w
}

func get(s *Site, target string, p Page) *httptest.ResponseRecorder {
	return render(s, httptest.NewRequest(http.MethodGet, target, nil), p)
}

func wants(t *testing.T, body string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(body, p) {
			t.Errorf("no %s in\n%s", p, body)
		}
	}
}

func TestRender(t *testing.T) {
	s := newSite(t, nil)
	body := get(s, "/", home("taro")).Body.String()
	wants(t, body, "<title>はじめに｜つなぐ</title>", `id="go" data-launch="taro"`, "taroさん", `<html lang="ja" data-site="hub">`,
		`<main id="main" tabindex="-1">`, `href="/help"`)
	if strings.Contains(body, "data-signed-in") || strings.Contains(body, "data-error") {
		t.Error("a plain page carries a state")
	}
	body = get(s, "/", Page{Name: "home", Title: "home.title", Error: "pin_wrong", SignedIn: true}).Body.String()
	wants(t, body, "<title>エラー：はじめに｜つなぐ</title>", `data-error="pin_wrong" data-signed-in>`, "ログイン中")
}

func TestRenderFailsAsAPage(t *testing.T) {
	s := newSite(t, nil)
	for name, p := range map[string]Page{
		"unknown page":  {Name: "nowhere", Title: "home.title"},
		"unknown title": {Name: "home", Title: "nowhere"},
		"template":      home(map[string]int{}["x"]), // an int where a word is wanted
	} {
		w := get(s, "/", p)
		if name == "template" {
			if w.Code != http.StatusOK { // zero is skipped by "with"
				t.Errorf("%s: %d", name, w.Code)
			}
			continue
		}
		if w.Code != http.StatusInternalServerError {
			t.Errorf("%s: status %d", name, w.Code)
		}
		wants(t, w.Body.String(), `data-error="internal"`, "申し訳ありません")
	}
}

// What strangers choose (names, values, query) arrives as text.
func TestHostileDataIsEscaped(t *testing.T) {
	s := newSite(t, func(c *SiteConfig) {
		m := c.Messages.(fstest.MapFS)
		m["ja.json"].Data = []byte(`{"site.name":"つなぐ","home.title":"{name}","greet":"{name}さん"}`)
		m["en.json"].Data = []byte(`{"site.name":"Tsunagu","home.title":"{name}","greet":"{name}"}`)
		c.Pages.(fstest.MapFS)["home.html"].Data = []byte(`{{define "main"}}{{template "greeting" .Data}}` +
			`<a href="{{.Data}}">x</a>{{template "button" (button "label" .Data "href" .Data)}}{{template "field" (field "id" "f" "label" .Data "value" .Data "error" .Data)}}{{end}}`)
	})
	for _, evil := range []string{`"><script>alert(1)</script>`, `' onmouseover='alert(1)`, `javascript:alert(1)`, `</title><img src=x onerror=alert(1)>`} {
		r := httptest.NewRequest(http.MethodGet, "/?x=1", nil)
		r.URL.RawQuery = "q=" + strings.ReplaceAll(evil, " ", "+")
		body := render(s, r, Page{Name: "home", Title: "home.title", TitleArgs: []string{"name", evil}, Error: evil, Data: evil}).Body.String()
		for _, bad := range []string{"<script", "<img src=x", ` onmouseover='`, `href="javascript`} {
			if strings.Contains(body, bad) {
				t.Errorf("%s: found %s in\n%s", evil, bad, body)
			}
		}
	}
}

func TestCookies(t *testing.T) {
	for _, secure := range []bool{false, true} {
		s := newSite(t, func(c *SiteConfig) { c.Secure = secure })
		w := httptest.NewRecorder()
		s.SetCookie(w, Cookie{Name: "tx", Value: "v", Path: "/login", MaxAge: 600e9})
		s.ClearCookie(w, "session", "")
		want := []string{
			"tsunagu-hub-tx=v; Path=/login; Max-Age=600; HttpOnly; SameSite=Lax",
			"tsunagu-hub-session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax",
		}
		if secure {
			want = []string{
				"__Host-tsunagu-hub-tx=v; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax",
				"__Host-tsunagu-hub-session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
			}
		}
		for i, got := range w.Header()["Set-Cookie"] {
			if got != want[i] {
				t.Errorf("secure %v: %s, want %s", secure, got, want[i])
			}
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(&http.Cookie{Name: s.cookieName("tx"), Value: "one"})
		if v, ok := s.Cookie(r, "tx"); !ok || v != "one" {
			t.Errorf("read %q, %v", v, ok)
		}
		r.AddCookie(&http.Cookie{Name: s.cookieName("tx"), Value: "planted"})
		if v, ok := s.Cookie(r, "tx"); ok {
			t.Errorf("two cookies of one name gave %q", v)
		}
	}
}

func TestStatic(t *testing.T) {
	s := newSite(t, nil)
	fetch := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.Static().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	for _, name := range []string{"app.css", "tokens.css", "icon.svg"} {
		path, err := asset(name)
		if err != nil {
			t.Fatal(err)
		}
		w := fetch(path)
		if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" || w.Body.Len() == 0 {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Cache-Control"))
		}
		if stale := fetch("/static/0123456789abcdef/" + name); stale.Code != http.StatusOK || stale.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("old hash of %s: %d %s", name, stale.Code, stale.Header().Get("Cache-Control"))
		}
	}
	for _, path := range []string{"/static/", "/static/x", "/static/x/../messages/ja.json", "/static/x/nothing.css", "/static/x/tokens.LICENSE"} {
		if w := fetch(path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// Every component, in every language, through the checks of a real render.
func TestGallery(t *testing.T) {
	s := newSite(t, nil)
	for _, l := range Languages() {
		w := httptest.NewRecorder()
		Gallery(s).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/_components?lang="+l.Code, nil))
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d", l.Code, w.Code)
		}
		wants(t, w.Body.String(), "data-error-summary", `aria-current="step"`, `role="status"`, "<table", `class="tile"`, `aria-invalid="true" aria-describedby="sample-number-hint sample-number-error"`)
		if strings.Contains(w.Body.String(), "ZgotmplZ") {
			t.Error("a value was in a place html/template does not trust")
		}
	}
}
