package idp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"
	"time"
)

// frameLife is how long one picture of a QR code can be used after it was drawn: time to raise a phone and open what it read, and hardly
// time to send the picture to somebody. A page shows a new one every few seconds.
const frameLife = 15 * time.Second

// maxFrame bounds what can follow /phone/ in an address: two names of 22 characters, a count of at most four digits, two dots.
const maxFrame = 22 + 1 + 4 + 1 + 22

// frame is what one picture of a QR code says: which pairing, how many seconds after its start the picture was drawn, and a MAC under a key
// that only the hub's record of the pairing has. So a picture cannot be made, and an old one cannot be made young.
type frame struct {
	pairing string
	second  int64
	mac     [16]byte
}

// newFrame draws a frame of a pairing.
func newFrame(pairing string, key []byte, second int64) frame {
	f := frame{pairing: pairing, second: second}
	f.mac = f.authenticate(key)
	return f
}

// authenticate is HMAC-SHA-256 (RFC 2104), cut to 128 bits as its §5 allows.
func (f frame) authenticate(key []byte) (mac [16]byte) {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write(binary.BigEndian.AppendUint64([]byte("phone frame\x00"+f.pairing), uint64(f.second))) //nolint:gosec // never negative; a hash takes everything
	copy(mac[:], h.Sum(nil))
	return mac
}

// genuine says whether the frame was drawn with the key.
func (f frame) genuine(key []byte) bool {
	mac := f.authenticate(key)
	return len(key) > 0 && hmac.Equal(mac[:], f.mac[:])
}

// fresh says whether the frame of a pairing that began at a time can still be used.
func (f frame) fresh(began, now time.Time) bool {
	age := now.Sub(began.Add(time.Duration(f.second) * time.Second))
	return age >= 0 && age <= frameLife
}

// String is the frame as it stands in an address.
func (f frame) String() string {
	return f.pairing + "." + strconv.FormatInt(f.second, 10) + "." + base64.RawURLEncoding.EncodeToString(f.mac[:])
}

// parseFrame reads a frame in its one spelling. Whether it is genuine and fresh is another question.
func parseFrame(s string) (frame, bool) {
	if len(s) > maxFrame {
		return frame{}, false
	}
	parts := strings.Split(s, ".")
	if len(parts) != 3 || !wellFormedID(parts[0]) || len(parts[1]) > 4 || len(parts[2]) != 22 {
		return frame{}, false
	}
	second, err := strconv.ParseUint(parts[1], 10, 16)
	if err != nil {
		return frame{}, false
	}
	mac, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(mac) != 16 {
		return frame{}, false
	}
	f := frame{pairing: parts[0], second: int64(second), mac: [16]byte(mac)}
	return f, f.String() == s
}
