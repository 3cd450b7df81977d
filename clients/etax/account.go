package etax

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/ratelimit"
)

// Account is an account to begin with.
type Account struct {
	Number   string
	Password rp.Secret
}

// Shown is the password, for the page of a sample that tells which account to try.
func (a Account) Shown() string { return a.Password.Reveal() }

// The limits on tries, for one number and for whoever tries: a person at the hub, or an address, behind which there may be
// an office. Successful ones count as well: the limiter is asked before the password is looked at.
func tries() (onNumber, byPerson, byAddress ratelimit.Rule) {
	const window = 15 * time.Minute
	return ratelimit.Rule{Name: "etax-number", Limit: 10, Window: window},
		ratelimit.Rule{Name: "etax-person", Limit: 10, Window: window},
		ratelimit.Rule{Name: "etax-address", Limit: 100, Window: window}
}

// seed makes the accounts that are not there yet.
func (s *Site) seed(ctx context.Context, accounts []Account) error {
	for _, a := range accounts {
		n, ok := ParseNumber(a.Number)
		if !ok || a.Password.IsZero() || len(a.Password.Reveal()) > maxPassword {
			return fmt.Errorf("etax: account …%s: want 16 digits and a password", n.Tail())
		}
		hash, err := findHash(ctx, s.db, n)
		if err != nil {
			return err
		}
		if hash != "" {
			continue
		}
		if err := insertAccount(ctx, s.db, n, s.passwords.hash(a.Password.Reveal()), s.now()); err != nil {
			return fmt.Errorf("etax: make account: %w", err)
		}
	}
	return nil
}

// network is what the tries from an address are counted by: of an IPv6 address the first 64 bits, because whoever has one has all
// that begin with them.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if ip = ip.Unmap(); ip.Is4() {
		return ip.String()
	}
	prefix, err := ip.Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}

// prove checks a number and its password. Tries are counted by the number, and by who tries under the rule by. It returns
// WrongPassword, TooMany or Busy as *Error.
func (s *Site) prove(ctx context.Context, by ratelimit.Rule, who string, n Number, password string) error {
	onNumber, _, _ := tries()
	for _, ask := range []struct {
		rule ratelimit.Rule
		who  string
	}{{by, who}, {onNumber, string(n)}} {
		ok, wait, err := s.limiter.Allow(ctx, ask.rule, ask.who)
		if err != nil {
			return fmt.Errorf("count tries: %w", err)
		}
		if !ok {
			return &Error{Reason: TooMany, Wait: wait}
		}
	}
	hash, err := findHash(ctx, s.db, n)
	if err != nil {
		return fmt.Errorf("read account: %w", err)
	}
	ok, err := s.passwords.check(ctx, hash, password)
	if err != nil {
		return err
	}
	if !ok {
		return &Error{Reason: WrongPassword}
	}
	return nil
}
