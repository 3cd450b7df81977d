package jlis

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"
)

// Authority answers a verifier's questions about certificates. Every error is
// an *Error. Implementations are safe for concurrent use.
type Authority interface {
	// Status says whether a certificate still counts.
	Status(ctx context.Context, c Certificate) (Status, error)
	// Predecessors lists the older user-authentication certificates of the
	// person to whom auth was issued, on cards and phones, the newest first: one
	// at least, MaxPredecessors at most. None means that there is no older one.
	Predecessors(ctx context.Context, auth Certificate) ([]Certificate, error)
	// SigningOf returns the signature certificate that is on the same card as a
	// user-authentication certificate.
	SigningOf(ctx context.Context, auth Certificate) (Certificate, error)
	// AuthOf is the reverse of SigningOf.
	AuthOf(ctx context.Context, signing Certificate) (Certificate, error)
	// Attributes returns the four attributes of the person to whom a signature
	// certificate was issued, as they are registered today.
	Attributes(ctx context.Context, signing Certificate) (Attributes, error)
}

// MaxPredecessors is how many older certificates one person can have in an
// answer. Cards last ten years and certificates five.
const MaxPredecessors = 16

// Certificate names one certificate.
type Certificate struct {
	Authority string // key identifier of the issuing authority: 20 bytes, hex in lower case
	Serial    uint32 // unique per authority
}

// keyIDSize is the length of an authority's key identifier (RFC 5280 §4.2.1.2, method 1).
const keyIDSize = 20

// ParseCertificate reads the two parts as they are on the wire: the key
// identifier as 40 and the serial number as 8 hexadecimal digits, in lower case.
func ParseCertificate(authority, serial string) (Certificate, error) {
	id, err := hex.DecodeString(authority)
	if err != nil || len(id) != keyIDSize || hex.EncodeToString(id) != authority {
		return Certificate{}, fmt.Errorf("authority is not a key identifier")
	}
	n, err := strconv.ParseUint(serial, 16, 32)
	c := Certificate{Authority: authority, Serial: uint32(n)}
	if err != nil || n == 0 || c.serial() != serial {
		return Certificate{}, fmt.Errorf("serial number malformed")
	}
	return c, nil
}

// KeyID returns the authority's key identifier as bytes; nil if it is none.
func (c Certificate) KeyID() []byte {
	id, err := hex.DecodeString(c.Authority)
	if err != nil {
		return nil
	}
	return id
}

func (c Certificate) serial() string { return fmt.Sprintf("%08x", c.Serial) }

// Status is whether a certificate counts.
type Status struct {
	Standing Standing
	Reason   int       // of a revocation: CRLReason, RFC 5280 §5.3.1
	AsOf     time.Time // when the authority knew this
}

// Standing is what a Status says.
type Standing int

// The closed set of standings.
const (
	_ Standing = iota
	Good
	Revoked
	Unknown // no certificate of the authority
)

// Attributes are the four attributes (基本4情報) as the authority writes them.
type Attributes struct {
	Name      string
	Address   string
	Birthdate string // era digit and Gregorian date, e.g. 319800217
	Sex       string // 1, 2 or 3
}

// The longest values that are taken, in bytes.
const (
	maxName    = 600
	maxAddress = 1200
)

func (a Attributes) check() error {
	digits := func(s string, n int) bool {
		for _, r := range s {
			if r < '0' || r > '9' {
				return false
			}
		}
		return len(s) == n
	}
	if a.Name == "" || len(a.Name) > maxName || a.Address == "" || len(a.Address) > maxAddress || !digits(a.Birthdate, 9) || !digits(a.Sex, 1) {
		return fmt.Errorf("attributes malformed")
	}
	return nil
}
