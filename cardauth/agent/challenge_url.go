package agent

import (
	"net/url"
	"strings"
)

// challengePath is where a hub keeps its challenges.
const challengePath = "/card/challenges/"

// Bounds of a challenge's address and of its id.
const (
	maxChallengeURL = 512 // bytes
	minChallengeID  = 16  // characters of base64url
	maxChallengeID  = 128
)

// challengeURL is the address of a challenge at a hub we trust. Only findChallenge makes one.
type challengeURL struct {
	hub *hub
	id  string
}

// String is the address, byte for byte as it was given.
func (u challengeURL) String() string { return u.hub.origin + challengePath + u.id }

// findChallenge accepts a hub's origin, the path and an id, and nothing else: no query, no escape, no dot segment, no
// user name. It compares text and does not interpret it, because what two parsers read in two ways can be forged. The
// error tells an address of a stranger from one that is merely not a challenge.
func findChallenge(trusted []*hub, s string) (challengeURL, error) {
	if len(s) > maxChallengeURL {
		return challengeURL{}, refuse(AddressMalformed, "the address is too long")
	}
	for _, h := range trusted {
		rest, ok := strings.CutPrefix(s, h.origin+"/")
		if !ok {
			continue
		}
		id, ok := strings.CutPrefix("/"+rest, challengePath)
		if !ok || !isChallengeID(id) {
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
