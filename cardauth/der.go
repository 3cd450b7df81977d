package cardauth

import (
	"encoding/asn1"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidCountry      = asn1.ObjectIdentifier{2, 5, 4, 6}
	oidOrganisation = asn1.ObjectIdentifier{2, 5, 4, 10}
	oidUnit         = asn1.ObjectIdentifier{2, 5, 4, 11}
	oidCommonName   = asn1.ObjectIdentifier{2, 5, 4, 3}
)

// explicit is the tag of a constructed context-specific element, implicit that
// of a primitive one.
func explicit(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }
func implicit(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific() }

// rdn is one part of a distinguished name with a single attribute, the only
// kind that JPKI uses.
type rdn struct {
	raw   []byte // the SET
	oid   asn1.ObjectIdentifier
	tag   cbasn1.Tag
	value string
}

func (r rdn) is(oid asn1.ObjectIdentifier, tag cbasn1.Tag, value string) bool {
	return r.oid.Equal(oid) && r.tag == tag && r.value == value
}

// maxRDNs bounds a name; the longest in use has six parts.
const maxRDNs = 8

// parseName takes a distinguished name apart.
func parseName(der []byte) ([]rdn, bool) {
	input := cryptobyte.String(der)
	var sequence cryptobyte.String
	if !input.ReadASN1(&sequence, cbasn1.SEQUENCE) || !input.Empty() {
		return nil, false
	}
	var out []rdn
	for !sequence.Empty() {
		var set, body, attribute, value cryptobyte.String
		var part rdn
		if !sequence.ReadASN1Element(&set, cbasn1.SET) {
			return nil, false
		}
		part.raw = set
		if !set.ReadASN1(&body, cbasn1.SET) || !body.ReadASN1(&attribute, cbasn1.SEQUENCE) || !body.Empty() ||
			!attribute.ReadASN1ObjectIdentifier(&part.oid) || !attribute.ReadAnyASN1(&value, &part.tag) || !attribute.Empty() ||
			len(out) == maxRDNs {
			return nil, false
		}
		part.value = string(value)
		out = append(out, part)
	}
	return out, true
}

// readDirectoryName reads GeneralNames that hold one directoryName and
// nothing else, without their outer tag.
func readDirectoryName(names cryptobyte.String) ([]byte, bool) {
	var name cryptobyte.String
	if !names.ReadASN1(&name, explicit(4)) || !names.Empty() {
		return nil, false
	}
	if _, ok := parseName(name); !ok {
		return nil, false
	}
	return name, true
}

// readPointName reads a DistributionPointName that is the full name of one
// directory entry (RFC 5280 §4.2.1.13), without its outer tag.
func readPointName(point cryptobyte.String) ([]byte, bool) {
	var names cryptobyte.String
	if !point.ReadASN1(&names, explicit(0)) || !point.Empty() {
		return nil, false
	}
	return readDirectoryName(names)
}

// readTime reads Time (RFC 5280 §4.1.2.5).
func readTime(s *cryptobyte.String, out *time.Time) bool {
	if s.PeekASN1Tag(cbasn1.UTCTime) {
		return s.ReadASN1UTCTime(out)
	}
	return s.ReadASN1GeneralizedTime(out)
}

// extension is one extension of a list or an answer.
type extension struct {
	oid      asn1.ObjectIdentifier
	critical bool
	value    cryptobyte.String
}

// maxExtensions bounds how many extensions are looked at.
const maxExtensions = 16

// readExtensions reads Extensions (RFC 5280 §4.1) whole, none of them twice.
func readExtensions(input cryptobyte.String) ([]extension, bool) {
	var sequence cryptobyte.String
	if !input.ReadASN1(&sequence, cbasn1.SEQUENCE) || !input.Empty() {
		return nil, false
	}
	var out []extension
	for !sequence.Empty() {
		var body cryptobyte.String
		var e extension
		if !sequence.ReadASN1(&body, cbasn1.SEQUENCE) || !body.ReadASN1ObjectIdentifier(&e.oid) ||
			body.PeekASN1Tag(cbasn1.BOOLEAN) && !body.ReadASN1Boolean(&e.critical) ||
			!body.ReadASN1(&e.value, cbasn1.OCTET_STRING) || !body.Empty() || len(out) == maxExtensions {
			return nil, false
		}
		for _, other := range out {
			if other.oid.Equal(e.oid) {
				return nil, false
			}
		}
		out = append(out, e)
	}
	return out, true
}
