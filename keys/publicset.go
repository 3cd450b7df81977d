package keys

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"

	"github.com/go-jose/go-jose/v4"
)

// Bounds of a JWK set that strangers bring.
const (
	MaxSetBytes = 64 << 10 // bytes
	MaxSetKeys  = 20       // keys
)

// PublicSet is a JWK set (RFC 7517 §5) that somebody else published, judged. The
// zero PublicSet is empty and verifies nothing.
type PublicSet struct {
	keys         []publicKey
	certificates [][sha256.Size]byte // digests of those that its keys bring along
}

type publicKey struct {
	id             string
	algs           []Alg    // what the key may verify: one for a key with "alg", two for an RSA key without
	encrypts       []KeyAlg // what may be encrypted to it
	encryptionOnly bool
	key            crypto.PublicKey
	thumbprint     string // RFC 7638
}

// ParsePublicSet reads and judges a JWK set.
//
// One private or symmetric key, or one weak key, refuses the whole set: whoever
// publishes it must hear of it. Keys that are merely of no use here — of another
// type, curve or algorithm — are passed over, as RFC 7517 §5 asks; a set in which
// nothing is left is refused.
func ParsePublicSet(jwks []byte) (PublicSet, error) {
	set, err := ReadPublicSet(jwks)
	if err == nil && set.Empty() {
		return PublicSet{}, refuse(KeyRefused, "no key of the set can verify or encrypt with an algorithm of this hub")
	}
	return set, err
}

// ReadPublicSet is ParsePublicSet for a set in which nothing need be left, because
// its certificates count and not its keys (RFC 8705 §2.2.2).
func ReadPublicSet(jwks []byte) (PublicSet, error) {
	if len(jwks) > MaxSetBytes {
		return PublicSet{}, refuse(Malformed, "the key set is larger than 64 KiB")
	}
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	dec := json.NewDecoder(bytes.NewReader(jwks))
	if err := dec.Decode(&raw); err != nil {
		return PublicSet{}, refuse(Malformed, "not a JSON object with keys")
	}
	if _, err := dec.Token(); err != io.EOF {
		return PublicSet{}, refuse(Malformed, "something follows the key set")
	}
	if len(raw.Keys) > MaxSetKeys {
		return PublicSet{}, refuse(Malformed, "the key set has more than 20 keys")
	}
	var set PublicSet
	for i, b := range raw.Keys {
		if err := set.add(b); err != nil {
			err.Detail = "key " + strconv.Itoa(i) + ": " + err.Detail
			return PublicSet{}, err
		}
	}
	return set, nil
}

// jwkMembers are the members of a JWK that decide whether it is read at all.
type jwkMembers struct {
	Type string          `json:"kty"`
	Use  string          `json:"use"`
	Ops  []string        `json:"key_ops"`
	Alg  string          `json:"alg"`
	ID   string          `json:"kid"`
	K    json.RawMessage `json:"k"`
	D    json.RawMessage `json:"d"`
	P    json.RawMessage `json:"p"`
	Q    json.RawMessage `json:"q"`
	Priv json.RawMessage `json:"priv"`

	Chain []string `json:"x5c"`
}

// add judges one JWK and keeps what is of use in it.
func (s *PublicSet) add(b []byte) *Error {
	var m jwkMembers
	if err := json.Unmarshal(b, &m); err != nil {
		return refuse(Malformed, "not a JWK")
	}
	key, usable, err := parsePublicKey(b, m)
	if err != nil {
		return err
	}
	if usable {
		s.keys = append(s.keys, key)
	}
	if cert, ok := m.certificateOf(); ok && m.verifies() {
		s.certificates = append(s.certificates, cert)
	}
	return nil
}

