package rp

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
)

// seal encrypts a session under its cookie. The key is used for one session only, and nonces are random: far fewer writes
// than the 2^32 that AES-GCM allows a key.
func seal(id string, plain []byte) []byte {
	return sealer(id, "tsunagu rp session").Seal(nil, nil, plain, nil) //nolint:gosec // this AEAD makes a random nonce of its own
}

func open(id string, sealed []byte) ([]byte, error) {
	if len(sealed) > maxAnswer {
		return nil, errors.New("too long")
	}
	return sealer(id, "tsunagu rp session").Open(nil, nil, sealed, nil)
}

// Seal encrypts a token that must outlive its session, for a database: the key is derived from the party's credential, which lies
// elsewhere. Nonces are random: a party writes far fewer such tokens than 2^32. Only Open with the same name finds it again, so that
// nobody who can write to the database passes one person's token off as another's. A party with a new credential opens nothing.
func (p *Party) Seal(name string, token Secret) string {
	plain := []byte(token.Reveal())
	b := sealer(p.credential.root().Reveal(), "tsunagu rp token").Seal(nil, nil, plain, []byte(name)) //nolint:gosec // this AEAD makes a random nonce of its own
	return base64.RawURLEncoding.EncodeToString(b)
}

// Open returns what Seal was given.
func (p *Party) Open(name, sealed string) (Secret, error) {
	b, err := base64.RawURLEncoding.DecodeString(sealed)
	if err == nil {
		b, err = sealer(p.credential.root().Reveal(), "tsunagu rp token").Open(nil, nil, b, []byte(name))
	}
	if err != nil {
		return Secret{}, errors.New("rp: sealed token cannot be opened")
	}
	return NewSecret(string(b)), nil
}

// Blind names a value that is too easy to guess for a plain digest, such as a number of ten digits, by a keyed one: a copy of the database
// does not tell who has it. The same value has the same name for the same purpose, for as long as the party has its credential.
func (p *Party) Blind(purpose, value string) string {
	key, err := hkdf.Key(sha256.New, []byte(p.credential.root().Reveal()), nil, "tsunagu rp blind "+purpose, 32)
	if err != nil {
		panic(err) // the sizes are constants
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(value))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Derive returns a secret of the party's own, from its credential: the same at every start, and another for another purpose.
func (p *Party) Derive(purpose string) Secret {
	key, err := hkdf.Key(sha256.New, []byte(p.credential.root().Reveal()), nil, "tsunagu rp derived "+purpose, 32)
	if err != nil {
		panic(err) // the sizes are constants
	}
	return NewSecret(base64.RawURLEncoding.EncodeToString(key))
}

// sealer cannot fail: the sizes are constants.
func sealer(secret, purpose string) cipher.AEAD {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, purpose, 32)
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
