package cardtest

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/cryptobyte"
)

// keyBits is the size of every key in today's cards.
const keyBits = 2048

// organisation marks every name as made up, as the operator of the real
// authority does in its own test environment.
const organisation = "JPKI-TEST"

// CA is one of the two certification authorities: for user authentication or
// for digital signatures. It is safe for concurrent use, also by processes
// that share its directory.
type CA struct {
	cert *x509.Certificate
	key  *rsa.PrivateKey
	reg  register
	unit string // "JPKI for user authentication"
	alt  []byte // its name in Japanese, Name DER
	ocsp string
	now  func() time.Time
}

// Certificate returns the authority's own, self-signed certificate.
func (ca *CA) Certificate() *x509.Certificate { return ca.cert }

// PEM returns the authority's certificate as PEM.
func (ca *CA) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw})
}

// authority is what differs between the two.
type authority struct{ file, unit, altUnit string }

var (
	authAuthority = authority{"auth-ca", "JPKI for user authentication", "公的個人認証サービス利用者証明用"}
	signAuthority = authority{"sign-ca", "JPKI for digital signature", "公的個人認証サービス署名用"}
)

func (a authority) name() []byte {
	return name(attribute{oidCountry, "JP"}, attribute{oidOrganisation, organisation}, attribute{oidUnit, a.unit},
		attribute{oidUnit, "Japan Agency for Local Authority Information Systems"})
}

func (a authority) alt() []byte {
	return name(attribute{oidCountry, "JP"}, attribute{oidOrganisation, "公的個人認証サービスTEST"}, attribute{oidUnit, a.altUnit},
		attribute{oidUnit, "地方公共団体情報システム機構"})
}

// openCA loads the authority from dir or makes it.
func openCA(dir string, a authority, now func() time.Time, ocspURL string) (*CA, error) {
	bundle := filepath.Join(dir, a.file+".key")
	made, err := writeOnce(bundle, 0o600, func() ([]byte, error) { return newAuthority(a, now()) })
	if err != nil {
		return nil, fmt.Errorf("authority %s: %w", a.file, err)
	}
	leaf, err := parseBundle(made)
	if err != nil {
		return nil, fmt.Errorf("authority %s: %w", bundle, err)
	}
	ca := &CA{cert: leaf.Certificate, key: leaf.Key, unit: a.unit, alt: a.alt(), ocsp: ocspURL, now: now}
	if !bytes.Equal(ca.cert.RawSubject, a.name()) {
		return nil, fmt.Errorf("authority %s: belongs to %s", bundle, ca.cert.Subject)
	}
	if _, err = writeOnce(filepath.Join(dir, a.file+".pem"), 0o644, func() ([]byte, error) { return ca.PEM(), nil }); err != nil {
		return nil, err
	}
	ca.reg, err = openRegister(filepath.Join(dir, a.file))
	return ca, err
}

// newAuthority makes key and certificate, with the extensions of the real
// authorities in their order.
func newAuthority(a authority, now time.Time) ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, err
	}
	ski := subjectKeyID(x509.MarshalPKCS1PublicKey(&key.PublicKey))
	serial := make([]byte, 3)
	_, _ = rand.Read(serial) // cannot fail
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(append([]byte{0x01}, serial...)),
		RawSubject:   a.name(),
		NotBefore:    now.AddDate(-8, 0, 0), NotAfter: now.AddDate(12, 0, 0),
		SignatureAlgorithm: x509.SHA256WithRSA,
		ExtraExtensions: []pkix.Extension{
			fixed(oidKeyUsage, true, "03020106"),
			{Id: oidSubjectAltName, Value: directoryName(a.alt())},
			fixed(oidBasicConstraints, true, "30030101FF"),
			distributionPoint(a.name()),
			ski,
		},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return encodeBundle(key, raw)
}

// Leaf is an end-entity certificate with its key.
type Leaf struct {
	Certificate *x509.Certificate
	Key         *rsa.PrivateKey
}

// Serial returns the certificate's serial number.
func (l *Leaf) Serial() uint32 { return uint32(l.Certificate.SerialNumber.Uint64()) } //nolint:gosec // ≤ 4 bytes by construction

func encodeBundle(key *rsa.PrivateKey, cert []byte) ([]byte, error) {
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	out := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	return append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})...), nil
}

func parseBundle(b []byte) (*Leaf, error) {
	private, rest := pem.Decode(b)
	cert, _ := pem.Decode(rest)
	if private == nil || cert == nil {
		return nil, os.ErrInvalid
	}
	parsed, err := x509.ParsePKCS8PrivateKey(private.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, os.ErrInvalid
	}
	c, err := x509.ParseCertificate(cert.Bytes)
	if err != nil {
		return nil, err
	}
	return &Leaf{Certificate: c, Key: key}, nil
}

// authorityKeyID is the extension that names the authority's key, name and
// serial number: all three, as the real certificates do.
func (ca *CA) authorityKeyID() pkix.Extension {
	return pkix.Extension{Id: oidAuthorityKeyID, Value: der(func(b *cryptobyte.Builder) {
		seq(b, func(b *cryptobyte.Builder) {
			implicit(b, 0, ca.cert.SubjectKeyId)
			explicit(b, 1, func(b *cryptobyte.Builder) {
				explicit(b, 4, func(b *cryptobyte.Builder) { b.AddBytes(ca.cert.RawSubject) })
			})
			implicit(b, 2, ca.cert.SerialNumber.Bytes())
		})
	})}
}
