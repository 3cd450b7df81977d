package agent

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tsunagu-id/tsunagu/cardauth/ades"
)

// The "typ" of a challenge JWT and of a request for a signature (RFC 8725 §3.11: explicit typing).
const (
	challengeType        = "card-challenge+jwt"
	signatureRequestType = "signature-request+jwt"
)

// Bounds of a challenge.
const (
	maxChallenge     = 8 << 10 // bytes of the compact JWT
	minNonce         = 43      // letters: 256 bits of base64url
	maxText          = 200     // letters of a name
	maxChallengeLife = 10 * time.Minute
	clockLeeway      = time.Minute // between the hub's clock and this computer's
)

// challenge is what a hub asks to be signed. Only parseChallenge makes one.
type challenge struct {
	compact      string // the JWT, exactly as it was fetched: its digest is signed
	id           string
	nonce        string
	clientID     string
	clientName   string
	redirectHost string
	acr          string
	expires      time.Time

	purpose  string         // of a signature; empty: a login
	document *ades.Document // what is signed; nil if only who signs counts
	watch    bool           // the login is to end when the card is taken out
	back     string         // the hub's page to go back to; empty: its login page
}

// challengeClaims are the claims a challenge must have. Further ones are ignored (RFC 7519 §4).
type challengeClaims struct {
	Issuer       string `json:"iss"`
	ID           string `json:"jti"`
	Nonce        string `json:"nonce"`
	ClientID     string `json:"client_id"`
	ClientName   string `json:"client_name"`
	RedirectHost string `json:"redirect_host"`
	ACR          string `json:"acr"`
	Issued       int64  `json:"iat"` // seconds, RFC 7519 §2
	Expires      int64  `json:"exp"`
	Watch        bool   `json:"card_watch"`

	Purpose  string         `json:"purpose"`
	Document *ades.Document `json:"document"`
	Page     string         `json:"page"`
}

// parseChallenge reads the payload of a challenge whose signature was found good. from is the address it was fetched
// from: a hub's challenge shown under another id, or another hub's, is ChallengeForged.
func parseChallenge(payload []byte, compact string, from challengeURL, now time.Time) (challenge, error) {
	var c challengeClaims
	dec := json.NewDecoder(bytes.NewReader(payload))
	if err := dec.Decode(&c); err != nil {
		return challenge{}, refuse(ChallengeForged, "the claims are not those of a challenge")
	}
	if _, err := dec.Token(); err != io.EOF {
		return challenge{}, refuse(ChallengeForged, "something follows the claims")
	}
	switch {
	case c.Issuer != from.hub.origin:
		return challenge{}, refuse(ChallengeForged, "iss is not the hub it came from")
	case c.ID != from.id:
		return challenge{}, refuse(ChallengeForged, "jti is not the challenge asked for")
	case len(c.Nonce) < minNonce || len(c.Nonce) > maxChallengeID || !isBase64URL(c.Nonce):
		return challenge{}, refuse(ChallengeForged, "nonce is not 256 bits of base64url")
	case !isToken(c.ClientID), !isToken(c.RedirectHost):
		return challenge{}, refuse(ChallengeForged, "client_id or redirect_host is not a printable word")
	case !isName(c.ClientName):
		return challenge{}, refuse(ChallengeForged, "client_name cannot be shown")
	}
	if wrong := c.wrong(from); wrong != "" {
		return challenge{}, refuse(ChallengeForged, wrong)
	}
	issued, expires := time.Unix(c.Issued, 0), time.Unix(c.Expires, 0)
	switch life := expires.Sub(issued); {
	case c.Issued <= 0 || c.Expires <= 0 || life <= 0 || life > maxChallengeLife:
		return challenge{}, refuse(ChallengeForged, "iat and exp are not those of a challenge")
	case issued.After(now.Add(clockLeeway)):
		return challenge{}, refuse(ClockWrong, "iat is in the future")
	}
	out := challenge{
		compact: compact, id: c.ID, nonce: c.Nonce, clientID: c.ClientID, clientName: c.ClientName,
		redirectHost: c.RedirectHost, acr: c.ACR, expires: expires, purpose: c.Purpose, document: c.Document, back: c.Page, watch: c.Watch,
	}
	return out, out.fresh(now)
}

// acrRemote is the level of a login on another device than the one that reads the card.
const acrRemote = "urn:tsunagu:acr:card-remote"

// remote says whether the login is made on another device. The card signs that it is.
func (c challenge) remote() bool { return c.acr == acrRemote }

// wrong says what makes the claims not those of the address they were fetched from: a login has a level and no
// purpose, a signature has a purpose and no level. Empty if nothing does.
func (c challengeClaims) wrong(from challengeURL) string {
	if !from.signing {
		switch {
		case !isToken(c.ACR):
			return "acr is not a printable word"
		case c.Purpose != "" || c.Document != nil:
			return "a challenge that wants a signature"
		}
		return ""
	}
	switch {
	case c.ACR != "":
		return "a request for a signature that wants a login"
	case c.Page != "" && !from.hub.owns(c.Page):
		return "page is not on the hub's origin"
	case (c.Purpose == ades.PurposeRelink || c.Purpose == ades.PurposeAttributes) && c.Document == nil:
		return ""
	case c.Purpose != ades.PurposeDocument || c.Document == nil || c.Document.Check() != nil:
		return "it cannot be shown what is signed"
	}
	return ""
}

// fresh says whether there is still time to answer. The hub decides again, by its own clock.
func (c challenge) fresh(now time.Time) error {
	if !now.Before(c.expires.Add(clockLeeway)) {
		return refuse(ChallengeExpired, "")
	}
	return nil
}

// digest ties a response to this very challenge.
func (c challenge) digest() string {
	sum := sha256.Sum256([]byte(c.compact))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// isToken reports whether s is 1 to maxText printable ASCII letters without a space.
func isToken(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= maxText
}

// isName reports whether s can be shown as it is: no control letters, and none that change the direction or hide
// (Unicode category Cf), with which one name could be made to look like another.
func isName(s string) bool {
	if s == "" || !utf8.ValidString(s) || utf8.RuneCountInString(s) > maxText {
		return false
	}
	for _, r := range s {
		if unicode.In(r, unicode.C, unicode.Zl, unicode.Zp) {
			return false
		}
	}
	return true
}
