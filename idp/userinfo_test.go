package idp_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// recipient is a service that reads what is encrypted to it.
type recipient struct {
	ec  *ecdsa.PrivateKey
	rsa *rsa.PrivateKey
}

func newRecipient(t *testing.T) *recipient {
	t.Helper()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return &recipient{ec, r}
}

func (r *recipient) jwks(t *testing.T) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: r.ec.Public(), KeyID: "e", Use: "enc"}, {Key: r.rsa.Public(), KeyID: "r", Use: "enc"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// open decrypts a token and returns its protected header and what was in it.
func (r *recipient) open(t *testing.T, token, alg, enc string) (map[string]any, string) {
	t.Helper()
	jwe, err := jose.ParseEncryptedCompact(token, []jose.KeyAlgorithm{jose.KeyAlgorithm(alg)}, []jose.ContentEncryption{jose.ContentEncryption(enc)})
	if err != nil {
		t.Fatalf("%s: %v", token, err)
	}
	private := any(r.ec)
	if alg == "RSA-OAEP-256" {
		private = r.rsa
	}
	plain, err := jwe.Decrypt(private)
	if err != nil {
		t.Fatal(err)
	}
	return part(t, token, 0), string(plain)
}

// verified checks a JWS with the keys the hub publishes and returns its header and claims.
func verified(t *testing.T, h *idptest.Hub, token, alg string) (header, claims map[string]any) {
	t.Helper()
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		t.Fatalf("%s: %v", token, err)
	}
	payload, err := jws.Verify(published(t, h))
	if err != nil {
		t.Fatalf("%s: %v", alg, err)
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return part(t, token, 0), claims
}

// published is the hub's key set, as anybody reads it.
func published(t *testing.T, h *idptest.Hub) *jose.JSONWebKeySet {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(h.Bearer(t, http.MethodGet, "/jwks", "").Raw), &set); err != nil {
		t.Fatal(err)
	}
	return &set
}

// TestUserinfoAsRegistered: OIDC Core §5.3.2, the suite's oidcc-userinfo-rs256: JSON, a signed JWT, an encrypted one, or one signed and then
// encrypted, each with its content type, and iss and aud where it is signed.
func TestUserinfoAsRegistered(t *testing.T) {
	reader := newRecipient(t)
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{detailsClient(nil)}})
	s := signedInAt{t, h, atHome(t, h, "taro")}
	s.b.Post("/account/details", detailsForm())
	tokens := s.tokens(detailsRequest("openid email"))
	sub := idClaims(t, tokens.Text("id_token"))["sub"]
	for _, alg := range append([]string{""}, discovered(t, h, "userinfo_signing_alg_values_supported")...) {
		for _, how := range [][2]string{{}, {"RSA-OAEP-256", "A128CBC-HS256"}, {"ECDH-ES", "A128GCM"}, {"ECDH-ES+A256KW", "A256GCM"}} {
			more := map[string]any{"jwks": reader.jwks(t)}
			if alg != "" {
				more["userinfo_signed_response_alg"] = alg
			}
			if how[0] != "" {
				more["userinfo_encrypted_response_alg"], more["userinfo_encrypted_response_enc"] = how[0], how[1]
			}
			reregister(t, h, detailsClient(more))
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				what := method + " " + alg + " " + how[0]
				a := h.Bearer(t, method, "/userinfo", tokens.Text("access_token"))
				wantType := "application/jwt"
				if alg == "" && how[0] == "" {
					wantType = "application/json"
				}
				if a.Status != http.StatusOK || a.Header.Get("Content-Type") != wantType || a.Header.Get("Cache-Control") != "no-store" {
					t.Fatalf("%s: %d %s", what, a.Status, a.Header)
				}
				body, claims := a.Raw, map[string]any(nil)
				if how[0] != "" {
					var header map[string]any
					header, body = reader.open(t, body, how[0], how[1])
					if nested := header["cty"] == "JWT"; nested != (alg != "") { // RFC 7519 §5.2
						t.Errorf("%s: header %v", what, header)
					}
				}
				if alg == "" {
					if err := json.Unmarshal([]byte(body), &claims); err != nil {
						t.Fatal(err)
					}
					if claims["iss"] != nil || claims["aud"] != nil {
						t.Errorf("%s: %v", what, claims)
					}
				} else {
					var header map[string]any
					header, claims = verified(t, h, body, alg)
					if header["kid"] == nil || claims["iss"] != h.Issuer || claims["aud"] != detailsID {
						t.Errorf("%s: %v %v", what, header, claims)
					}
				}
				if claims["sub"] != sub || claims["email"] != "taro@example.jp" || claims["email_verified"] != false || claims["nonce"] != nil {
					t.Errorf("%s: %v", what, claims)
				}
			}
		}
	}
}

