package idp_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// The resources of the tests, and the clients that ask for them and serve them.
const (
	taxAPI    = "https://api.tax.example/returns"
	healthAPI = "https://api.health.example/records"
	openAPI   = "https://api.open.example/" // nobody registered serves it

	exchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"
	accessType    = "urn:ietf:params:oauth:token-type:access_token"
)

func secretDigest() string {
	sum := sha256.Sum256([]byte(idptest.Secret))
	return hex.EncodeToString(sum[:])
}

func confidential(id string, more map[string]any) map[string]any {
	m := map[string]any{
		"client_id": id, "client_name": "試験 " + id, "operator": "試験の運営者", "token_endpoint_auth_method": "client_secret_basic",
		"client_secret_sha256": secretDigest(), "grant_types": []string{"client_credentials"}, "scope": "service",
	}
	for k, v := range more {
		m[k] = v
	}
	return m
}

// resourceClients: front meets citizens and may name every resource; tax and health serve theirs, and each may go on to the other; batch
// has nothing to do with any citizen.
func resourceClients() []map[string]any {
	return []map[string]any{
		confidential("front", map[string]any{
			"redirect_uris": []string{frontURI}, "grant_types": []string{"authorization_code", "refresh_token", "client_credentials", exchangeGrant},
			"scope": "openid offline_access link links service", "resources": []string{taxAPI, healthAPI, openAPI},
		}),
		confidential("tax", map[string]any{
			"serves": []string{taxAPI}, "resources": []string{healthAPI}, "grant_types": []string{"client_credentials", exchangeGrant},
		}),
		confidential("health", map[string]any{
			"serves": []string{healthAPI}, "resources": []string{taxAPI}, "grant_types": []string{"client_credentials", exchangeGrant},
		}),
		confidential("batch", map[string]any{"resources": []string{taxAPI}}),
	}
}

const frontURI = "https://front.example/cb"

func frontRequest(changes ...string) idptest.Request {
	return idptest.NewRequest(append([]string{"client_id", "front", "redirect_uri", frontURI, "scope", "openid offline_access link"}, changes...)...)
}

// readJWT verifies a token with the published keys, as a resource server does, and returns what it says.
func readJWT(t *testing.T, h *idptest.Hub, token string) (header, claims map[string]any) {
	t.Helper()
	a := h.Bearer(t, http.MethodGet, "/jwks", "")
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(a.Raw), &set); err != nil {
		t.Fatal(err)
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256, jose.EdDSA})
	if err != nil {
		t.Fatalf("not a JWT: %v: %s", err, token)
	}
	found := set.Key(jws.Signatures[0].Protected.KeyID)
	if len(found) != 1 {
		t.Fatalf("kid %q is not published", jws.Signatures[0].Protected.KeyID)
	}
	payload, err := jws.Verify(found[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &header); err != nil {
		t.Fatal(err)
	}
	return header, claims
}

func serviceForm(changes ...string) url.Values {
	f := url.Values{"grant_type": {"client_credentials"}}
	for i := 0; i+1 < len(changes); i += 2 {
		f.Add(changes[i], changes[i+1])
	}
	return f
}

func introspect(t *testing.T, h *idptest.Hub, client, token string) idptest.Answer {
	t.Helper()
	return h.PostForm(t, "/introspect", client, idptest.Secret, url.Values{"token": {token}})
}

// inactive wants exactly {"active":false}, which tells nothing (RFC 7662 §2.2).
func inactive(t *testing.T, what string, a idptest.Answer) {
	t.Helper()
	if a.Status != http.StatusOK || a.Raw != `{"active":false}` {
		t.Errorf("%s: %d %s", what, a.Status, a.Raw)
	}
}

func list(v any) []string {
	var out []string
	many, _ := v.([]any)
	for _, one := range many {
		s, _ := one.(string)
		out = append(out, s)
	}
	return out
}