func parsePublicKey(b []byte, m jwkMembers) (key publicKey, usable bool, _ *Error) {
	if m.Type == "oct" || m.K != nil {
		return publicKey{}, false, refuse(KeyRefused, "symmetric key")
	}
	if m.D != nil || m.P != nil || m.Q != nil || m.Priv != nil {
		return publicKey{}, false, refuse(KeyRefused, "private key; take it out of use")
	}
	verifies, encrypts := m.verifies(), m.encrypts()
	if !verifies && !encrypts {
		return publicKey{}, false, nil
	}
	if len(m.ID) > maxKeyID {
		return publicKey{}, false, refuse(Malformed, "the key id is too long")
	}
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(b); err != nil {
		if errors.Is(err, jose.ErrUnsupportedKeyType) {
			return publicKey{}, false, nil
		}
		return publicKey{}, false, refuse(Malformed, "not a public key of its type")
	}
	for _, alg := range Algs() {
		if verifies && (m.Alg == "" || m.Alg == string(alg)) && alg.fits(jwk.Key) {
			key.algs = append(key.algs, alg)
		}
	}
	for _, alg := range KeyAlgs() {
		if encrypts && (m.Alg == "" || m.Alg == string(alg)) && alg.fits(jwk.Key) {
			key.encrypts = append(key.encrypts, alg)
		}
	}
	if len(key.algs) == 0 && len(key.encrypts) == 0 {
		return publicKey{}, false, nil
	}
	if err := Judge(jwk.Key); err != nil {
		refused, _ := errors.AsType[*Error](err)
		return publicKey{}, false, refused
	}
	key.id, key.key, key.encryptionOnly = m.ID, jwk.Key, !verifies
	thumbprint, err := Thumbprint(jwk.Key)
	if err != nil { // not reached: Judge knows the same types
		refused, _ := errors.AsType[*Error](err)
		return publicKey{}, false, refused
	}
	key.thumbprint = thumbprint
	return key, true, nil
}

// verifies reports whether the key's owner lets it verify (RFC 7517 §4.2, §4.3).
func (m jwkMembers) verifies() bool {
	return (m.Use == "" || m.Use == "sig") && (len(m.Ops) == 0 || slices.Contains(m.Ops, "verify"))
}

// encrypts reports whether the key's owner lets it be encrypted to.
func (m jwkMembers) encrypts() bool {
	return (m.Use == "" || m.Use == "enc") && (len(m.Ops) == 0 || slices.ContainsFunc(m.Ops, func(op string) bool {
		return op == "encrypt" || op == "wrapKey" || op == "deriveKey" || op == "deriveBits"
	}))
}

// Empty reports whether the set has no key.
func (s PublicSet) Empty() bool { return len(s.keys) == 0 }

// Algs returns the algorithms that at least one key of the set can verify.
func (s PublicSet) Algs() []Alg {
	var out []Alg
	for _, alg := range Algs() {
		if slices.ContainsFunc(s.keys, func(k publicKey) bool { return slices.Contains(k.algs, alg) }) {
			out = append(out, alg)
		}
	}
	return out
}

// VerifyOptions says what a token must look like.
type VerifyOptions struct {
	Algs []Alg  // allowed algorithms; an empty list allows none
	Typ  string // required "typ" header, without "application/"; empty leaves it to the caller, see Verified.Typ
}

// Verified is what a token said, after its signature was found good.
type Verified struct {
	Payload []byte // exactly the bytes that were signed
	KeyID   string // "kid" header; may be empty
	Typ     string // "typ" header, lower case, without "application/"; may be empty
	Alg     Alg
	// Thumbprint of the key that verified it (RFC 7638, SHA-256, base64url).
	Thumbprint string
}

// Verifies reports whether the set has the key with a thumbprint, and it may verify an algorithm.
func (s PublicSet) Verifies(thumbprint string, alg Alg) bool {
	return slices.ContainsFunc(s.keys, func(k publicKey) bool { return k.thumbprint == thumbprint && slices.Contains(k.algs, alg) })
}

// Verify checks a compact JWS with the keys of the set. The key is the one whose
// "kid" the header names; a header without "kid" is tried with every key of its
// algorithm (RFC 7515 §4.1.4 makes "kid" optional). The error is an *Error;
// KeyUnknown means that a newer set may help.
func (s PublicSet) Verify(token string, opt VerifyOptions) (Verified, error) {
	in, err := parseToken(token, opt.Algs)
	if err != nil {
		return Verified{}, err
	}
	if opt.Typ != "" && in.typ != mediaType(opt.Typ) {
		return Verified{}, refuse(TypRefused, "typ is not "+opt.Typ)
	}
	tried := false
	for _, k := range s.keys {
		if in.kid != "" && k.id != in.kid || !slices.Contains(k.algs, in.alg) {
			continue
		}
		tried = true
		if payload, err := in.jws.Verify(k.key); err == nil {
			return Verified{Payload: payload, KeyID: in.kid, Typ: in.typ, Alg: in.alg, Thumbprint: k.thumbprint}, nil
		}
	}
	if !tried {
		return Verified{}, refuse(KeyUnknown, "no key with this id and algorithm")
	}
	return Verified{}, refuse(SignatureInvalid, "")
}

// Thumbprint returns the RFC 7638 SHA-256 thumbprint of a public key in base64url.
func Thumbprint(public crypto.PublicKey) (string, error) {
	sum, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", refuse(KeyRefused, "not an RSA, P-256 or Ed25519 key")
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}
