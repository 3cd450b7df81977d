package idp_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral/ephemeraltest"
)

// TestIntrospectionOfOwnTokens: RFC 7662 §2.2 for what a client holds itself: opaque access token and refresh token, each with its own
// expiry, and no name of anybody.
func TestIntrospectionOfOwnTokens(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now, Clients: resourceClients()})
	tokens := frontTokens(t, h, h.Browser(t), "taro")
	sub := h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("access_token")).Text("sub")
	now := float64(c.now().Unix())

	access := introspect(t, h, "front", tokens.Text("access_token"))
	for name, want := range map[string]any{
		"active": true, "client_id": "front", "token_type": "Bearer", "sub": sub, "iss": h.Issuer, "scope": "openid offline_access link", "acr": "phrh",
		"iat": now, "exp": now + 600,
	} {
		if access.JSON[name] != want {
			t.Errorf("access token: %s is %v, want %v", name, access.JSON[name], want)
		}
	}
	if !slices.Equal(list(access.JSON["aud"]), []string{h.Issuer}) || access.Text("jti") == "" || access.JSON["auth_time"] == nil || access.JSON["username"] != nil {
		t.Errorf("access token: %s", access.Raw)
	}
	if access.Header.Get("Cache-Control") != "no-store" {
		t.Error("answer may be cached")
	}
	refresh := introspect(t, h, "front", tokens.Text("refresh_token"))
	if refresh.JSON["active"] != true || refresh.JSON["exp"] != now+14*24*3600 || refresh.Text("sub") != sub || refresh.JSON["token_type"] != nil {
		t.Errorf("refresh token: %s", refresh.Raw)
	}
	hinted := h.PostForm(t, "/introspect", "front", idptest.Secret, url.Values{"token": {tokens.Text("refresh_token")}, "token_type_hint": {"something"}})
	if hinted.Raw != refresh.Raw {
		t.Errorf("with a hint: %s", hinted.Raw)
	}
}

// TestIntrospectionTellsStrangersNothing: unknown, malformed, expired, rotated, revoked and other people's tokens all look alike.
func TestIntrospectionTellsStrangersNothing(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now, Clients: resourceClients()})
	b := h.Browser(t)
	tokens := frontTokens(t, h, b, "taro")
	r := frontRequest()
	code := h.Code(t, b, r, "taro")
	forTax := h.PostForm(t, "/token", "front", idptest.Secret, exchangeForm(tokens.Text("access_token"), taxAPI)).Text("access_token")
	forNobody := granted(t, h, b, []string{openAPI}).Text("access_token")
	_, claims := readJWT(t, h, forNobody)
	for name, a := range map[string]idptest.Answer{
		"another client's access token":  introspect(t, h, "tax", tokens.Text("access_token")),
		"another client's refresh token": introspect(t, h, "tax", tokens.Text("refresh_token")),
		"a code":                         introspect(t, h, "front", code),
		"a token for another server":     introspect(t, h, "health", forTax),
		"a jti":                          introspect(t, h, "front", claims["jti"].(string)),
		"nonsense":                       introspect(t, h, "front", "nonsense"),
		"nonsense like a JWT":            introspect(t, h, "front", "a.b.c"),
		"a long one":                     introspect(t, h, "front", strings.Repeat("x", 10000)),
		"a token cut short":              introspect(t, h, "front", tokens.Text("access_token")[:60]),
		"a token nobody made":            introspect(t, h, "front", "tsa_"+strings.Repeat("A", 65)),
	} {
		inactive(t, name, a)
	}
	if a := introspect(t, h, "tax", forTax); a.JSON["active"] != true || a.Text("sub") == claims["sub"] || a.Text("client_id") != "front" {
		t.Errorf("the server it was meant for: %s", a.Raw)
	}
	h.PostForm(t, "/token", "front", idptest.Secret, idptest.RefreshForm(tokens.Text("refresh_token")))
	inactive(t, "rotated refresh token", introspect(t, h, "front", tokens.Text("refresh_token")))
	c.advance(accessLifeOfTest)
	inactive(t, "expired access token", introspect(t, h, "front", tokens.Text("access_token")))
	inactive(t, "expired token for a server", introspect(t, h, "tax", forTax))
	inactive(t, "expired JWT", introspect(t, h, "front", forNobody))
}

