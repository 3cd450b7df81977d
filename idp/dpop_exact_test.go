package idp_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral/ephemeraltest"
)

// signedProof makes a proof with any key and algorithm, and headers of the test's choice.
func signedProof(t *testing.T, alg jose.SignatureAlgorithm, key any, header map[jose.HeaderKey]any, claims map[string]any) string {
	t.Helper()
	opts := (&jose.SignerOptions{EmbedJWK: alg != jose.HS256}).WithType("dpop+jwt")
	for name, value := range header {
		opts = opts.WithHeader(name, value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, opts)
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

// held is a token bound to a key, and how to show it.
type held struct {
	t     *testing.T
	h     *idptest.Hub
	c     *clock
	key   *prover
	token string
}

func holdToken(t *testing.T) held {
	t.Helper()
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	key, r := newProver(t, c.now), idptest.NewRequest()
	req := h.FormRequest(t, "/token", idptest.ClientID, idptest.Secret, idptest.CodeForm(h.Code(t, h.Browser(t), r, "taro"), r))
	tokens := send(t, req, key.proof(t, http.MethodPost, h.Issuer+"/token", nil))
	if tokens.Text("token_type") != "DPoP" {
		t.Fatalf("tokens: %d %s", tokens.Status, tokens.Raw)
	}
	return held{t, h, c, key, tokens.Text("access_token")}
}

// proof is a good one for user info, with changes.
func (b held) proof(changes map[string]any) string {
	b.t.Helper()
	all := map[string]any{"ath": tokenHashOf(b.token)}
	maps.Copy(all, changes)
	return b.key.proof(b.t, http.MethodGet, b.h.Issuer+"/userinfo", all)
}

func (b held) userinfo(proofs ...string) idptest.Answer {
	b.t.Helper()
	return userinfoWith(b.t, b.h, "DPoP", b.token, proofs...)
}

// RFC 9449 §4.3 at a resource; as the conformance suite's fapi2-security-profile-final-dpop-negative-tests: what each block of it sends,
// and last that a good proof still works.
func TestDPoPProofAtAResource(t *testing.T) {
	b := holdToken(t)
	uri := b.h.Issuer + "/userinfo"
	claims := func(changes map[string]any) map[string]any {
		all := map[string]any{"jti": rand.Text(), "htm": "GET", "htu": uri, "iat": b.c.now().Unix(), "ath": tokenHashOf(b.token)}
		maps.Copy(all, changes)
		return all
	}
	signed := func(header map[jose.HeaderKey]any, changes map[string]any) string {
		return signedProof(t, jose.ES256, b.key.key, header, claims(changes))
	}
	good := b.proof(nil)
	parts := strings.Split(good, ".")
	reheaded := func(change func(h map[string]any)) string {
		raw, err := base64.RawURLEncoding.DecodeString(parts[0])
		if err != nil {
			t.Fatal(err)
		}
		var h map[string]any
		if err := json.Unmarshal(raw, &h); err != nil {
			t.Fatal(err)
		}
		change(h)
		if raw, err = json.Marshal(h); err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(raw) + "." + parts[1] + "." + parts[2]
	}
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, proofs := range map[string][]string{
		"two headers":          {b.proof(nil), b.proof(nil)},
		"not a JWT":            {"not.a-jwt"},
		"empty":                {""},
		"no typ":               {reheaded(func(h map[string]any) { delete(h, "typ") })},
		"no alg":               {reheaded(func(h map[string]any) { delete(h, "alg") })},
		"no jwk":               {reheaded(func(h map[string]any) { delete(h, "jwk") })},
		"alg none":             {reheaded(func(h map[string]any) { h["alg"] = "none" })},
		"alg none, unsigned":   {strings.TrimSuffix(reheaded(func(h map[string]any) { h["alg"] = "none" }), parts[2])},
		"alg RS256":            {signedProof(t, jose.RS256, weak, nil, claims(nil))},
		"alg HS256":            {signedProof(t, jose.HS256, []byte(strings.Repeat("k", 32)), nil, claims(nil))},
		"no jti":               {b.proof(map[string]any{"jti": nil})},
		"no htm":               {b.proof(map[string]any{"htm": nil})},
		"no htu":               {b.proof(map[string]any{"htu": nil})},
		"no iat":               {b.proof(map[string]any{"iat": nil})},
		"no ath":               {b.proof(map[string]any{"ath": nil})},
		"other ath":            {b.proof(map[string]any{"ath": tokenHashOf("another")})},
		"typ of another token": {b.proof(map[string]any{"typ": "dpop_jwt"})},
		"signature of others":  {parts[0] + "." + parts[1] + "." + strings.Split(b.proof(nil), ".")[2]},
		"private key in jwk":   {reheaded(func(h map[string]any) { h["jwk"].(map[string]any)["d"] = "AAAA" })},
		"htm PUT":              {b.proof(map[string]any{"htm": "PUT"})},
		"htm in other letters": {b.proof(map[string]any{"htm": "get"})},
		"htu elsewhere":        {b.proof(map[string]any{"htu": b.h.Issuer + "/token"})},
		"iat an hour ahead":    {b.proof(map[string]any{"iat": b.c.now().Add(time.Hour).Unix()})},
		"iat an hour ago":      {b.proof(map[string]any{"iat": b.c.now().Add(-time.Hour).Unix()})},
		"iat as text":          {b.proof(map[string]any{"iat": "now"})},
		"exp passed":           {b.proof(map[string]any{"exp": b.c.now().Add(-time.Minute).Unix()})},
		"nbf ahead":            {b.proof(map[string]any{"nbf": b.c.now().Add(time.Minute).Unix()})},
		"another key":          {newProver(t, b.c.now).proof(t, http.MethodGet, uri, map[string]any{"ath": tokenHashOf(b.token)})},
		"critical extension":   {signed(map[jose.HeaderKey]any{"crit": []string{"x"}, "x": 1}, nil)},
		"key of another in jwk": {reheaded(func(h map[string]any) {
			h["jwk"].(map[string]any)["x"] = base64.RawURLEncoding.EncodeToString(make([]byte, 32))
		})},
		"a proof that is padded=": {good + "="},
		"none":                    {},
	} {
		a := b.userinfo(proofs...)
		if a.Status != http.StatusUnauthorized || !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "DPoP ") {
			t.Errorf("%s: %d %s %s", name, a.Status, a.Header.Get("WWW-Authenticate"), a.Raw)
		}
	}
	for name, proof := range map[string]string{
		"query and fragment in htu": b.proof(map[string]any{"htu": uri + "?a=b#c"}),
		"host in other letters":     b.proof(map[string]any{"htu": strings.Replace(uri, "http://", "HTTP://", 1)}),
		"iat ten seconds ahead":     b.proof(map[string]any{"iat": b.c.now().Add(10 * time.Second).Unix()}),
		"iat ten seconds ago":       b.proof(map[string]any{"iat": b.c.now().Add(-10 * time.Second).Unix()}),
		"iat with a fraction":       b.proof(map[string]any{"iat": float64(b.c.now().UnixMilli())/1000 - 0.5}),
		"nbf now, exp in five minutes": b.proof(map[string]any{ // fapi2-security-profile-final-check-dpop-proof-nbf-exp
			"nbf": b.c.now().Unix(), "exp": b.c.now().Add(5 * time.Minute).Unix(),
		}),
		"unknown claims and headers": signed(map[jose.HeaderKey]any{"a header of mine": "x"}, map[string]any{"a claim of mine": []int{1}}),
		"good after all that":        good,
	} {
		if a := b.userinfo(proof); a.Status != http.StatusOK {
			t.Errorf("%s: %d %s", name, a.Status, a.Raw)
		}
	}
	if a := b.userinfo(good); a.Status != http.StatusUnauthorized {
		t.Errorf("used twice: %d %s", a.Status, a.Raw)
	}
}

// RFC 9449 §7.1: the scheme is case-insensitive [fapi2-security-profile-final-access-token-type-header-case-sensitivity], and a bound
// token under scheme Bearer is refused, in the header and in the body.
func TestDPoPSchemeAndBearerDowngrade(t *testing.T) {
	b := holdToken(t)
	for _, scheme := range []string{"DPoP", "dpop", "DPOP", "dPoP"} {
		if a := userinfoWith(t, b.h, scheme, b.token, b.proof(nil)); a.Status != http.StatusOK {
			t.Errorf("%s: %d %s", scheme, a.Status, a.Raw)
		}
	}
	for name, proofs := range map[string][]string{"without a proof": nil, "with a proof": {b.proof(nil)}} {
		if a := userinfoWith(t, b.h, "Bearer", b.token, proofs...); a.Status != http.StatusUnauthorized {
			t.Errorf("Bearer %s: %d %s", name, a.Status, a.Raw)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.h.Issuer+"/userinfo", strings.NewReader("access_token="+b.token))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if a := send(t, req, proofs...); a.Status != http.StatusUnauthorized {
			t.Errorf("in the body %s: %d %s", name, a.Status, a.Raw)
		}
	}
}

// RFC 9449 §9: a resource asks for no nonce. One of ours may be in the proof; one that is not, or no longer, is answered with a new one.
func TestNonceAtAResourceIsOptional(t *testing.T) {
	b := holdToken(t)
	if a := b.userinfo(b.proof(nil)); a.Status != http.StatusOK || a.Header.Get("DPoP-Nonce") != "" {
		t.Errorf("without: %d, nonce %q", a.Status, a.Header.Get("DPoP-Nonce"))
	}
	a := b.userinfo(b.proof(map[string]any{"nonce": "not-ours"}))
	nonce := a.Header.Get("DPoP-Nonce")
	if a.Status != http.StatusUnauthorized || nonce == "" || !strings.Contains(a.Header.Get("WWW-Authenticate"), `error="use_dpop_nonce"`) {
		t.Errorf("not ours: %d %s, nonce %q", a.Status, a.Raw, nonce)
	}
	if a := b.userinfo(b.proof(map[string]any{"nonce": nonce})); a.Status != http.StatusOK {
		t.Errorf("ours: %d %s", a.Status, a.Raw)
	}
	b.c.advance(6 * time.Minute)
	if a := b.userinfo(b.proof(map[string]any{"nonce": nonce})); a.Status != http.StatusUnauthorized {
		t.Errorf("old: %d %s", a.Status, a.Raw)
	}
}

// RFC 9449 §5, FAPI 2.0 Security Profile §5.4: every algorithm that discovery names makes a bound token, and no other.
func TestDPoPAlgorithms(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	browser := h.Browser(t)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		alg jose.SignatureAlgorithm
		key any
		ok  bool
	}{
		{jose.ES256, newProver(t, c.now).key, true}, {jose.PS256, key, true}, {jose.EdDSA, ed, true},
		{jose.RS256, key, false}, {jose.PS512, key, false}, {jose.HS256, []byte(strings.Repeat("k", 32)), false},
	} {
		r := idptest.NewRequest()
		req := h.FormRequest(t, "/token", idptest.ClientID, idptest.Secret, idptest.CodeForm(h.Code(t, browser, r, "taro"), r))
		a := send(t, req, signedProof(t, tt.alg, tt.key, nil, map[string]any{"jti": rand.Text(), "htm": "POST", "htu": h.Issuer + "/token", "iat": c.now().Unix()}))
		if tt.ok && a.Text("token_type") != "DPoP" || !tt.ok && a.Text("error") != "invalid_dpop_proof" {
			t.Errorf("%s: %d %s", tt.alg, a.Status, a.Raw)
		}
	}
}

