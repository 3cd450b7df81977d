package ades

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// DigestAlg is the one digest algorithm, by its name in the IANA registry of
// named information hash algorithms (RFC 6920).
const DigestAlg = "sha-256"

// Bounds of a document's description.
const (
	maxName      = 100 // characters
	maxMediaType = 100 // bytes
	maxSize      = 1 << 40
)

// Document is what is signed: a digest, and what tells a person which
// document that is. Its JSON form stands in requests and in signed statements.
type Document struct {
	Name      string `json:"name"`
	DigestAlg string `json:"digest_alg"`           // DigestAlg
	Digest    string `json:"digest"`               // base64url of 32 bytes
	MediaType string `json:"media_type,omitempty"` // RFC 6838, type/subtype
	Size      int64  `json:"size,omitempty"`       // bytes
}

// NewDocument describes a document by its digest.
func NewDocument(name string, sum [sha256.Size]byte) Document {
	return Document{Name: name, DigestAlg: DigestAlg, Digest: base64.RawURLEncoding.EncodeToString(sum[:])}
}

// Check says what is wrong with a description, or nil.
func (d Document) Check() error {
	if _, ok := d.sum(); !ok || d.DigestAlg != DigestAlg {
		return errors.New("digest is not 32 bytes of base64url, by " + DigestAlg)
	}
	switch {
	case !readable(d.Name, maxName):
		return errors.New("name cannot be shown")
	case !mediaType(d.MediaType):
		return errors.New("media_type is not type/subtype")
	case d.Size < 0 || d.Size > maxSize:
		return errors.New("size is out of range")
	}
	return nil
}

// Sum returns the digest's bytes; zero if the description does not pass Check.
func (d Document) Sum() [sha256.Size]byte {
	sum, _ := d.sum()
	return sum
}

// Groups is the digest as people compare it: hex, four digits at a time.
func (d Document) Groups() string {
	sum := d.Sum()
	text := hex.EncodeToString(sum[:])
	var out strings.Builder
	for i := 0; i < len(text); i += 4 {
		if i > 0 {
			out.WriteByte(' ')
		}
		out.WriteString(text[i : i+4])
	}
	return out.String()
}

func (d Document) sum() (sum [sha256.Size]byte, ok bool) {
	if len(d.Digest) != base64.RawURLEncoding.EncodedLen(sha256.Size) {
		return sum, false
	}
	for i := range len(d.Digest) {
		if c := d.Digest[i]; c <= ' ' { // the decoder skips line breaks
			return sum, false
		}
	}
	n, err := base64.RawURLEncoding.Strict().Decode(sum[:], []byte(d.Digest))
	return sum, err == nil && n == sha256.Size
}

// readable: no control characters, and none that hide or turn the line
// around (Unicode category C), with which one name could look like another.
func readable(s string, most int) bool {
	if s == "" || !utf8.ValidString(s) || utf8.RuneCountInString(s) > most {
		return false
	}
	for _, r := range s {
		if r == utf8.RuneError || unicode.In(r, unicode.C, unicode.Zl, unicode.Zp) {
			return false
		}
	}
	return true
}

// mediaType accepts nothing, or two restricted names (RFC 6838 §4.2).
func mediaType(s string) bool {
	if len(s) > maxMediaType {
		return false
	}
	slash := -1
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case c == '/' && slash < 0 && i > 0 && i < len(s)-1:
			slash = i
		case (c == '.' || c == '+' || c == '-' || c == '_') && i > 0 && i != slash+1:
		default:
			return false
		}
	}
	return s == "" || slash > 0
}
