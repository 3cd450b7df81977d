package idp_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// prover makes DPoP proofs with one key, and bends them.
type prover struct {
	key *ecdsa.PrivateKey
	now func() time.Time
}

func newProver(t testing.TB, now func() time.Time) *prover {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &prover{key, now}
}

func (p *prover) proof(t *testing.T, method, uri string, changes map[string]any) string {
	t.Helper()
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": uri, "iat": p.now().Unix()}
	typ := "dpop+jwt"
	for k, v := range changes {
		if k == "typ" {
			typ = v.(string)
			continue
		}
		if claims[k] = v; v == nil {
			delete(claims, k)
		}
	}
	opts := &jose.SignerOptions{EmbedJWK: true}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: p.key}, opts.WithType(jose.ContentType(typ)))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (p *prover) thumbprint(t *testing.T) string {
	t.Helper()
	sum, err := (&jose.JSONWebKey{Key: &p.key.PublicKey}).Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

func send(t *testing.T, req *http.Request, proofs ...string) idptest.Answer {
	t.Helper()
	return sendBy(t, idptest.Client(), req, proofs...)
}

func sendBy(t *testing.T, by *http.Client, req *http.Request, proofs ...string) idptest.Answer {
	t.Helper()
	for _, p := range proofs {
		req.Header.Add("DPoP", p)
	}
	resp, err := by.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := idptest.Answer{Status: resp.StatusCode, Header: resp.Header, Raw: string(b)}
	_ = json.Unmarshal(b, &a.JSON)
	return a
}

func userinfoWith(t *testing.T, h *idptest.Hub, scheme, token string, proofs ...string) idptest.Answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.Issuer+"/userinfo", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", scheme+" "+token)
	return send(t, req, proofs...)
}

func tokenHashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// TestDPoPBindsTokens: RFC 9449: a token got with a proof is worth nothing without the key.
func TestDPoPBindsTokens(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	b := h.Browser(t)
	holder, thief := newProver(t, c.now), newProver(t, c.now)
	r := idptest.NewRequest()
	req := h.FormRequest(t, "/token", idptest.ClientID, idptest.Secret, idptest.CodeForm(h.Code(t, b, r, "taro"), r))
	tokens := send(t, req, holder.proof(t, http.MethodPost, h.Issuer+"/token", nil))
	if tokens.Status != http.StatusOK || tokens.Text("token_type") != "DPoP" {
		t.Fatalf("tokens: %d %s", tokens.Status, tokens.Raw)
	}
	token, uri := tokens.Text("access_token"), h.Issuer+"/userinfo"
	ath := map[string]any{"ath": tokenHashOf(token)}
	good := holder.proof(t, http.MethodGet, uri, ath)
	if a := userinfoWith(t, h, "dpop", token, good); a.Status != http.StatusOK {
		t.Errorf("holder: %d %s", a.Status, a.Raw)
	}
	for name, a := range map[string]idptest.Answer{
		"as bearer":           userinfoWith(t, h, "Bearer", token),
		"without a proof":     userinfoWith(t, h, "DPoP", token),
		"replayed proof":      userinfoWith(t, h, "DPoP", token, good),
		"two proofs":          userinfoWith(t, h, "DPoP", token, holder.proof(t, http.MethodGet, uri, ath), holder.proof(t, http.MethodGet, uri, ath)),
		"thief's key":         userinfoWith(t, h, "DPoP", token, thief.proof(t, http.MethodGet, uri, ath)),
		"no ath":              userinfoWith(t, h, "DPoP", token, holder.proof(t, http.MethodGet, uri, nil)),
		"ath of another":      userinfoWith(t, h, "DPoP", token, holder.proof(t, http.MethodGet, uri, map[string]any{"ath": tokenHashOf("x")})),
		"for another method":  userinfoWith(t, h, "DPoP", token, holder.proof(t, http.MethodPost, uri, ath)),
		"for another address": userinfoWith(t, h, "DPoP", token, holder.proof(t, http.MethodGet, h.Issuer+"/token", ath)),
	} {
		if a.Status != http.StatusUnauthorized || a.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d %s", name, a.Status, a.Raw)
		}
	}
	unbound := idptest.NewRequest()
	bearer := h.Redeem(t, h.Code(t, b, unbound, "taro"), unbound).Text("access_token")
	if a := userinfoWith(t, h, "DPoP", bearer, holder.proof(t, http.MethodGet, uri, map[string]any{"ath": tokenHashOf(bearer)})); a.Status != http.StatusUnauthorized {
		t.Errorf("unbound token with a proof: %d", a.Status)
	}
}

