package rp

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

const (
	maxPresented = 8 << 10 // of a token or a proof, in bytes
	maxProofAge  = time.Minute
)

// Accept judges a request to a resource of ours, at the address that its proof has to name: exactly one access token, bound to a key
// (RFC 9449 §7), with a proof of that key for this very request, good once, and meant for the resource and nobody else. Every refusal
// that is the caller's doing is TokenInvalid. The hub is asked last: what is refused without it costs it nothing.
func (p *Party) Accept(ctx context.Context, r *http.Request, resource, address string) (Grant, error) {
	token, err := presented(r)
	if err != nil {
		return Grant{}, err
	}
	proof, err := p.proofOf(r, address, token)
	if err != nil {
		return Grant{}, err
	}
	g, err := p.introspect(ctx, NewSecret(token), resource)
	if err != nil {
		return Grant{}, err
	}
	if g.bound == "" || !same(g.bound, proof.thumb) {
		return Grant{}, notAccepted("bound to no key, or to another")
	}
	err = p.store.Create(ctx, "proof:1:"+digest("proof", proof.thumb+"\x00"+proof.ID), []byte{1}, maxProofAge+2*clockSkew)
	if errors.Is(err, ephemeral.ErrExists) {
		return Grant{}, notAccepted("proof used already")
	}
	if err != nil {
		return Grant{}, fmt.Errorf("remember proof: %w", err)
	}
	return g, nil
}

func notAccepted(detail string) error {
	return &Error{Reason: TokenInvalid, Detail: "access token: " + detail}
}

// presented returns the one token of a request. Bearer tokens are refused: anybody who saw one could use it.
func presented(r *http.Request) (string, error) {
	lines := r.Header.Values("Authorization")
	if len(lines) != 1 {
		return "", notAccepted("not exactly one")
	}
	scheme, token, _ := strings.Cut(lines[0], " ")
	if !strings.EqualFold(scheme, "DPoP") || token == "" || len(token) > maxPresented || strings.ContainsAny(token, " \t,") {
		return "", notAccepted("not presented as one bound to a key")
	}
	return token, nil
}

// possession is a proof whose signature and claims are good.
type possession struct {
	ID, thumb string
}

// proofOf does everything of RFC 9449 §4.3 that needs no memory.
func (p *Party) proofOf(r *http.Request, address, token string) (possession, error) {
	lines := r.Header.Values("DPoP")
	if len(lines) != 1 || len(lines[0]) > maxPresented {
		return possession{}, notAccepted("not exactly one proof")
	}
	payload, thumb, err := embedded(lines[0])
	if err != nil {
		return possession{}, err
	}
	var c struct {
		ID     string  `json:"jti"`
		Method string  `json:"htm"`
		URI    string  `json:"htu"`
		At     float64 `json:"iat"`
		Hash   string  `json:"ath"`
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return possession{}, notAccepted("proof is malformed")
	}
	sum := sha256.Sum256([]byte(token))
	now := float64(p.now().Unix())
	switch {
	case c.ID == "" || len(c.ID) > 255:
		return possession{}, notAccepted("proof without jti")
	case c.Method != r.Method || !sameAddress(c.URI, address):
		return possession{}, notAccepted("proof of another request")
	case c.At > now+clockSkew.Seconds() || c.At < now-(maxProofAge+clockSkew).Seconds():
		return possession{}, notAccepted("proof of another time")
	case !same(c.Hash, base64.RawURLEncoding.EncodeToString(sum[:])):
		return possession{}, notAccepted("proof of another token")
	}
	return possession{ID: c.ID, thumb: thumb}, nil
}

// embedded verifies a proof with the key in its own header (RFC 9449 §4.2) and returns its claims and the key's thumbprint.
func embedded(compact string) (payload []byte, thumb string, err error) {
	jws, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{jose.ES256, jose.PS256, jose.EdDSA})
	if err != nil {
		return nil, "", notAccepted("proof is not signed as it must be")
	}
	head := jws.Signatures[0].Protected
	if typ, _ := head.ExtraHeaders[jose.HeaderType].(string); typ != "dpop+jwt" {
		return nil, "", notAccepted("proof of another type")
	}
	key := head.JSONWebKey
	if key == nil || !key.Valid() || !key.IsPublic() {
		return nil, "", notAccepted("proof without a public key")
	}
	if payload, err = jws.Verify(key); err != nil {
		return nil, "", notAccepted("proof with a wrong signature")
	}
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, "", notAccepted("proof with a strange key")
	}
	return payload, base64.RawURLEncoding.EncodeToString(sum), nil
}

// sameAddress compares htu without query and fragment (RFC 9449 §4.3).
func sameAddress(htu, own string) bool {
	a, err := url.Parse(htu)
	if err != nil || a.User != nil || a.Opaque != "" {
		return false
	}
	b, err := url.Parse(own)
	return err == nil && strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(a.Host, b.Host) && a.EscapedPath() == b.EscapedPath()
}

// Refuse answers a request that Accept refused, as a machine reads it (RFC 6750 §3, RFC 9449 §7.1). If the hub could not be asked, the
// caller may come again.
func (p *Party) Refuse(w http.ResponseWriter, err error) (status int) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/json")
	e, ok := asReason(err)
	status, code := http.StatusInternalServerError, "server_error"
	switch {
	case ok && e.Reason == TokenInvalid:
		status, code = http.StatusUnauthorized, "invalid_token"
		h.Set("WWW-Authenticate", `DPoP error="invalid_token", algs="ES256 PS256 EdDSA"`)
	case ok:
		status, code = http.StatusServiceUnavailable, "temporarily_unavailable"
		h.Set("Retry-After", "5")
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": code}) // the caller hung up: nobody is left to tell
	return status
}
