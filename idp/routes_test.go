package idp_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/idp"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestEveryRouteHasSafeHeaders walks the route list.
func TestEveryRouteHasSafeHeaders(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	front := h.Handler()
	machine, pages := idp.RoutesForTest()
	if len(machine) < 10 || len(pages) < 20 {
		t.Fatalf("%d and %d routes", len(machine), len(pages))
	}
	call := func(method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		front.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, strings.ReplaceAll(path, ":id", "x"), http.NoBody))
		if w.Code >= http.StatusInternalServerError {
			t.Errorf("%s %s: %d", method, path, w.Code)
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Referrer-Policy") != "same-origin" {
			t.Errorf("%s %s lacks headers", method, path)
		}
		return w
	}
	for _, r := range pages {
		w := call(r.Method, r.Path)
		csp := w.Header().Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s %s: policy %q", r.Method, r.Path, csp)
		}
		if !strings.Contains(w.Header().Get("Cache-Control"), "no-store") {
			t.Errorf("%s %s may be cached", r.Method, r.Path)
		}
	}
	public := map[string]bool{"/.well-known/openid-configuration": true, "/.well-known/oauth-authorization-server": true, "/.well-known/oauth-protected-resource": true, "/jwks": true}
	for _, r := range machine {
		w := call(r.Method, r.Path)
		if cached := strings.Contains(w.Header().Get("Cache-Control"), "max-age"); cached != public[r.Path] {
			t.Errorf("%s %s: Cache-Control %q", r.Method, r.Path, w.Header().Get("Cache-Control"))
		}
		if strings.Contains(w.Header().Get("Content-Type"), "text/html") {
			t.Errorf("%s %s answers a program with HTML", r.Method, r.Path)
		}
		if w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s %s sets a cookie", r.Method, r.Path)
		}
	}
}

// TestFormsOfOtherSitesAreRefused: every page that takes a form refuses one that another site's page sent, but the two that start
// something and decide nothing.
func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	front := h.Handler()
	_, pages := idp.RoutesForTest()
	for _, r := range pages {
		if r.Method != http.MethodPost || r.Path == "/authorize" || r.Path == "/end-session" {
			continue
		}
		req := httptest.NewRequestWithContext(t.Context(), r.Method, r.Path, strings.NewReader("tx=x"))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		w := httptest.NewRecorder()
		front.ServeHTTP(w, req)
		if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), `data-error="csrf"`) {
			t.Errorf("%s: %d", r.Path, w.Code)
		}
	}
}

// TestNoSecretInTheLog: a whole day and a dozen refusals leave no token, code, cookie, secret or certificate in the log.
func TestNoSecretInTheLog(t *testing.T) {
	var log strings.Builder
	h := idptest.Start(t, idptest.Options{Log: &log})
	b := h.Browser(t)
	r := idptest.NewRequest()
	code := h.Code(t, b, r, "taro")
	tokens := h.Redeem(t, code, r)
	h.Redeem(t, code, r)
	h.PostForm(t, "/token", idptest.ClientID, idptest.Secret[1:]+"x", idptest.CodeForm(code, r))
	h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(tokens.Text("refresh_token")))
	b.Get(idptest.NewRequest("redirect_uri", "https://evil.example/").Path())
	if log.Len() == 0 {
		t.Fatal("nothing was logged")
	}
	for name, secret := range map[string]string{
		"code": code, "access token": tokens.Text("access_token"), "refresh token": tokens.Text("refresh_token"), "id token": tokens.Text("id_token"),
		"secret": idptest.Secret, "verifier": r.Verifier, "state": r.Params.Get("state"), "certificate": "MII", "foreign address": "evil.example",
		"cookie": strings.SplitN(b.Request(http.MethodGet, h.Issuer, nil).Header.Get("Cookie"), "=", 2)[1][:30],
	} {
		if secret == "" {
			t.Errorf("no %s to look for", name)
		}
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds a %s", name)
		}
	}
}
