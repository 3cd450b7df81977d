package agent

import (
	"net/url"
	"strings"
)

// Where a hub keeps what it wants signed: challenges, and requests for signatures.
const (
	challengePath = "/card/challenges/"
	signaturePath = "/signatures/"
	requestSuffix = "/request"
)

// Bounds of a challenge's address and of its id.
const (
	maxChallengeURL = 512 // bytes
	minChallengeID  = 16  // characters of base64url
	maxChallengeID  = 128
)

// challengeURL is the address of a challenge, or of a request for a signature, at a hub we trust. Only findChallenge
// and findSignature make one.
type challengeURL struct {
	hub     *hub
	id      string
	signing bool
}

// String is the address, byte for byte as it was given.
func (u challengeURL) String() string {
	if u.signing {
		return u.hub.origin + signaturePath + u.id + requestSuffix
	}
	return u.hub.origin + challengePath + u.id
}

// answerTo is where the answer is posted.
func (u challengeURL) answerTo() string {
	if u.signing {
		return u.hub.origin + signaturePath + u.id
	}
	return u.String()
}

// typ is the "typ" of the JWT at the address.
func (u challengeURL) typ() string {
	if u.signing {
		return signatureRequestType
	}
	return challengeType
}

// page is the address of our own page for it, with a card chosen or none.
func (u challengeURL) page(card string) string {
	path, name := "/login", "challenge"
	if u.signing {
		path, name = "/sign", "request"
	}
	q := url.Values{name: {u.String()}}
	if card != "" {
		q.Set("card", card)
	}
	return path + "?" + q.Encode()
}

// findChallenge accepts a hub's origin, the path and an id, and nothing else: no query, no escape, no dot segment, no
// user name. It compares text and does not interpret it, because what two parsers read in two ways can be forged. The
// error tells an address of a stranger from one that is merely not a challenge.
func findChallenge(trusted []*hub, s string) (challengeURL, error) {
	return findAt(trusted, s, challengePath, "")
}

// findSignature is findChallenge for a request for a signature.
func findSignature(trusted []*hub, s string) (challengeURL, error) {
	u, err := findAt(trusted, s, signaturePath, requestSuffix)
	u.signing = true
	return u, err
}

func findAt(trusted []*hub, s, prefix, suffix string) (challengeURL, error) {
	if len(s) > maxChallengeURL {
		return challengeURL{}, refuse(AddressMalformed, "the address is too long")
	}
	for _, h := range trusted {
		rest, ok := strings.CutPrefix(s, h.origin+"/")
		if !ok {
			continue
		}
		id, okPrefix := strings.CutPrefix("/"+rest, prefix)
		id, okSuffix := strings.CutSuffix(id, suffix)
		if !okPrefix || !okSuffix || !isChallengeID(id) {
			return challengeURL{}, refuse(AddressMalformed, "not the address of a challenge")
		}
		return challengeURL{hub: h, id: id}, nil
	}
	if u, err := url.Parse(s); err != nil || u.Host == "" {
		return challengeURL{}, refuse(AddressMalformed, "not an absolute address")
	}
	return challengeURL{}, refuse(IssuerUntrusted, "the address is at no configured hub")
}

func isChallengeID(id string) bool {
	return len(id) >= minChallengeID && len(id) <= maxChallengeID && isBase64URL(id)
}

// isBase64URL reports whether s is made of the letters of RFC 4648 §5.
func isBase64URL(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return s != ""
}
