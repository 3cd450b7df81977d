package ades

import (
	"bytes"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidContentType   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningTime   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}
	oidSigningCertV2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	oidSHA256        = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidSHA256RSA     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
)

// CMS is a detached SignedData that still lacks its signature.
type CMS struct {
	certificate    []byte
	issuer, serial []byte // DER elements of the certificate
	attributes     []byte // the contents of the SET of signed attributes
}

// NewCMS builds the signature of a document with the given SHA-256 digest:
// the same bytes for the same arguments. The certificate must be one.
func NewCMS(document [sha256.Size]byte, certificate []byte, at time.Time) (CMS, error) {
	c := CMS{certificate: certificate}
	var ok bool
	if c.issuer, c.serial, ok = issuerAndSerial(certificate); !ok {
		return CMS{}, errors.New("cms: not a certificate")
	}
	thumbprint := sha256.Sum256(certificate)
	parts := [][]byte{
		signedAttribute(oidContentType, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidData) }),
		signedAttribute(oidSigningTime, func(b *cryptobyte.Builder) { addTime(b, at) }),
		signedAttribute(oidMessageDigest, func(b *cryptobyte.Builder) { b.AddASN1OctetString(document[:]) }),
		signedAttribute(oidSigningCertV2, func(b *cryptobyte.Builder) { // RFC 5035 §3; SHA-256 is the default and not written
			sequence(b, func(b *cryptobyte.Builder) {
				sequence(b, func(b *cryptobyte.Builder) {
					sequence(b, func(b *cryptobyte.Builder) {
						b.AddASN1OctetString(thumbprint[:])
						sequence(b, func(b *cryptobyte.Builder) {
							sequence(b, func(b *cryptobyte.Builder) {
								b.AddASN1(context(4), func(b *cryptobyte.Builder) { b.AddBytes(c.issuer) })
							})
							b.AddBytes(c.serial)
						})
					})
				})
			})
		}),
	}
	for _, p := range parts {
		if p == nil {
			return CMS{}, errors.New("cms: the time cannot be written")
		}
	}
	slices.SortFunc(parts, bytes.Compare) // DER orders a SET OF
	c.attributes = bytes.Join(parts, nil)
	return c, nil
}

// Digest is what the card signs: the signed attributes as a SET (RFC 5652
// §5.4), with RSASSA-PKCS1-v1_5 and SHA-256.
func (c CMS) Digest() [sha256.Size]byte {
	return sha256.Sum256(build(func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(c.attributes) })
	}))
}

// Seal returns the ContentInfo, DER.
func (c CMS) Seal(signature []byte) []byte {
	return build(func(b *cryptobyte.Builder) {
		sequence(b, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oidSignedData)
			b.AddASN1(context(0), func(b *cryptobyte.Builder) {
				sequence(b, func(b *cryptobyte.Builder) {
					b.AddASN1Int64(1)
					b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { algorithm(b, oidSHA256, false) })
					sequence(b, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidData) }) // detached: no content
					b.AddASN1(context(0), func(b *cryptobyte.Builder) { b.AddBytes(c.certificate) })
					b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { c.addSigner(b, signature) })
				})
			})
		})
	})
}

// addSigner adds the SignerInfo (RFC 5652 §5.3).
func (c CMS) addSigner(b *cryptobyte.Builder, signature []byte) {
	sequence(b, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		sequence(b, func(b *cryptobyte.Builder) {
			b.AddBytes(c.issuer)
			b.AddBytes(c.serial)
		})
		algorithm(b, oidSHA256, false) // RFC 5754 §2: parameters absent
		b.AddASN1(context(0), func(b *cryptobyte.Builder) { b.AddBytes(c.attributes) })
		algorithm(b, oidSHA256RSA, true) // RFC 5754 §3.2: parameters NULL
		b.AddASN1OctetString(signature)
	})
}

// signedAttribute is one Attribute with one value, or nil if the value cannot
// be written.
func signedAttribute(id asn1.ObjectIdentifier, value cryptobyte.BuilderContinuation) []byte {
	return build(func(b *cryptobyte.Builder) {
		sequence(b, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(id)
			b.AddASN1(cbasn1.SET, value)
		})
	})
}

// addTime writes Time: UTCTime until 2049, GeneralizedTime after (RFC 5652 §11.3).
func addTime(b *cryptobyte.Builder, at time.Time) {
	at = at.UTC().Truncate(time.Second)
	if at.Year() >= 2050 {
		b.AddASN1GeneralizedTime(at)
		return
	}
	b.AddASN1UTCTime(at)
}

func algorithm(b *cryptobyte.Builder, id asn1.ObjectIdentifier, null bool) {
	sequence(b, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(id)
		if null {
			b.AddASN1NULL()
		}
	})
}

func sequence(b *cryptobyte.Builder, f cryptobyte.BuilderContinuation) {
	b.AddASN1(cbasn1.SEQUENCE, f)
}

func context(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }

func build(f func(b *cryptobyte.Builder)) []byte {
	var b cryptobyte.Builder
	f(&b)
	out, err := b.Bytes()
	if err != nil {
		return nil
	}
	return out
}

// issuerAndSerial returns two elements of a certificate (RFC 5280 §4.1).
func issuerAndSerial(certificate []byte) (issuer, serial []byte, ok bool) {
	input := cryptobyte.String(certificate)
	var outer, tbs, number, name cryptobyte.String
	ok = input.ReadASN1(&outer, cbasn1.SEQUENCE) && input.Empty() && outer.ReadASN1(&tbs, cbasn1.SEQUENCE) &&
		tbs.SkipOptionalASN1(context(0)) && tbs.ReadASN1Element(&number, cbasn1.INTEGER) &&
		tbs.SkipASN1(cbasn1.SEQUENCE) && tbs.ReadASN1Element(&name, cbasn1.SEQUENCE)
	return name, number, ok
}
