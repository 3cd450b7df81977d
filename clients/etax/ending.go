package etax

import (
	"context"
	"errors"
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

// ending is a tie that ended here and of which the hub has not heard. It is a row of the outbox.
type ending struct {
	sub    string
	sealed string // the refresh token, sealed for sub; as no two are the same, it names the ending as well
	tries  int
	next   time.Time
}

// unbind ends the tie of the session's person, and the session with it: nothing of this service belongs to them any more.
// The binding is gone and the hub's turn is noted in one transaction. Then the hub is told at once; if it does not answer,
// Run goes on with the session's refresh token.
func (s *Site) unbind(w http.ResponseWriter, r *http.Request, session *rp.Session) error {
	ctx := context.WithoutCancel(r.Context())
	b, err := findBinding(ctx, s.db, session.Subject())
	if err != nil {
		return err
	}
	// The session's tokens pass to the outbox before the binding goes: a crash in between leaves the tie as it was and the
	// person signed out.
	refresh, err := s.party.End(w, r, session)
	if err != nil || b == nil {
		return err
	}
	e := ending{sub: b.sub, sealed: s.party.Seal(b.sub, refresh), next: s.now().Add(endingHold)}
	err = s.db.Tx(ctx, func(ctx context.Context) error {
		if gone, err := deleteBinding(ctx, s.db, b); err != nil || !gone {
			return err
		}
		return insertEnding(ctx, s.db, e, s.now())
	})
	if err != nil {
		return fmt.Errorf("unbind: %w", err)
	}
	return s.deliver(ctx, e)
}

// deliver tells the hub once, and leaves the row for a later try if that fails. Its error is of the database only. Once begun it is
// finished: a process that is told to stop would otherwise lose the token it was just given for the old one, which is spent.
//
// A tie that comes back withdraws its ending. What is written here afterwards finds no row, and the hub is not told; only if that
// happens while the hub is ending the link is it ended there as well, and the person is asked again.
func (s *Site) deliver(ctx context.Context, e ending) error {
	keep := context.WithoutCancel(ctx) // what the hub has answered is written down
	ctx, cancel := context.WithTimeout(keep, endingHold/2)
	defer cancel()
	access, next, err := s.trade(ctx, e)
	if err == nil {
		// Before it is used: the old token is spent now.
		old := e.sealed
		e.sealed, e.next = s.party.Seal(e.sub, next), s.now().Add(endingHold)
		if stands, err := updateEnding(keep, s.db, old, e); err != nil || !stands {
			return err
		}
		err = s.party.CallWith(ctx, access, http.MethodDelete, linkPath, nil, nil)
	}
	refused, ok := errors.AsType[*rp.Error](err)
	switch {
	case err == nil:
		return deleteEnding(keep, s.db, e)
	case ok && refused.Reason == rp.SignedOut, e.tries > endingTries:
		// The token is dead, and so is everything that could be done with it. The hub shows the link until the person comes
		// by: then they are asked for the number, and both sides agree again.
		s.log.WarnContext(ctx, "end of a link given up", "err", err, "tries", e.tries)
		return deleteEnding(keep, s.db, e)
	}
	s.log.InfoContext(ctx, "end of a link not delivered yet", "err", err, "tries", e.tries)
	e.next = s.now().Add(pause(e.tries))
	_, err = updateEnding(keep, s.db, e.sealed, e)
	return err
}

// trade gets an access token for the refresh token of an ending, and the one after it.
func (s *Site) trade(ctx context.Context, e ending) (access, next rp.Secret, err error) {
	refresh, err := s.party.Open(e.sub, e.sealed)
	if err != nil {
		return rp.Secret{}, rp.Secret{}, err
	}
	return s.party.Refresh(ctx, refresh)
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
