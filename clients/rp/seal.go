package rp

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
)

// seal encrypts a session under its cookie. The key is used for one session only, and nonces are random: far fewer writes
// than the 2^32 that AES-GCM allows a key.
func seal(id string, plain []byte) []byte {
	return sealer(id).Seal(nil, nil, plain, nil) //nolint:gosec // this AEAD makes a random nonce of its own
}

func open(id string, sealed []byte) ([]byte, error) {
	if len(sealed) > maxAnswer {
		return nil, errors.New("too long")
	}
	return sealer(id).Open(nil, nil, sealed, nil)
}

// sealer cannot fail: the sizes are constants.
func sealer(id string) cipher.AEAD {
	key, err := hkdf.Key(sha256.New, []byte(id), nil, "tsunagu rp session", 32)
	if err != nil {
		panic(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return aead
}
