package keys

import (
	"crypto"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// maxTypes bounds the signers kept per key. The program has a handful of "typ"
// values, all constants; the bound only keeps a mistake from filling memory.
const maxTypes = 32

// signer signs with one private key. It keeps one prepared go-jose signer for
// each "typ", because go-jose fixes the header when a signer is made.
type signer struct {
	kid     string
	alg     Alg
	private crypto.Signer

	mu    sync.RWMutex
	types map[string]jose.Signer
}

func newSigner(kid string, alg Alg, private crypto.Signer) *signer {
	return &signer{kid: kid, alg: alg, private: private, types: make(map[string]jose.Signer)}
}

// sign returns the compact JWS over the JSON of claims.
func (s *signer) sign(typ string, claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode claims of %s: %w", typ, err)
	}
	prepared, err := s.prepared(typ)
	if err != nil {
		return "", err
	}
	jws, err := prepared.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign %s with %s: %w", typ, s.alg, err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("sign %s with %s: %w", typ, s.alg, err)
	}
	return token, nil
}

func (s *signer) prepared(typ string) (jose.Signer, error) {
	s.mu.RLock()
	p, there := s.types[typ]
	s.mu.RUnlock()
	if there {
		return p, nil
	}
	options := (&jose.SignerOptions{}).WithHeader("kid", s.kid)
	if typ != "" {
		options.WithType(jose.ContentType(typ))
	}
	p, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(s.alg), Key: s.private}, options)
	if err != nil {
		return nil, fmt.Errorf("prepare %s signer: %w", s.alg, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.types) < maxTypes {
		s.types[typ] = p
	}
	return p, nil
}
