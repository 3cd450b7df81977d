package postbox

import (
	"context"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/clients/rp/keeper"
)

// box is a person's.
type box struct {
	sub      string
	tie      string    // the name of the tie, see rp.Tie; another each time the box is opened
	opened   time.Time // whole seconds
	reported bool      // the hub has heard of it
	paused   bool      // the tie was cut at the hub
}

// asTie is what the hub is told of a box; nil where there is none, or none that is tied.
func (b *box) asTie() *rp.Tie {
	if b == nil || b.paused {
		return nil
	}
	return &rp.Tie{Sub: b.sub, Name: b.tie, Made: b.opened, Reported: b.reported}
}

const letterWelcome = "letter.welcome"

// open opens the person's box, tells the hub, and puts the first letter into a new one. Of many at once one opens it; all see it open.
func (s *Site) open(ctx context.Context, session *rp.Session) error {
	sub := session.Subject()
	err := s.db.Tx(ctx, func(ctx context.Context) error {
		fresh, tied, err := openBox(ctx, s.db, sub, rp.NewTieName(), s.now())
		if err != nil || !tied {
			return err
		}
		if err := s.ties.Back(ctx, sub); err != nil || !fresh {
			return err
		}
		return s.store(ctx, newLetter(sub, letterWelcome, s.now()))
	})
	if err != nil {
		return fmt.Errorf("open box: %w", err)
	}
	t, err := s.Tie(ctx, sub)
	if err != nil || t == nil {
		return err
	}
	s.ties.Report(ctx, session, *t)
	return nil
}

// standing returns the box of a person, or nil if there is none or the tie was cut at the hub. The hub is asked once a minute at most, but every
// time until it has heard of the box. The error is rp.SignedOut if the hub has withdrawn the session's tokens.
func (s *Site) standing(ctx context.Context, session *rp.Session) (*box, error) {
	b, err := findBox(ctx, s.db, session.Subject())
	if err != nil || b == nil || b.paused {
		return nil, err
	}
	if b.reported {
		if due, err := s.ties.Due(ctx, b.sub); err != nil || !due {
			return b, err
		}
	}
	stands, err := s.ties.Agree(ctx, session, *b.asTie())
	if err != nil || !stands {
		return nil, err
	}
	return b, nil
}

// close deletes the person's box with what is in it. That the hub is to hear of it is noted in the same transaction; then it is told at
// once, and if it does not answer Run goes on.
func (s *Site) close(ctx context.Context, sub string) error {
	ctx = context.WithoutCancel(ctx)
	var t *rp.Tie
	err := s.db.Tx(ctx, func(ctx context.Context) error {
		b, err := deleteBox(ctx, s.db, sub)
		if t = b.asTie(); err != nil || t == nil {
			return err
		}
		return s.ties.Left(ctx, *t)
	})
	if err != nil {
		return fmt.Errorf("close box: %w", err)
	}
	if t == nil {
		return nil
	}
	return s.ties.Tell(ctx, *t)
}

// The register of ties, as the keeper asks for it.
var _ keeper.Register = (*Site)(nil)

// Tie returns a person's tie, nil if there is none.
func (s *Site) Tie(ctx context.Context, sub string) (*rp.Tie, error) {
	b, err := findBox(ctx, s.db, sub)
	return b.asTie(), err
}

// Page returns up to limit ties of persons after sub, in their order.
func (s *Site) Page(ctx context.Context, after string, limit int) ([]rp.Tie, error) {
	return listTies(ctx, s.db, after, limit)
}

// Reported notes that the hub has heard of a tie.
func (s *Site) Reported(ctx context.Context, t rp.Tie) error {
	if err := setReported(ctx, s.db, t, s.now()); err != nil {
		return fmt.Errorf("note report: %w", err)
	}
	return nil
}

// Drop puts the box of a tie that the hub says is over on hold. Nothing in it is lost.
func (s *Site) Drop(ctx context.Context, t rp.Tie) error { return pauseBox(ctx, s.db, t, s.now()) }

// Reconcile is [keeper.Keeper.Reconcile].
func (s *Site) Reconcile(ctx context.Context, now bool) error { return s.ties.Reconcile(ctx, now) }
