package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestEveryRenderCarriesTheHeaders(t *testing.T) {
	for _, secure := range []bool{false, true} {
		s := newSite(t, func(c *SiteConfig) { c.Secure = secure })
		fail := httptest.NewRecorder()
		s.Fail(fail, httptest.NewRequest(http.MethodGet, "/", nil), http.StatusNotFound, "not_found")
		for name, w := range map[string]*httptest.ResponseRecorder{
			"page": get(s, "/", home("x")), "open": get(s, "/", Page{Name: "home", Title: "home.title", OpenForm: true}),
			"broken": get(s, "/", Page{Name: "nowhere"}), "error": fail,
		} {
			for header, want := range map[string]string{
				"Content-Type": "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
				"Cross-Origin-Opener-Policy": "same-origin", "Cache-Control": "no-store",
			} {
				if got := w.Header().Get(header); got != want {
					t.Errorf("%s: %s is %q, want %q", name, header, got, want)
				}
			}
			if got := w.Header().Get("Strict-Transport-Security"); (got != "") != secure {
				t.Errorf("%s: secure %v, HSTS %q", name, secure, got)
			}
			csp := w.Header().Get("Content-Security-Policy")
			for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
				if !strings.Contains(csp, part) {
					t.Errorf("%s: policy %q lacks %s", name, csp, part)
				}
			}
			if strings.Contains(csp, "unsafe") {
				t.Errorf("%s: policy %q", name, csp)
			}
			if got := strings.Contains(csp, "form-action 'self'"); got == (name == "open") {
				t.Errorf("%s: form-action in %q: %v", name, csp, got)
			}
		}
	}
}

// A browser keeps HSTS for every port of a host: for localhost it would cut off plain http programs beside ours.
func TestNoStrictTransportOnLoopback(t *testing.T) {
	s := newSite(t, func(c *SiteConfig) { c.Secure = true })
	for host, want := range map[string]bool{
		"id.example.go.jp": true, "id.example.go.jp:8443": true, "localhost.example": true,
		"localhost": false, "localhost:8400": false, "127.0.0.1:8400": false, "127.8.8.8": false, "[::1]:8400": false, "[::1]": false,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		s.Render(w, r, http.StatusOK, home("x"))
		if got := w.Header().Get("Strict-Transport-Security") != ""; got != want {
			t.Errorf("%s: %v", host, got)
		}
	}
}