// RFC 9449 §10, §10.1: whichever way the key was named, the tokens are for that key only
// [fapi2-security-profile-final-ensure-dpop-auth-code-binding-success, -ensure-dpop-proof-at-par-endpoint-binding-success,
// -ensure-mismatched-dpop-jkt-fails].
func TestCodeIsBoundToTheKeyOfItsRequest(t *testing.T) {
	b := newBank(t, "private_key_jwt", nil)
	other := newProver(t, b.c.now)
	at := func(by *prover, path string, changes map[string]any) string {
		return by.proof(t, http.MethodPost, b.h.MutualURL+path, changes)
	}
	for name, tt := range map[string]struct {
		jkt    string
		proven *prover // at the pushed request
		push   string  // error there
		redeem string  // error for the client's own key
	}{
		"no key":                    {"", nil, "", ""},
		"dpop_jkt":                  {b.key.thumbprint(t), nil, "", ""},
		"proof":                     {"", b.key, "", ""},
		"both":                      {b.key.thumbprint(t), b.key, "", ""},
		"dpop_jkt of another":       {other.thumbprint(t), nil, "", "invalid_dpop_proof"},
		"proof of another":          {"", other, "", "invalid_dpop_proof"},
		"both of another":           {other.thumbprint(t), other, "", "invalid_dpop_proof"},
		"dpop_jkt, proof of others": {b.key.thumbprint(t), other, "invalid_dpop_proof", ""},
		"dpop_jkt that is none":     {"x", nil, "invalid_request", ""},
	} {
		r := idptest.NewRequest("client_id", "bank", "redirect_uri", bankURI, "dpop_jkt", tt.jkt)
		var proofs []string
		if tt.proven != nil {
			proofs = append(proofs, at(tt.proven, "/par", nil))
		}
		pushed := b.post(b.client, "/par", r.Params, proofs...)
		if pushed.Text("error") != tt.push {
			t.Errorf("%s, push: %d %s", name, pushed.Status, pushed.Raw)
		}
		if pushed.Status != http.StatusCreated {
			continue
		}
		browser := b.h.Browser(t)
		p := browser.SignIn(browser.Get("/authorize?client_id=bank&request_uri="+pushed.Text("request_uri")), "taro")
		if a := b.redeem(idptest.CodeForm(p.URL.Query().Get("code"), r), true); a.Text("error") != tt.redeem {
			t.Errorf("%s, redeem: %d %s", name, a.Status, a.Raw)
		}
	}
}

