package idp_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

func tokenError(t *testing.T, what string, a idptest.Answer, want string) {
	t.Helper()
	if a.Status != http.StatusBadRequest || a.Text("error") != want {
		t.Errorf("%s: %d %s, want 400 %s", what, a.Status, a.Raw, want)
	}
	if a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: answer may be cached", what)
	}
}

// TestWrongVerifierDoesNotUnlockCode: the engine deletes the stored challenge before it compares; a second try without a verifier
// would then pass. It must not, for any client, and the honest redemption still works afterwards.
func TestWrongVerifierDoesNotUnlockCode(t *testing.T) {
	noPKCE := map[string]any{
		"client_id": "legacy", "client_name": "古いサービス", "operator": "古い運営者", "redirect_uris": []string{"https://legacy.example/cb"},
		"grant_types": []string{"authorization_code"}, "scope": "openid", "token_endpoint_auth_method": "none",
	}
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{noPKCE}})
	b := h.Browser(t)
	for _, client := range []struct{ id, uri, secret string }{
		{idptest.ClientID, idptest.RedirectURI, idptest.Secret}, {"legacy", "https://legacy.example/cb", ""},
	} {
		r := idptest.NewRequest("client_id", client.id, "redirect_uri", client.uri, "scope", "openid")
		code := h.Code(t, b, r, "taro")
		for _, verifier := range []string{strings.Repeat("w", 43), "", ""} {
			form := idptest.CodeForm(code, r)
			form.Set("code_verifier", verifier)
			tokenError(t, client.id+" verifier "+verifier, h.PostForm(t, "/token", client.id, client.secret, form), "invalid_grant")
		}
		if a := h.PostForm(t, "/token", client.id, client.secret, idptest.CodeForm(code, r)); a.Status != http.StatusOK {
			t.Errorf("%s: honest redemption after wrong tries: %d %s", client.id, a.Status, a.Raw)
		}
	}
}

// TestCodeReuseRevokesTokens: RFC 6749 §4.1.2.
func TestCodeReuseRevokesTokens(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	r := idptest.NewRequest()
	code := h.Code(t, b, r, "taro")
	tokens := h.Redeem(t, code, r)
	tokenError(t, "second use", h.Redeem(t, code, r), "invalid_grant")
	if a := h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("access_token")); a.Status != http.StatusUnauthorized {
		t.Errorf("access token of a replayed code: %d", a.Status)
	}
	tokenError(t, "refresh token of a replayed code", h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(tokens.Text("refresh_token"))), "invalid_grant")
	tokenError(t, "third use", h.Redeem(t, code, r), "invalid_grant")
	audited(t, h, "token.code_replayed", "")
}

func TestCodeEndsAfterSixtySeconds(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	b := h.Browser(t)
	r, late := idptest.NewRequest(), idptest.NewRequest()
	code := h.Code(t, b, r, "taro")
	c.advance(59 * time.Second)
	if a := h.Redeem(t, code, r); a.Status != http.StatusOK {
		t.Errorf("after 59 s: %d %s", a.Status, a.Raw)
	}
	code = h.Code(t, b, late, "taro")
	c.advance(60 * time.Second)
	tokenError(t, "after 60 s", h.Redeem(t, code, late), "invalid_grant")
}

// TestCodeIsBound to its client and its redirect URI.
func TestCodeIsBound(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	r := idptest.NewRequest()
	code := h.Code(t, b, r, "taro")
	other := idptest.CodeForm(code, r)
	other.Set("client_id", idptest.OtherID)
	other.Set("client_secret", idptest.Secret)
	tokenError(t, "other client", h.PostForm(t, "/token", "", "", other), "invalid_grant")
	moved := idptest.CodeForm(code, r)
	moved.Set("redirect_uri", "https://app.example/callback?fixed=1")
	tokenError(t, "other redirect URI", h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, moved), "invalid_grant")
	if a := h.Redeem(t, code, r); a.Status != http.StatusOK {
		t.Errorf("honest redemption afterwards: %d %s", a.Status, a.Raw)
	}
}

// TestRefreshTokenReuse: a doubled request within ten seconds is refused and harms nothing; later it is a theft and ends the grant.
func TestRefreshTokenReuse(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	b := h.Browser(t)
	r := idptest.NewRequest()
	first := h.Redeem(t, h.Code(t, b, r, "taro"), r).Text("refresh_token")
	refresh := func(token string) idptest.Answer {
		return h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(token))
	}
	second := refresh(first).Text("refresh_token")
	c.advance(9 * time.Second)
	tokenError(t, "doubled request", refresh(first), "invalid_grant")
	third := refresh(second)
	if third.Status != http.StatusOK {
		t.Fatalf("a doubled request ended the grant: %d %s", third.Status, third.Raw)
	}
	c.advance(30 * time.Second)
	tokenError(t, "stolen token", refresh(first), "invalid_grant")
	tokenError(t, "newest token after a theft", refresh(third.Text("refresh_token")), "invalid_grant")
	if a := h.Bearer(t, http.MethodGet, "/userinfo", third.Text("access_token")); a.Status != http.StatusUnauthorized {
		t.Errorf("access token after a theft: %d", a.Status)
	}
}