// TestDPoPProofRefusals: each part of RFC 9449 §4.3, at the token endpoint, and none of them costs the code.
func TestDPoPProofRefusals(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	p := newProver(t, c.now)
	r := idptest.NewRequest()
	code := h.Code(t, h.Browser(t), r, "taro")
	uri := h.Issuer + "/token"
	try := func(proofs ...string) idptest.Answer {
		return send(t, h.FormRequest(t, "/token", idptest.ClientID, idptest.Secret, idptest.CodeForm(code, r)), proofs...)
	}
	at := func(d time.Duration) map[string]any { return map[string]any{"iat": c.now().Add(d).Unix()} }
	signed := p.proof(t, http.MethodPost, uri, nil)
	parts := strings.Split(signed, ".")
	for name, proofs := range map[string][]string{
		"other type":        {p.proof(t, http.MethodPost, uri, map[string]any{"typ": "JWT"})},
		"an hour old":       {p.proof(t, http.MethodPost, uri, at(-time.Hour))},
		"an hour ahead":     {p.proof(t, http.MethodPost, uri, at(time.Hour))},
		"no iat":            {p.proof(t, http.MethodPost, uri, map[string]any{"iat": nil})},
		"no jti":            {p.proof(t, http.MethodPost, uri, map[string]any{"jti": nil})},
		"wrong method":      {p.proof(t, http.MethodGet, uri, nil)},
		"wrong address":     {p.proof(t, http.MethodPost, h.Issuer+"/par", nil)},
		"foreign host":      {p.proof(t, http.MethodPost, "https://evil.example/token", nil)},
		"altered":           {parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"jti":"x","htm":"POST"}`)) + "." + parts[2]},
		"no key in header":  {unkeyed(t, p)},
		"unsigned":          {base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"dpop+jwt"}`)) + "." + parts[1] + "."},
		"two headers":       {p.proof(t, http.MethodPost, uri, nil), p.proof(t, http.MethodPost, uri, nil)},
		"jti without bound": {p.proof(t, http.MethodPost, uri, map[string]any{"jti": strings.Repeat("x", 300)})},
	} {
		if a := try(proofs...); a.Status != http.StatusBadRequest || a.Text("error") != "invalid_dpop_proof" {
			t.Errorf("%s: %d %s", name, a.Status, a.Raw)
		}
	}
	if a := try(p.proof(t, http.MethodPost, uri, map[string]any{"nonce": "not-ours"})); a.Text("error") != "use_dpop_nonce" || a.Header.Get("DPoP-Nonce") == "" {
		t.Errorf("foreign nonce: %d %s", a.Status, a.Raw)
	}
	used := p.proof(t, http.MethodPost, uri+"?query=ignored#fragment", at(-10*time.Second))
	if a := try(used); a.Status != http.StatusOK {
		t.Errorf("good proof after all that: %d %s", a.Status, a.Raw)
	}
	if a := try(used); a.Text("error") != "invalid_dpop_proof" {
		t.Errorf("replayed proof: %d %s", a.Status, a.Raw)
	}
}

