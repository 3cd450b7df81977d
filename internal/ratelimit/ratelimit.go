package ratelimit

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

// Limiter answers whether something may be done once more.
type Limiter struct {
	store ephemeral.Store
	now   func() time.Time
}

// New returns a limiter that counts in store. Processes that count together must agree on the time to within a small part of
// their shortest window.
func New(store ephemeral.Store, now func() time.Time) *Limiter {
	return &Limiter{store: store, now: now}
}

// Rule allows Limit times in every Window, per who. Name keeps the counters of different rules apart.
type Rule struct {
	Name   string        // lower case letters, digits, "_" and "-"
	Limit  int64         // at least 1
	Window time.Duration // at least a second
}

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)

func (r Rule) check() error {
	switch {
	case !namePattern.MatchString(r.Name):
		return fmt.Errorf("rate limit: malformed name %q", r.Name)
	case r.Limit < 1:
		return fmt.Errorf("rate limit: %s: limit is below 1", r.Name)
	case r.Window < time.Second:
		return fmt.Errorf("rate limit: %s: window is below a second", r.Name)
	}
	return nil
}

// Allow counts one more for who and reports whether that is still within the rule. If not, retryAfter is the time until the next
// window, rounded up to whole seconds as Retry-After is written (RFC 9110 §10.2.3). A refused try counts too, which changes
// nothing before the window ends.
//
// On an error nothing is known: the caller decides whether to be open or closed, by what the limit protects.
func (l *Limiter) Allow(ctx context.Context, r Rule, who string) (ok bool, retryAfter time.Duration, err error) {
	if err := r.check(); err != nil {
		return false, 0, err
	}
	if who == "" {
		return false, 0, errors.New("rate limit: nobody to count")
	}
	now := l.now().UnixNano()
	window := now / int64(r.Window)
	left := time.Duration((window+1)*int64(r.Window) - now)
	// The counter may live longer than its window, by the difference of the clocks of two processes, since the window is part
	// of its key.
	n, err := l.store.Increment(ctx, r.key(who, window), 1, r.Window)
	if err != nil {
		return false, 0, fmt.Errorf("rate limit: %s: %w", r.Name, err)
	}
	if n <= r.Limit {
		return true, 0, nil
	}
	return false, (left + time.Second - 1).Truncate(time.Second), nil
}

// Refund takes back one that Allow counted a moment ago, where only what fails is to count: counting first and taking back keeps a
// crowd within the rule, which looking first and counting afterwards would not. Between two windows the new one gains it.
func (l *Limiter) Refund(ctx context.Context, r Rule, who string) error {
	if err := r.check(); err != nil {
		return err
	}
	if who == "" {
		return errors.New("rate limit: nobody to count")
	}
	if _, err := l.store.Increment(ctx, r.key(who, l.now().UnixNano()/int64(r.Window)), -1, r.Window); err != nil {
		return fmt.Errorf("rate limit: %s: %w", r.Name, err)
	}
	return nil
}

// key names the counter of one who in one window. 128 bits of the digest: whoever looked for two that collide would only share
// a limit with himself.
func (r Rule) key(who string, window int64) string {
	digest := sha256.Sum256([]byte(r.Name + "\x00" + who))
	return "rate:1:" + r.Name + ":" + base64.RawURLEncoding.EncodeToString(digest[:16]) + ":" + strconv.FormatInt(window, 36)
}
