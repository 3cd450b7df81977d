package ephemeral

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

const (
	// MaxKey is the length of the longest key in bytes.
	MaxKey = 512
	// MaxValue is the length of the longest value in bytes.
	MaxValue = 256 << 10
)

// KeepLife is the ttl of a Swap that changes only the value.
const KeepLife time.Duration = 0

// The three answers that are not failures of the store.
var (
	ErrNotFound = errors.New("ephemeral: not found")
	ErrExists   = errors.New("ephemeral: exists already")
	ErrConflict = errors.New("ephemeral: changed or gone")
)

// Version is a state of a record. It is compared, never computed with.
type Version int64

// Record is a value together with the version to name in a Swap.
type Record struct {
	Value   []byte
	Version Version
}

// Store keeps records until their time is over. All methods may be called at once by any number of goroutines and processes. A
// record past its time is absent for every method.
type Store interface {
	// Get returns the record, or ErrNotFound.
	Get(ctx context.Context, key string) (Record, error)
	// Create makes a record that lives for ttl, or returns ErrExists. ttl is positive and counts in milliseconds.
	Create(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// Swap replaces the value if the record still has the version old, else it returns ErrConflict: it has another version or
	// is gone. The new life is ttl from now; KeepLife keeps the remaining one.
	Swap(ctx context.Context, key string, old Version, value []byte, ttl time.Duration) error
	// Take removes the record and returns its value, to one caller only; the others get ErrNotFound.
	Take(ctx context.Context, key string) ([]byte, error)
	// Delete removes the record or counter. That it is absent is no error.
	Delete(ctx context.Context, key string) error
	// Increment adds by to a counter, which starts at 0, and returns the sum. The counter lives for ttl from its first increment.
	Increment(ctx context.Context, key string, by int64, ttl time.Duration) (int64, error)
}

var (
	_ Store = (*SQL)(nil)
	_ Store = (*Redis)(nil)
)

// newVersion makes a version that was never used: 63 random bits, never 0.
func newVersion() Version {
	for {
		var b [8]byte
		_, _ = rand.Read(b[:]) // cannot fail
		if v := Version(binary.BigEndian.Uint64(b[:]) >> 1); v != 0 {
			return v
		}
	}
}

// storable reports whether a record under this key can exist.
func storable(key string) bool {
	if key == "" || len(key) > MaxKey {
		return false
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return false
		}
	}
	return true
}

// checkWrite judges the arguments of a write that sets a life. The key is not repeated in the error.
func checkWrite(key string, value []byte, ttl time.Duration) error {
	switch {
	case !storable(key):
		return errors.New("ephemeral: malformed key")
	case len(value) > MaxValue:
		return fmt.Errorf("ephemeral: value of %d bytes exceeds %d", len(value), MaxValue)
	case ttl < time.Millisecond: // Redis counts in them
		return fmt.Errorf("ephemeral: life of %v is too short", ttl)
	}
	return nil
}

// checkSwap is checkWrite for a write that may keep the life as it is.
func checkSwap(key string, value []byte, ttl time.Duration) error {
	if ttl == KeepLife {
		ttl = time.Millisecond
	}
	return checkWrite(key, value, ttl)
}
