package jpki

import (
	"fmt"
	"log/slog"
)

// pinDigits is the length of the user-authentication PIN.
const pinDigits = 4

// redacted is what every way of printing a PIN yields.
const redacted = "[PIN]"

// PIN is the four-digit PIN of the user-authentication certificate on its way
// from the keyboard to the card. It cannot be compared, printed, logged or
// marshalled; its bytes sit in a closure because package fmt would print an
// unexported field of a struct by reflection.
type PIN struct{ digits func() []byte }

// ParsePIN accepts exactly four digits, ASCII or full-width (U+FF10 to U+FF19,
// what a Japanese keyboard yields), and refuses everything else with
// PINMalformed, so that a slip of the keyboard does not cost a try.
func ParsePIN(s string) (PIN, error) {
	digits := make([]byte, 0, pinDigits)
	for _, r := range s {
		switch {
		case len(digits) == pinDigits:
			return PIN{}, &Error{Reason: PINMalformed}
		case r >= '0' && r <= '9':
			digits = append(digits, byte(r))
		case r >= '０' && r <= '９':
			digits = append(digits, byte('0'+r-'０'))
		default:
			return PIN{}, &Error{Reason: PINMalformed}
		}
	}
	if len(digits) != pinDigits {
		return PIN{}, &Error{Reason: PINMalformed}
	}
	return PIN{digits: func() []byte { return digits }}, nil
}

// Wipe overwrites the digits. The PIN and all its copies are of no use
// afterwards. (The string given to ParsePIN is the caller's and stays.)
func (p PIN) Wipe() {
	if p.digits != nil {
		clear(p.digits())
	}
}

// bytes returns the digits, or nil for a PIN that was never parsed or is wiped.
func (p PIN) bytes() []byte {
	if p.digits == nil {
		return nil
	}
	d := p.digits()
	if d[0] == 0 {
		return nil
	}
	return d
}

// String returns a fixed word.
func (PIN) String() string { return redacted }

// GoString returns a fixed word.
func (PIN) GoString() string { return redacted }

// Format prints a fixed word for every verb.
func (PIN) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue returns a fixed word.
func (PIN) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a fixed word.
func (PIN) MarshalText() ([]byte, error) { return []byte(redacted), nil }
