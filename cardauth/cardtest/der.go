package cardtest

import (
	"crypto/sha1" //nolint:gosec // key identifiers are SHA-1 by RFC 5280 §4.2.1.2, not a protection
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidCountry      = asn1.ObjectIdentifier{2, 5, 4, 6}
	oidLocality     = asn1.ObjectIdentifier{2, 5, 4, 7}
	oidOrganisation = asn1.ObjectIdentifier{2, 5, 4, 10}
	oidUnit         = asn1.ObjectIdentifier{2, 5, 4, 11}
	oidCommonName   = asn1.ObjectIdentifier{2, 5, 4, 3}

	oidSubjectKeyID       = asn1.ObjectIdentifier{2, 5, 29, 14}
	oidKeyUsage           = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidSubjectAltName     = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidIssuerAltName      = asn1.ObjectIdentifier{2, 5, 29, 18}
	oidBasicConstraints   = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidIssuingPoint       = asn1.ObjectIdentifier{2, 5, 29, 28}
	oidDistributionPoints = asn1.ObjectIdentifier{2, 5, 29, 31}
	oidPolicies           = asn1.ObjectIdentifier{2, 5, 29, 32}
	oidAuthorityKeyID     = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidExtendedKeyUsage   = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidAuthorityAccess    = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}
	oidAccessOCSP         = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1}
	oidPolicyCPS          = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 2, 1}
	oidOCSPSigning        = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 9}
	oidOCSPBasic          = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}
	oidOCSPNonce          = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}
	oidOCSPNoCheck        = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}
	oidSHA1               = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
	oidSHA256WithRSA      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
)

// attribute is one part of a distinguished name.
type attribute struct {
	oid   asn1.ObjectIdentifier
	value string
}

// der builds one DER element with build.
func der(build func(b *cryptobyte.Builder)) []byte {
	var b cryptobyte.Builder
	build(&b)
	return b.BytesOrPanic() // fails only if build asks for what DER cannot say
}

// seq, element and explicit add a constructed element around build.
func seq(b *cryptobyte.Builder, build cryptobyte.BuilderContinuation) {
	b.AddASN1(cbasn1.SEQUENCE, build)
}

func explicit(b *cryptobyte.Builder, n uint8, build cryptobyte.BuilderContinuation) {
	b.AddASN1(cbasn1.Tag(n).ContextSpecific().Constructed(), build)
}

// name encodes a distinguished name as JPKI does: the country as
// PrintableString, everything else as UTF8String, one attribute per RDN.
func name(attributes ...attribute) []byte {
	return der(func(b *cryptobyte.Builder) {
		seq(b, func(b *cryptobyte.Builder) {
			for _, a := range attributes {
				b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
					seq(b, func(b *cryptobyte.Builder) {
						b.AddASN1ObjectIdentifier(a.oid)
						tag := cbasn1.UTF8String
						if a.oid.Equal(oidCountry) {
							tag = cbasn1.PrintableString
						}
						b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes([]byte(a.value)) })
					})
				})
			}
		})
	})
}

// directoryName wraps a name as GeneralNames with one directoryName.
func directoryName(name []byte) []byte {
	return der(func(b *cryptobyte.Builder) {
		seq(b, func(b *cryptobyte.Builder) {
			explicit(b, 4, func(b *cryptobyte.Builder) { b.AddBytes(name) })
		})
	})
}

// fullName wraps a name as DistributionPointName with one directoryName.
func fullName(b *cryptobyte.Builder, name []byte) {
	explicit(b, 0, func(b *cryptobyte.Builder) {
		explicit(b, 0, func(b *cryptobyte.Builder) {
			explicit(b, 4, func(b *cryptobyte.Builder) { b.AddBytes(name) })
		})
	})
}

// distributionPoint is cRLDistributionPoints with one directory name.
func distributionPoint(name []byte) pkix.Extension {
	return pkix.Extension{Id: oidDistributionPoints, Value: der(func(b *cryptobyte.Builder) {
		seq(b, func(b *cryptobyte.Builder) {
			seq(b, func(b *cryptobyte.Builder) { fullName(b, name) })
		})
	})}
}

// fixed is an extension whose value is known byte for byte.
func fixed(id asn1.ObjectIdentifier, critical bool, value string) pkix.Extension {
	raw, err := hex.DecodeString(value)
	if err != nil {
		panic(err) // a constant of this package is misspelt
	}
	return pkix.Extension{Id: id, Critical: critical, Value: raw}
}

// subjectKeyID is the extension that identifies a public key, given as the
// contents of its BIT STRING.
func subjectKeyID(public []byte) pkix.Extension {
	id := sha1.Sum(public) //nolint:gosec // see the import
	return pkix.Extension{Id: oidSubjectKeyID, Value: append([]byte{0x04, 0x14}, id[:]...)}
}
