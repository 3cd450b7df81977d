package keys

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// MaxToken is the longest compact JWS that is looked at, in bytes. It leaves
// room for a certificate in the header.
const MaxToken = 16 << 10

// maxKeyID is the longest "kid" that is looked at, in bytes.
const maxKeyID = 256

// unverified is a compact JWS taken apart. Nothing in it is believed yet.
type unverified struct {
	jws *jose.JSONWebSignature
	alg Alg
	kid string
	typ string
}

// parseToken takes a compact JWS (RFC 7515 §7.1) apart and refuses whatever can
// be refused without a key: another serialization, an algorithm that is not
// allowed, critical extensions (none is implemented, §4.1.11), and spellings of
// base64url that are not the canonical one, so that one token has one text.
//
// A "jwk", "jku", "x5c" or "x5u" header is never followed: keys come from the
// caller.
func parseToken(token string, allowed []Alg) (unverified, error) {
	if len(token) > MaxToken {
		return unverified{}, refuse(Malformed, "token is too long")
	}
	if err := checkCompact(token); err != nil {
		return unverified{}, err
	}
	if len(allowed) == 0 {
		return unverified{}, refuse(AlgRefused, "no algorithm is allowed")
	}
	jws, err := jose.ParseSignedCompact(token, joseAlgs(allowed))
	if err != nil {
		if _, ok := errors.AsType[*jose.ErrUnexpectedSignatureAlgorithm](err); ok {
			return unverified{}, refuse(AlgRefused, "the header names an algorithm that is not allowed here")
		}
		return unverified{}, refuse(Malformed, "the header is not a JWS header")
	}
	header := jws.Signatures[0].Protected
	for _, name := range []jose.HeaderKey{"crit", "b64"} {
		if _, there := header.ExtraHeaders[name]; there {
			return unverified{}, refuse(Malformed, "the header uses an extension")
		}
	}
	if len(header.KeyID) > maxKeyID {
		return unverified{}, refuse(Malformed, "the key id is too long")
	}
	out := unverified{jws: jws, alg: Alg(header.Algorithm), kid: header.KeyID}
	if typ, there := header.ExtraHeaders[jose.HeaderType]; there {
		text, ok := typ.(string)
		if !ok {
			return unverified{}, refuse(Malformed, "typ is not a string")
		}
		out.typ = mediaType(text)
	}
	return out, nil
}

// mediaType returns the short lower-case form of a "typ" value: RFC 7515 §4.1.9
// lets "application/" be left out, and media types ignore case.
func mediaType(typ string) string {
	return strings.TrimPrefix(strings.ToLower(typ), "application/")
}

func checkCompact(token string) error {
	parts := 0
	for part := range strings.SplitSeq(token, ".") {
		parts++
		if parts > 3 || !canonical(part) {
			return refuse(Malformed, "not a compact JWS")
		}
	}
	if parts != 3 {
		return refuse(Malformed, "not a compact JWS")
	}
	return nil
}

// canonical reports whether s is non-empty base64url without padding whose
// unused trailing bits are zero (RFC 4648 §3.5).
func canonical(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		if !letter(s[i]) {
			return false // also the line breaks that package base64 skips
		}
	}
	whole := len(s) - len(s)%4
	_, err := base64.RawURLEncoding.Strict().DecodeString(s[whole:])
	return err == nil
}

// letter reports whether c belongs to the base64url alphabet (RFC 4648 §5).
func letter(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}
