package rp

import (
	"crypto/rand"
	"fmt"
	"log/slog"
)

// Secret is a token or client secret that does not print. The text sits in a closure, because package fmt reads unexported
// fields of enclosing structs by reflection.
type Secret struct{ reveal func() string }

// NewSecret hides s. The empty string makes the zero Secret.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{reveal: func() string { return s }}
}

// Reveal is the only way out.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// IsZero reports whether there is nothing to reveal.
func (s Secret) IsZero() bool { return s.reveal == nil }

const redacted = "[secret]"

// String hides the secret.
func (Secret) String() string { return redacted }

// GoString hides the secret.
func (Secret) GoString() string { return redacted }

// Format hides the secret from every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue hides the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the secret.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// newID returns 256 random bits as 52 letters and digits.
func newID() string { return rand.Text() + rand.Text() }
