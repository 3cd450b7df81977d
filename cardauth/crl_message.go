package cardauth

import (
	"bytes"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidCRLNumber    = asn1.ObjectIdentifier{2, 5, 29, 20}
	oidIssuingPoint = asn1.ObjectIdentifier{2, 5, 29, 28}
	oidReasonCode   = asn1.ObjectIdentifier{2, 5, 29, 21}
)

// reasonRemove is an entry of delta lists only (RFC 5280 §5.3.1).
const reasonRemove = 8

// crl is a revocation list that nobody has verified. Package x509 keeps every
// entry with its extensions, some hundred bytes each; what a login needs is
// four.
type crl struct {
	signed                 []byte // TBSCertList
	algorithm              asn1.ObjectIdentifier
	signature              []byte
	issuer                 []byte // Name
	thisUpdate, nextUpdate time.Time
	point                  []byte   // Name; nil: no issuing distribution point
	authorityKeyID         []byte   // nil: none
	entries                []uint64 // serial number and, in the low byte, why; sorted
}

var errCRL = errors.New("not a certificate revocation list")

// parseCRL reads a full version 2 list (RFC 5280 §5.1). What it cannot read
// whole it refuses: a critical extension, a delta, an indirect list.
func parseCRL(der []byte) (*crl, error) {
	input := cryptobyte.String(der)
	var list, element, tbs, algorithm, inner cryptobyte.String
	var bits asn1.BitString
	var version int
	c := &crl{}
	var innerAlgorithm asn1.ObjectIdentifier
	if !input.ReadASN1(&list, cbasn1.SEQUENCE) || !input.Empty() ||
		!list.ReadASN1Element(&element, cbasn1.SEQUENCE) ||
		!list.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&c.algorithm) ||
		!list.ReadASN1BitString(&bits) || bits.BitLength%8 != 0 || !list.Empty() {
		return nil, errCRL
	}
	c.signed, c.signature = element, bits.Bytes
	var issuer cryptobyte.String
	if !element.ReadASN1(&tbs, cbasn1.SEQUENCE) ||
		!tbs.ReadASN1Integer(&version) || version != 1 ||
		!tbs.ReadASN1(&inner, cbasn1.SEQUENCE) || !inner.ReadASN1ObjectIdentifier(&innerAlgorithm) || !innerAlgorithm.Equal(c.algorithm) ||
		!tbs.ReadASN1Element(&issuer, cbasn1.SEQUENCE) ||
		!readTime(&tbs, &c.thisUpdate) || !readTime(&tbs, &c.nextUpdate) { // RFC 5280 §5.1.2.5: nextUpdate is required
		return nil, errCRL
	}
	c.issuer = issuer
	if tbs.PeekASN1Tag(cbasn1.SEQUENCE) {
		var entries cryptobyte.String
		if !tbs.ReadASN1(&entries, cbasn1.SEQUENCE) || !c.readEntries(entries) {
			return nil, errCRL
		}
	}
	var outer cryptobyte.String
	if !tbs.ReadASN1(&outer, explicit(0)) || !tbs.Empty() || !c.readListExtensions(outer) {
		return nil, errCRL
	}
	return c, nil
}

// readEntries collects serial numbers and reasons, sorted.
func (c *crl) readEntries(s cryptobyte.String) bool {
	for !s.Empty() {
		var entry cryptobyte.String
		var serial cryptobyte.String
		var at time.Time
		if !s.ReadASN1(&entry, cbasn1.SEQUENCE) || !entry.ReadASN1(&serial, cbasn1.INTEGER) || !readTime(&entry, &at) {
			return false
		}
		why, ok := Unspecified, true
		if !entry.Empty() {
			why, ok = readEntryExtensions(entry)
		}
		if !ok {
			return false
		}
		n, ours, ok := shortSerial(serial)
		if !ok {
			return false
		}
		if ours {
			c.entries = append(c.entries, uint64(n)<<8|uint64(why))
		}
	}
	slices.Sort(c.entries)
	return true
}

// shortSerial reads the contents of an INTEGER. Numbers that no certificate of
// the profile can have are not ours.
func shortSerial(raw []byte) (n uint32, ours, ok bool) {
	if len(raw) == 0 || len(raw) > 1 && (raw[0] == 0 && raw[1]&0x80 == 0 || raw[0] == 0xFF && raw[1]&0x80 != 0) {
		return 0, false, false // not the shortest form
	}
	if len(raw) > 4 || raw[0]&0x80 != 0 {
		return 0, false, true
	}
	for _, b := range raw {
		n = n<<8 | uint32(b)
	}
	return n, true, true
}

// readEntryExtensions judges crlEntryExtensions: a critical one would be
// certificateIssuer, which makes the entry somebody else's.
func readEntryExtensions(s cryptobyte.String) (why RevocationReason, ok bool) {
	extensions, ok := readExtensions(s)
	for _, e := range extensions {
		if e.critical {
			return 0, false
		}
		if e.oid.Equal(oidReasonCode) {
			var reason int
			if !e.value.ReadASN1Enum(&reason) || !e.value.Empty() {
				return 0, false
			}
			if why, ok = parseRevocationReason(reason); !ok {
				return 0, false
			}
		}
	}
	return why, ok
}

// readListExtensions reads crlExtensions. deltaCRLIndicator is critical and
// falls under what is not understood.
func (c *crl) readListExtensions(s cryptobyte.String) bool {
	extensions, ok := readExtensions(s)
	if !ok {
		return false
	}
	for _, e := range extensions {
		switch {
		case e.oid.Equal(oidIssuingPoint):
			if !e.critical || !c.readIssuingPoint(e.value) {
				return false
			}
		case e.oid.Equal(oidAuthorityKeyID):
			var body, keyID cryptobyte.String
			var there bool
			if !e.value.ReadASN1(&body, cbasn1.SEQUENCE) || !e.value.Empty() || !body.ReadOptionalASN1(&keyID, &there, implicit(0)) {
				return false
			}
			c.authorityKeyID = keyID
		case e.oid.Equal(oidCRLNumber):
			if !e.value.ReadASN1Integer(new(big.Int)) || !e.value.Empty() {
				return false
			}
		case e.critical:
			return false
		}
	}
	return true
}

// readIssuingPoint reads IssuingDistributionPoint (RFC 5280 §5.2.5) of a list
// that covers every reason and, at most, only citizens' certificates.
func (c *crl) readIssuingPoint(value cryptobyte.String) bool {
	var body, point cryptobyte.String
	var onlyUsers cryptobyte.String
	var there bool
	if !value.ReadASN1(&body, cbasn1.SEQUENCE) || !value.Empty() ||
		!body.ReadASN1(&point, explicit(0)) ||
		!body.ReadOptionalASN1(&onlyUsers, &there, implicit(1)) || there && !bytes.Equal(onlyUsers, []byte{0xFF}) ||
		!body.Empty() {
		return false
	}
	var ok bool
	c.point, ok = readPointName(point)
	return ok
}

// revokes reports whether the list holds a serial number, and why.
func (c *crl) revokes(serial uint32) (RevocationReason, bool) {
	i, _ := slices.BinarySearch(c.entries, uint64(serial)<<8)
	if i == len(c.entries) || c.entries[i]>>8 != uint64(serial) {
		return 0, false
	}
	return RevocationReason(c.entries[i]), true //nolint:gosec // the low byte
}
