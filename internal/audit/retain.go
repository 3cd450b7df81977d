package audit

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// eventTakenOut stands in the log for what is there no more. Facts: through, the number of the last row; at, when its checkpoint was made.
const eventTakenOut Kind = "audit.taken_out"

// takeOut is the number of rows of one deletion: others write between two.
const takeOut = 500

// statement is what the proof of a base covers.
func (b base) statement() []byte {
	s := binary.BigEndian.AppendUint64([]byte("tsunagu audit base v1"), uint64(b.seq)) //nolint:gosec // the bits, whatever the sign
	return append(s, b.hash[:]...)
}

// Retain takes out the rows that were written before a time, up to the newest checkpoint from before it: the signed statement stays in
// their place, and the rest still follows it. They are read once more first: if they are not what was written the error is a *BrokenError,
// and they stay as evidence. It returns the number of the last row that is out; 0: none is.
//
// The base moves first, in one transaction with an event; from then on nobody reads what is before it. A crash leaves rows that the next
// call removes.
func (l *Log) Retain(ctx context.Context, before time.Time) (through int64, err error) {
	if l.notary == nil {
		return 0, ErrNoNotary
	}
	from, err := readBase(ctx, l.db)
	if err != nil {
		return 0, err
	}
	if from.gone || from.seq != 0 && !l.notary.proves(from.statement(), from.proof) {
		return 0, &BrokenError{Seq: from.seq, Why: Headless}
	}
	list, err := selectMarks(ctx, l.db, `seq > $1 AND at_us < $2 ORDER BY seq DESC LIMIT 1`, from.seq, before.UnixMicro())
	if err != nil {
		return 0, err
	}
	if len(list) == 1 {
		failed := l.moveTo(ctx, from, list[0])
		now, err := readBase(ctx, l.db)
		if err != nil {
			return 0, err
		}
		if failed != nil && now.seq <= from.seq { // otherwise somebody else was first, and deletes what was being read
			return 0, failed
		}
		from = now
	}
	for more := from.seq > 0; more; {
		if more, err = deletePrefix(ctx, l.db, from.seq, takeOut); err != nil {
			return 0, err
		}
	}
	return from.seq, nil
}

// errReached ends a walk where it was to end.
var errReached = errors.New("reached")

// moveTo moves the base to a checkpoint, once, if everything up to it is what was written.
func (l *Log) moveTo(ctx context.Context, from base, to mark) error {
	c := l.comparison(from, nil)
	if err := c.begin(ctx); err != nil {
		return err
	}
	_, err := l.walk(ctx, from.place, func(ctx context.Context, at place) error {
		if err := c.row(ctx, at); err != nil {
			return err
		}
		if at.seq == to.seq {
			return errReached
		}
		return nil
	})
	if err == nil { // the log ends before it
		return &BrokenError{Seq: to.seq, Why: Unattested}
	}
	if !errors.Is(err, errReached) {
		return err
	}
	next := base{place: to.place()}
	proof := l.notary.Prove(next.statement())
	next.proof = proof[:]
	return l.db.Tx(ctx, func(ctx context.Context) error {
		first, err := moveBase(ctx, l.db, next)
		if err != nil || !first {
			return err
		}
		return l.Append(ctx, Event{Kind: eventTakenOut, Actor: "policy", Facts: map[string]string{
			"through": fmt.Sprint(to.seq), "at": time.UnixMicro(to.at).UTC().Format(time.RFC3339),
		}})
	})
}

// First returns the number of the oldest row that is there, or will be.
func (l *Log) First(ctx context.Context) (int64, error) {
	b, err := readBase(ctx, l.db)
	return b.seq + 1, err
}

// Keeping says what Keep does.
type Keeping struct {
	Every time.Duration // between checkpoints; at least a second
	For   time.Duration // that rows are kept; 0: for ever
	Tell  func(error)   // each time: of what did not work or is broken; nil: all is well
}

// Keep makes a checkpoint at once and then regularly, and takes out what has been kept long enough, until ctx ends. Any number of processes
// may do so at once.
func (l *Log) Keep(ctx context.Context, k Keeping) error {
	tick := time.NewTicker(max(k.Every, time.Second))
	defer tick.Stop()
	for {
		_, err := l.Checkpoint(ctx)
		if err == nil && k.For > 0 {
			_, err = l.Retain(ctx, l.now().Add(-k.For))
		}
		if errors.Is(err, ErrEmpty) {
			err = nil
		}
		if ctx.Err() == nil {
			k.Tell(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