// TestClientCredentialsGrantsRegisteredScopes: RFC 6749 §4.4.3: an access token, no refresh token and no ID token; the scopes are really granted.
func TestClientCredentialsGrantsRegisteredScopes(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: resourceClients()})
	for _, form := range []url.Values{serviceForm(), serviceForm("scope", "service"), serviceForm("scope", "service service")} {
		a := h.PostForm(t, "/token", "batch", idptest.Secret, form)
		if a.Status != http.StatusOK || a.Text("scope") != "service" || a.Text("token_type") != "Bearer" || a.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%v: %d %s", form, a.Status, a.Raw)
		}
		for _, none := range []string{"refresh_token", "id_token"} {
			if _, there := a.JSON[none]; there {
				t.Errorf("the answer has a %s", none)
			}
		}
		own := h.Bearer(t, http.MethodGet, "/api/service", a.Text("access_token"))
		if own.Status != http.StatusOK || own.Text("client_id") != "batch" || own.Text("scope") != "service" || own.Text("status") != "active" || own.Text("profile") != "oidc" {
			t.Errorf("GET /api/service: %d %s", own.Status, own.Raw)
		}
	}
}

// TestClientCredentialsRefusals: nothing about a citizen can be had without one.
func TestClientCredentialsRefusals(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: resourceClients()})
	for _, tt := range []struct {
		name, client, secret string
		form                 url.Values
		status               int
		code                 string
	}{
		{"openid", "front", idptest.Secret, serviceForm("scope", "openid"), 400, "invalid_scope"},
		{"offline access", "front", idptest.Secret, serviceForm("scope", "service offline_access"), 400, "invalid_scope"},
		{"a citizen's scope that is registered", "front", idptest.Secret, serviceForm("scope", "link"), 400, "invalid_scope"},
		{"unknown scope", "batch", idptest.Secret, serviceForm("scope", "everything"), 400, "invalid_scope"},
		{"resource not registered", "batch", idptest.Secret, serviceForm("resource", healthAPI), 400, "invalid_target"},
		{"one resource too many", "batch", idptest.Secret, serviceForm("resource", taxAPI, "resource", healthAPI), 400, "invalid_target"},
		{"authorization details", "batch", idptest.Secret, serviceForm("authorization_details", "[]"), 400, "invalid_authorization_details"},
		{"not registered for the grant", idptest.ClientID, idptest.Secret, serviceForm(), 400, "unauthorized_client"},
		{"public client", idptest.PublicID, "", serviceForm(), 400, "unauthorized_client"},
		{"wrong secret", "batch", "x" + idptest.Secret[1:], serviceForm(), 401, "invalid_client"},
		{"scope twice", "batch", idptest.Secret, serviceForm("scope", "service", "scope", "service"), 400, "invalid_request"},
	} {
		a := h.PostForm(t, "/token", tt.client, tt.secret, tt.form)
		if a.Status != tt.status || a.Text("error") != tt.code {
			t.Errorf("%s: %d %s, want %d %s", tt.name, a.Status, a.Raw, tt.status, tt.code)
		}
	}
}

// TestServiceTokenSpeaksForNoCitizen, and a citizen's token not for the client.
func TestServiceTokenSpeaksForNoCitizen(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now, Clients: resourceClients()})
	token := h.PostForm(t, "/token", "front", idptest.Secret, serviceForm()).Text("access_token")
	for _, path := range []string{"/userinfo", "/api/link", "/api/account/services"} {
		if a := h.Bearer(t, http.MethodGet, path, token); a.Status != http.StatusForbidden {
			t.Errorf("%s: %d %s", path, a.Status, a.Raw)
		}
	}
	r := frontRequest()
	citizen := h.PostForm(t, "/token", "front", idptest.Secret, idptest.CodeForm(h.Code(t, h.Browser(t), r, "taro"), r)).Text("access_token")
	if a := h.Bearer(t, http.MethodGet, "/api/service", citizen); a.Status != http.StatusForbidden {
		t.Errorf("citizen's token at /api/service: %d %s", a.Status, a.Raw)
	}
	c.advance(accessLifeOfTest)
	if a := h.Bearer(t, http.MethodGet, "/api/service", token); a.Status != http.StatusUnauthorized {
		t.Errorf("expired: %d %s", a.Status, a.Raw)
	}
	suspended := h.PostForm(t, "/token", "batch", idptest.Secret, serviceForm()).Text("access_token")
	if err := h.Clients.Suspend(t.Context(), "batch", idptest.Because); err != nil {
		t.Fatal(err)
	}
	if a := h.Bearer(t, http.MethodGet, "/api/service", suspended); a.Status != http.StatusUnauthorized {
		t.Errorf("suspended client: %d %s", a.Status, a.Raw)
	}
}

