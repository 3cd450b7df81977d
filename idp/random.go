package idp

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
)

// newID returns a public identifier: 128 random bits, 22 characters of base64url.
func newID() string { return randomText(16) }

// newSecret returns 256 random bits, 43 characters of base64url.
func newSecret() string { return randomText(32) }

func randomText(n int) string { return base64.RawURLEncoding.EncodeToString(randomBytes(n)) }

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // cannot fail since Go 1.24
	return b
}

// digest is what the stores hold in place of a secret.
func digest(secret string) string {
	d := sha256.Sum256([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(d[:])
}

func wellFormedID(s string) bool { return isBase64URL(s, 22) }

func isBase64URL(s string, length int) bool {
	if len(s) != length {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

// randomInt returns a positive random number for a row's key.
func randomInt() int64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // see randomText
	return int64(binary.BigEndian.Uint64(b[:])>>1) | 1
}
