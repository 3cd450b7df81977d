package idp

import (
	"crypto/rand"
	"strings"
	"unicode"
)

// userCode is what a device shows and a citizen types (RFC 8628 §6.1): eight consonants, none of which makes a word or looks like a
// digit. Twenty to the eighth is 34 bits; what makes them enough is that tries are counted.
type userCode string

const (
	userCodeAlphabet = "BCDFGHJKLMNPQRSTVWXZ"
	userCodeLength   = 8
	userCodeHalf     = userCodeLength / 2
	maxUserCodeText  = 128 // bytes of what is typed that are looked at
)

// newUserCode draws one.
func newUserCode() userCode { return userCode(drawLetters(userCodeLength)) }

// drawLetters draws letters, each equally likely.
func drawLetters(n int) []byte {
	out := make([]byte, 0, n)
	fair := byte(len(userCodeAlphabet) * (256 / len(userCodeAlphabet)))
	var b [1]byte
	for len(out) < n {
		_, _ = rand.Read(b[:]) // see randomText
		if b[0] < fair {
			out = append(out, userCodeAlphabet[int(b[0])%len(userCodeAlphabet)])
		}
	}
	return out
}

// String is the code as devices show it.
func (u userCode) String() string {
	return string(u.head()) + "-" + string(u[userCodeHalf:])
}

// head is the first half, which is not secret from whoever has the link.
func (u userCode) head() userCode { return u[:userCodeHalf] }

// parseUserCode reads what a citizen typed, forgiving everything that cannot mean another code: case, full-width letters, spaces,
// and hyphens of every kind, among which is the long-vowel mark that a Japanese keyboard makes of the hyphen key. It returns a whole code, or
// the half of one if that is all there is.
func parseUserCode(typed string) (userCode, bool) {
	out, ok := readLetters(typed, userCodeLength)
	if !ok || len(out) != userCodeLength && len(out) != userCodeHalf {
		return "", false
	}
	return userCode(out), true
}

// readLetters reads at most so many letters of codes.
func readLetters(typed string, most int) ([]byte, bool) {
	if len(typed) > maxUserCodeText {
		return nil, false
	}
	var out []byte
	for _, r := range typed {
		if r >= '！' && r <= '～' { // the full-width forms stand in the order of ASCII
			r -= '！' - '!'
		}
		if ignorable(r) {
			continue
		}
		if r >= 'a' && r <= 'z' {
			r -= 'a' - 'A'
		}
		letter := strings.IndexRune(userCodeAlphabet, r)
		if letter < 0 || len(out) == most {
			return nil, false
		}
		out = append(out, userCodeAlphabet[letter])
	}
	return out, true
}

// ignorable is what stands between letters without meaning anything.
func ignorable(r rune) bool {
	return unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) || unicode.Is(unicode.Cf, r) || strings.ContainsRune("−ーｰ_.・", r)
}
