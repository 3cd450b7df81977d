package keys

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// SealKeySize is the length in bytes of the key in a seal file.
const SealKeySize = 32

const (
	sealVersion = 1
	keyIDSize   = 4
	sealHeader  = 1 + keyIDSize
)

// Sealer seals values at rest and makes keyed digests, both under keys derived
// (HKDF-SHA-256, RFC 5869) from the 32 bytes of one file. The file's own bytes
// are used for nothing else.
//
// A sealed value is
//
//	version (1 byte) | key id (4 bytes) | nonce (24 bytes) | ciphertext and tag
//
// sealed with XChaCha20-Poly1305. Its nonce is long enough to be drawn at random
// for any number of values. The key id is derived from the key: it tells an
// operator which file a database belongs to, and reveals nothing.
type Sealer struct {
	aead   cipher.AEAD
	keyID  [keyIDSize]byte
	digest Secret
}

// newSealer derives the working keys from the bytes of a seal file.
func newSealer(key Secret) (*Sealer, error) {
	raw := key.Reveal()
	if len(raw) != SealKeySize {
		return nil, fmt.Errorf("seal key has %d bytes, not %d", len(raw), SealKeySize)
	}
	if subtle.ConstantTimeCompare(raw, make([]byte, SealKeySize)) == 1 {
		return nil, fmt.Errorf("seal key is all zero")
	}
	prk, err := hkdf.Extract(sha256.New, raw, nil)
	if err != nil {
		return nil, fmt.Errorf("derive from seal key: %w", err)
	}
	derive := func(purpose string, size int) []byte {
		if err != nil {
			return nil
		}
		var out []byte
		out, err = hkdf.Expand(sha256.New, prk, "tsunagu/seal/1/"+purpose, size)
		return out
	}
	sealing, id, digest := derive("aead", chacha20poly1305.KeySize), derive("id", keyIDSize), derive("digest", 32)
	if err != nil {
		return nil, fmt.Errorf("derive from seal key: %w", err)
	}
	aead, err := chacha20poly1305.NewX(sealing)
	if err != nil {
		return nil, fmt.Errorf("derive from seal key: %w", err)
	}
	return &Sealer{aead: aead, keyID: [keyIDSize]byte(id), digest: NewSecret(digest)}, nil
}

// Seal encrypts plain and binds it to aad, which is not stored: Open needs the
// same aad again. Name in aad what the value is and where it belongs.
func (s *Sealer) Seal(plain, aad []byte) []byte {
	out := make([]byte, sealHeader+chacha20poly1305.NonceSizeX, sealHeader+chacha20poly1305.NonceSizeX+len(plain)+s.aead.Overhead())
	out[0] = sealVersion
	copy(out[1:], s.keyID[:])
	nonce := out[sealHeader:]
	_, _ = rand.Read(nonce) // cannot fail since Go 1.24
	return s.aead.Seal(out, nonce, plain, boundTo(out[:sealHeader], aad))
}

// Open returns what Seal was given, or an *Error with reason SealBroken if the
// value was sealed under another key or for another aad, or was altered.
func (s *Sealer) Open(sealed, aad []byte) ([]byte, error) {
	if len(sealed) < sealHeader+s.aead.NonceSize()+s.aead.Overhead() {
		return nil, refuse(SealBroken, "too short")
	}
	if sealed[0] != sealVersion {
		return nil, refuse(SealBroken, "unknown version")
	}
	if [keyIDSize]byte(sealed[1:sealHeader]) != s.keyID {
		return nil, refuse(SealBroken, fmt.Sprintf("sealed under key %x, this is key %x", sealed[1:sealHeader], s.keyID))
	}
	nonce, box := sealed[sealHeader:sealHeader+s.aead.NonceSize()], sealed[sealHeader+s.aead.NonceSize():]
	plain, err := s.aead.Open(nil, nonce, box, boundTo(sealed[:sealHeader], aad))
	if err != nil {
		return nil, refuse(SealBroken, "altered, or sealed for another place")
	}
	return plain, nil
}

// Digest returns HMAC-SHA-256 of data under a key derived from the seal key. The
// same purpose and data yield the same digest for as long as the seal file
// lives; different purposes yield unrelated ones. Without the seal file nobody
// can test a guess, so it suits identifiers with little entropy.
func (s *Sealer) Digest(purpose string, data []byte) [32]byte {
	mac := hmac.New(sha256.New, s.digest.reveal())
	var size [8]byte
	binary.BigEndian.PutUint64(size[:], uint64(len(purpose)))
	mac.Write(size[:])
	mac.Write([]byte(purpose))
	mac.Write(data)
	return [32]byte(mac.Sum(nil))
}

// boundTo joins the header, whose length is fixed, and the caller's aad.
func boundTo(header, aad []byte) []byte {
	return append(append(make([]byte, 0, len(header)+len(aad)), header...), aad...)
}
