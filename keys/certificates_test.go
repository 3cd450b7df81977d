package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func selfSigned(t *testing.T, curve elliptic.Curve) (*x509.Certificate, crypto.PublicKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1<<32, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, &key.PublicKey
}

// RFC 8705 §2.2.2: the certificates of a set are found by their bytes, those of keys that we could not verify with among them.
func TestSetHoldsCertificates(t *testing.T) {
	first, firstKey := selfSigned(t, elliptic.P256())
	large, largeKey := selfSigned(t, elliptic.P384())
	stranger, _ := selfSigned(t, elliptic.P256())
	second, _ := selfSigned(t, elliptic.P256())
	marshal := func(keys ...jose.JSONWebKey) []byte {
		b, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	with := func(key crypto.PublicKey, use string, certs ...*x509.Certificate) jose.JSONWebKey {
		return jose.JSONWebKey{Key: key, KeyID: "k", Use: use, Certificates: certs}
	}
	both := marshal(with(firstKey, "sig", first, second), with(largeKey, "", large))
	set, err := ParsePublicSet(both)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		cert *x509.Certificate
		want bool
	}{
		"the key's own": {first, true}, "of a curve that we do not verify with": {large, true}, "a stranger's": {stranger, false},
		"the issuer's in the chain": {second, false}, "none": {nil, false},
	} {
		if got := set.HoldsCertificate(tt.cert); got != tt.want || !set.HasCertificates() {
			t.Errorf("%s: %v", name, got)
		}
	}
	if set, err := ReadPublicSet(marshal(with(largeKey, "sig", large))); err != nil || !set.Empty() || !set.HoldsCertificate(large) {
		t.Errorf("a set of a certificate alone: %v", err)
	}
	for name, b := range map[string][]byte{
		"without certificates":  marshal(with(firstKey, "sig")),
		"of an encryption key":  marshal(with(firstKey, "enc", first)),
		"an unreadable one":     []byte(`{"keys":[{"kty":"EC","crv":"P-384","x":"AA","y":"AA","alg":"ES384","x5c":["AAAA"]}]}`),
		"not base64":            []byte(`{"keys":[{"kty":"EC","crv":"P-384","x":"AA","y":"AA","alg":"ES384","x5c":["-_-_"]}]}`),
		"in another alphabet":   []byte(strings.Replace(string(marshal(with(largeKey, "sig", large))), `"x5c":["M`, `"x5c":["\n-`, 1)),
		"without a key at all":  []byte(`{"keys":[]}`),
		"an empty chain":        []byte(`{"keys":[{"kty":"EC","crv":"P-384","x":"AA","y":"AA","x5c":[]}]}`),
		"a chain of something":  []byte(`{"keys":[{"kty":"EC","crv":"P-384","x":"AA","y":"AA","x5c":[1]}]}`),
		"a chain of that isn't": []byte(`{"keys":[{"kty":"EC","crv":"P-384","x":"AA","y":"AA","x5c":"AAAA"}]}`),
	} {
		if set, err := ReadPublicSet(b); err == nil && set.HasCertificates() {
			t.Errorf("%s: has certificates", name)
		}
	}
}
