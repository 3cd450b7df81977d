package etax

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
)

const (
	endingHold  = time.Minute // a process that died with an ending in hand delays it so long
	endingEvery = 5 * time.Second
	endingFirst = 10 * time.Second
	endingMost  = time.Hour
	endingTries = 200 // about a week
)

// ending is a tie that ended. Until the hub has heard of it, it is a row of the outbox.
type ending struct {
	sub, tie string
	tries    int
	next     time.Time
}

// unbind ends the tie of the session's person, and the session with it: nothing of this service belongs to them any more.
// The binding is gone and the hub's turn is noted in one transaction. Then the hub is told at once; if it does not answer,
// Run goes on.
func (s *Site) unbind(w http.ResponseWriter, r *http.Request, session *rp.Session) error {
	ctx := context.WithoutCancel(r.Context())
	b, err := findBinding(ctx, s.db, session.Subject())
	if err != nil {
		return err
	}
	// The tokens that the session had die at the hub with the tie.
	if _, err := s.party.End(w, r, session); err != nil || b == nil {
		return err
	}
	e := ending{sub: b.sub, tie: b.tie, next: s.now().Add(endingHold)}
	err = s.db.Tx(ctx, func(ctx context.Context) error {
		if gone, err := deleteBinding(ctx, s.db, *b.asTie()); err != nil || !gone {
			return err
		}
		return insertEnding(ctx, s.db, e, time.Time{}, s.now())
	})
	if err != nil {
		return fmt.Errorf("unbind: %w", err)
	}
	return s.deliver(ctx, e)
}

// deliver tells the hub once, and leaves the row for a later try if that fails. Its error is of the database only.
//
// The hub is told of this tie by its name: one that took its place meanwhile stays as it is.
func (s *Site) deliver(ctx context.Context, e ending) error {
	keep := context.WithoutCancel(ctx) // what the hub has answered is written down
	if due, err := stillDue(keep, s.db, e); err != nil || !due {
		return err
	}
	ctx, cancel := context.WithTimeout(keep, endingHold/2)
	defer cancel()
	err := s.party.EndTie(ctx, rp.Tie{Sub: e.sub, Name: e.tie})
	switch {
	case err == nil:
		return setTold(keep, s.db, e, s.now())
	case e.tries > endingTries:
		// The census goes on telling: what is not named there is broken at the hub.
		s.log.WarnContext(ctx, "end of a link given up", "err", err, "tries", e.tries)
		return setTold(keep, s.db, e, s.now())
	}
	s.log.InfoContext(ctx, "end of a link not delivered yet", "err", err, "tries", e.tries)
	e.next = s.now().Add(pause(e.tries))
	return postponeEnding(keep, s.db, e)
}

// pause doubles with every try.
func pause(tries int) time.Duration {
	if tries > 8 {
		return endingMost
	}
	return min(endingFirst<<tries, endingMost)
}

// deliverDue works through the outbox.
func (s *Site) deliverDue(ctx context.Context) error {
	for ctx.Err() == nil {
		e, err := claimEnding(ctx, s.db, s.now(), endingHold)
		if err != nil || e == nil {
			return err
		}
		if err := s.deliver(ctx, *e); err != nil {
			return err
		}
	}
	return nil
}
