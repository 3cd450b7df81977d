package etax

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
)

// The parameters of Argon2id (RFC 9106): 19 MiB, two passes, one lane, which OWASP gives as its first recommendation; about
// 30 ms on one core here. They stand in every hash, so that they can be raised for new ones.
const (
	argonMemory = 19 << 10 // KiB
	argonTime   = 2
	argonLanes  = 1
	argonKey    = 32
	argonSalt   = 16
)

const (
	// hashers bounds the passwords checked at once: 19 MiB each.
	hashers = 2
	// hashWait is how long a check waits for its turn.
	hashWait = 5 * time.Second
	// maxPassword bounds what is hashed, in bytes.
	maxPassword = 128
)

// passwords hashes and checks, a few at a time.
type passwords struct {
	turn chan struct{}
	none string // hash of a password that nobody has
}

func newPasswords() *passwords {
	p := &passwords{turn: make(chan struct{}, hashers)}
	p.none = p.hash(rand.Text())
	return p
}

// hash writes the usual text form, $argon2id$v=19$m=…,t=…,p=…$salt$key.
func (*passwords) hash(password string) string {
	salt := make([]byte, argonSalt)
	_, _ = rand.Read(salt) // cannot fail
	key := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonLanes, argonKey)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, argonMemory, argonTime, argonLanes, b64.EncodeToString(salt), b64.EncodeToString(key))
}

// check reports whether the password is the one hashed. Without a hash it takes the same time and says no, so that nobody
// learns from it which numbers exist. It returns Busy if its turn does not come.
func (p *passwords) check(ctx context.Context, hash, password string) (bool, error) {
	if len(password) > maxPassword {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, hashWait)
	defer cancel()
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return false, &Error{Reason: Busy, Err: ctx.Err()}
	}
	known := hash != ""
	if !known {
		hash = p.none
	}
	ok, err := matches(hash, password)
	return ok && known, err
}

func matches(hash, password string) (bool, error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return false, fmt.Errorf("password hash has an unknown form")
	}
	var version int
	var memory, passes uint32
	var lanes uint8
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return false, fmt.Errorf("password hash has an unknown version")
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &lanes); err != nil {
		return false, fmt.Errorf("password hash parameters: %w", err)
	}
	if memory > 1<<20 || passes == 0 || passes > 16 || lanes == 0 {
		return false, fmt.Errorf("password hash parameters are out of range")
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false, fmt.Errorf("password hash salt: %w", err)
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(want) != argonKey {
		return false, fmt.Errorf("password hash key has an unknown form")
	}
	key := argon2.IDKey([]byte(password), salt, passes, memory, lanes, argonKey)
	return subtle.ConstantTimeCompare(key, want) == 1, nil
}
