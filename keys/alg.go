package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// Alg is a JWS algorithm of the closed list (RFC 7518 §3.1, RFC 8037 §3.1).
type Alg string

// The algorithms. There is no "none" and no HMAC.
const (
	ES256 Alg = "ES256"
	RS256 Alg = "RS256"
	PS256 Alg = "PS256"
	EdDSA Alg = "EdDSA"
)

// rsaBits is the size of the hub's own RSA keys.
const rsaBits = 2048

// Algs returns the closed list, the preferred algorithm first.
func Algs() []Alg { return []Alg{ES256, PS256, EdDSA, RS256} }

// ParseAlg accepts the exact names of the closed list.
func ParseAlg(s string) (Alg, error) {
	switch a := Alg(s); a {
	case ES256, RS256, PS256, EdDSA:
		return a, nil
	}
	return "", refuse(AlgRefused, "not ES256, RS256, PS256 or EdDSA")
}

// Generate makes a new private key for the algorithm.
func (a Alg) Generate() (crypto.Signer, error) {
	switch a {
	case ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RS256, PS256:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	case EdDSA:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	}
	return nil, fmt.Errorf("generate: no algorithm %q", string(a))
}

// fits reports whether a public key is of the type the algorithm needs.
func (a Alg) fits(public crypto.PublicKey) bool {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		return a == ES256 && key.Curve == elliptic.P256()
	case *rsa.PublicKey:
		return a == RS256 || a == PS256
	case ed25519.PublicKey:
		return a == EdDSA
	}
	return false
}

func joseAlgs(algs []Alg) []jose.SignatureAlgorithm {
	out := make([]jose.SignatureAlgorithm, len(algs))
	for i, a := range algs {
		out[i] = jose.SignatureAlgorithm(a)
	}
	return out
}