// TestRefreshNarrowsAndNeverWidens: RFC 6749 §6; the refresh token keeps the whole grant.
func TestRefreshNarrowsAndNeverWidens(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	r := idptest.NewRequest("scope", "openid offline_access link")
	tokens := h.Redeem(t, h.Code(t, b, r, "taro"), r)
	form := idptest.RefreshForm(tokens.Text("refresh_token"))
	form.Set("scope", "openid links")
	wide := h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, form)
	tokenError(t, "wider", wide, "invalid_scope")
	form.Set("scope", "openid")
	narrow := h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, form)
	if narrow.Status != http.StatusOK || narrow.Text("scope") != "openid" {
		t.Fatalf("narrower: %d %s", narrow.Status, narrow.Raw)
	}
	if a := h.Bearer(t, http.MethodGet, "/api/link", narrow.Text("access_token")); a.Status != http.StatusForbidden || !strings.Contains(a.Header.Get("WWW-Authenticate"), "insufficient_scope") {
		t.Errorf("narrowed token at the API: %d %s", a.Status, a.Header.Get("WWW-Authenticate"))
	}
	whole := h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(narrow.Text("refresh_token")))
	if whole.Text("scope") != "openid offline_access link" {
		t.Errorf("afterwards: %s", whole.Raw)
	}
}

// TestTokenEndpointRefusals: exact codes and statuses of RFC 6749 §5.2.
func TestTokenEndpointRefusals(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	for _, tt := range []struct {
		name, client, secret string
		form                 url.Values
		status               int
		code                 string
	}{
		{"no grant type", idptest.ClientID, idptest.Secret, url.Values{"x": {"y"}}, 400, "invalid_request"},
		{"unknown grant type", idptest.ClientID, idptest.Secret, url.Values{"grant_type": {"password"}}, 400, "unsupported_grant_type"},
		{"no code", idptest.ClientID, idptest.Secret, url.Values{"grant_type": {"authorization_code"}}, 400, "invalid_request"},
		{"malformed code", idptest.ClientID, idptest.Secret, url.Values{"grant_type": {"authorization_code"}, "code": {"x"}, "redirect_uri": {"y"}, "code_verifier": {"z"}}, 400, "invalid_grant"},
		{"repeated parameter", idptest.ClientID, idptest.Secret, url.Values{"grant_type": {"authorization_code", "refresh_token"}}, 400, "invalid_request"},
		{"wrong secret", idptest.ClientID, "x" + idptest.Secret[1:], url.Values{"grant_type": {"authorization_code"}}, 401, "invalid_client"},
		{"unknown client", "nobody", idptest.Secret, url.Values{"grant_type": {"authorization_code"}}, 401, "invalid_client"},
		{"no authentication", "", "", url.Values{"grant_type": {"authorization_code"}}, 401, "invalid_client"},
		{"secret of a public client", idptest.PublicID, idptest.Secret, url.Values{"grant_type": {"authorization_code"}}, 401, "invalid_client"},
		{"refresh without the grant type", idptest.PublicID, "", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}, 400, "unauthorized_client"},
	} {
		a := h.PostForm(t, "/token", tt.client, tt.secret, tt.form)
		if a.Status != tt.status || a.Text("error") != tt.code {
			t.Errorf("%s: %d %s, want %d %s", tt.name, a.Status, a.Raw, tt.status, tt.code)
		}
		if tt.status == 401 && !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("%s: no challenge", tt.name)
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		if a := h.Bearer(t, method, "/token", "x"); a.Status != http.StatusMethodNotAllowed && a.Status != http.StatusNotFound {
			t.Errorf("%s /token: %d", method, a.Status)
		}
	}
	if a := h.PostForm(t, "/revoke", idptest.ClientID, idptest.Secret, url.Values{"token": {"unknown"}}); a.Status != http.StatusOK {
		t.Errorf("revoking an unknown token: %d %s", a.Status, a.Raw)
	}
}

// TestTokenNeverInTheURL: a resource does not look for it there (RFC 6750 §2.3).
func TestTokenNeverInTheURL(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	r := idptest.NewRequest()
	tokens := h.Redeem(t, h.Code(t, b, r, "taro"), r)
	if p := b.Get("/userinfo?access_token=" + tokens.Text("access_token")); p.Status != http.StatusUnauthorized {
		t.Errorf("token in the query: %d", p.Status)
	}
	if a := h.PostForm(t, "/userinfo", "", "", url.Values{"access_token": {tokens.Text("access_token")}}); a.Status != http.StatusOK {
		t.Errorf("token in the body: %d %s", a.Status, a.Raw)
	}
	if a := h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("refresh_token")); a.Status != http.StatusUnauthorized {
		t.Errorf("refresh token as access token: %d", a.Status)
	}
}
