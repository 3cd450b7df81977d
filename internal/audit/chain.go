package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// chainTag separates our hashes from anybody else's and names the encoding.
const chainTag = "tsunagu audit row v1"

// Why says in which way the log is broken.
type Why string

// What Verify can find.
const (
	Altered   Why = "altered"   // the row does not have the content it was written with
	Missing   Why = "missing"   // there is no row with this number, but later ones or a head that counts it
	Reordered Why = "reordered" // the row does not follow the one before it, or was written with another number
	Truncated Why = "truncated" // the log ends before this row, which the head counts
	Headless  Why = "headless"  // head or base do not fit the rows: gone, altered or behind
	// Unattested: a checkpoint of this row says otherwise, or is not what was signed, or is gone. What was changed is after the checkpoint
	// before it.
	Unattested Why = "checkpoint"
)

// BrokenError is the first place at which the log is not what was written.
type BrokenError struct {
	Seq int64
	Why Why
}

// Error implements error.
func (e *BrokenError) Error() string { return fmt.Sprintf("audit: row %d is %s", e.Seq, e.Why) }

// hash is SHA-256 over the tag, the previous hash, number and time, and all texts, each with its length before it, so that no
// two different rows give the same input.
func (s stored) hash() [32]byte {
	b := make([]byte, 0, 512)
	b = append(b, chainTag...)
	b = append(b, s.prev[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(s.seq)) //nolint:gosec // the bits, whatever the sign
	b = binary.BigEndian.AppendUint64(b, uint64(s.at))  //nolint:gosec // the bits, whatever the sign
	for _, t := range s.texts {
		b = binary.BigEndian.AppendUint64(b, uint64(len(t)))
		b = append(b, t...)
	}
	return sha256.Sum256(b)
}
