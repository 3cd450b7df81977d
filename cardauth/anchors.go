package cardauth

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // OCSP names issuers by SHA-1; the hashes protect nothing
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Environment says whose certificates a hub believes: citizens' or made-up ones.
type Environment int

// The environments. No store holds anchors of both.
const (
	Production Environment = iota + 1
	Test
)

// organisation is what the environment's authorities call themselves.
func (e Environment) organisation() string {
	switch e {
	case Production:
		return "JPKI"
	case Test:
		return "JPKI-TEST"
	}
	return ""
}

const (
	authUnit       = "JPKI for user authentication"
	signUnit       = "JPKI for digital signature"
	maxAnchors     = 16
	maxAnchorBytes = 64 << 10
)

// Anchors are the authorities that issue user-authentication certificates, by
// key identifier: three generations share one name. Signature authorities are
// not among them.
type Anchors struct{ byKeyID map[string]*anchor }

// anchor is one authority.
type anchor struct {
	cert              *x509.Certificate
	id                string // key identifier, hex
	nameHash, keyHash [sha1.Size]byte
}

// ParseAnchors reads PEM certificates, each with the profile of a JPKI
// authority for user authentication in the given environment. One that is not
// is an error, so that a wrong file is seen at start.
func ParseAnchors(env Environment, files ...[]byte) (*Anchors, error) {
	return parseAnchors(env, authUnit, files)
}

// parseAnchors reads the anchors of the authority of one unit.
func parseAnchors(env Environment, unit string, files [][]byte) (*Anchors, error) {
	if env.organisation() == "" {
		return nil, errors.New("anchors: neither production nor test")
	}
	all := &Anchors{byKeyID: map[string]*anchor{}}
	for _, rest := range files {
		if len(rest) > maxAnchorBytes {
			return nil, errors.New("anchors: file too long")
		}
		for len(bytes.TrimSpace(rest)) > 0 {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
				return nil, errors.New("anchors: not a list of PEM certificates")
			}
			a, err := parseAnchor(env, unit, block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("anchor %d: %w", len(all.byKeyID)+1, err)
			}
			if all.byKeyID[string(a.cert.SubjectKeyId)] != nil || len(all.byKeyID) == maxAnchors {
				return nil, errors.New("anchors: one twice, or too many")
			}
			all.byKeyID[string(a.cert.SubjectKeyId)] = a
		}
	}
	if len(all.byKeyID) == 0 {
		return nil, errors.New("anchors: none")
	}
	return all, nil
}

func parseAnchor(env Environment, unit string, der []byte) (*anchor, error) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	key, isRSA := c.PublicKey.(*rsa.PublicKey)
	usage, usageCritical, _ := find(c, oidKeyUsage)
	switch {
	case !isAuthority(c.RawSubject, env, unit):
		return nil, fmt.Errorf("%q is no authority of %q in this environment", c.Subject, unit)
	case !c.IsCA || !c.BasicConstraintsValid || !usageCritical || !bytes.Equal(usage, []byte{0x03, 0x02, 0x01, 0x06}):
		return nil, errors.New("not an authority's certificate") // keyCertSign and cRLSign, nothing else
	case !isRSA || !goodKey(key) || c.SignatureAlgorithm != x509.SHA256WithRSA || len(c.SubjectKeyId) != keyIDLen:
		return nil, errors.New("key, signature algorithm or key identifier is not of the profile")
	case !bytes.Equal(c.RawIssuer, c.RawSubject):
		return nil, errors.New("not self-issued")
	}
	if err = c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil {
		return nil, fmt.Errorf("not self-signed: %w", err)
	}
	public, err := publicKeyBits(c)
	if err != nil {
		return nil, err
	}
	return &anchor{
		cert: c, id: hex.EncodeToString(c.SubjectKeyId),
		nameHash: sha1.Sum(c.RawSubject), keyHash: sha1.Sum(public), //nolint:gosec // see the import
	}, nil
}

// isAuthority compares the name with the one that all generations share: the
// country, the environment's organisation, the purpose, the operator.
func isAuthority(subject []byte, env Environment, unit string) bool {
	name, ok := parseName(subject)
	return ok && len(name) == 4 && name[0].is(oidCountry, cbasn1.PrintableString, "JP") &&
		name[1].is(oidOrganisation, cbasn1.UTF8String, env.organisation()) && name[2].is(oidUnit, cbasn1.UTF8String, unit) &&
		name[3].oid.Equal(oidUnit)
}

// publicKeyBits returns the contents of the subjectPublicKey BIT STRING, which
// is what key hashes are taken over.
func publicKeyBits(c *x509.Certificate) ([]byte, error) {
	input := cryptobyte.String(c.RawSubjectPublicKeyInfo)
	var info, algorithm cryptobyte.String
	var bits asn1.BitString
	if !input.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !info.ReadASN1BitString(&bits) {
		return nil, errors.New("public key cannot be read")
	}
	return bits.RightAlign(), nil
}

// validAt reports whether the anchor is within its dates; the last second counts whole.
func (a *anchor) validAt(now time.Time) bool {
	return !now.Before(a.cert.NotBefore) && now.Unix() <= a.cert.NotAfter.Unix()
}

// issuerOf finds who issued a leaf: the anchor with its key identifier, whose
// name and serial number it repeats, and whose key signed it.
func (as *Anchors) issuerOf(l *leaf, now time.Time) (*anchor, error) {
	a := as.byKeyID[l.issuer.keyID]
	switch {
	case a == nil:
		return nil, refuse(CertificateUntrusted, "no anchor with this key identifier")
	case !bytes.Equal(l.cert.RawIssuer, a.cert.RawSubject):
		return nil, refuse(CertificateUntrusted, "issuer is not the anchor")
	case !bytes.Equal(l.issuer.name, a.cert.RawIssuer) || l.issuer.serial.Cmp(a.cert.SerialNumber) != 0:
		return nil, refuse(CertificateUntrusted, "authority key identifier names another certificate of the anchor")
	case !a.validAt(now):
		return nil, refuse(CertificateUntrusted, "anchor is out of its dates")
	}
	if err := a.cert.CheckSignature(l.cert.SignatureAlgorithm, l.cert.RawTBSCertificate, l.cert.Signature); err != nil {
		return nil, &Error{Reason: CertificateUntrusted, Err: err}
	}
	return a, nil
}
