package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"math/big"
	"testing"
)

func prime(t *testing.T, bits int) *big.Int {
	t.Helper()
	p, err := rand.Prime(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func nextPrime(p *big.Int) *big.Int {
	q := new(big.Int).Add(p, big.NewInt(2))
	for !q.ProbablyPrime(16) {
		q.Add(q, big.NewInt(2))
	}
	return q
}

// rocaModulus builds n ≡ 65537^k modulo every small prime the fingerprint looks
// at, by the Chinese remainder theorem, and otherwise at random.
func rocaModulus(t *testing.T) *big.Int {
	t.Helper()
	product, n := big.NewInt(2), big.NewInt(1) // odd
	for _, p := range smallPrimes() {
		if p > 167 {
			break
		}
		want := new(big.Int).Exp(big.NewInt(65537), big.NewInt(12345), big.NewInt(p))
		for new(big.Int).Mod(n, big.NewInt(p)).Cmp(want) != 0 {
			n.Add(n, product)
		}
		product.Mul(product, big.NewInt(p))
	}
	for {
		k, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), uint(2047-product.BitLen())))
		if err != nil {
			t.Fatal(err)
		}
		k.SetBit(k, 2047-product.BitLen(), 1)
		out := new(big.Int).Add(n, k.Mul(k, product))
		if out.BitLen() >= 2048 && !hasSmallFactor(out) {
			return out
		}
	}
}

func TestJudgeRSA(t *testing.T) {
	good, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := prime(t, 1024)
	for _, c := range []struct {
		name string
		key  *rsa.PublicKey
		ok   bool
	}{
		{"sound", &good.PublicKey, true},
		{"larger exponent", &rsa.PublicKey{N: good.N, E: 1<<31 - 1}, true},
		{"nil", nil, false},
		{"no modulus", &rsa.PublicKey{E: 65537}, false},
		{"negative", &rsa.PublicKey{N: new(big.Int).Neg(good.N), E: 65537}, false},
		{"2047 bits", &rsa.PublicKey{N: new(big.Int).Rsh(good.N, 1), E: 65537}, false},
		{"4097 bits", &rsa.PublicKey{N: new(big.Int).Lsh(good.N, 2049), E: 65537}, false},
		{"exponent 3", &rsa.PublicKey{N: good.N, E: 3}, false},
		{"exponent 1", &rsa.PublicKey{N: good.N, E: 1}, false},
		{"even exponent", &rsa.PublicKey{N: good.N, E: 65538}, false},
		{"exponent 65535", &rsa.PublicKey{N: good.N, E: 65535}, false},
		{"even modulus", &rsa.PublicKey{N: new(big.Int).Add(good.N, big.NewInt(1)), E: 65537}, false},
		{"factor 751", &rsa.PublicKey{N: new(big.Int).Mul(prime(t, 2039), big.NewInt(751)), E: 65537}, false},
		{"square", &rsa.PublicKey{N: new(big.Int).Mul(p, p), E: 65537}, false},
		{"neighbouring primes (CVE-2022-26320)", &rsa.PublicKey{N: new(big.Int).Mul(p, nextPrime(p)), E: 65537}, false},
		{"ROCA (CVE-2017-15361)", &rsa.PublicKey{N: rocaModulus(t), E: 65537}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := JudgeRSA(c.key)
			if c.ok && err != nil || !c.ok && reasonOf(err) != KeyRefused {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestJudgeCurves(t *testing.T) {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	off := p256.PublicKey
	off.Y = new(big.Int).Add(off.Y, big.NewInt(1)) //nolint:staticcheck // a point off the curve cannot be made otherwise
	for name, c := range map[string]struct {
		key crypto.PublicKey
		ok  bool
	}{
		"P-256":            {&p256.PublicKey, true},
		"Ed25519":          {ed, true},
		"P-384":            {&p384.PublicKey, false},
		"off the curve":    {&off, false},
		"nil curve":        {&ecdsa.PublicKey{}, false},
		"nil pointer":      {(*ecdsa.PublicKey)(nil), false},
		"short Ed25519":    {ed[:31], false},
		"symmetric":        {[]byte("0123456789abcdef0123456789abcdef"), false},
		"private":          {p256, false},
		"nothing":          {nil, false},
		"P-256 as a value": {p256.PublicKey, false},
	} {
		err := Judge(c.key)
		if c.ok && err != nil || !c.ok && reasonOf(err) != KeyRefused {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Under a point of small order one signature fits many messages.
func TestJudgeSmallOrder(t *testing.T) {
	for _, text := range smallOrder() {
		key, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, sign := range []byte{0, 0x80} {
			key[31] = key[31]&0x7f | sign
			if err := Judge(ed25519.PublicKey(key)); reasonOf(err) != KeyRefused {
				t.Errorf("%x: %v", key, err)
			}
		}
	}
}

func BenchmarkJudgeRSA(b *testing.B) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := JudgeRSA(&key.PublicKey); err != nil {
			b.Fatal(err)
		}
	}
}
