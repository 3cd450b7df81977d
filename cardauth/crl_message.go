package cardauth

import (
	"bytes"
	"crypto"
	_ "crypto/sha256" // the hashes of listAlgorithms
	_ "crypto/sha512"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidCRLNumber    = asn1.ObjectIdentifier{2, 5, 29, 20}
	oidIssuingPoint = asn1.ObjectIdentifier{2, 5, 29, 28}
)

const (
	maxListElement   = 4 << 10  // bytes of an entry, a name, a signature
	maxListExtension = 16 << 10 // bytes of a list's extensions
	maxCRLNumber     = 20       // bytes (RFC 5280 §5.2.3)
)

// listAlgorithms are those in which a list may be signed, by their
// AlgorithmIdentifier: the authorities' keys are RSA, and the parameters are
// NULL (RFC 4055 §5).
var listAlgorithms = map[string]crypto.Hash{
	"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00": crypto.SHA256,
	"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c\x05\x00": crypto.SHA384,
	"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d\x05\x00": crypto.SHA512,
}

// crl is a revocation list, of which what a login needs was kept.
type crl struct {
	hash                   crypto.Hash
	digest, signature      []byte // of TBSCertList
	issuer                 []byte // Name
	thisUpdate, nextUpdate time.Time
	point                  []byte   // Name; nil: no distribution point
	authorityKeyID         []byte   // nil: none
	number                 *big.Int // nil: none
	entries                serialSet
	building               serialBuilder
	total                  int // entries, also those with serial numbers that no citizen has
}

var errCRL = errors.New("not a certificate revocation list")

// listLimits bound a list before anything is known about it.
type listLimits struct {
	bytes   int64
	entries int
	room    func() bool // asked before each next readStep entries; nil: there is
}

const readStep = 32 << 10 // entries

// parseCRL reads a full version 2 list (RFC 5280 §5.1) as it arrives, in memory
// of a fixed size beside the entries. What it cannot read whole it refuses: a
// critical extension, a delta, an indirect list. Nobody has verified the result;
// its signature has to be over its digest, and then its entries want finishing. head is asked before the entries are
// read, when issuer and dates are known.
func parseCRL(src io.Reader, limits listLimits, head func(*crl) error) (*crl, error) {
	s, c := newStream(src, limits.bytes), &crl{}
	end, err := s.enter(cbasn1.SEQUENCE)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errCRL, err)
	}
	s.sign()
	algorithm, err := c.readSigned(s, limits, head)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errCRL, err)
	}
	c.digest = s.signed()
	outer, err := s.element(maxListElement)
	if err != nil || string(outer) != algorithm {
		return nil, fmt.Errorf("%w: %w", errCRL, errors.Join(err, errors.New("signature algorithm")))
	}
	signature, err := s.element(maxListElement)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errCRL, err)
	}
	var bits asn1.BitString
	input := cryptobyte.String(bytes.Clone(signature))
	if !input.ReadASN1BitString(&bits) || bits.BitLength%8 != 0 || s.pos != end {
		return nil, errCRL
	}
	c.signature = bits.Bytes
	if err = s.ends(); err != nil {
		return nil, fmt.Errorf("%w: %w", errCRL, err)
	}
	return c, nil
}

// readSigned reads TBSCertList and returns the algorithm it names.
func (c *crl) readSigned(s *stream, limits listLimits, head func(*crl) error) (algorithm string, err error) {
	end, err := s.enter(cbasn1.SEQUENCE)
	if err != nil {
		return "", err
	}
	if algorithm, err = c.readHead(s); err != nil {
		return "", err
	}
	if err = head(c); err != nil {
		return "", err
	}
	tag, err := s.next()
	if err == nil && tag == cbasn1.SEQUENCE {
		if err = c.readEntries(s, limits); err == nil {
			tag, err = s.next()
		}
	}
	if err != nil {
		return "", err
	}
	if tag != explicit(0) { // crlExtensions: cRLNumber is never absent (RFC 5280 §5.2.3)
		return "", errDER
	}
	raw, err := s.element(maxListExtension)
	if err != nil {
		return "", err
	}
	var inner cryptobyte.String
	outer := cryptobyte.String(bytes.Clone(raw))
	if !outer.ReadASN1(&inner, explicit(0)) || s.pos != end {
		return "", errDER
	}
	return algorithm, c.readListExtensions(inner)
}

// readHead reads what comes before the entries.
func (c *crl) readHead(s *stream) (algorithm string, err error) {
	var version []byte
	if version, err = s.element(maxListElement); err != nil || !bytes.Equal(version, []byte{0x02, 0x01, 0x01}) {
		return "", errors.Join(err, errors.New("not version 2"))
	}
	raw, err := s.element(maxListElement)
	if err != nil {
		return "", err
	}
	algorithm = string(raw)
	var known bool
	if c.hash, known = listAlgorithms[algorithm]; !known {
		return "", errors.New("signature algorithm is not accepted")
	}
	s.hashWith(c.hash)
	if raw, err = s.element(maxListElement); err != nil {
		return "", err
	}
	if c.issuer = bytes.Clone(raw); c.issuer[0] != byte(cbasn1.SEQUENCE) {
		return "", errDER
	}
	for _, at := range []*time.Time{&c.thisUpdate, &c.nextUpdate} { // RFC 5280 §5.1.2.5: nextUpdate is required
		if raw, err = s.element(maxListElement); err != nil {
			return "", err
		}
		if input := cryptobyte.String(raw); !readTime(&input, at) {
			return "", errDER
		}
	}
	return algorithm, nil
}

// readListExtensions reads crlExtensions. deltaCRLIndicator is critical and
// falls under what is not understood.
func (c *crl) readListExtensions(s cryptobyte.String) error {
	extensions, ok := readExtensions(s)
	if !ok {
		return errDER
	}
	for _, e := range extensions {
		switch {
		case e.oid.Equal(oidIssuingPoint):
			if !e.critical || !c.readIssuingPoint(e.value) {
				return errors.New("issuing distribution point is not for citizens' certificates of one point, or of all")
			}
		case e.oid.Equal(oidAuthorityKeyID):
			var body, keyID cryptobyte.String
			var there bool
			if !e.value.ReadASN1(&body, cbasn1.SEQUENCE) || !e.value.Empty() || !body.ReadOptionalASN1(&keyID, &there, implicit(0)) {
				return errDER
			}
			c.authorityKeyID = keyID
		case e.oid.Equal(oidCRLNumber):
			c.number = new(big.Int)
			if !e.value.ReadASN1Integer(c.number) || !e.value.Empty() || c.number.Sign() < 0 || c.number.BitLen() > 8*maxCRLNumber {
				return errors.New("list number")
			}
		case e.critical:
			return errors.New("a critical extension that is not understood")
		}
	}
	if c.number == nil {
		return errors.New("no list number")
	}
	return nil
}

// readIssuingPoint reads IssuingDistributionPoint (RFC 5280 §5.2.5) of a list
// that covers every reason and, at most, only citizens' certificates.
func (c *crl) readIssuingPoint(value cryptobyte.String) bool {
	var body, point, onlyUsers cryptobyte.String
	var named, there bool
	if !value.ReadASN1(&body, cbasn1.SEQUENCE) || !value.Empty() ||
		!body.ReadOptionalASN1(&point, &named, explicit(0)) ||
		!body.ReadOptionalASN1(&onlyUsers, &there, implicit(1)) || there && !bytes.Equal(onlyUsers, []byte{0xFF}) ||
		!body.Empty() || !named && !there {
		return false
	}
	if !named {
		return true
	}
	var ok bool
	c.point, ok = readPointName(point)
	return ok
}
