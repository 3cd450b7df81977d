package keeper

import (
	"context"
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

// Left notes, in the transaction in ctx, that a tie ended here and the hub has to hear of it. After that transaction, Tell tells it.
func (k *Keeper) Left(ctx context.Context, t rp.Tie) error {
	now := k.now()
	return insertEnding(ctx, k.db, ending{sub: t.Sub, tie: t.Name, next: now.Add(endingHold)}, time.Time{}, now)
}

// Back notes, in the transaction in ctx, that the person made a new tie: it takes the place of the old one at the hub too, and of an end that
// the hub has not heard of there is nothing to tell any more.
func (k *Keeper) Back(ctx context.Context, sub string) error {
	return withdrawEndings(ctx, k.db, sub, k.now())
}

// Tell tells the hub at once of a tie that has Left. If it does not answer, Run goes on. The error is of the database only.
func (k *Keeper) Tell(ctx context.Context, t rp.Tie) error {
	return k.deliver(ctx, ending{sub: t.Sub, tie: t.Name})
}

// deliver tells the hub once, and leaves the row for a later try if that fails. Its error is of the database only.
//
// The hub is told of this tie by its name: one that took its place meanwhile stays as it is.
func (k *Keeper) deliver(ctx context.Context, e ending) error {
	keep := context.WithoutCancel(ctx) // what the hub has answered is written down
	if due, err := stillDue(keep, k.db, e); err != nil || !due {
		return err
	}
	ctx, cancel := context.WithTimeout(keep, endingHold/2)
	defer cancel()
	err := k.party.EndTie(ctx, rp.Tie{Sub: e.sub, Name: e.tie})
	switch {
	case err == nil:
		return setTold(keep, k.db, e, k.now())
	case e.tries > endingTries:
		// The census goes on telling: what is not named there is broken at the hub.
		k.log.WarnContext(ctx, "end of a link given up", "err", err, "tries", e.tries)
		return setTold(keep, k.db, e, k.now())
	}
	k.log.InfoContext(ctx, "end of a link not delivered yet", "err", err, "tries", e.tries)
	e.next = k.now().Add(pause(e.tries))
	return postponeEnding(keep, k.db, e)
}

// pause doubles with every try.
func pause(tries int) time.Duration {
	if tries > 8 {
		return endingMost
	}
	return min(endingFirst<<tries, endingMost)
}

// Deliver works through the outbox.
func (k *Keeper) Deliver(ctx context.Context) error {
	for ctx.Err() == nil {
		e, err := claimEnding(ctx, k.db, k.now(), endingHold)
		if err != nil || e == nil {
			return err
		}
		if err := k.deliver(ctx, *e); err != nil {
			return err
		}
	}
	return nil
}