// TestResourceMakesJWTAccessToken: RFC 9068 §2: type, algorithm, kid and claims; without a resource the token stays opaque.
func TestResourceMakesJWTAccessToken(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now, Clients: resourceClients()})
	if token := h.PostForm(t, "/token", "batch", idptest.Secret, serviceForm()).Text("access_token"); !strings.HasPrefix(token, "tsa_") {
		t.Errorf("token without a resource: %s", token)
	}
	a := h.PostForm(t, "/token", "batch", idptest.Secret, serviceForm("resource", taxAPI))
	if a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Raw)
	}
	header, claims := readJWT(t, h, a.Text("access_token"))
	if header["typ"] != "at+jwt" || header["alg"] != "ES256" || header["kid"] == "" {
		t.Errorf("header %v", header)
	}
	now := float64(c.now().Unix())
	for name, want := range map[string]any{
		"iss": h.Issuer, "sub": "batch", "client_id": "batch", "scope": "service", "iat": now, "exp": now + a.JSON["expires_in"].(float64),
	} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	if !slices.Equal(list(claims["aud"]), []string{taxAPI}) || len(claims["jti"].(string)) < 43 {
		t.Errorf("aud %v, jti %v", claims["aud"], claims["jti"])
	}
	for _, citizen := range []string{"acr", "amr", "auth_time", "act", "cnf", "authorization_details"} {
		if _, there := claims[citizen]; there {
			t.Errorf("a client's own token has %s", citizen)
		}
	}
}

// TestEmptyResourcesAreNone: RFC 6749 §3.1: a parameter without a value was not sent, however often; it does not stand for every resource
// that is registered.
func TestEmptyResourcesAreNone(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: resourceClients()})
	if a := h.PostForm(t, "/token", "batch", idptest.Secret, serviceForm("resource", "", "resource", "")); !strings.HasPrefix(a.Text("access_token"), "tsa_") {
		t.Errorf("%d %s", a.Status, a.Raw)
	}
}

// TestJWTAccessTokenAtTheHubNeedsItsAudience: a token for somebody else's resource is none for the hub, and its jti is no token anywhere.
func TestJWTAccessTokenAtTheHubNeedsItsAudience(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: resourceClients()})
	foreign := h.PostForm(t, "/token", "batch", idptest.Secret, serviceForm("resource", taxAPI)).Text("access_token")
	own := h.PostForm(t, "/token", "batch", idptest.Secret, serviceForm("resource", h.Issuer)).Text("access_token")
	both := h.PostForm(t, "/token", "batch", idptest.Secret, serviceForm("resource", h.Issuer, "resource", taxAPI)).Text("access_token")
	_, claims := readJWT(t, h, own)
	parts := strings.Split(own, ".")
	for name, tt := range map[string]struct {
		token  string
		status int
	}{
		"for another resource": {foreign, 401}, "for the hub": {own, 200}, "for both": {both, 200},
		"jti": {claims["jti"].(string), 401}, "jti as an opaque token": {"tsa_" + claims["jti"].(string)[4:], 401},
		"without signature": {parts[0] + "." + parts[1] + ".", 401}, "altered": {parts[0] + "." + strings.Split(both, ".")[1] + "." + parts[2], 401},
	} {
		a := h.Bearer(t, http.MethodGet, "/api/service", tt.token)
		if a.Status != tt.status {
			t.Errorf("%s: %d %s", name, a.Status, a.Raw)
		}
		if tt.status == 401 && !strings.Contains(a.Header.Get("WWW-Authenticate"), `error="invalid_token"`) {
			t.Errorf("%s: challenge %q", name, a.Header.Get("WWW-Authenticate"))
		}
	}
}

// TestIDTokenIsNoAccessToken: a signature of ours is not enough, the type decides (RFC 9068 §4).
func TestIDTokenIsNoAccessToken(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: resourceClients()})
	r := frontRequest()
	tokens := h.PostForm(t, "/token", "front", idptest.Secret, idptest.CodeForm(h.Code(t, h.Browser(t), r, "taro"), r))
	if a := h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("id_token")); a.Status != http.StatusUnauthorized {
		t.Errorf("ID token at userinfo: %d", a.Status)
	}
	inactive(t, "ID token", introspect(t, h, "front", tokens.Text("id_token")))
	a := h.PostForm(t, "/token", "front", idptest.Secret, exchangeForm(tokens.Text("id_token"), taxAPI))
	if a.Text("error") != "invalid_request" {
		t.Errorf("ID token exchanged: %d %s", a.Status, a.Raw)
	}
}
