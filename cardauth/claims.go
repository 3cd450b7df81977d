package cardauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
)

// compare judges the signed claims against the challenge they answer: first
// whether they answer it at all, then whether they name the same destination.
func (rec record) compare(issuer string, c responseClaims) error {
	sum := sha256.Sum256([]byte(rec.JWT))
	switch {
	case !same(c.nonce, rec.Nonce):
		return refuse(ChallengeMismatch, "nonce")
	case !same(c.challenge, base64.RawURLEncoding.EncodeToString(sum[:])):
		return refuse(ChallengeMismatch, "challenge")
	case c.audience != issuer:
		return refuse(ClaimMismatch, "aud")
	case c.clientID != rec.ClientID:
		return refuse(ClaimMismatch, "client_id")
	case c.redirectHost != rec.RedirectHost:
		return refuse(ClaimMismatch, "redirect_host")
	case c.acr != rec.ACR:
		return refuse(ClaimMismatch, "acr")
	}
	return nil
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