// TestUserinfoTokenIsNoIDTokenHint: a signed answer says iss, aud and sub as an ID token does, and is none.
func TestUserinfoTokenIsNoIDTokenHint(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{detailsClient(map[string]any{"userinfo_signed_response_alg": "ES256"})}})
	s := signedInAt{t, h, atHome(t, h, "taro")}
	info := s.userinfo(detailsRequest("openid"))
	if p := s.b.Get(detailsRequest("openid", "prompt", "none", "id_token_hint", info.Raw).Path()); p.URL.Query().Get("error") != "invalid_request" {
		t.Errorf("accepted as a hint: %s", p.URL)
	}
}

// TestUserinfoWithoutAKeyToEncryptTo: the answer is not given in the clear instead, and what is missing is said.
func TestUserinfoWithoutAKeyToEncryptTo(t *testing.T) {
	reader := newRecipient(t)
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }))
	t.Cleanup(keys.Close)
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{detailsClient(nil)}, Reachable: []string{strings.TrimPrefix(keys.URL, "http://")}})
	s := signedInAt{t, h, atHome(t, h, "taro")}
	token := s.tokens(detailsRequest("openid")).Text("access_token")
	reregister(t, h, detailsClient(map[string]any{
		"jwks_uri": keys.URL, "development": true, "userinfo_encrypted_response_alg": "ECDH-ES", "id_token_encrypted_response_alg": "ECDH-ES",
	}))
	if a := h.Bearer(t, http.MethodGet, "/userinfo", token); a.Status != http.StatusServiceUnavailable || a.Text("error") != "temporarily_unavailable" {
		t.Errorf("userinfo: %d %s", a.Status, a.Raw)
	}
	// The code is not spent by a token that could not be made.
	r := detailsRequest("openid")
	code := h.Code(t, s.b, r, "taro")
	if a := h.PostForm(t, "/token", detailsID, "", idptest.CodeForm(code, r)); a.Status != http.StatusServiceUnavailable || a.Text("access_token") != "" {
		t.Errorf("token: %d %s", a.Status, a.Raw)
	}
	reregister(t, h, detailsClient(map[string]any{"jwks": reader.jwks(t), "id_token_encrypted_response_alg": "ECDH-ES"}))
	if a := h.PostForm(t, "/token", detailsID, "", idptest.CodeForm(code, r)); a.Status != http.StatusOK {
		t.Errorf("once there is a key: %d %s", a.Status, a.Raw)
	}
}

// TestUserinfoTokenPlaces: OIDC Core §5.3.1, RFC 6750 §2, the suite's oidcc-userinfo-get, -post-header and -post-body.
func TestUserinfoTokenPlaces(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	r := idptest.NewRequest()
	tokens := h.Redeem(t, h.Code(t, h.Browser(t), r, "taro"), r)
	token, sub := tokens.Text("access_token"), idClaims(t, tokens.Text("id_token"))["sub"]
	send := func(method, path, contentType, body, authorization string) idptest.Answer {
		req, err := http.NewRequestWithContext(t.Context(), method, h.Issuer+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if contentType != "" {
			req.Header.Set("Content-Type", contentType)
		}
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
		}
		return send(t, req)
	}
	form, inBody := "application/x-www-form-urlencoded", url.Values{"access_token": {token}}.Encode()
	for _, c := range []struct {
		name                                           string
		method, path, contentType, body, authorization string
		status                                         int
	}{
		{"GET header", http.MethodGet, "/userinfo", "", "", "Bearer " + token, 200},
		{"scheme in another case", http.MethodGet, "/userinfo", "", "", "bEARER " + token, 200},
		{"POST header, no body", http.MethodPost, "/userinfo", "", "", "Bearer " + token, 200},
		{"POST header, empty form", http.MethodPost, "/userinfo", form, "", "Bearer " + token, 200},
		{"POST body", http.MethodPost, "/userinfo", form, inBody, "", 200},
		{"POST body with charset", http.MethodPost, "/userinfo", form + "; charset=UTF-8", inBody, "", 200},
		{"both", http.MethodPost, "/userinfo", form, inBody, "Bearer " + token, 400},
		{"twice in the body", http.MethodPost, "/userinfo", form, inBody + "&" + inBody, "", 400},
		{"in the URL", http.MethodGet, "/userinfo?" + inBody, "", "", "", 401},
		{"in a body of GET", http.MethodGet, "/userinfo", form, inBody, "", 401},
		{"nothing", http.MethodGet, "/userinfo", "", "", "", 401},
		{"another scheme", http.MethodGet, "/userinfo", "", "", "Basic " + token, 401},
		{"the ID token", http.MethodGet, "/userinfo", "", "", "Bearer " + tokens.Text("id_token"), 401},
		{"the refresh token", http.MethodGet, "/userinfo", "", "", "Bearer " + tokens.Text("refresh_token"), 401},
	} {
		a := send(c.method, c.path, c.contentType, c.body, c.authorization)
		if a.Status != c.status || a.Status == 200 && (a.JSON["sub"] != sub || a.Header.Get("Content-Type") != "application/json") {
			t.Errorf("%s: %d %s", c.name, a.Status, a.Raw)
		}
		if c.status == 401 && !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Bearer ") {
			t.Errorf("%s: %q", c.name, a.Header.Get("WWW-Authenticate"))
		}
	}
}

