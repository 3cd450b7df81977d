package federation

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

const (
	statusBits = 1       // of each status: 0 VALID, 1 INVALID (draft-ietf-oauth-status-list-21 §7.1)
	statusSize = 1 << 15 // positions of a list: 4 KiB of bits, under 6 KiB in a token
	decoyShare = 4       // one position in so many stands for nobody
)

// statusArray is the byte array of a list (§4.1): the status of position i is bit i%8, the lowest first, of byte i/8.
type statusArray []byte

func (a statusArray) end(i int) { a[i/8] |= 1 << (i % 8) }

func (a statusArray) ended(i int) bool { return a[i/8]&(1<<(i%8)) != 0 }

// lst is the array as a token carries it: DEFLATE in the zlib format, base64url (§4.1, §4.2).
func (a statusArray) lst() (string, error) {
	var b bytes.Buffer
	w, err := zlib.NewWriterLevel(&b, zlib.BestCompression)
	if err != nil {
		return "", err
	}
	if _, err := w.Write(a); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(b.Bytes()), nil
}

// decoys are the positions of a list that stand for nobody, each shown as ended from a moment of its own in the list's life. They follow
// from the list's seed, so that every process of the hub and every restart shows the same. Who watches a list sees bits turn at all hours,
// and cannot count from them how many people signed out.
type decoys struct {
	seed   [32]byte
	opened time.Time
}

func (l statusList) decoys() decoys { return decoys{l.seed, l.opened} }

// at returns from when a position is shown as ended, and false for one that may be given to a session.
func (d decoys) at(i int) (time.Time, bool) {
	var in [40]byte
	copy(in[:], d.seed[:])
	binary.BigEndian.PutUint64(in[32:], uint64(i)) //nolint:gosec // not negative
	b := sha256.Sum256(in[:])
	if b[0]%decoyShare != 0 {
		return time.Time{}, false
	}
	const life = uint64(listOpen + listKept)
	into := time.Duration(binary.BigEndian.Uint64(b[8:16]) % life)
	return d.opened.Add(into - listOpen), true // a third has turned when the list is opened
}
