package cardauth

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // certificate ids are SHA-1 in practice (RFC 5019 §2.1.1); the whole answer is signed
	"encoding/asn1"
	"errors"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// golang.org/x/crypto/ocsp neither sends nor returns the nonce (RFC 9654), so
// request and answer are read and written here.

var (
	oidSHA1      = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
	oidOCSPBasic = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}
	oidOCSPNonce = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}
)

const (
	nonceLen        = 32 // bytes (RFC 9654 §2.1)
	maxSingles      = 16 // answers in one response; we ask for one
	maxResponders   = 4  // certificates in one response
	maxResponderDER = 4 << 10
)

// certID names a certificate to its responder (RFC 6960 §4.1.1), by SHA-1.
type certID struct {
	nameHash, keyHash [sha1.Size]byte
	serial            uint32
}

// request encodes an OCSPRequest for one certificate with a nonce.
func (id certID) request(nonce []byte) ([]byte, error) {
	var b cryptobyte.Builder
	seq := func(b *cryptobyte.Builder, f cryptobyte.BuilderContinuation) { b.AddASN1(cbasn1.SEQUENCE, f) }
	seq(&b, func(b *cryptobyte.Builder) { // OCSPRequest
		seq(b, func(b *cryptobyte.Builder) { // TBSRequest
			seq(b, func(b *cryptobyte.Builder) { // requestList
				seq(b, func(b *cryptobyte.Builder) { // Request
					seq(b, func(b *cryptobyte.Builder) { // CertID
						seq(b, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidSHA1); b.AddASN1NULL() })
						b.AddASN1OctetString(id.nameHash[:])
						b.AddASN1OctetString(id.keyHash[:])
						b.AddASN1Uint64(uint64(id.serial))
					})
				})
			})
			b.AddASN1(explicit(2), func(b *cryptobyte.Builder) {
				seq(b, func(b *cryptobyte.Builder) {
					seq(b, func(b *cryptobyte.Builder) {
						b.AddASN1ObjectIdentifier(oidOCSPNonce)
						b.AddASN1(cbasn1.OCTET_STRING, func(b *cryptobyte.Builder) { b.AddASN1OctetString(nonce) })
					})
				})
			})
		})
	})
	return b.Bytes()
}

// certStatus is CertStatus.
type certStatus int

const (
	statusGood certStatus = iota
	statusRevoked
	statusUnknown
)

// String returns the status in the words of RFC 6960.
func (s certStatus) String() string {
	switch s {
	case statusGood:
		return "good"
	case statusRevoked:
		return "revoked"
	case statusUnknown:
		return "unknown"
	}
	return "none"
}

// ocspAnswer is a BasicOCSPResponse that nobody has verified.
type ocspAnswer struct {
	signed     []byte // ResponseData
	algorithm  asn1.ObjectIdentifier
	signature  []byte
	responders [][]byte // certificates, DER
	byName     []byte   // responder's name, or
	byKey      []byte   // SHA-1 of its key
	produced   time.Time
	nonce      []byte // nil: none
	single     singleAnswer
}

// singleAnswer is what it says about our certificate.
type singleAnswer struct {
	status                 certStatus
	why                    RevocationReason
	thisUpdate, nextUpdate time.Time // nextUpdate may be zero
	checked                time.Time // when it came; not in the message
}

var errOCSP = errors.New("not an OCSP response")

