package etax

import (
	"context"
	"fmt"

	"github.com/tsunagu-id/tsunagu/clients/rp"
)

// arrive brings the binding of somebody who has just signed in up to date with the hub, and returns it, or nil if there is
// none (any more).
func (s *Site) arrive(ctx context.Context, session *rp.Session) (*binding, error) {
	b, err := findBinding(ctx, s.db, session.Subject())
	if b == nil || err != nil || session.Actor() != "" { // a representative's visit is not the taxpayer's, and the link is no business of hers
		return b, err
	}
	if err := setSeen(ctx, s.db, b.sub, s.now()); err != nil {
		return nil, fmt.Errorf("note login: %w", err)
	}
	if _, err := s.ties.Due(ctx, b.sub); err != nil {
		return nil, err
	}
	return s.agree(ctx, session, b)
}

// recheck is agree for somebody who has been here for a while, once a minute at most: a tie that was cut in the portal, or a
// sign-in that ended at the hub, does not live on here for hours.
func (s *Site) recheck(ctx context.Context, session *rp.Session, b *binding) (*binding, error) {
	if due, err := s.ties.Due(ctx, b.sub); err != nil || !due {
		return b, err
	}
	return s.agree(ctx, session, b)
}

// agree compares a binding with the hub's link and returns it, or nil if it was ended there.
func (s *Site) agree(ctx context.Context, session *rp.Session, b *binding) (*binding, error) {
	stands, err := s.ties.Agree(ctx, session, *b.asTie())
	if err != nil || !stands {
		return nil, err
	}
	return b, nil
}
