package idptest

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
)

// Response is a card response in the making, for tests that bend it before or after it is signed.
type Response struct {
	Header map[string]any
	Claims map[string]any
	Leaf   *cardtest.Leaf
}

// Fetch returns the challenge behind an address, as the card app would get it.
func (h *Hub) Fetch(t testing.TB, challenge string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, challenge, http.NoBody)
	must(t, err)
	return h.call(t, req).Raw
}

// Respond prepares an honest response to a fetched challenge with the leaf's key.
func Respond(t testing.TB, challenge string, leaf *cardtest.Leaf) *Response {
	t.Helper()
	parts := strings.Split(challenge, ".")
	if len(parts) != 3 {
		t.Fatalf("challenge %q is no JWS", challenge)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	must(t, err)
	var c map[string]any
	must(t, json.Unmarshal(payload, &c))
	sum := sha256.Sum256([]byte(challenge))
	return &Response{
		Header: map[string]any{"alg": "RS256", "typ": "card-response+jwt", "x5c": []string{base64.StdEncoding.EncodeToString(leaf.Certificate.Raw)}},
		Claims: map[string]any{
			"aud": c["iss"], "nonce": c["nonce"], "challenge": base64.RawURLEncoding.EncodeToString(sum[:]), "client_id": c["client_id"],
			"redirect_host": c["redirect_host"], "acr": c["acr"], "iat": c["iat"],
		},
		Leaf: leaf,
	}
}

// Compact signs the response.
func (r *Response) Compact(t testing.TB) []byte {
	t.Helper()
	enc := func(v any) string {
		b, err := json.Marshal(v)
		must(t, err)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	input := enc(r.Header) + "." + enc(r.Claims)
	sum := sha256.Sum256([]byte(input))
	sig, err := rsa.SignPKCS1v15(rand.Reader, r.Leaf.Key, crypto.SHA256, sum[:])
	must(t, err)
	return []byte(input + "." + base64.RawURLEncoding.EncodeToString(sig))
}

// Submit posts a response to a challenge's address.
func (h *Hub) Submit(t testing.TB, challenge string, response []byte) Answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, challenge, bytes.NewReader(response))
	must(t, err)
	req.Header.Set("Content-Type", "application/jose")
	return h.call(t, req)
}
