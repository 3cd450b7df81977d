package cardauth

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidSubjectKeyID       = asn1.ObjectIdentifier{2, 5, 29, 14}
	oidKeyUsage           = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidIssuerAltName      = asn1.ObjectIdentifier{2, 5, 29, 18}
	oidDistributionPoints = asn1.ObjectIdentifier{2, 5, 29, 31}
	oidPolicies           = asn1.ObjectIdentifier{2, 5, 29, 32}
	oidAuthorityKeyID     = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidExtendedKeyUsage   = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidAuthorityAccess    = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}
	oidAccessOCSP         = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1}
)

// keyIDLen is the length of a key identifier in bytes.
const keyIDLen = 20

// profiled is an extension a certificate must have: critical or not, and a
// value that its reader accepts.
type profiled struct {
	oid      asn1.ObjectIdentifier
	name     string
	critical bool
	read     func(l *leaf, value []byte) bool
	optional bool
}

// authExtensions is every extension of a user-authentication certificate. A
// certificate has all of them and no other: no basicConstraints, no
// subjectAltName. Their order carries no meaning (RFC 5280 §4.2) and is not
// judged, and neither is the text behind a policy.
func authExtensions() []profiled {
	return []profiled{
		{oid: oidKeyUsage, name: "keyUsage", critical: true, read: exactly(0x03, 0x02, 0x07, 0x80)}, // digitalSignature alone
		{oid: oidExtendedKeyUsage, name: "extKeyUsage", read: exactly( // clientAuth alone
			0x30, 0x0A, 0x06, 0x08, 0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02)},
		{oid: oidPolicies, name: "certificatePolicies", critical: true, read: onePolicy},
		{oid: oidIssuerAltName, name: "issuerAltName", read: alternativeName},
		{oid: oidDistributionPoints, name: "cRLDistributionPoints", read: (*leaf).readPoint},
		{oid: oidAuthorityAccess, name: "authorityInfoAccess", read: (*leaf).readAccess},
		{oid: oidAuthorityKeyID, name: "authorityKeyIdentifier", read: (*leaf).readAuthorityKeyID},
		{oid: oidSubjectKeyID, name: "subjectKeyIdentifier", read: subjectKeyID},
	}
}

func subjectKeyID(l *leaf, _ []byte) bool { return len(l.cert.SubjectKeyId) == keyIDLen }

func exactly(want ...byte) func(*leaf, []byte) bool {
	return func(_ *leaf, value []byte) bool { return bytes.Equal(value, want) }
}

// onePolicy: which one it is decides what the certificate is for, see profile.go.
func onePolicy(l *leaf, _ []byte) bool { return len(l.cert.Policies) == 1 }

// alternativeName: the issuer's name in Japanese, one directory name.
func alternativeName(_ *leaf, value []byte) bool {
	input := cryptobyte.String(value)
	var names cryptobyte.String
	if !input.ReadASN1(&names, cbasn1.SEQUENCE) || !input.Empty() {
		return false
	}
	_, ok := readDirectoryName(names)
	return ok
}

// readPoint reads the one distribution point: a directory name below the
// issuer's that says whose list the certificate would be on. Package x509
// knows addresses only.
func (l *leaf) readPoint(value []byte) bool {
	input := cryptobyte.String(value)
	var points, point, name cryptobyte.String
	if !input.ReadASN1(&points, cbasn1.SEQUENCE) || !input.Empty() ||
		!points.ReadASN1(&point, cbasn1.SEQUENCE) || !points.Empty() ||
		!point.ReadASN1(&name, explicit(0)) || !point.Empty() { // no reasons, no cRLIssuer
		return false
	}
	var ok bool
	l.point, ok = readPointName(name)
	return ok && pointBelow(l.point, l.cert.RawIssuer)
}

// pointBelow reports whether a list's name has the form C, O, OU of the
// authority, "CRL Distribution Points", prefecture, municipality.
func pointBelow(point, issuer []byte) bool {
	p, okPoint := parseName(point)
	i, okIssuer := parseName(issuer)
	if !okPoint || !okIssuer || len(p) != 6 || len(i) != 4 {
		return false
	}
	for n := range 3 {
		if !bytes.Equal(p[n].raw, i[n].raw) {
			return false
		}
	}
	return p[3].oid.Equal(oidUnit) && p[3].value == "CRL Distribution Points" && p[4].oid.Equal(oidUnit) && p[5].oid.Equal(oidCommonName)
}

// maxURL bounds the responder's address in bytes.
const maxURL = 256

// readAccess reads the address of the responder; no other access is offered.
func (l *leaf) readAccess(value []byte) bool {
	input := cryptobyte.String(value)
	var list, access, uri cryptobyte.String
	var method asn1.ObjectIdentifier
	if !input.ReadASN1(&list, cbasn1.SEQUENCE) || !input.Empty() ||
		!list.ReadASN1(&access, cbasn1.SEQUENCE) || !list.Empty() ||
		!access.ReadASN1ObjectIdentifier(&method) || !method.Equal(oidAccessOCSP) ||
		!access.ReadASN1(&uri, implicit(6)) || !access.Empty() || len(uri) > maxURL {
		return false
	}
	l.ocspURL = string(uri)
	return true
}

// readAuthorityKeyID reads key identifier, issuer name and serial number: all
// three are there, and all three have to match the anchor.
func (l *leaf) readAuthorityKeyID(value []byte) bool {
	input := cryptobyte.String(value)
	var body, keyID, names, serial cryptobyte.String
	if !input.ReadASN1(&body, cbasn1.SEQUENCE) || !input.Empty() ||
		!body.ReadASN1(&keyID, implicit(0)) || len(keyID) != keyIDLen ||
		!body.ReadASN1(&names, explicit(1)) ||
		!body.ReadASN1(&serial, implicit(2)) || !body.Empty() || len(serial) == 0 || len(serial) > 20 || serial[0]&0x80 != 0 {
		return false
	}
	name, ok := readDirectoryName(names)
	l.issuer = issuerRef{keyID: string(keyID), name: name, serial: new(big.Int).SetBytes(serial)}
	return ok
}

// issuerRef is how a certificate names the one that signed it.
type issuerRef struct {
	keyID  string
	name   []byte
	serial *big.Int
}

// checkExtensions goes through the list. It returns the name of the first
// extension that is not as it should be, or "".
func (l *leaf) checkExtensions(want []profiled) string {
	found := 0
	for _, p := range want {
		value, critical, there := find(l.cert, p.oid)
		if !there && p.optional {
			continue
		}
		if !there || critical != p.critical || !p.read(l, value) {
			return p.name
		}
		found++
	}
	if len(l.cert.Extensions) != found { // package x509 refuses an extension that is there twice
		return "another extension"
	}
	return ""
}

func find(c *x509.Certificate, oid asn1.ObjectIdentifier) (value []byte, critical, there bool) {
	for _, e := range c.Extensions {
		if e.Id.Equal(oid) {
			return e.Value, e.Critical, true
		}
	}
	return nil, false, false
}