func unkeyed(t *testing.T, p *prover) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: p.key}, (&jose.SignerOptions{}).WithType("dpop+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign([]byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	out, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestDPoPCodeIsBound: RFC 9449 §10: the code is good only with the key named at authorize or proved at PAR.
func TestDPoPCodeIsBound(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	b := h.Browser(t)
	holder, thief := newProver(t, c.now), newProver(t, c.now)
	r := idptest.NewRequest("dpop_jkt", holder.thumbprint(t))
	code := h.Code(t, b, r, "taro")
	redeem := func(proofs ...string) idptest.Answer {
		return send(t, h.FormRequest(t, "/token", idptest.ClientID, idptest.Secret, idptest.CodeForm(code, r)), proofs...)
	}
	for name, a := range map[string]idptest.Answer{"without a proof": redeem(), "thief's key": redeem(thief.proof(t, http.MethodPost, h.Issuer+"/token", nil))} {
		if a.Status != http.StatusBadRequest || a.Text("error") != "invalid_dpop_proof" {
			t.Errorf("%s: %d %s", name, a.Status, a.Raw)
		}
	}
	if a := redeem(holder.proof(t, http.MethodPost, h.Issuer+"/token", nil)); a.Status != http.StatusOK {
		t.Errorf("holder: %d %s", a.Status, a.Raw)
	}
	mixed := send(t, h.FormRequest(t, "/par", idptest.ClientID, idptest.Secret, r.Params), thief.proof(t, http.MethodPost, h.Issuer+"/par", nil))
	if mixed.Text("error") != "invalid_dpop_proof" {
		t.Errorf("dpop_jkt of one key, proof of another: %d %s", mixed.Status, mixed.Raw)
	}
}

// TestFAPI2Client: PAR, private_key_jwt, a nonce demanded without costing the code, bound tokens, and a refresh token that does not
// rotate however often it is used at once.
func TestFAPI2Client(t *testing.T) {
	c := newClock()
	key := newProver(t, c.now)
	jwks, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.key.PublicKey, KeyID: "k1", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	h := idptest.Start(t, idptest.Options{Now: c.now, Clients: []map[string]any{{
		"client_id": "bank", "client_name": "銀行", "operator": "銀行", "profile": "fapi2", "redirect_uris": []string{"https://bank.example/cb"},
		"grant_types": []string{"authorization_code", "refresh_token"}, "scope": "openid offline_access",
		"token_endpoint_auth_method": "private_key_jwt", "jwks": json.RawMessage(jwks),
	}}})
	b := h.Browser(t)
	r := idptest.NewRequest("client_id", "bank", "redirect_uri", "https://bank.example/cb")
	if p := b.Get(r.Path()); p.URL.Query().Get("error") != "invalid_request" {
		t.Errorf("not pushed: %s", p.URL)
	}
	post := func(path string, form map[string][]string, proofs ...string) idptest.Answer {
		f := map[string][]string{"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion(t, key, h.Issuer)}}
		for k, v := range form {
			f[k] = v
		}
		return send(t, h.FormRequest(t, path, "", "", f), proofs...)
	}
	pushed := post("/par", r.Params)
	if pushed.Status != http.StatusCreated {
		t.Fatalf("push: %d %s", pushed.Status, pushed.Raw)
	}
	p := b.SignIn(b.Get("/authorize?client_id=bank&request_uri="+pushed.Text("request_uri")), "taro")
	form := idptest.CodeForm(p.URL.Query().Get("code"), r)
	if a := post("/token", form); a.Text("error") != "invalid_dpop_proof" {
		t.Errorf("no proof: %d %s", a.Status, a.Raw)
	}
	asked := post("/token", form, key.proof(t, http.MethodPost, h.Issuer+"/token", nil))
	if asked.Status != http.StatusBadRequest || asked.Text("error") != "use_dpop_nonce" {
		t.Fatalf("no nonce: %d %s", asked.Status, asked.Raw)
	}
	withNonce := func() string {
		return key.proof(t, http.MethodPost, h.Issuer+"/token", map[string]any{"nonce": asked.Header.Get("DPoP-Nonce")})
	}
	tokens := post("/token", form, withNonce())
	if tokens.Status != http.StatusOK || tokens.Text("token_type") != "DPoP" {
		t.Fatalf("tokens: %d %s", tokens.Status, tokens.Raw)
	}
	refresh := idptest.RefreshForm(tokens.Text("refresh_token"))
	requests := make([]*http.Request, crowd)
	for i := range requests {
		f := map[string][]string{"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion(t, key, h.Issuer)}}
		for k, v := range refresh {
			f[k] = v
		}
		requests[i] = h.FormRequest(t, "/token", "", "", f)
		requests[i].Header.Set("DPoP", withNonce())
	}
	if got := volley(t, func(i int) *http.Request { return requests[i] }); got[200] != crowd {
		t.Errorf("a hundred refreshes at once: %v", got)
	}
	if a := post("/token", refresh, withNonce()); a.Text("refresh_token") != tokens.Text("refresh_token") {
		t.Errorf("rotated: %d %s", a.Status, a.Raw)
	}
	c.advance(6 * time.Minute)
	if a := post("/token", refresh, withNonce()); a.Text("error") != "use_dpop_nonce" {
		t.Errorf("old nonce: %d %s", a.Status, a.Raw)
	}
}

func assertion(t *testing.T, p *prover, issuer string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: p.key, KeyID: "k1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := json.Marshal(map[string]any{"iss": "bank", "sub": "bank", "aud": issuer, "jti": rand.Text(), "iat": p.now().Unix(), "exp": p.now().Add(time.Minute).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}
