package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// KeyAlg is a JWE key management algorithm of the closed list (RFC 7518 §4.1).
type KeyAlg string

// The key management algorithms. There is no RSA1_5, whose padding gives decryption
// away (RFC 8725 §3.2), no RSA-OAEP over SHA-1, and nothing with a shared key.
const (
	RSAOAEP256   KeyAlg = "RSA-OAEP-256"
	ECDHES       KeyAlg = "ECDH-ES"
	ECDHESA256KW KeyAlg = "ECDH-ES+A256KW"
)

// ContentEnc is a JWE content encryption of the closed list (RFC 7518 §5.1).
type ContentEnc string

// The content encryptions.
const (
	A128GCM      ContentEnc = "A128GCM"
	A256GCM      ContentEnc = "A256GCM"
	A128CBCHS256 ContentEnc = "A128CBC-HS256"
)

// KeyAlgs returns the closed list, the preferred algorithm first.
func KeyAlgs() []KeyAlg { return []KeyAlg{ECDHESA256KW, ECDHES, RSAOAEP256} }

// ContentEncs returns the closed list, the preferred encryption first.
func ContentEncs() []ContentEnc { return []ContentEnc{A256GCM, A128GCM, A128CBCHS256} }

// ParseKeyAlg accepts the exact names of the closed list.
func ParseKeyAlg(s string) (KeyAlg, error) {
	if a := KeyAlg(s); slices.Contains(KeyAlgs(), a) {
		return a, nil
	}
	return "", refuse(AlgRefused, "not RSA-OAEP-256, ECDH-ES or ECDH-ES+A256KW")
}

// ParseContentEnc accepts the exact names of the closed list.
func ParseContentEnc(s string) (ContentEnc, error) {
	if e := ContentEnc(s); slices.Contains(ContentEncs(), e) {
		return e, nil
	}
	return "", refuse(AlgRefused, "not A128GCM, A256GCM or A128CBC-HS256")
}

// fits reports whether a public key is of the type the algorithm needs.
func (a KeyAlg) fits(public crypto.PublicKey) bool {
	switch key := public.(type) {
	case *rsa.PublicKey:
		return a == RSAOAEP256
	case *ecdsa.PublicKey:
		return (a == ECDHES || a == ECDHESA256KW) && key.Curve == elliptic.P256()
	}
	return false
}

// KeyAlgs returns the algorithms that something can be encrypted to a key of the
// set with.
func (s PublicSet) KeyAlgs() []KeyAlg {
	var out []KeyAlg
	for _, alg := range KeyAlgs() {
		if _, there := s.recipient(alg); there {
			out = append(out, alg)
		}
	}
	return out
}

// recipient returns the key to encrypt to: one that its owner set apart for
// encryption ("use" or "key_ops") before one for any purpose, else the first.
func (s PublicSet) recipient(alg KeyAlg) (publicKey, bool) {
	var spare *publicKey
	for i, k := range s.keys {
		switch {
		case !slices.Contains(k.encrypts, alg):
		case k.encryptionOnly:
			return k, true
		case spare == nil:
			spare = &s.keys[i]
		}
	}
	if spare == nil {
		return publicKey{}, false
	}
	return *spare, true
}

// Encrypt returns a compact JWE (RFC 7516 §7.1) of the payload that only the owner
// of a key in the set can read. The header has alg, enc, the key's kid if it has
// one, and cty if that is not empty: "JWT" around a JWS (RFC 7519 §5.2). The error
// is KeyUnknown if no key of the set is for the algorithm; a newer set may help.
func Encrypt(payload []byte, cty string, to PublicSet, alg KeyAlg, enc ContentEnc) (string, error) {
	if _, err := ParseKeyAlg(string(alg)); err != nil {
		return "", err
	}
	if _, err := ParseContentEnc(string(enc)); err != nil {
		return "", err
	}
	key, there := to.recipient(alg)
	if !there {
		return "", refuse(KeyUnknown, "no key to encrypt to with this algorithm")
	}
	options := &jose.EncrypterOptions{}
	if cty != "" {
		options.WithContentType(jose.ContentType(cty))
	}
	encrypter, err := jose.NewEncrypter(jose.ContentEncryption(enc),
		jose.Recipient{Algorithm: jose.KeyAlgorithm(alg), Key: key.key, KeyID: key.id}, options)
	if err != nil {
		return "", &Error{Reason: KeyRefused, Detail: "cannot be encrypted to", Err: err}
	}
	jwe, err := encrypter.Encrypt(payload)
	if err != nil {
		return "", &Error{Reason: KeyRefused, Detail: "cannot be encrypted to", Err: err}
	}
	token, err := jwe.CompactSerialize()
	if err != nil {
		return "", &Error{Reason: KeyRefused, Detail: "cannot be encrypted to", Err: err}
	}
	return token, nil
}
