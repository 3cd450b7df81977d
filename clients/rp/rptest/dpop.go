package rptest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
)

// Nonce is what proofs have to carry at the token endpoint when DPoP is on.
const Nonce = "nonce-of-the-hub"

// proved checks the claims of a DPoP proof (RFC 9449 §4.3); that its signature is good is for the real hub's tests. At the token
// endpoint, where w is given, a proof without the nonce is answered with it. The caller holds the lock.
func (h *Hub) proved(w http.ResponseWriter, r *http.Request, token string) bool {
	refused := func(code string) bool {
		if w != nil {
			w.Header().Set("DPoP-Nonce", Nonce)
			refuse(w, http.StatusBadRequest, code)
		}
		return false
	}
	parts := strings.Split(r.Header.Get("DPoP"), ".")
	if len(parts) != 3 {
		return refused("invalid_dpop_proof")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return refused("invalid_dpop_proof")
	}
	var c struct {
		JTI, HTM, HTU, ATH, Nonce string
		IAT                       int64
	}
	if err := json.Unmarshal(payload, &c); err != nil || c.JTI == "" || h.jti[c.JTI] || c.HTM != r.Method || c.HTU != h.URL+r.URL.Path || c.IAT == 0 {
		return refused("invalid_dpop_proof")
	}
	h.jti[c.JTI] = true
	if w != nil && c.Nonce != Nonce {
		return refused("use_dpop_nonce")
	}
	sum := sha256.Sum256([]byte(token))
	return token == "" || c.ATH == base64.RawURLEncoding.EncodeToString(sum[:])
}
