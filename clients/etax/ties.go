package etax

import (
	"context"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
)

// The register of ties, as clients/rp asks for it.
var _ rp.Ties = (*Site)(nil)

const (
	// DefaultFollow is how often the hub is asked what has changed. When it ends somebody's sessions it is asked at once.
	DefaultFollow = time.Minute
	censusEvery   = 24 * time.Hour
	censusRetry   = time.Hour
	// keepEnded is longer than anybody keeps backups of this service or of the hub.
	keepEnded = 400 * 24 * time.Hour
)

// Tie returns a person's tie, nil if there is none.
func (s *Site) Tie(ctx context.Context, sub string) (*rp.Tie, error) {
	b, err := findBinding(ctx, s.db, sub)
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

// Over drops the binding of a tie that the hub says is over.
func (s *Site) Over(ctx context.Context, t rp.Tie) error {
	now := s.now()
	err := s.db.Tx(ctx, func(ctx context.Context) error {
		if _, err := deleteBinding(ctx, s.db, t); err != nil {
			return err
		}
		return insertEnding(ctx, s.db, ending{sub: t.Sub, tie: t.Name, next: now}, now, now)
	})
	if err != nil {
		return fmt.Errorf("forget binding: %w", err)
	}
	return nil
}

// Ended reports whether a tie ended here, or was dropped.
func (s *Site) Ended(ctx context.Context, sub, tie string) (bool, error) {
	return tieEnded(ctx, s.db, sub, tie)
}

// Cursor is how far the hub's changes were read.
func (s *Site) Cursor(ctx context.Context) (string, error) { return findCursor(ctx, s.db) }

// SetCursor keeps it.
func (s *Site) SetCursor(ctx context.Context, cursor string) error {
	return setCursor(ctx, s.db, cursor)
}

// Reconcile does what is due to keep the ties and the hub's links in agreement: it reads what changed there, and once a day names all ties. Of any
// number of processes one does it. With now it reads whether that is due or not.
func (s *Site) Reconcile(ctx context.Context, now bool) error {
	due, err := takeTurn(ctx, s.db, turnFollow, s.now(), s.now().Add(s.follow))
	if err != nil {
		return fmt.Errorf("take turn: %w", err)
	}
	if due || now {
		if err := s.party.Follow(ctx, s); err != nil {
			return err
		}
	}
	// A process that dies in the middle delays the next census by censusRetry, and so does a hub that does not answer.
	if due, err = takeTurn(ctx, s.db, turnCensus, s.now(), s.now().Add(censusRetry)); err != nil || !due {
		return err
	}
	if err := s.party.Census(ctx, s); err != nil {
		return err
	}
	if _, err := takeTurn(ctx, s.db, turnCensus, s.now().Add(2*censusRetry), s.now().Add(censusEvery)); err != nil {
		return fmt.Errorf("note census: %w", err)
	}
	return forgetEndings(ctx, s.db, s.now().Add(-keepEnded))
}

// told wakes Run.
func (s *Site) told() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// keepUp is Reconcile until ctx ends.
func (s *Site) keepUp(ctx context.Context) error {
	tick := time.NewTicker(min(s.follow, endingEvery))
	defer tick.Stop()
	for now := false; ; {
		if err := s.Reconcile(ctx, now); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "ties not compared with the hub", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			now = false
		case <-s.wake:
			now = true
		}
	}
}
