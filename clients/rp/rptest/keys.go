package rptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// NewKeys makes a hub's key, and takes client as what the hub knows of the client's: a JWK set of ES256 keys.
func NewKeys(client []byte) (Keys, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Keys{}, err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: "hub"}}, nil)
	if err != nil {
		return Keys{}, err
	}
	jwks, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: private.Public(), KeyID: "hub", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		return Keys{}, err
	}
	var public jose.JSONWebKeySet
	if err := json.Unmarshal(client, &public); err != nil {
		return Keys{}, fmt.Errorf("client's keys: %w", err)
	}
	return Keys{
		JWKS: jwks,
		Sign: func(claims map[string]any) string {
			payload, err := json.Marshal(claims)
			if err != nil {
				return err.Error() // no token, and the test's output says why
			}
			jws, err := signer.Sign(payload)
			if err != nil {
				return err.Error()
			}
			compact, err := jws.CompactSerialize()
			if err != nil {
				return err.Error()
			}
			return compact
		},
		Client: func(assertion string) (map[string]any, error) {
			jws, err := jose.ParseSignedCompact(assertion, []jose.SignatureAlgorithm{jose.ES256})
			if err != nil {
				return nil, err
			}
			payload, err := jws.Verify(public)
			if err != nil {
				return nil, err
			}
			var claims map[string]any
			return claims, json.Unmarshal(payload, &claims)
		},
	}, nil
}
