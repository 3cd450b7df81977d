package admin_test

import (
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

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/idp/admin/admintest"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestOnlyAFreshCardSignInAdministers: RFC 9470 §3: an old sign-in is asked for again, a token without the scope, or of somebody else's
// resource, does not do, and neither does one of a client that has lost the scope.
func TestOnlyAFreshCardSignInAdministers(t *testing.T) {
	clock := time.Now()
	h := admintest.Start(t, idptest.Options{Now: func() time.Time { return clock }})
	me := func(token string) (admintest.Answer, string) {
		a := h.Call(t, token, http.MethodGet, "/api/me", nil)
		return a, a.Header.Get("WWW-Authenticate")
	}
	for name, token := range map[string]string{"no token": "", "rubbish": "rubbish"} {
		if a, challenge := me(token); a.Status != http.StatusUnauthorized || a.Problem(t).Reason != adminapi.Unauthenticated || !strings.HasPrefix(challenge, "Bearer ") {
			t.Errorf("%s: %d %q", name, a.Status, challenge)
		}
	}
	r := idptest.NewRequest()
	other := h.Redeem(t, h.Code(t, h.Browser(t), r, "hanako"), r).Text("access_token")
	if a, challenge := me(other); a.Status != http.StatusForbidden || a.Problem(t).Reason != adminapi.NotOperator || !strings.Contains(challenge, `scope="admin"`) {
		t.Errorf("a service's token: %d %q", a.Status, challenge)
	}
	hanako, _ := h.Operator(t, "hanako", "", adminapi.Viewer)
	if a, _ := me(hanako); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	// A refresh token keeps the tokens coming; the sign-in behind them gets older.
	r = admintest.Request()
	refresh := h.Tokens(t, h.Code(t, h.Browser(t), r, "hanako"), r).Text("refresh_token")
	clock = clock.Add(12*time.Hour + time.Minute)
	old := h.PostForm(t, "/token", admintest.ConsoleID, idptest.Secret, idptest.RefreshForm(refresh)).Text("access_token")
	if a, challenge := me(old); a.Status != http.StatusUnauthorized || !strings.Contains(challenge, `error="insufficient_user_authentication"`) ||
		!strings.Contains(challenge, `acr_values="phrh"`) || !strings.Contains(challenge, `max_age="43200"`) {
		t.Errorf("an old sign-in: %d %q", a.Status, challenge)
	}
}

// TestAPasskeyDoesNotAdminister: only the card does, on this device.
func TestAPasskeyDoesNotAdminister(t *testing.T) {
	h := admintest.Start(t, idptest.Options{Domain: true})
	h.Operator(t, "hanako", "", adminapi.Viewer)
	_, device := h.WithPasskey(t, "hanako")
	b := h.Browser(t)
	r := admintest.Request()
	code := b.Finish(b.PasskeyLogin(b.Get(r.Path()), device)).URL.Query().Get("code")
	a := h.Call(t, h.Tokens(t, code, r).Text("access_token"), http.MethodGet, "/api/me", nil)
	if challenge := a.Header.Get("WWW-Authenticate"); a.Status != http.StatusUnauthorized || !strings.Contains(challenge, `acr_values="phrh"`) {
		t.Errorf("%d %q %s", a.Status, challenge, a.Body)
	}
}

// TestABoundTokenNeedsAProofForThisAddress: RFC 9449 §7.1: what proves the key at the hub's own address proves nothing here, and a bound
// token is no bearer token.
func TestABoundTokenNeedsAProofForThisAddress(t *testing.T) {
	h := admintest.Start(t, idptest.Options{})
	h.Operator(t, "hanako", "", adminapi.Viewer)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r := admintest.Request()
	req := h.FormRequest(t, "/token", admintest.ConsoleID, idptest.Secret, idptest.CodeForm(h.Code(t, h.Browser(t), r, "hanako"), r))
	req.Header.Set("DPoP", proof(t, key, http.MethodPost, h.Issuer+"/token", ""))
	var got struct {
		Token string `json:"access_token"`
		Type  string `json:"token_type"`
	}
	if do(t, req).Into(t, &got); got.Type != "DPoP" {
		t.Fatalf("%+v", got)
	}
	for _, c := range []struct {
		name, scheme, address string
		status                int
	}{
		{"for this address", "DPoP", h.URL + "/api/me", http.StatusOK},
		{"for the hub's address", "DPoP", h.Issuer + "/api/me", http.StatusUnauthorized},
		{"for another operation", "DPoP", h.URL + "/api/operators", http.StatusUnauthorized},
		{"as a bearer token", "Bearer", h.URL + "/api/me", http.StatusUnauthorized},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.URL+"/api/me", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", c.scheme+" "+got.Token)
		req.Header.Set("DPoP", proof(t, key, http.MethodGet, c.address, got.Token))
		if a := do(t, req); a.Status != c.status {
			t.Errorf("%s: %d %s", c.name, a.Status, a.Body)
		}
	}
}

func do(t *testing.T, req *http.Request) admintest.Answer {
	t.Helper()
	resp, err := idptest.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return admintest.Answer{Status: resp.StatusCode, Header: resp.Header, Body: b}
}

func proof(t *testing.T, key *ecdsa.PrivateKey, method, address, token string) string {
	t.Helper()
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": address, "iat": time.Now().Unix()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	opts := &jose.SignerOptions{EmbedJWK: true}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, opts.WithType("dpop+jwt"))
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