// RFC 9449 §8: the answer that asks for a nonce costs neither the code nor anything else; the same code is good with the nonce, once.
func TestNonceIsAskedForAndTheCodeIsKept(t *testing.T) {
	b := newBank(t, "private_key_jwt", nil)
	code, r := b.code()
	form := idptest.CodeForm(code, r)
	for range 3 {
		a := b.post(b.client, "/token", form, b.key.proof(t, http.MethodPost, b.h.MutualURL+"/token", nil))
		if a.Status != http.StatusBadRequest || a.Text("error") != "use_dpop_nonce" || a.Header.Get("DPoP-Nonce") == "" {
			t.Fatalf("without a nonce: %d %s", a.Status, a.Raw)
		}
		b.nonce = a.Header.Get("DPoP-Nonce")
	}
	if a := b.redeem(form, true); a.Status != http.StatusOK || a.Text("token_type") != "DPoP" || a.Header.Get("DPoP-Nonce") == "" {
		t.Errorf("with the nonce: %d %s", a.Status, a.Raw)
	}
	if a := b.redeem(form, true); a.Text("error") != "invalid_grant" {
		t.Errorf("again: %d %s", a.Status, a.Raw)
	}
}

// One proof, a hundred times at once, on every store: it is good once.
func TestProofIsGoodOnceUnderContention(t *testing.T) {
	ephemeraltest.Each(t, func(t *testing.T, store ephemeral.Store) {
		h := idptest.Start(t, idptest.Options{Transient: store})
		key, r := newProver(t, h.Now), idptest.NewRequest()
		req := h.FormRequest(t, "/token", idptest.ClientID, idptest.Secret, idptest.CodeForm(h.Code(t, h.Browser(t), r, "taro"), r))
		token := send(t, req, key.proof(t, http.MethodPost, h.Issuer+"/token", nil)).Text("access_token")
		proof := key.proof(t, http.MethodGet, h.Issuer+"/userinfo", map[string]any{"ath": tokenHashOf(token)})
		got := volley(t, func(int) *http.Request {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.Issuer+"/userinfo", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "DPoP "+token)
			req.Header.Set("DPoP", proof)
			return req
		})
		if got[http.StatusOK] != 1 || got[http.StatusUnauthorized] != crowd-1 {
			t.Errorf("answers: %v", got)
		}
	})
}