// TestIntrospectionWantsItsCallerProven: RFC 7662 §2.1. An access token opens nothing here, whoever's it is.
func TestIntrospectionWantsItsCallerProven(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: resourceClients()})
	token := frontTokens(t, h, h.Browser(t), "taro").Text("access_token")
	form := url.Values{"token": {token}}
	bearer := h.FormRequest(t, "/introspect", "", "", form)
	bearer.Header.Set("Authorization", "Bearer "+token)
	for name, a := range map[string]idptest.Answer{
		"nobody": h.PostForm(t, "/introspect", "", "", form), "a public client": h.PostForm(t, "/introspect", idptest.PublicID, "", form),
		"a wrong secret": h.PostForm(t, "/introspect", "front", "x"+idptest.Secret[1:], form), "a bearer": send(t, bearer),
	} {
		if a.Status != http.StatusUnauthorized || a.Text("error") != "invalid_client" || a.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d %s", name, a.Status, a.Raw)
		}
	}
	if a := h.PostForm(t, "/introspect", "front", idptest.Secret, url.Values{}); a.Status != http.StatusBadRequest || a.Text("error") != "invalid_request" {
		t.Errorf("no token: %d %s", a.Status, a.Raw)
	}
	if a := h.PostForm(t, "/introspect", "front", idptest.Secret, url.Values{"token": {token, token}}); a.Text("error") != "invalid_request" {
		t.Errorf("token twice: %d %s", a.Status, a.Raw)
	}
	if a := h.Bearer(t, http.MethodGet, "/introspect?token="+token, token); a.Status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", a.Status)
	}
}

// TestIntrospectionFollowsTheGround: consent, client and session decide, not the token's own time.
func TestIntrospectionFollowsTheGround(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: resourceClients()})
	b := h.Browser(t)
	tokens := frontTokens(t, h, b, "taro")
	forTax := h.PostForm(t, "/token", "front", idptest.Secret, exchangeForm(tokens.Text("access_token"), taxAPI)).Text("access_token")
	if a := h.Bearer(t, http.MethodDelete, "/api/link", tokens.Text("access_token")); a.Status != http.StatusNoContent {
		t.Fatalf("withdraw: %d %s", a.Status, a.Raw)
	}
	inactive(t, "without consent", introspect(t, h, "front", tokens.Text("access_token")))
	inactive(t, "exchanged, without consent", introspect(t, h, "tax", forTax))

	batch := h.PostForm(t, "/token", "batch", idptest.Secret, serviceForm("resource", taxAPI)).Text("access_token")
	if a := introspect(t, h, "tax", batch); a.JSON["active"] != true || a.Text("sub") != "batch" {
		t.Errorf("client's own token: %s", a.Raw)
	}
	if err := h.Clients.Suspend(t.Context(), "batch", idptest.Because); err != nil {
		t.Fatal(err)
	}
	inactive(t, "of a suspended client", introspect(t, h, "tax", batch))
}

// TestSignedIntrospection: RFC 9701: by Accept or by registration, inactive ones too, addressed to the caller.
func TestSignedIntrospection(t *testing.T) {
	c := newClock()
	clients := append(resourceClients(), confidential("signed", map[string]any{"serves": []string{openAPI}, "introspection_signed_response_alg": "PS256"}))
	h := idptest.Start(t, idptest.Options{Now: c.now, Clients: clients})
	token := h.PostForm(t, "/token", "batch", idptest.Secret, serviceForm("resource", taxAPI)).Text("access_token")
	ask := func(client, accept string) idptest.Answer {
		req := h.FormRequest(t, "/introspect", client, idptest.Secret, url.Values{"token": {token}})
		req.Header.Set("Accept", accept)
		return send(t, req)
	}
	for _, tt := range []struct {
		name, client, accept, alg string
		active                    bool
	}{
		{"asked for", "tax", "application/json;q=0.5, application/token-introspection+jwt", "RS256", true},
		{"asked for, not its token", "health", "application/token-introspection+jwt", "RS256", false},
		{"registered", "signed", "*/*", "PS256", false},
	} {
		a := ask(tt.client, tt.accept)
		if a.Status != http.StatusOK || a.Header.Get("Content-Type") != "application/token-introspection+jwt" || a.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%s: %d %s %v", tt.name, a.Status, a.Raw, a.Header)
		}
		header, claims := readJWT(t, h, a.Raw)
		if header["typ"] != "token-introspection+jwt" || header["alg"] != tt.alg || claims["iss"] != h.Issuer || claims["aud"] != tt.client || claims["iat"] != float64(c.now().Unix()) {
			t.Errorf("%s: %v %v", tt.name, header, claims)
		}
		if told, _ := claims["token_introspection"].(map[string]any); told["active"] != tt.active || !tt.active && len(told) != 1 {
			t.Errorf("%s: %v", tt.name, claims)
		}
		for _, never := range []string{"sub", "exp"} { // RFC 9701 §5: it must not pass for anything else
			if _, there := claims[never]; there {
				t.Errorf("%s: has %s", tt.name, never)
			}
		}
	}
	if a := ask("tax", "application/json"); a.JSON["active"] != true {
		t.Errorf("plain: %s", a.Raw)
	}
}

