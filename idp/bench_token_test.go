package idp_test

import (
	"crypto/rand"
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
	"github.com/tsunagu-id/tsunagu/internal/cputime"
)

// tokenBench is a hub's handler and nothing else: no network, no login.
type tokenBench struct {
	h     *idptest.Hub
	front http.Handler
}

func newTokenBench(b *testing.B) tokenBench {
	b.Helper()
	h := idptest.Start(b, idptest.Options{Clients: resourceClients()})
	return tokenBench{h, h.Handler()}
}

func (s tokenBench) call(b *testing.B, req *http.Request) map[string]any {
	w := httptest.NewRecorder()
	s.front.ServeHTTP(w, req)
	if w.Code != http.StatusOK {
		b.Fatalf("%s: %d %s", req.URL.Path, w.Code, w.Body)
	}
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		b.Fatal(err)
	}
	return out
}

func (s tokenBench) post(b *testing.B, path, client string, form url.Values) map[string]any {
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(client, idptest.Secret)
	return s.call(b, req)
}

// BenchmarkClientCredentials is a token of a service for the hub: authentication, one write.
func BenchmarkClientCredentials(b *testing.B) {
	s := newTokenBench(b)
	cputime.PerOperation(b, func(int) { s.post(b, "/token", "batch", serviceForm()) })
}

// BenchmarkJWTAccessToken is the same with a resource: one signature more (RFC 9068).
func BenchmarkJWTAccessToken(b *testing.B) {
	s := newTokenBench(b)
	cputime.PerOperation(b, func(int) { s.post(b, "/token", "batch", serviceForm("resource", taxAPI)) })
}

// BenchmarkIntrospection is a resource server's question about an opaque token, BenchmarkIntrospectionOfJWT about a JWT.
func BenchmarkIntrospection(b *testing.B) {
	s := newTokenBench(b)
	form := url.Values{"token": {s.post(b, "/token", "batch", serviceForm())["access_token"].(string)}}
	cputime.PerOperation(b, func(int) { s.post(b, "/introspect", "batch", form) })
}

func BenchmarkIntrospectionOfJWT(b *testing.B) {
	s := newTokenBench(b)
	form := url.Values{"token": {s.post(b, "/token", "batch", serviceForm("resource", taxAPI))["access_token"].(string)}}
	cputime.PerOperation(b, func(int) { s.post(b, "/introspect", "tax", form) })
}

// BenchmarkRefresh rotates one refresh token again and again: two tokens, one ID token, one swap.
func BenchmarkRefresh(b *testing.B) {
	s := benchHub(b)
	r := idptest.NewRequest()
	w := s.post(b, "/token", idptest.CodeForm(s.code(b, r), r))
	cputime.PerOperation(b, func(int) {
		var tokens struct {
			Refresh string `json:"refresh_token"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &tokens); err != nil {
			b.Fatal(err)
		}
		w = s.post(b, "/token", idptest.RefreshForm(tokens.Refresh))
	})
}

// BenchmarkDPoPProof is a resource request with a bound token: the proof's signature, its one use, and the token.
func BenchmarkDPoPProof(b *testing.B) {
	s := newTokenBench(b)
	key := newProver(b, time.Now)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key.key}, (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	if err != nil {
		b.Fatal(err)
	}
	proof := func(method, path, ath string) string {
		claims, err := json.Marshal(map[string]any{"jti": rand.Text(), "htm": method, "htu": s.h.Issuer + path, "iat": time.Now().Unix(), "ath": ath})
		if err != nil {
			b.Fatal(err)
		}
		jws, err := signer.Sign(claims)
		if err != nil {
			b.Fatal(err)
		}
		text, err := jws.CompactSerialize()
		if err != nil {
			b.Fatal(err)
		}
		return text
	}
	req := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(serviceForm().Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("DPoP", proof(http.MethodPost, "/token", ""))
	req.SetBasicAuth("batch", idptest.Secret)
	token := s.call(b, req)["access_token"].(string)
	sum := sha256.Sum256([]byte(token))
	ath := base64.RawURLEncoding.EncodeToString(sum[:])
	proofs := make([]string, b.N) // the client's work, not ours
	for i := range proofs {
		proofs[i] = proof(http.MethodGet, "/api/service", ath)
	}
	cputime.PerOperation(b, func(i int) {
		req := httptest.NewRequest(http.MethodGet, "/api/service", http.NoBody)
		req.Header.Set("Authorization", "DPoP "+token)
		req.Header.Set("DPoP", proofs[i])
		s.call(b, req)
	})
}