// parseOCSP reads an OCSPResponse and finds in it the one answer about id.
// Every length is the input's own; nothing is allocated by a number in it.
func parseOCSP(der []byte, id certID) (*ocspAnswer, error) {
	input := cryptobyte.String(der)
	var response, wrapped, typed, basicDER cryptobyte.String
	var status int
	var kind asn1.ObjectIdentifier
	if !input.ReadASN1(&response, cbasn1.SEQUENCE) || !input.Empty() || !response.ReadASN1Enum(&status) {
		return nil, errOCSP
	}
	if status != 0 {
		return nil, errors.New("responder did not answer") // tryLater, internalError, unauthorized: not even signed
	}
	if !response.ReadASN1(&wrapped, explicit(0)) || !response.Empty() ||
		!wrapped.ReadASN1(&typed, cbasn1.SEQUENCE) || !wrapped.Empty() ||
		!typed.ReadASN1ObjectIdentifier(&kind) || !kind.Equal(oidOCSPBasic) ||
		!typed.ReadASN1(&basicDER, cbasn1.OCTET_STRING) || !typed.Empty() {
		return nil, errOCSP
	}
	var basic, algorithm, data, element cryptobyte.String
	var bits asn1.BitString
	a := &ocspAnswer{}
	if !basicDER.ReadASN1(&basic, cbasn1.SEQUENCE) || !basicDER.Empty() ||
		!basic.ReadASN1Element(&element, cbasn1.SEQUENCE) ||
		!basic.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&a.algorithm) ||
		!basic.ReadASN1BitString(&bits) || bits.BitLength%8 != 0 ||
		!a.readResponders(&basic) || !basic.Empty() {
		return nil, errOCSP
	}
	a.signed, a.signature = element, bits.Bytes
	if !element.ReadASN1(&data, cbasn1.SEQUENCE) || !a.readData(data, id) {
		return nil, errOCSP
	}
	return a, nil
}

// readResponders reads the optional certificates.
func (a *ocspAnswer) readResponders(s *cryptobyte.String) bool {
	var outer, list cryptobyte.String
	var there bool
	if !s.ReadOptionalASN1(&outer, &there, explicit(0)) || !there {
		return !there
	}
	if !outer.ReadASN1(&list, cbasn1.SEQUENCE) || !outer.Empty() {
		return false
	}
	for !list.Empty() {
		var c cryptobyte.String
		if !list.ReadASN1Element(&c, cbasn1.SEQUENCE) || len(c) > maxResponderDER || len(a.responders) == maxResponders {
			return false
		}
		a.responders = append(a.responders, c)
	}
	return true
}

// readData reads ResponseData.
func (a *ocspAnswer) readData(data cryptobyte.String, id certID) bool {
	if !data.SkipOptionalASN1(explicit(0)) { // version
		return false
	}
	var responder, singles cryptobyte.String
	var tag cbasn1.Tag
	if !data.ReadAnyASN1(&responder, &tag) {
		return false
	}
	switch tag {
	case explicit(1):
		a.byName = responder
	case explicit(2):
		if !responder.ReadASN1Bytes(&a.byKey, cbasn1.OCTET_STRING) || !responder.Empty() {
			return false
		}
	default:
		return false
	}
	if !data.ReadASN1GeneralizedTime(&a.produced) || !data.ReadASN1(&singles, cbasn1.SEQUENCE) || !a.readSingles(singles, id) {
		return false
	}
	var outer cryptobyte.String
	var there bool
	if !data.ReadOptionalASN1(&outer, &there, explicit(1)) || !data.Empty() {
		return false
	}
	return !there || a.readNonce(outer)
}

// readNonce reads the response's extensions. A critical one that is not the
// nonce would have to be understood.
func (a *ocspAnswer) readNonce(s cryptobyte.String) bool {
	extensions, ok := readExtensions(s)
	if !ok {
		return false
	}
	for _, e := range extensions {
		switch {
		case e.oid.Equal(oidOCSPNonce):
			if !e.value.ReadASN1Bytes(&a.nonce, cbasn1.OCTET_STRING) || !e.value.Empty() || len(a.nonce) == 0 {
				return false
			}
		case e.critical:
			return false
		}
	}
	return true
}

