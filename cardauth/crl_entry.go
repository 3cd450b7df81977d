package cardauth

import (
	"bytes"
	"encoding/asn1"
	"errors"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var oidReasonCode = asn1.ObjectIdentifier{2, 5, 29, 21}

var errNoRoom = errors.New("no room for a list of this length beside the others")

// reasonRemove is an entry of delta lists only (RFC 5280 §5.3.1).
const reasonRemove = 8

// readEntries reads revokedCertificates, one entry at a time.
func (c *crl) readEntries(s *stream, limits listLimits) error {
	end, err := s.enter(cbasn1.SEQUENCE)
	if err != nil {
		return err
	}
	for s.pos < end {
		raw, err := s.element(maxListElement)
		if err != nil {
			return err
		}
		if c.total%readStep == 0 && limits.room != nil && !limits.room() {
			return errNoRoom
		}
		if c.total++; c.total > limits.entries {
			return errTooLong
		}
		serial, why, ours, ok := readEntry(raw)
		if !ok {
			return errors.New("an entry that is not understood")
		}
		if ours {
			c.building.add(serial, why)
		}
	}
	if s.pos != end {
		return errDER
	}
	return nil
}

// onlyReason is the extensions of nearly every entry: a reason, whose number
// follows.
var onlyReason = []byte{0x30, 0x0C, 0x30, 0x0A, 0x06, 0x03, 0x55, 0x1D, 0x15, 0x04, 0x03, 0x0A, 0x01}

// readEntry reads one entry. ours is false for a serial number that no
// certificate of the profile can have.
func readEntry(raw []byte) (serial uint32, why RevocationReason, ours, ok bool) {
	input := cryptobyte.String(raw)
	var entry, number cryptobyte.String
	if !input.ReadASN1(&entry, cbasn1.SEQUENCE) || !input.Empty() || !entry.ReadASN1(&number, cbasn1.INTEGER) || !skipTime(&entry) {
		return 0, 0, false, false
	}
	serial, ours, ok = shortSerial(number)
	switch {
	case !ok || entry.Empty():
		return serial, Unspecified, ours, ok
	case len(entry) == len(onlyReason)+1 && bytes.HasPrefix(entry, onlyReason):
		why, ok = parseRevocationReason(int(entry[len(onlyReason)]))
	default:
		why, ok = readEntryExtensions(entry)
	}
	return serial, why, ours, ok
}

// skipTime reads the Time of a revocation. When it was changes nothing, and of
// five million times package time would take seconds.
func skipTime(s *cryptobyte.String) bool {
	if len(*s) >= 15 && (*s)[0] == byte(cbasn1.UTCTime) && (*s)[1] == 13 && digits((*s)[2:14]) && (*s)[14] == 'Z' {
		return s.Skip(15)
	}
	var at time.Time
	return readTime(s, &at)
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
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
	if !ok {
		return 0, false
	}
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
	return why, true
}