// TestRevocationExactness: RFC 7009 §2.1 and §2.2: other client → 400, unknown → 200, empty → 400; any token of a grant ends it.
func TestRevocationExactness(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: resourceClients()})
	b := h.Browser(t)
	tokens := frontTokens(t, h, b, "taro")
	revoke := func(client, token string) idptest.Answer {
		return h.PostForm(t, "/revoke", client, idptest.Secret, url.Values{"token": {token}, "token_type_hint": {"refresh_token"}})
	}
	for _, token := range []string{tokens.Text("access_token"), tokens.Text("refresh_token")} {
		if a := revoke("batch", token); a.Status != http.StatusBadRequest || a.Text("error") != "invalid_grant" {
			t.Errorf("other client: %d %s", a.Status, a.Raw)
		}
	}
	for name, token := range map[string]string{"unknown": "tsr_" + strings.Repeat("A", 65), "nonsense": "x", "JWT of nobody": "a.b.c", "ID token": tokens.Text("id_token")} {
		if a := revoke("front", token); a.Status != http.StatusOK || a.Raw != "" {
			t.Errorf("%s: %d %s", name, a.Status, a.Raw)
		}
	}
	if a := revoke("front", ""); a.Status != http.StatusBadRequest || a.Text("error") != "invalid_request" {
		t.Errorf("empty: %d %s", a.Status, a.Raw)
	}
	if a := h.PostForm(t, "/revoke", "", "", url.Values{"token": {"x"}}); a.Status != http.StatusUnauthorized {
		t.Errorf("nobody: %d %s", a.Status, a.Raw)
	}
	if a := introspect(t, h, "front", tokens.Text("access_token")); a.JSON["active"] != true {
		t.Fatalf("alive until now: %s", a.Raw)
	}
	if a := revoke("front", tokens.Text("access_token")); a.Status != http.StatusOK {
		t.Fatalf("own: %d %s", a.Status, a.Raw)
	}
	tokenError(t, "refresh after the access token was revoked", h.PostForm(t, "/token", "front", idptest.Secret, idptest.RefreshForm(tokens.Text("refresh_token"))), "invalid_grant")
	if a := revoke("front", tokens.Text("refresh_token")); a.Status != http.StatusOK {
		t.Errorf("twice: %d %s", a.Status, a.Raw)
	}
	jwt := h.PostForm(t, "/token", "batch", idptest.Secret, serviceForm("resource", taxAPI)).Text("access_token")
	if a := revoke("batch", jwt); a.Status != http.StatusOK {
		t.Errorf("JWT: %d %s", a.Status, a.Raw)
	}
	inactive(t, "revoked JWT", introspect(t, h, "tax", jwt))
}

// TestRevocationWithoutItsStoreIsNoSuccess: RFC 7009 §2.2.1: 503, so that the client tries again; and token and introspection say
// server_error without a word about the store.
func TestRevocationWithoutItsStoreIsNoSuccess(t *testing.T) {
	store := &brokenStore{Store: ephemeraltest.Open(t)}
	h := idptest.Start(t, idptest.Options{Transient: store, Clients: resourceClients()})
	tokens := frontTokens(t, h, h.Browser(t), "taro")
	store.broken.Store(true)
	a := h.PostForm(t, "/revoke", "front", idptest.Secret, url.Values{"token": {tokens.Text("refresh_token")}})
	if a.Status != http.StatusServiceUnavailable || a.Text("error") != "temporarily_unavailable" || a.Header.Get("Retry-After") == "" {
		t.Errorf("revoke: %d %s", a.Status, a.Raw)
	}
	for name, a := range map[string]idptest.Answer{
		"introspect": introspect(t, h, "front", tokens.Text("access_token")),
		"refresh":    h.PostForm(t, "/token", "front", idptest.Secret, idptest.RefreshForm(tokens.Text("refresh_token"))),
		"own token":  h.PostForm(t, "/token", "batch", idptest.Secret, serviceForm()),
	} {
		if a.Status != http.StatusInternalServerError || a.Text("error") != "server_error" || strings.Contains(a.Raw, "unplugged") {
			t.Errorf("%s: %d %s", name, a.Status, a.Raw)
		}
	}
	store.broken.Store(false)
	if a := introspect(t, h, "front", tokens.Text("access_token")); a.JSON["active"] != true {
		t.Errorf("afterwards: %s", a.Raw)
	}
}
