package rp

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// scheme is how our access tokens are presented (RFC 9449 §7.1, RFC 6750 §2.1).
func (p *Party) scheme() string {
	if p.bound != nil {
		return "DPoP"
	}
	return "Bearer"
}

// addProof adds a DPoP proof for one request (RFC 9449 §4.2), with the newest nonce the hub gave and, at a resource, the digest of
// the access token it goes with.
func (p *Party) addProof(header http.Header, method, address, access string) error {
	nonce, _ := p.nonce.Load().(string)
	return p.addProofWith(header, method, address, access, nonce)
}

func (p *Party) addProofWith(header http.Header, method, address, access, nonce string) error {
	if p.bound == nil {
		return nil
	}
	address, _, _ = strings.Cut(address, "?")
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": address, "iat": p.now().Unix()}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if access != "" {
		sum := sha256.Sum256([]byte(access))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return fmt.Errorf("proof of possession: %w", err)
	}
	signed, err := p.bound.proofs.Sign(payload)
	if err != nil {
		return fmt.Errorf("proof of possession: %w", err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		return fmt.Errorf("proof of possession: %w", err)
	}
	header.Set("DPoP", compact)
	return nil
}

// maxNonce bounds what is kept of a header of the hub.
const maxNonce = 512

// learn keeps the nonce that the hub wants to see next (RFC 9449 §8.2).
func (p *Party) learn(h http.Header) {
	if nonce := h.Get("DPoP-Nonce"); p.bound != nil && nonce != "" && len(nonce) <= maxNonce {
		p.nonce.Store(nonce)
	}
}

// proving makes a request, and once more with everything new if the hub asks for its nonce: the first one cost nothing but itself
// (RFC 9449 §8).
func (p *Party) proving(request func() error) error {
	err := request()
	if e, ok := asReason(err); ok && e.Code == "use_dpop_nonce" && p.bound != nil {
		err = request()
	}
	return err
}
