package idp_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/keys"
)

// TestCodeReuseAtAnyTimeRevokesTokens: at once, after a second, after thirty, and when the code would be too old anyway
// [oidcc-codereuse, oidcc-codereuse-30seconds, fapi2-security-profile-final-attempt-reuse-authorization-code-after-one-second].
func TestCodeReuseAtAnyTimeRevokesTokens(t *testing.T) {
	for _, after := range []time.Duration{0, time.Second, 30 * time.Second, 62 * time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			c := newClock()
			h := idptest.Start(t, idptest.Options{Now: c.now})
			r := idptest.NewRequest()
			code := h.Code(t, h.Browser(t), r, "taro")
			tokens := h.Redeem(t, code, r)
			c.advance(after)
			tokenError(t, "second use", h.Redeem(t, code, r), "invalid_grant")
			if a := h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("access_token")); a.Status != http.StatusUnauthorized {
				t.Errorf("access token: %d", a.Status)
			}
			tokenError(t, "refresh token", h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(tokens.Text("refresh_token"))), "invalid_grant")
		})
	}
}

// TestUnusedCodeIsTooOldAfterSixtyTwoSeconds [fapi2-security-profile-final-ensure-token-endpoint-fails-with-expired-auth-code].
func TestUnusedCodeIsTooOldAfterSixtyTwoSeconds(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	r := idptest.NewRequest()
	code := h.Code(t, h.Browser(t), r, "taro")
	c.advance(62 * time.Second)
	tokenError(t, "at 62 s", h.Redeem(t, code, r), "invalid_grant")
}

// kindsOfClient are the ways a client redeems a code, each with a request that carries a challenge.
func kindsOfClient(t *testing.T, key *prover) []map[string]any {
	t.Helper()
	jwks, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.key.PublicKey, KeyID: "k1", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	code := func(id string, more map[string]any) map[string]any {
		m := confidential(id, map[string]any{"redirect_uris": []string{"https://" + id + ".example/cb"}, "grant_types": []string{"authorization_code"}, "scope": "openid"})
		for k, v := range more {
			if m[k] = v; v == nil {
				delete(m, k)
			}
		}
		return m
	}
	return []map[string]any{
		code("basic", nil),
		code("post", map[string]any{"token_endpoint_auth_method": "client_secret_post"}),
		code("lax", map[string]any{"require_pkce": false}),
		code("open", map[string]any{"token_endpoint_auth_method": "none", "client_secret_sha256": nil}),
		code("bank", map[string]any{"token_endpoint_auth_method": "private_key_jwt", "client_secret_sha256": nil, "jwks": json.RawMessage(jwks)}),
	}
}

// TestVerifierCannotBeWornDown: the wrong verifier and then none, none and then none: for every kind of client, one that need not use PKCE
// among them, the code stays locked, and opens for the right verifier afterwards.
func TestVerifierCannotBeWornDown(t *testing.T) {
	c := newClock()
	key := newProver(t, c.now)
	h := idptest.Start(t, idptest.Options{Now: c.now, Clients: kindsOfClient(t, key)})
	b := h.Browser(t)
	for _, id := range []string{"basic", "post", "lax", "open", "bank"} {
		post := func(form url.Values) idptest.Answer {
			f := url.Values{}
			for k, v := range form {
				f[k] = v
			}
			switch id {
			case "basic", "lax":
				return h.PostForm(t, "/token", id, idptest.Secret, f)
			case "post":
				f.Set("client_id", id)
				f.Set("client_secret", idptest.Secret)
			case "open":
				f.Set("client_id", id)
			default:
				f.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
				f.Set("client_assertion", assertion(t, key, h.Issuer))
			}
			return h.PostForm(t, "/token", "", "", f)
		}
		for _, tries := range [][]string{{strings.Repeat("w", 43), ""}, {"", ""}, {"", strings.Repeat("w", 43)}} {
			r := idptest.NewRequest("client_id", id, "redirect_uri", "https://"+id+".example/cb", "scope", "openid")
			code := h.Code(t, b, r, "taro")
			for _, verifier := range tries {
				form := idptest.CodeForm(code, r)
				if form.Set("code_verifier", verifier); verifier == "" {
					form.Del("code_verifier")
				}
				tokenError(t, id+" with "+verifier, post(form), "invalid_grant")
			}
			if a := post(idptest.CodeForm(code, r)); a.Status != http.StatusOK {
				t.Errorf("%s: the right verifier after %q: %d %s", id, tries, a.Status, a.Raw)
			}
		}
	}
}