// TestUserinfoOfABoundToken: RFC 9449 §7.1, §7.2: scheme DPoP in any case, and the same token as a mere bearer token is refused.
func TestUserinfoOfABoundToken(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	holder := newProver(t, c.now)
	r := idptest.NewRequest()
	req := h.FormRequest(t, "/token", idptest.ClientID, idptest.Secret, idptest.CodeForm(h.Code(t, h.Browser(t), r, "taro"), r))
	token := send(t, req, holder.proof(t, http.MethodPost, h.Issuer+"/token", nil)).Text("access_token")
	for _, scheme := range []string{"DPoP", "dpop", "DPOP"} {
		proof := holder.proof(t, http.MethodGet, h.Issuer+"/userinfo", map[string]any{"ath": tokenHashOf(token)})
		if a := userinfoWith(t, h, scheme, token, proof); a.Status != http.StatusOK {
			t.Errorf("%s: %d %s", scheme, a.Status, a.Raw)
		}
	}
	proof := holder.proof(t, http.MethodGet, h.Issuer+"/userinfo", map[string]any{"ath": tokenHashOf(token)})
	for name, a := range map[string]idptest.Answer{
		"bearer": userinfoWith(t, h, "Bearer", token), "bearer with a proof": userinfoWith(t, h, "Bearer", token, proof), "no proof": userinfoWith(t, h, "DPoP", token),
	} {
		if a.Status != http.StatusUnauthorized || a.JSON["sub"] != nil {
			t.Errorf("%s: %d %s", name, a.Status, a.Raw)
		}
	}
}

// TestEncryptedIDToken: OIDC Core §2, §10.2: the signed token in a JWE to the client's key; as a hint only what is inside it is accepted.
func TestEncryptedIDToken(t *testing.T) {
	reader := newRecipient(t)
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{detailsClient(nil)}})
	s := signedInAt{t, h, atHome(t, h, "taro")}
	encs := discovered(t, h, "id_token_encryption_enc_values_supported")
	for i, alg := range discovered(t, h, "id_token_encryption_alg_values_supported") {
		enc := encs[i%len(encs)]
		reregister(t, h, detailsClient(map[string]any{
			"jwks": reader.jwks(t), "id_token_encrypted_response_alg": alg, "id_token_encrypted_response_enc": enc, "id_token_signed_response_alg": "PS256",
		}))
		tokens := s.tokens(detailsRequest("openid offline_access"))
		header, inner := reader.open(t, tokens.Text("id_token"), alg, enc)
		if header["cty"] != "JWT" || header["kid"] != map[bool]string{true: "r", false: "e"}[alg == "RSA-OAEP-256"] {
			t.Errorf("%s: header %v", alg, header)
		}
		_, claims := verified(t, h, inner, "PS256")
		if claims["aud"] != detailsID || claims["at_hash"] != leftHalf(crypto.SHA256, tokens.Text("access_token")) {
			t.Errorf("%s: %v", alg, claims)
		}
		again := h.PostForm(t, "/token", detailsID, "", idptest.RefreshForm(tokens.Text("refresh_token")))
		if _, inner := reader.open(t, again.Text("id_token"), alg, enc); len(strings.Split(inner, ".")) != 3 {
			t.Errorf("%s: refreshed %s", alg, inner)
		}
		for token, want := range map[string]string{tokens.Text("id_token"): "invalid_request", inner: ""} {
			if p := s.b.Get(detailsRequest("openid", "prompt", "none", "id_token_hint", token).Path()); p.URL.Query().Get("error") != want {
				t.Errorf("%s: as a hint: %s, want %q", alg, p.URL, want)
			}
		}
	}
}

// leftHalf is at_hash by the book (OIDC Core §3.1.3.6).
func leftHalf(hash crypto.Hash, token string) string {
	sum := hash.New()
	sum.Write([]byte(token))
	b := sum.Sum(nil)
	return base64URL(b[:len(b)/2])
}
