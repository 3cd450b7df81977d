package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/hex"
	"math/big"
)

// Judge refuses public keys that nobody should be trusted to hold alone: the
// wrong type, size or curve, or known-bad. The error has reason KeyRefused.
func Judge(public crypto.PublicKey) error {
	switch key := public.(type) {
	case *rsa.PublicKey:
		return JudgeRSA(key)
	case *ecdsa.PublicKey:
		return judgeEC(key)
	case ed25519.PublicKey:
		return judgeEd25519(key)
	}
	return refuse(KeyRefused, "not an RSA, P-256 or Ed25519 key")
}

// JudgeRSA refuses RSA public keys that are too small (under 2048 bits), too
// large to verify cheaply (over 4096), have an exponent other than an odd number
// of 17 to 31 bits, or are known-bad: a small factor, two prime factors that lie
// close together (Fermat), or the fingerprint of CVE-2017-15361 (ROCA).
func JudgeRSA(key *rsa.PublicKey) error {
	if key == nil || key.N == nil || key.N.Sign() <= 0 {
		return refuse(KeyRefused, "RSA modulus is missing")
	}
	if bits := key.N.BitLen(); bits < 2048 || bits > 4096 {
		return refuse(KeyRefused, "RSA modulus is not between 2048 and 4096 bits")
	}
	// NIST SP 800-56B rev. 2 §6.2: an odd exponent above 2^16. The upper bound is
	// what crypto/rsa verifies with.
	if key.E < 1<<16+1 || key.E > 1<<31-1 || key.E&1 == 0 {
		return refuse(KeyRefused, "RSA exponent is not an odd number of at least 65537")
	}
	if hasSmallFactor(key.N) {
		return refuse(KeyRefused, "RSA modulus has a small factor")
	}
	if hasROCAFingerprint(key.N) {
		return refuse(KeyRefused, "RSA modulus has the fingerprint of CVE-2017-15361")
	}
	if hasCloseFactors(key.N) {
		return refuse(KeyRefused, "RSA modulus is a product of two close primes")
	}
	return nil
}

func judgeEC(key *ecdsa.PublicKey) error {
	if key == nil || key.Curve != elliptic.P256() {
		return refuse(KeyRefused, "elliptic curve is not P-256")
	}
	if _, err := key.ECDH(); err != nil { // on the curve and not the point at infinity
		return refuse(KeyRefused, "point is not on the curve")
	}
	return nil
}

// smallOrder lists the y coordinates, sign bit cleared, of the points of small
// order on edwards25519, in every encoding a decoder may accept. Under such a key
// one signature fits many messages.
func smallOrder() []string {
	return []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	}
}

func judgeEd25519(key ed25519.PublicKey) error {
	if len(key) != ed25519.PublicKeySize {
		return refuse(KeyRefused, "Ed25519 key is not 32 bytes")
	}
	y := bytes.Clone(key)
	y[31] &= 0x7f
	text := hex.EncodeToString(y)
	for _, bad := range smallOrder() {
		if text == bad {
			return refuse(KeyRefused, "Ed25519 point has small order")
		}
	}
	return nil
}

// smallPrimes returns the odd primes below 752.
func smallPrimes() []int64 {
	var primes []int64
	for n := int64(3); n < 752; n += 2 {
		prime := true
		for _, p := range primes {
			if n%p == 0 {
				prime = false
				break
			}
		}
		if prime {
			primes = append(primes, n)
		}
	}
	return primes
}

func hasSmallFactor(n *big.Int) bool {
	if n.Bit(0) == 0 {
		return true
	}
	var rest big.Int
	for _, p := range smallPrimes() {
		if rest.Mod(n, big.NewInt(p)).Sign() == 0 {
			return true
		}
	}
	return false
}

// hasROCAFingerprint reports whether n is, modulo each of the first small primes,
// a power of 65537, as every modulus of the affected smart-card library is (Nemec
// et al., "The Return of Coppersmith's Attack", §4). A sound modulus passes all
// of these tests with a chance far below 2^-27.
func hasROCAFingerprint(n *big.Int) bool {
	var rest big.Int
	for _, p := range smallPrimes() {
		if p > 167 {
			break
		}
		if !powerOf65537(rest.Mod(n, big.NewInt(p)).Int64(), p) {
			return false
		}
	}
	return true
}

func powerOf65537(rest, p int64) bool {
	power := int64(1)
	for range p {
		if power == rest {
			return true
		}
		power = power * 65537 % p
	}
	return false
}

// fermatRounds bounds the search for close factors. Primes drawn at random are
// never found in it; those of CVE-2022-26320 are found in the first few rounds.
const fermatRounds = 100

// hasCloseFactors runs Fermat's factorization: n = a² − b² with a near √n.
func hasCloseFactors(n *big.Int) bool {
	one := big.NewInt(1)
	a := new(big.Int).Sqrt(n)
	if new(big.Int).Mul(a, a).Cmp(n) == 0 {
		return true
	}
	a.Add(a, one)
	var square, root, check big.Int
	for range fermatRounds {
		square.Mul(a, a)
		square.Sub(&square, n)
		if maybeSquare(&square) {
			root.Sqrt(&square)
			if check.Mul(&root, &root).Cmp(&square) == 0 {
				return true
			}
		}
		a.Add(a, one)
	}
	return false
}

// maybeSquare rules out 99 numbers in 100 without taking a root: a square is a
// square modulo everything.
func maybeSquare(n *big.Int) bool {
	rest := new(big.Int).Mod(n, big.NewInt(64*9*5*7*11*13)).Int64()
	for _, m := range []int64{64, 9, 5, 7, 11, 13} {
		if !squareModulo(rest%m, m) {
			return false
		}
	}
	return true
}

func squareModulo(rest, m int64) bool {
	for i := range m {
		if i*i%m == rest {
			return true
		}
	}
	return false
}
