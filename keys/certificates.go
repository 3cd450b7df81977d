package keys

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"slices"
)

// certificateOf returns the digest of the first certificate of x5c (RFC 7517 §4.7: plain base64), which holds the key itself, and
// whether there is a readable one.
func (m jwkMembers) certificateOf() (digest [sha256.Size]byte, ok bool) {
	if len(m.Chain) == 0 {
		return digest, false
	}
	der, err := base64.StdEncoding.DecodeString(m.Chain[0])
	if err != nil {
		return digest, false
	}
	if _, err := x509.ParseCertificate(der); err != nil {
		return digest, false
	}
	return sha256.Sum256(der), true
}

// HasCertificates reports whether a key of the set that its owner lets verify brings a certificate along, be the key of use here or not.
func (s PublicSet) HasCertificates() bool { return len(s.certificates) > 0 }

// HoldsCertificate reports whether a key of the set brings along exactly this certificate (RFC 8705 §2.2.2).
func (s PublicSet) HoldsCertificate(cert *x509.Certificate) bool {
	return cert != nil && slices.Contains(s.certificates, sha256.Sum256(cert.Raw))
}

// JudgeCertificate refuses a certificate whose RSA key JudgeRSA refuses. Its other keys may be of more curves than we verify with: they
// have to please TLS alone, which knows no weak one.
func JudgeCertificate(cert *x509.Certificate) error {
	if key, ok := cert.PublicKey.(*rsa.PublicKey); ok {
		return JudgeRSA(key)
	}
	return nil
}