// readSingles finds the one answer about id: none is no answer, two could
// contradict each other.
func (a *ocspAnswer) readSingles(s cryptobyte.String, id certID) bool {
	found, count := false, 0
	for !s.Empty() {
		var body cryptobyte.String
		if count++; count > maxSingles || !s.ReadASN1(&body, cbasn1.SEQUENCE) {
			return false
		}
		about, ok := readCertID(&body)
		if !ok {
			return false
		}
		one, ok := readSingle(body)
		if !ok {
			return false
		}
		if about == nil || *about != id {
			continue
		}
		if found {
			return false
		}
		found, a.single = true, one
	}
	return found
}

// readCertID reads a CertID; nil if it is none that we could have asked for.
func readCertID(s *cryptobyte.String) (*certID, bool) {
	var body, algorithm cryptobyte.String
	var hash asn1.ObjectIdentifier
	var nameHash, keyHash []byte
	serial := new(big.Int)
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) || !body.ReadASN1(&algorithm, cbasn1.SEQUENCE) ||
		!algorithm.ReadASN1ObjectIdentifier(&hash) ||
		!body.ReadASN1Bytes(&nameHash, cbasn1.OCTET_STRING) || !body.ReadASN1Bytes(&keyHash, cbasn1.OCTET_STRING) ||
		!body.ReadASN1Integer(serial) || !body.Empty() {
		return nil, false
	}
	if !hash.Equal(oidSHA1) || len(nameHash) != sha1.Size || len(keyHash) != sha1.Size || serial.Sign() < 0 || serial.BitLen() > 32 {
		return nil, true
	}
	return &certID{
		nameHash: [sha1.Size]byte(nameHash), keyHash: [sha1.Size]byte(keyHash),
		serial: uint32(serial.Uint64()), //nolint:gosec // at most 32 bits, just checked
	}, true
}

// readSingle reads the rest of a SingleResponse.
func readSingle(s cryptobyte.String) (singleAnswer, bool) {
	var one singleAnswer
	var status, next, outer cryptobyte.String
	var tag cbasn1.Tag
	var there bool
	if !s.ReadAnyASN1(&status, &tag) {
		return one, false
	}
	switch tag {
	case implicit(0):
		one.status = statusGood
	case explicit(1):
		var ok bool
		if one.why, ok = readRevokedInfo(status); !ok {
			return one, false
		}
		one.status = statusRevoked
	case implicit(2):
		one.status = statusUnknown
	default:
		return one, false
	}
	if tag != explicit(1) && len(status) != 0 { // NULL
		return one, false
	}
	if !s.ReadASN1GeneralizedTime(&one.thisUpdate) || !s.ReadOptionalASN1(&next, &there, explicit(0)) {
		return one, false
	}
	if there && (!next.ReadASN1GeneralizedTime(&one.nextUpdate) || !next.Empty()) {
		return one, false
	}
	if !s.ReadOptionalASN1(&outer, &there, explicit(1)) || !s.Empty() {
		return one, false
	}
	if there {
		extensions, ok := readExtensions(outer)
		if !ok {
			return one, false
		}
		for _, e := range extensions {
			if e.critical {
				return one, false
			}
		}
	}
	return one, true
}

// readRevokedInfo reads RevokedInfo without its tag. When it was revoked
// changes nothing.
func readRevokedInfo(s cryptobyte.String) (RevocationReason, bool) {
	var at time.Time
	var outer cryptobyte.String
	var there bool
	if !s.ReadASN1GeneralizedTime(&at) || !s.ReadOptionalASN1(&outer, &there, explicit(0)) || !s.Empty() {
		return 0, false
	}
	if !there {
		return Unspecified, true
	}
	var reason int
	if !outer.ReadASN1Enum(&reason) || !outer.Empty() {
		return 0, false
	}
	return parseRevocationReason(reason)
}

// names reports whether the responder calls itself the holder of this name and
// key hash.
func (a *ocspAnswer) names(subject []byte, keyHash [sha1.Size]byte) bool {
	if a.byKey != nil {
		return bytes.Equal(a.byKey, keyHash[:])
	}
	return bytes.Equal(a.byName, subject)
}
