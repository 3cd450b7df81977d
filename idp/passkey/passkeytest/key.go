package passkeytest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
)

// The COSE algorithms (RFC 9053 §2, RFC 8812 §2).
const (
	ES256 = -7
	EdDSA = -8
	RS256 = -257
	ES384 = -35 // for tests of what is refused
)

// key is a credential's key pair.
type key struct {
	alg    int64
	signer crypto.Signer
}

func newKey(alg int64) (key, error) {
	k := key{alg: alg}
	var err error
	switch alg {
	case ES256:
		k.signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case ES384:
		k.signer, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case EdDSA:
		_, k.signer, err = ed25519.GenerateKey(rand.Reader)
	case RS256:
		k.signer, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		err = fmt.Errorf("no algorithm %d", alg)
	}
	return k, err
}

// cose is the public key as a COSE_Key (RFC 9052 §7).
func (k key) cose() []byte {
	switch pub := k.signer.Public().(type) {
	case *ecdsa.PublicKey:
		curve, size := int64(1), 32
		if pub.Curve == elliptic.P384() {
			curve, size = 2, 48
		}
		point, err := pub.Bytes()
		if err != nil {
			return nil
		}
		return joined(mapHead(5), number(1), number(2), number(3), number(k.alg), number(-1), number(curve),
			number(-2), bytesOf(point[1:1+size]), number(-3), bytesOf(point[1+size:]))
	case ed25519.PublicKey:
		return joined(mapHead(4), number(1), number(1), number(3), number(k.alg), number(-1), number(6), number(-2), bytesOf(pub))
	case *rsa.PublicKey:
		return joined(mapHead(4), number(1), number(3), number(3), number(k.alg), number(-1), bytesOf(pub.N.Bytes()),
			number(-2), bytesOf([]byte{1, 0, 1}))
	}
	return nil
}

func (k key) sign(data []byte) ([]byte, error) {
	if k.alg == EdDSA {
		return k.signer.Sign(nil, data, crypto.Hash(0))
	}
	hash, sum := crypto.SHA256, sha256.Sum256(data)
	return k.signer.Sign(rand.Reader, sum[:], hash)
}