// TestTokenEndpointReadsFormsOnly: RFC 6749 §3.2 and §4.1.3: one content type, each parameter once, nothing from the address.
func TestTokenEndpointReadsFormsOnly(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	r := idptest.NewRequest()
	code := h.Code(t, h.Browser(t), r, "taro")
	form := idptest.CodeForm(code, r).Encode()
	post := func(path, contentType, body string) *httptest.ResponseRecorder {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
		req.Header.Set("Content-Type", contentType)
		req.SetBasicAuth(idptest.ClientID, idptest.Secret)
		w := httptest.NewRecorder()
		h.Handler().ServeHTTP(w, req)
		return w
	}
	const urlencoded = "application/x-www-form-urlencoded"
	for name, w := range map[string]*httptest.ResponseRecorder{
		"JSON":                post("/token", "application/json", `{"grant_type":"authorization_code"}`),
		"multipart":           post("/token", "multipart/form-data; boundary=x", "--x--"),
		"no content type":     post("/token", "", form),
		"in the address":      post("/token?"+form, urlencoded, ""),
		"grant type twice":    post("/token", urlencoded, form+"&grant_type=authorization_code"),
		"code twice":          post("/token", urlencoded, form+"&code=x"),
		"code_verifier twice": post("/token", urlencoded, form+"&code_verifier=x"),
		"an empty code":       post("/token", urlencoded, "grant_type=authorization_code&redirect_uri=x&code="),
		"no redirect_uri":     post("/token", urlencoded, "grant_type=authorization_code&code="+code),
	} {
		var body struct {
			Error       string `json:"error"`
			Description string `json:"error_description"`
		}
		_ = json.Unmarshal(w.Body.Bytes(), &body)
		if w.Code != http.StatusBadRequest || body.Error != "invalid_request" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if !descriptionSyntax.MatchString(body.Description) || strings.Contains(w.Body.String(), code) {
			t.Errorf("%s: description %q", name, w.Body)
		}
	}
	if w := post("/token", urlencoded, form+"&x="+strings.Repeat("x", 1<<17)); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("too long: %d %s", w.Code, w.Body)
	}
	if w := post("/token", urlencoded+"; charset=UTF-8", form); w.Code != http.StatusOK {
		t.Errorf("the good one: %d %s", w.Code, w.Body)
	}
}

// TestRefreshedIDToken: OIDC Core §12.2: the same iss, sub, auth_time and audience, a new iat, no nonce, the hash of the new access token,
// and the key that signs today [oidcc-refresh-token, oidcc-server-rotate-keys].
func TestRefreshedIDToken(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	r := idptest.NewRequest()
	first := h.Redeem(t, h.Code(t, h.Browser(t), r, "taro"), r)
	header, claims := readJWT(t, h, first.Text("id_token"))
	if err := h.Keys.Rotate(t.Context(), keys.ES256); err != nil {
		t.Fatal(err)
	}
	c.advance(26 * time.Hour) // the new key was published for a day
	if err := h.Keys.Advance(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(first.Text("refresh_token")))
	if second.Status != http.StatusOK {
		t.Fatalf("refresh: %d %s", second.Status, second.Raw)
	}
	freshHeader, fresh := readJWT(t, h, second.Text("id_token"))
	for _, same := range []string{"iss", "sub", "auth_time", "aud", "acr", "sid"} {
		if fresh[same] != claims[same] || fresh[same] == nil {
			t.Errorf("%s was %v and is %v", same, claims[same], fresh[same])
		}
	}
	if fresh["iat"] != float64(c.now().Unix()) || claims["nonce"] != r.Params.Get("nonce") {
		t.Errorf("iat %v, first nonce %v", fresh["iat"], claims["nonce"])
	}
	if _, there := fresh["nonce"]; there {
		t.Error("the refreshed token answers no request, yet has a nonce")
	}
	sum := sha256.Sum256([]byte(second.Text("access_token")))
	if fresh["at_hash"] != base64.RawURLEncoding.EncodeToString(sum[:16]) {
		t.Errorf("at_hash %v", fresh["at_hash"])
	}
	if freshHeader["kid"] == header["kid"] {
		t.Error("signed with the key of yesterday")
	}
}

// TestWithdrawnConsentStopsRefresh, and agreeing again does not bring the old tokens back.
func TestWithdrawnConsentStopsRefresh(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: resourceClients()})
	b := h.Browser(t)
	tokens := frontTokens(t, h, b, "taro")
	if a := h.Bearer(t, http.MethodDelete, "/api/link", tokens.Text("access_token")); a.Status != http.StatusNoContent {
		t.Fatalf("withdraw: %d %s", a.Status, a.Raw)
	}
	refresh := func() idptest.Answer {
		return h.PostForm(t, "/token", "front", idptest.Secret, idptest.RefreshForm(tokens.Text("refresh_token")))
	}
	tokenError(t, "withdrawn", refresh(), "invalid_grant")
	r := frontRequest()
	p := b.Get(r.Path())
	if p = b.Post("/consent", url.Values{"tx": {p.Tx()}, "decision": {"allow"}}); p.URL.Query().Get("code") == "" {
		t.Fatalf("agree again: %s", p.URL)
	}
	tokenError(t, "agreed again", refresh(), "invalid_grant")
}
