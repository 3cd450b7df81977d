package cardauth

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Handle is what is needed to ask about a certificate again without having it:
// its issuer, its serial number, where its revocation is published. It names
// the certificate to its authority, and so the citizen: it is kept sealed only,
// and prints as a fixed word.
type Handle struct {
	issuerKey [keyIDLen]byte // key identifier of the authority
	serial    uint32
	point     pointDigest
	ocspURL   string // as the certificate says; may be unusable
	notAfter  int64  // Unix seconds
	kind      Kind
}

// handleVersion is the first byte of the form that MarshalBinary writes:
//
//	version (1) | kind (1) | issuer key (20) | serial (4) | point (32) | notAfter (8) | OCSP address (rest)
const (
	handleVersion = 1
	handleFixed   = 2 + keyIDLen + 4 + len(pointDigest{}) + 8
)

// handle is what remains of a judged leaf.
func (l *leaf) handle() Handle {
	return Handle{
		issuerKey: [keyIDLen]byte([]byte(l.issuer.keyID)), serial: l.serial, point: digestPoint(l.point), ocspURL: l.ocspURL,
		notAfter: l.cert.NotAfter.Unix(), kind: l.kind,
	}
}

// IssuerKeyID is the authority's key identifier, hex, as in Binding.
func (h Handle) IssuerKeyID() string { return hex.EncodeToString(h.issuerKey[:]) }

// Kind says what carries the certificate.
func (h Handle) Kind() Kind { return h.kind }

// NotAfter is the certificate's last second.
func (h Handle) NotAfter() time.Time { return time.Unix(h.notAfter, 0).UTC() }

// MarshalBinary returns the form to seal and keep, at most 320 bytes. It fails
// for the zero Handle only.
func (h Handle) MarshalBinary() ([]byte, error) {
	if !h.valid() {
		return nil, errors.New("no certificate behind this handle")
	}
	b := make([]byte, 0, handleFixed+len(h.ocspURL))
	b = append(b, handleVersion, byte(h.kind)) //nolint:gosec // valid: one of the kinds
	b = append(b, h.issuerKey[:]...)
	b = binary.BigEndian.AppendUint32(b, h.serial)
	b = append(b, h.point[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.notAfter)) //nolint:gosec // valid: not negative
	return append(b, h.ocspURL...), nil
}

// UnmarshalHandle reads what MarshalBinary wrote, and nothing else.
func UnmarshalHandle(b []byte) (Handle, error) {
	if len(b) < handleFixed || len(b) > handleFixed+maxURL || b[0] != handleVersion {
		return Handle{}, errors.New("not a handle")
	}
	h := Handle{kind: Kind(b[1])}
	b = b[2:]
	copy(h.issuerKey[:], b)
	b = b[keyIDLen:]
	h.serial = binary.BigEndian.Uint32(b)
	copy(h.point[:], b[4:])
	b = b[4+len(h.point):]
	h.notAfter = int64(binary.BigEndian.Uint64(b)) //nolint:gosec // valid refuses what turned negative
	h.ocspURL = string(b[8:])
	if !h.valid() {
		return Handle{}, errors.New("not a handle")
	}
	return h, nil
}

func (h Handle) valid() bool {
	return h.kind.String() != unknownKind && h.serial != 0 && h.serial>>maxSerialBits == 0 && h.notAfter >= 0 && len(h.ocspURL) <= maxURL
}

const handleWord = "[certificate]"

// Format writes a fixed word, whatever the verb.
func (h Handle) Format(s fmt.State, _ rune) {
	_, _ = io.WriteString(s, handleWord) // a fmt.State takes what it is given
}

// LogValue returns a fixed word.
func (h Handle) LogValue() slog.Value { return slog.StringValue(handleWord) }
