package etax

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp/rptest"
)

// signers are an authority for signatures and keys of people. Certificates are made as they are needed.
type signers struct {
	t         testing.TB
	ca, other *x509.Certificate
	caKey     *rsa.PrivateKey
	key       *rsa.PrivateKey
	pem       []byte
}

// signerKeys are made once: RSA keys take their time.
var signerKeys = sync.OnceValue(func() [2]*rsa.PrivateKey {
	var keys [2]*rsa.PrivateKey
	for i := range keys {
		var err error
		if keys[i], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			panic(err)
		}
	}
	return keys
})

func newSigners(t testing.TB) *signers {
	t.Helper()
	keys := signerKeys()
	s := &signers{t: t, caKey: keys[0], key: keys[1]}
	authority := func(name string) *x509.Certificate {
		return s.issue(&x509.Certificate{
			Subject: pkix.Name{CommonName: name}, NotBefore: time.Unix(0, 0), NotAfter: time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		}, nil)
	}
	s.ca, s.other = authority("signatures"), authority("others")
	s.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.ca.Raw})
	return s
}

func (s *signers) issue(template, parent *x509.Certificate) *x509.Certificate {
	s.t.Helper()
	public := &s.key.PublicKey
	if parent == nil {
		parent, public = template, &s.caKey.PublicKey
	}
	template.SerialNumber = big.NewInt(7)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, s.caKey)
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// signed is a signature to be made. A test changes what it is about.
type signed struct {
	header    map[string]any
	statement map[string]any
	parent    *x509.Certificate
	leaf      x509.Certificate
	spoil     bool // sign other bytes
}

// sign is what a card, the card app and the hub make of a document, after change.
func (s *signers) sign(w *world, document json.RawMessage, change func(*signed)) string {
	now := w.now()
	o := &signed{
		parent: s.ca, leaf: x509.Certificate{
			Subject: pkix.Name{CommonName: "taro"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
			KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
		},
		header: map[string]any{"alg": "RS256", "typ": "signature+jws", "iat": now.Unix()},
		statement: map[string]any{
			"aud": w.hub.URL, "purpose": "document", "client_id": "etax", "redirect_host": w.server.Listener.Addr().String(), "document": document,
		},
	}
	if change != nil {
		change(o)
	}
	leaf := s.issue(&o.leaf, o.parent)
	thumb := sha256.Sum256(leaf.Raw)
	for name, v := range map[string]any{"x5c": [][]byte{leaf.Raw}, "x5t#S256": base64.RawURLEncoding.EncodeToString(thumb[:])} {
		if o.header[name] == nil {
			o.header[name] = v
		}
	}
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			s.t.Error(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	input := part(o.header) + "." + part(o.statement)
	sum := sha256.Sum256([]byte(input))
	if o.spoil {
		sum[0] ^= 1
	}
	signature, err := rsa.SignPKCS1v15(nil, s.key, crypto.SHA256, sum[:])
	if err != nil {
		s.t.Error(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// signs makes the hub have everything signed that it is asked for.
func (w *world) signs(change func(*signed)) {
	w.hub.Set(func(s *rptest.Settings) {
		s.Signature = func(document json.RawMessage) map[string]any {
			return map[string]any{
				"document": document, "signed_at": w.now().Unix(), "jws": w.signers.sign(w, document, change), "cms": []byte("unused"),
				"revocation": map[string]any{"source": "ocsp", "as_of": w.now().Unix()},
			}
		}
	})
}
