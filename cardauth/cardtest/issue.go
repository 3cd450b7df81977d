package cardtest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// PolicyPhone is the policy of this authority's user-authentication
// certificates on phones, dotted. It is made up: the real one has not been
// published.
const PolicyPhone = "1.2.392.200149.8.5.1.3.40"

// The policies of the real authorities.
const (
	policyAuth = "1.2.392.200149.8.5.1.3.30"
	policySign = "1.2.392.200149.8.5.1.1.20"
)

// cpsURI is where every certificate says its practice statement is.
const cpsURI = "http://www.jpki.go.jp/cps.html"

// Place is the municipality that issued a card: its revocation list is its own.
type Place struct{ Prefecture, City, Code string }

// Profile is what differs from certificate to certificate.
type Profile struct {
	Person              Person
	Phone               bool // an authentication certificate for a phone
	NotBefore, NotAfter time.Time
	Key                 *rsa.PrivateKey // nil: a new one
	// Alter changes the certificate before it is signed, to make one that no
	// authority would issue.
	Alter func(*x509.Certificate)
}

// IssueAuth makes a user-authentication certificate. The
// authority must be the one for user authentication, or the result is one of
// those that a verifier has to refuse.
func (ca *CA) IssueAuth(p Profile) (*Leaf, error) {
	policy := policyAuth
	if p.Phone {
		policy = PolicyPhone
	}
	commonName := "TEST" + randomDigits(10) + p.Person.Place.Code + randomDigits(3) + "A"
	return ca.issue(p, name(attribute{oidCountry, "JP"}, attribute{oidCommonName, commonName}), []pkix.Extension{
		fixed(oidKeyUsage, true, "03020780"),
		fixed(oidExtendedKeyUsage, false, "300A06082B06010505070302"),
		policies(policy),
		{Id: oidIssuerAltName, Value: directoryName(ca.alt)},
		distributionPoint(ca.Point(p.Person.Place)),
		ca.authorityAccess(),
		ca.authorityKeyID(),
	})
}

// IssueSign makes a signature certificate.
func (ca *CA) IssueSign(p Profile) (*Leaf, error) {
	place := p.Person.Place
	commonName := p.NotBefore.UTC().Format("20060102150405") + randomDigits(14)
	subject := name(attribute{oidCountry, "JP"}, attribute{oidLocality, place.Prefecture}, attribute{oidLocality, place.City},
		attribute{oidCommonName, commonName})
	return ca.issue(p, subject, []pkix.Extension{
		fixed(oidKeyUsage, true, "030206C0"),
		policies(policySign),
		p.Person.altName(),
		{Id: oidIssuerAltName, Value: directoryName(ca.alt)},
		distributionPoint(ca.Point(place)),
		ca.authorityAccess(),
		ca.authorityKeyID(),
	})
}

func (ca *CA) issue(p Profile, subject []byte, extensions []pkix.Extension) (*Leaf, error) {
	key := p.Key
	if key == nil {
		var err error
		if key, err = rsa.GenerateKey(rand.Reader, keyBits); err != nil {
			return nil, err
		}
	}
	serial, err := ca.reg.next()
	if err != nil {
		return nil, fmt.Errorf("serial number: %w", err)
	}
	ski := subjectKeyID(x509.MarshalPKCS1PublicKey(&key.PublicKey))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(serial)),
		RawSubject:   subject,
		NotBefore:    p.NotBefore, NotAfter: p.NotAfter,
		SignatureAlgorithm: x509.SHA256WithRSA,
		ExtraExtensions:    append(extensions, ski),
	}
	if p.Alter != nil {
		p.Alter(template)
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		return nil, err
	}
	return &Leaf{Certificate: cert, Key: key}, nil
}

// Point is the name of the revocation list that holds a municipality's
// certificates, DER.
func (ca *CA) Point(p Place) []byte {
	return name(attribute{oidCountry, "JP"}, attribute{oidOrganisation, organisation}, attribute{oidUnit, ca.unit},
		attribute{oidUnit, "CRL Distribution Points"}, attribute{oidUnit, p.Prefecture}, attribute{oidCommonName, p.City + " CRLDP"})
}

// policies is the critical certificatePolicies extension with one policy.
func policies(policy string) pkix.Extension {
	oid, err := x509.ParseOID(policy)
	if err != nil {
		panic(err) // a constant of this package is misspelt
	}
	encoded, err := oid.MarshalBinary()
	if err != nil {
		panic(err)
	}
	return pkix.Extension{Id: oidPolicies, Critical: true, Value: der(func(b *cryptobyte.Builder) {
		seq(b, func(b *cryptobyte.Builder) {
			seq(b, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes(encoded) })
				seq(b, func(b *cryptobyte.Builder) {
					seq(b, func(b *cryptobyte.Builder) {
						b.AddASN1ObjectIdentifier(oidPolicyCPS)
						b.AddASN1(cbasn1.IA5String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(cpsURI)) })
					})
				})
			})
		})
	})}
}

// authorityAccess says where the OCSP responder is; nothing else is in it.
func (ca *CA) authorityAccess() pkix.Extension {
	return pkix.Extension{Id: oidAuthorityAccess, Value: der(func(b *cryptobyte.Builder) {
		seq(b, func(b *cryptobyte.Builder) {
			seq(b, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidAccessOCSP)
				implicit(b, 6, []byte(ca.ocsp))
			})
		})
	})}
}

// implicit adds a primitive element with a context-specific tag.
func implicit(b *cryptobyte.Builder, n uint8, value []byte) {
	b.AddASN1(cbasn1.Tag(n).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(value) })
}

func randomDigits(n int) string {
	raw := make([]byte, n)
	_, _ = rand.Read(raw) // cannot fail
	var s strings.Builder
	for _, b := range raw {
		s.WriteByte('0' + b%10)
	}
	return s.String()
}
