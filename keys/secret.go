package keys

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
)

// redacted is all that any formatting of a Secret yields.
const redacted = "[secret]"

// Secret holds bytes that must not be printed or compared with ==.
//
// The bytes live in a closure. A slice in a field would be printed by package
// fmt, by reflection, whenever the Secret sits in an unexported field of another
// struct: fmt cannot call methods on such a field. A function prints as an
// address, and a struct that holds one does not compile with ==.
//
// The zero Secret is empty and equals nothing.
type Secret struct{ reveal func() []byte }

// NewSecret returns a Secret with a copy of b.
func NewSecret(b []byte) Secret {
	c := bytes.Clone(b)
	return Secret{reveal: func() []byte { return c }}
}

// RandomSecret returns 256 random bits written as 43 letters of base64url. The
// alphabet survives the form-encoding of HTTP Basic (RFC 6749 §2.3.1) unchanged.
func RandomSecret() Secret {
	var b [32]byte
	_, _ = rand.Read(b[:]) // cannot fail since Go 1.24
	return NewSecret([]byte(base64.RawURLEncoding.EncodeToString(b[:])))
}

// Reveal returns a copy of the bytes. It is the only way out.
func (s Secret) Reveal() []byte {
	if s.reveal == nil {
		return nil
	}
	return bytes.Clone(s.reveal())
}

// Empty reports whether the secret holds no bytes.
func (s Secret) Empty() bool { return s.reveal == nil || len(s.reveal()) == 0 }

// Equal compares in time that depends only on the lengths. An empty Secret
// equals nothing, not even another empty one.
func (s Secret) Equal(o Secret) bool {
	if s.Empty() || o.Empty() {
		return false
	}
	return subtle.ConstantTimeCompare(s.reveal(), o.reveal()) == 1
}

// String returns a fixed word.
func (s Secret) String() string { return redacted }

// GoString returns a fixed word.
func (s Secret) GoString() string { return redacted }

// Format writes a fixed word for every verb and flag.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns a fixed word.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a fixed word, so JSON and XML carry no bytes either.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
