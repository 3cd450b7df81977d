package etax

import (
	"context"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
)

// binding ties a person at the hub to an account.
type binding struct {
	sub      string
	number   Number
	tie      string    // its name, see rp.Tie
	bound    time.Time // whole seconds
	reported bool      // the hub has heard of it
	before   time.Time // the login before this one; zero if there was none
}

// asTie is what the hub is told of a binding; nil for nil.
func (b *binding) asTie() *rp.Tie {
	if b == nil {
		return nil
	}
	return &rp.Tie{Sub: b.sub, Name: b.tie, Made: b.bound, Reported: b.reported}
}

// bind ties a person to an account whose password was checked. Of many at once, one wins; the others are told NumberTaken or
// AlreadyBound. Binding the same two again changes nothing.
func (s *Site) bind(ctx context.Context, sub string, n Number) (*binding, error) {
	err := s.db.Tx(ctx, func(ctx context.Context) error {
		won, err := insertBinding(ctx, s.db, sub, n, rp.NewTieName(), s.now())
		if err != nil || !won {
			return err
		}
		// The person is back before the hub heard of an end: the new tie takes the place of the old one there too.
		return s.ties.Back(ctx, sub)
	})
	if err != nil {
		return nil, fmt.Errorf("bind: %w", err)
	}
	// Who won is told by what stands now.
	b, err := findBinding(ctx, s.db, sub)
	switch {
	case err != nil:
		return nil, err
	case b == nil:
		return nil, &Error{Reason: NumberTaken}
	case b.number != n:
		return nil, &Error{Reason: AlreadyBound}
	}
	return b, nil
}
