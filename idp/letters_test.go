package idp_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/idp"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestWordsAreComparedLetterByLetter: scopes, grant types, response types and prompts in other letters are other words, and a part of one is
// none. The engine's own lists are compared without regard to case.
func TestWordsAreComparedLetterByLetter(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: resourceClients()})
	b := h.Browser(t)
	r := frontRequest("resource", taxAPI)
	tokens := h.PostForm(t, "/token", "front", idptest.Secret, idptest.CodeForm(h.Code(t, b, r, "taro"), r))
	refresh := func(name, value string) idptest.Answer {
		form := idptest.RefreshForm(tokens.Text("refresh_token"))
		form.Set(name, value)
		return h.PostForm(t, "/token", "front", idptest.Secret, form)
	}
	for _, scope := range []string{"OPENID", "openid Link", "open", "openid.x", "*"} {
		tokenError(t, "refresh with scope "+scope, refresh("scope", scope), "invalid_scope")
	}
	for _, resource := range []string{strings.ToUpper(taxAPI), taxAPI + "/", taxAPI + "/x", "https://api.tax.example/"} {
		tokenError(t, "refresh for "+resource, refresh("resource", resource), "invalid_target")
	}
	for _, grant := range []string{"AUTHORIZATION_CODE", "Refresh_token", "refresh_token password", "password", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:saml2-bearer"} {
		tokenError(t, "grant type "+grant, h.PostForm(t, "/token", "front", idptest.Secret, url.Values{"grant_type": {grant}, "assertion": {"a.b.c"}, "refresh_token": {tokens.Text("refresh_token")}}), "unsupported_grant_type")
	}
	for parameter, tt := range map[string]struct {
		values []string
		want   string
	}{
		"response_type": {[]string{"CODE", "code code", "token", "id_token", "code id_token", "code token", "id_token token", "none"}, "unsupported_response_type"},
		"scope":         {[]string{"OPENID", "open", "openid.x", "*"}, "invalid_scope"},
		"prompt":        {[]string{"NONE", "Login", "create"}, "invalid_request"},
	} {
		for _, value := range tt.values {
			if p := b.Get(frontRequest(parameter, value).Path()); p.URL.Query().Get("error") != tt.want {
				t.Errorf("%s %q: %s %s", parameter, value, p.URL, p.Error())
			}
		}
	}
	if a := refresh("scope", "openid"); a.Status != http.StatusOK || a.Text("scope") != "openid" {
		t.Errorf("the right letters: %d %s", a.Status, a.Raw)
	}
}

// TestLoopbackAddressIsComparedExactly: no port, scheme, host or path stands for another, for a native client and on the citizen's own
// computer neither; and an address that is left out is not filled in.
func TestLoopbackAddressIsComparedExactly(t *testing.T) {
	const registered = "http://127.0.0.1:8080/cb"
	native := map[string]any{
		"client_id": "native", "client_name": "アプリ", "operator": "運営", "application_type": "native", "redirect_uris": []string{registered},
		"grant_types": []string{"authorization_code"}, "scope": "openid", "token_endpoint_auth_method": "none",
	}
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{native}})
	b := h.Browser(t)
	for _, address := range []string{
		"http://127.0.0.1:8081/cb", "http://127.0.0.1/cb", "https://127.0.0.1:8080/cb", "http://localhost:8080/cb", "http://[::1]:8080/cb", "http://127.0.0.1:8080/cb/",
		"http://127.0.0.1:8080/CB", "http://127.0.0.1:8080/x/../cb", "http://127.0.0.1:8080/%63b", "http://127.0.0.1:8080/cb#x", "http://x@127.0.0.1:8080/cb", "",
	} {
		p := b.Get(idptest.NewRequest("client_id", "native", "redirect_uri", address, "scope", "openid").Path())
		if p.Status != http.StatusBadRequest || p.Error() != "redirect_uri_mismatch" {
			t.Errorf("%q: %d %s %q", address, p.Status, p.URL, p.Error())
		}
	}
	r := idptest.NewRequest("client_id", "native", "redirect_uri", registered, "scope", "openid")
	if code := h.Code(t, b, r, "taro"); code == "" {
		t.Error("the registered address")
	}
}

// TestVerifierWithoutChallengeIsRefused: RFC 9700 §2.1.1, §4.8: a verifier says that the client sent a challenge. If the request had none,
// somebody took it out on the way.
func TestVerifierWithoutChallengeIsRefused(t *testing.T) {
	lax := confidential("lax", map[string]any{
		"redirect_uris": []string{"https://lax.example/cb"}, "grant_types": []string{"authorization_code"}, "scope": "openid", "require_pkce": false,
	})
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{lax}})
	r := idptest.NewRequest("client_id", "lax", "redirect_uri", "https://lax.example/cb", "scope", "openid", "code_challenge", "", "code_challenge_method", "")
	form := idptest.CodeForm(h.Code(t, h.Browser(t), r, "taro"), r)
	tokenError(t, "with a verifier", h.PostForm(t, "/token", "lax", idptest.Secret, form), "invalid_grant")
	form.Del("code_verifier")
	if a := h.PostForm(t, "/token", "lax", idptest.Secret, form); a.Status != http.StatusOK {
		t.Errorf("as it was asked for: %d %s", a.Status, a.Raw)
	}
}

// TestPagesOfOtherSitesReadOnlyWhatTheyMay: FAPI 2.0 Security Profile §5.2.3, RFC 9700 §2.6: scripts of other sites may call what public
// clients in browsers need, and never the pages of citizens, whoever asks.
func TestPagesOfOtherSitesReadOnlyWhatTheyMay(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	ask := func(method, path string) http.Header {
		req, err := http.NewRequestWithContext(t.Context(), method, h.Issuer+path, http.NoBody)
		must(t, err)
		req.Header.Set("Origin", "https://elsewhere.example")
		req.Header.Set("Access-Control-Request-Method", http.MethodPost)
		return send(t, req).Header
	}
	_, pages := idp.RoutesForTest()
	for _, r := range pages {
		for _, method := range []string{r.Method, http.MethodOptions} {
			for name := range ask(method, r.Path) {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s %s answers with %s", method, r.Path, name)
				}
			}
		}
	}
	for _, path := range []string{"/token", "/revoke", "/userinfo", "/jwks", "/.well-known/openid-configuration"} {
		if a := ask(http.MethodOptions, path); a.Get("Access-Control-Allow-Origin") != "*" || a.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %v", path, a)
		}
	}
}

// TestWithoutOpenIDThereIsNoIDToken: OIDC Core §3.1.2.1: a request without scope openid is plain OAuth: a token, and nothing about who it is.
func TestWithoutOpenIDThereIsNoIDToken(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	r := idptest.NewRequest("scope", "link offline_access")
	tokens := h.Redeem(t, h.Code(t, h.Browser(t), r, "taro"), r)
	for range 2 {
		if tokens.Status != http.StatusOK || tokens.Text("scope") != "link offline_access" || tokens.JSON["id_token"] != nil {
			t.Fatalf("%d %s", tokens.Status, tokens.Raw)
		}
		if a := h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("access_token")); a.Status != http.StatusForbidden || !strings.Contains(a.Header.Get("WWW-Authenticate"), "insufficient_scope") {
			t.Errorf("userinfo: %d %s", a.Status, a.Raw)
		}
		tokens = h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(tokens.Text("refresh_token")))
	}
}
