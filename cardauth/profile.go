package cardauth

import (
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// The policies by which JPKI says what a certificate is for (arc
// 1.2.392.200149.8.5.1).
const policyAuth = "1.2.392.200149.8.5.1.3.30"

// signPolicies are those of signature certificates: on cards, in the
// authority's test environment, on phones.
var signPolicies = [...]string{"1.2.392.200149.8.5.1.1.20", "1.2.392.200149.8.5.1.0.20", "1.2.392.200149.8.5.1.1.40"}

const (
	keyBits       = 2048
	keyExponent   = 65537
	maxSerialBits = 31 // an INTEGER of at most four bytes
	commonNameLen = 23
)

// CheckPhonePolicy says what is wrong with a policy for phone certificates: it
// is a dotted object identifier, and not one that says something else already.
// Empty is right: no phone certificate is taken.
func CheckPhonePolicy(policy string) error {
	if policy == "" {
		return nil
	}
	oid, err := x509.ParseOID(policy)
	if err != nil || oid.String() != policy {
		return errors.New("the policy of phone certificates is not a dotted object identifier")
	}
	if policy == policyAuth || slices.Contains(signPolicies[:], policy) {
		return errors.New("the policy of phone certificates is that of cards or of signatures")
	}
	return nil
}

// Kind is what carries the certificate.
type Kind int

// The kinds.
const (
	Card  Kind = iota + 1 // the plastic card
	Phone                 // a phone's secure element, with a certificate of its own
)

// unknownKind is what a number that is no kind prints as.
const unknownKind = "unknown"

// String returns "card" or "phone".
func (k Kind) String() string {
	switch k {
	case Card:
		return "card"
	case Phone:
		return "phone"
	}
	return unknownKind
}

// leaf is a certificate that has the profile of a user-authentication
// certificate, or that of a signature certificate. Whether anybody of
// consequence issued it is another question.
type leaf struct {
	cert    *x509.Certificate
	key     *rsa.PublicKey
	kind    Kind
	issuer  issuerRef
	point   []byte // name of its revocation list
	ocspURL string
	serial  uint32
	holder  *Attributes // in a signature certificate alone
}

// parseLeaf judges a certificate by itself. phonePolicy is the policy of phone
// certificates; empty if there are none.
func parseLeaf(der []byte, phonePolicy string) (*leaf, error) {
	if len(der) > maxCertificate {
		return nil, refuse(CertificateMalformed, "too long")
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, &Error{Reason: CertificateMalformed, Err: err}
	}
	l := &leaf{cert: cert}
	// The two mix-ups have names of their own, whatever else is wrong: package
	// x509 would let an anchor vouch for itself as a leaf.
	if cert.IsCA || cert.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0 {
		return nil, refuse(CertificateIsCA, "")
	}
	for _, p := range signPolicies {
		if hasPolicy(cert, p) {
			return nil, refuse(CertificateForSigning, "")
		}
	}
	switch {
	case hasPolicy(cert, policyAuth):
		l.kind = Card
	case phonePolicy != "" && hasPolicy(cert, phonePolicy):
		l.kind = Phone
	default:
		return nil, refuse(CertificateProfile, "certificatePolicies")
	}
	if wrong := l.checkFields(goodSubject); wrong != "" {
		return nil, refuse(CertificateProfile, wrong)
	}
	if wrong := l.checkExtensions(authExtensions()); wrong != "" {
		return nil, refuse(CertificateProfile, wrong)
	}
	return l, nil
}

func hasPolicy(c *x509.Certificate, policy string) bool {
	for _, p := range c.Policies {
		if p.String() == policy {
			return true
		}
	}
	return false
}

// checkFields judges everything outside the extensions. It returns the first
// field that is not as it should be, or "".
func (l *leaf) checkFields(goodSubject func(raw []byte) bool) string {
	key, isRSA := l.cert.PublicKey.(*rsa.PublicKey)
	switch {
	case l.cert.Version != 3:
		return "version"
	case l.cert.SerialNumber.Sign() <= 0 || l.cert.SerialNumber.BitLen() > maxSerialBits:
		return "serialNumber"
	case l.cert.SignatureAlgorithm != x509.SHA256WithRSA:
		return "signatureAlgorithm"
	case !isRSA || !goodKey(key):
		return "subjectPublicKey"
	case !goodSubject(l.cert.RawSubject):
		return "subject"
	case !l.cert.NotBefore.Before(l.cert.NotAfter):
		return "validity"
	}
	l.key = key
	l.serial = uint32(l.cert.SerialNumber.Uint64()) //nolint:gosec // at most 31 bits, just checked
	return ""
}

func goodKey(k *rsa.PublicKey) bool { return k.N.BitLen() == keyBits && k.E == keyExponent }

// goodSubject: the country, and 23 letters and digits that end in A. How the
// letters are composed is not published; nothing in them is ever used.
func goodSubject(raw []byte) bool {
	name, ok := parseName(raw)
	if !ok || len(name) != 2 || !name[0].is(oidCountry, cbasn1.PrintableString, "JP") ||
		!name[1].oid.Equal(oidCommonName) || name[1].tag != cbasn1.UTF8String || len(name[1].value) != commonNameLen {
		return false
	}
	for _, c := range []byte(name[1].value) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return name[1].value[commonNameLen-1] == 'A'
}

// validAt judges the dates; the last second counts whole.
func (l *leaf) validAt(now time.Time) error {
	switch {
	case now.Unix() < l.cert.NotBefore.Unix():
		return refuse(CertificateNotYetValid, "")
	case now.Unix() > l.cert.NotAfter.Unix():
		return refuse(CertificateExpired, "")
	}
	return nil
}
