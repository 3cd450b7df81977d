package jpki

import (
	"bytes"
	"fmt"
	"log/slog"
)

// Length of the signing password, in letters.
const (
	minPassword = 6
	maxPassword = 16
)

// Password is the signing password on its way from the keyboard to the card. Like a PIN it cannot be compared, printed, logged or
// marshalled.
type Password struct{ letters func() []byte }

// ParsePassword accepts 6 to 16 letters and digits, ASCII or full-width (U+FF10 to U+FF5A), and makes them capital, which
// is how cards keep them. Everything else is refused with PasswordMalformed, so that a slip of the keyboard does not cost a try.
func ParsePassword(s string) (Password, error) {
	letters := make([]byte, 0, maxPassword)
	for _, r := range s {
		if r >= '！' && r <= '～' {
			r -= '！' - '!'
		}
		if r >= 'a' && r <= 'z' {
			r -= 'a' - 'A'
		}
		if len(letters) == maxPassword || (r < '0' || r > '9') && (r < 'A' || r > 'Z') {
			clear(letters)
			return Password{}, &Error{Reason: PasswordMalformed}
		}
		letters = append(letters, byte(r)) //nolint:gosec // a letter or a digit
	}
	if len(letters) < minPassword {
		clear(letters)
		return Password{}, &Error{Reason: PasswordMalformed}
	}
	return Password{letters: func() []byte { return letters }}, nil
}

// mixed says whether there is a letter and a digit: municipal counters accept no other password, so none is set here.
func (p Password) mixed() bool {
	b := p.bytes()
	return bytes.ContainsAny(b, "0123456789") && bytes.ContainsAny(b, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
}

// Wipe overwrites the letters. The password and all its copies are of no use afterwards.
func (p Password) Wipe() {
	if p.letters != nil {
		clear(p.letters())
	}
}

// bytes returns the letters, or nil for a password that was never parsed or is wiped.
func (p Password) bytes() []byte {
	if p.letters == nil || p.letters()[0] == 0 {
		return nil
	}
	return p.letters()
}

// passwordRedacted is what every way of printing a password yields.
const passwordRedacted = "[password]"

// String returns a fixed word.
func (Password) String() string { return passwordRedacted }

// GoString returns a fixed word.
func (Password) GoString() string { return passwordRedacted }

// Format prints a fixed word for every verb.
func (Password) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(passwordRedacted)) }

// LogValue returns a fixed word.
func (Password) LogValue() slog.Value { return slog.StringValue(passwordRedacted) }

// MarshalText returns a fixed word.
func (Password) MarshalText() ([]byte, error) { return []byte(passwordRedacted), nil }
