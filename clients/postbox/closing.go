package postbox

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
)

const (
	closingHold  = time.Minute // a process that died with a closing in hand delays it so long
	closingEvery = 5 * time.Second
	closingFirst = 10 * time.Second
	closingMost  = time.Hour
	closingTries = 200 // about a week

	scopeLinks = "links.own"
)

// closing is a box that was closed here and of which the hub has not heard. It is a row of the outbox.
type closing struct {
	sub   string
	tries int
}

// close deletes the person's box with what is in it. That the hub is to hear of it is noted in the same transaction; then it is told at
// once, and if it does not answer Run goes on.
func (s *Site) close(ctx context.Context, sub string) error {
	ctx = context.WithoutCancel(ctx)
	gone := false
	err := s.db.Tx(ctx, func(ctx context.Context) (err error) {
		if gone, err = deleteBox(ctx, s.db, sub); err != nil || !gone {
			return err
		}
		return insertClosing(ctx, s.db, sub, s.now(), s.now().Add(closingHold))
	})
	if err != nil || !gone {
		return err
	}
	return s.deliver(ctx, closing{sub: sub})
}

// deliver tells the hub once, and leaves the row for a later try if that fails. Its error is of the database only. A box that was
// opened again withdraws its closing; only if that happens while the hub is ending the link is it paused, and the person asked again.
func (s *Site) deliver(ctx context.Context, c closing) error {
	call, cancel := context.WithTimeout(ctx, closingHold/2)
	defer cancel()
	err := s.party.CallOwn(call, scopeLinks, http.MethodDelete, "/api/links/"+url.PathEscape(c.sub), nil, nil)
	refused, ok := errors.AsType[*rp.Error](err)
	switch {
	case err == nil:
		return deleteClosing(ctx, s.db, c.sub)
	case ok && refused.Code == "subject_unknown": // the hub knows of no such person here: there is nothing to end
		return deleteClosing(ctx, s.db, c.sub)
	case c.tries > closingTries:
		s.log.ErrorContext(ctx, "end of a link given up", "err", err, "tries", c.tries)
		return deleteClosing(ctx, s.db, c.sub)
	}
	s.log.InfoContext(ctx, "end of a link not delivered yet", "err", err, "tries", c.tries)
	return putOffClosing(ctx, s.db, c.sub, s.now().Add(pause(c.tries)))
}

// pause doubles with every try.
func pause(tries int) time.Duration {
	if tries > 8 {
		return closingMost
	}
	return min(closingFirst<<tries, closingMost)
}

// deliverDue works through the outbox.
func (s *Site) deliverDue(ctx context.Context) error {
	for ctx.Err() == nil {
		c, err := claimClosing(ctx, s.db, s.now(), closingHold)
		if err != nil || c == nil {
			return err
		}
		if err := s.deliver(ctx, *c); err != nil {
			return fmt.Errorf("closing: %w", err)
		}
	}
	return nil
}
