package agent

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"
)

// responseType is the "typ" of a response.
const responseType = "card-response+jwt"

type responseHeader struct {
	Type        string   `json:"typ"`
	Alg         string   `json:"alg"`
	Certificate [][]byte `json:"x5c"` // RFC 7515 §4.1.6: standard base64, which is how package json writes bytes
}

// responseClaims is what the card signs: the destination, and the challenge it answers.
type responseClaims struct {
	Audience     string `json:"aud"`
	Nonce        string `json:"nonce"`
	Challenge    string `json:"challenge"` // base64url(SHA-256(compact challenge JWT))
	ClientID     string `json:"client_id"`
	RedirectHost string `json:"redirect_host"`
	ACR          string `json:"acr"`
	Issued       int64  `json:"iat"`
}

// response is a compact JWS (RFC 7515 §7.1) that still lacks its signature.
type response struct{ input string }

// newResponse builds the response to a challenge, from the challenge alone.
func newResponse(audience string, c challenge, certificate []byte, now time.Time) (response, error) {
	header, err := json.Marshal(responseHeader{Type: responseType, Alg: "RS256", Certificate: [][]byte{certificate}})
	if err != nil {
		return response{}, fmt.Errorf("response header: %w", err)
	}
	claims, err := json.Marshal(responseClaims{
		Audience: audience, Nonce: c.nonce, Challenge: c.digest(), ClientID: c.clientID,
		RedirectHost: c.redirectHost, ACR: c.acr, Issued: now.Unix(),
	})
	if err != nil {
		return response{}, fmt.Errorf("response claims: %w", err)
	}
	b64 := base64.RawURLEncoding
	return response{input: b64.EncodeToString(header) + "." + b64.EncodeToString(claims)}, nil
}

// digest is what the card signs.
func (r response) digest() [sha256.Size]byte { return sha256.Sum256([]byte(r.input)) }

// sealed is the finished response.
func (r response) sealed(signature []byte) string {
	return r.input + "." + base64.RawURLEncoding.EncodeToString(signature)
}
