package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func testSite(t *testing.T, change func(*SiteConfig)) *Site {
	t.Helper()
	c := SiteConfig{
		Slug: "hub", Kind: Hub,
		Messages: fstest.MapFS{
			"ja.json": {Data: []byte(`{"site.name":"つなぐ","home.title":"はじめに","greet":"{name}さん"}`)},
			"en.json": {Data: []byte(`{"site.name":"Tsunagu","home.title":"Start","greet":"Hello {name}"}`)},
		},
		Pages: fstest.MapFS{"home.html": {Data: []byte(
			`{{define "main"}}<h1>{{t "home.title"}}</h1>{{template "button" (button "label" (t "greet" "name" .Data) "id" "go" "hook" "launch" "hookValue" "etax")}}{{end}}`)}},
	}
	if change != nil {
		change(&c)
	}
	s, err := NewSite(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func get(s *Site, target string, p Page) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.Render(w, httptest.NewRequest(http.MethodGet, target, nil), http.StatusOK, p)
	return w
}

func TestRender(t *testing.T) {
	w := get(testSite(t, nil), "/", Page{Name: "home", Title: "home.title", Data: "taro"})
	body := w.Body.String()
	for _, want := range []string{"<title>はじめに｜つなぐ</title>", `id="go" data-launch="etax"`, "taroさん", `<html lang="ja" data-site="hub">`} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
}
