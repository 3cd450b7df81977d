package cardauth

import (
	"crypto/x509"
	"encoding/asn1"

	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidLocality       = asn1.ObjectIdentifier{2, 5, 4, 7}
	oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}
)

// cardSignPolicies are the policies of signature certificates on cards: the
// citizens', and those of the authority's test environment. The one of phones
// is not among them.
var cardSignPolicies = signPolicies[:2]

// signerNameLen is the length of a signature certificate's common name: 28
// digits, a time stamp and a number.
const signerNameLen = 28

// signExtensions is every extension of a signature certificate. It has no
// extKeyUsage, which is why package x509 would take it for any purpose.
// Whether it names a responder is not published; if it does, it names one.
func signExtensions() []profiled {
	return []profiled{
		{oid: oidKeyUsage, name: "keyUsage", critical: true, read: exactly(0x03, 0x02, 0x06, 0xC0)}, // digitalSignature, nonRepudiation
		{oid: oidPolicies, name: "certificatePolicies", critical: true, read: onePolicy},
		{oid: oidSubjectAltName, name: "subjectAltName", read: (*leaf).readHolder},
		{oid: oidIssuerAltName, name: "issuerAltName", read: alternativeName},
		{oid: oidDistributionPoints, name: "cRLDistributionPoints", read: (*leaf).readPoint},
		{oid: oidAuthorityAccess, name: "authorityInfoAccess", read: (*leaf).readAccess, optional: true},
		{oid: oidAuthorityKeyID, name: "authorityKeyIdentifier", read: (*leaf).readAuthorityKeyID},
		{oid: oidSubjectKeyID, name: "subjectKeyIdentifier", read: subjectKeyID},
	}
}

// parseSigningLeaf judges a signature certificate by itself.
func parseSigningLeaf(der []byte) (*leaf, error) {
	if len(der) > maxCertificate {
		return nil, refuse(CertificateMalformed, "too long")
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, &Error{Reason: CertificateMalformed, Err: err}
	}
	l := &leaf{cert: cert, kind: Card}
	if cert.IsCA || cert.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0 {
		return nil, refuse(CertificateIsCA, "")
	}
	if hasPolicy(cert, policyAuth) {
		return nil, refuse(CertificateForLogin, "")
	}
	known := false
	for _, p := range cardSignPolicies {
		known = known || hasPolicy(cert, p)
	}
	if !known {
		return nil, refuse(CertificateProfile, "certificatePolicies")
	}
	if wrong := l.checkFields(goodSigner); wrong != "" {
		return nil, refuse(CertificateProfile, wrong)
	}
	if wrong := l.checkExtensions(signExtensions()); wrong != "" {
		return nil, refuse(CertificateProfile, wrong)
	}
	return l, nil
}

// goodSigner: the country, prefecture, municipality, and 28 digits. The
// person's name is not in it, and nothing of it is ever used.
func goodSigner(raw []byte) bool {
	name, ok := parseName(raw)
	if !ok || len(name) != 4 || !name[0].is(oidCountry, cbasn1.PrintableString, "JP") ||
		!name[1].oid.Equal(oidLocality) || !name[2].oid.Equal(oidLocality) ||
		!name[3].oid.Equal(oidCommonName) || name[3].tag != cbasn1.UTF8String {
		return false
	}
	return len(name[3].value) == signerNameLen && allDigits(name[3].value)
}

// readHolder reads the personal attributes.
func (l *leaf) readHolder(value []byte) bool {
	a, ok := parseHolder(value)
	l.holder = &a
	return ok
}

func allDigits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}
