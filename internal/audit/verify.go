package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// verifyPage is the number of rows read at a time.
const verifyPage = 1000

// Verify reads the whole log and returns a *BrokenError for the first row at which it is not what was written, or nil. Other
// errors mean that it could not be read. Events may be appended meanwhile.
func (l *Log) Verify(ctx context.Context) error {
	_, err := l.Examine(ctx)
	return err
}

// Extent is what a log has that is whole.
type Extent struct {
	First int64    // the number of the first row that is there, or will be
	Last  int64    // the number of the last row
	Hash  [32]byte // of the last row
}

// Rows is how many there are.
func (e Extent) Rows() int64 { return e.Last - e.First + 1 }

// place is where a walk over the log stands: at a row that was judged, or before the first.
type place struct {
	seq  int64
	hash [32]byte
}

// Examine is Verify that says what it found, and that compares the log with its checkpoints where it has a notary, and with claims that
// somebody kept elsewhere. Whoever can write to all tables can make a log that is whole in itself; it is not the one that was signed.
func (l *Log) Examine(ctx context.Context, kept ...Claim) (Extent, error) {
	for {
		from, err := readBase(ctx, l.db)
		if err != nil {
			return Extent{}, err
		}
		last, err := l.examine(ctx, from, kept)
		if errors.As(err, new(*BrokenError)) {
			if now, err := readBase(ctx, l.db); err == nil && !now.gone && now.seq > from.seq {
				continue // the beginning was taken out meanwhile
			}
		}
		if err != nil {
			return Extent{}, err
		}
		return Extent{First: from.seq + 1, Last: last.seq, Hash: last.hash}, nil
	}
}

func (l *Log) examine(ctx context.Context, from base, kept []Claim) (place, error) {
	if from.gone {
		return place{}, &BrokenError{Why: Headless}
	}
	if l.notary != nil && from.seq != 0 && !l.notary.proves(from.statement(), from.proof) {
		return place{}, &BrokenError{Seq: from.seq, Why: Headless}
	}
	c := l.comparison(from, kept)
	if err := c.begin(ctx); err != nil {
		return place{}, err
	}
	last, err := l.walk(ctx, from.place, c.row)
	if err == nil {
		err = c.end(ctx, last)
	}
	return last, err
}

// walk judges every row after a place, calls look with each, if it is not nil, and returns where the log ends.
//
// It holds no transaction: that would stop all writers on SQLite. Instead it reads the head, all rows the head counts, and then
// the head again, until there is nothing beyond. Rows and head move in one transaction, so a row beyond a head that was read
// later is not ours.
func (l *Log) walk(ctx context.Context, last place, look func(context.Context, place) error) (place, error) {
	for {
		end, headHash, ok, err := readHead(ctx, l.db)
		if err != nil {
			return last, fmt.Errorf("audit: head: %w", err)
		}
		if !ok || end < last.seq {
			return last, &BrokenError{Seq: last.seq, Why: Headless}
		}
		for last.seq < end {
			page, err := findRows(ctx, l.db, Query{After: last.seq, Limit: int(min(verifyPage, end-last.seq))})
			if err != nil {
				return last, err
			}
			if len(page) == 0 {
				return last, &BrokenError{Seq: last.seq + 1, Why: Truncated}
			}
			for _, f := range page {
				if err := f.follows(last, end); err != nil {
					return last, err
				}
				last.seq = f.seq
				copy(last.hash[:], f.hash)
				if look == nil {
					continue
				}
				if err := look(ctx, last); err != nil {
					return last, err
				}
			}
		}
		if last.hash != headHash {
			return last, &BrokenError{Seq: end, Why: Headless}
		}
		beyond, err := findRows(ctx, l.db, Query{After: end, Limit: 1})
		if err != nil {
			return last, err
		}
		if len(beyond) == 0 {
			return last, nil
		}
		if again, _, _, err := readHead(ctx, l.db); err == nil && again == end {
			return last, &BrokenError{Seq: beyond[0].seq, Why: Headless}
		}
	}
}

// follows judges a row against the one before it, in a log that ends at a number.
func (f found) follows(before place, end int64) error {
	own := f.stored.hash()
	switch {
	case f.seq != before.seq+1:
		return &BrokenError{Seq: before.seq + 1, Why: Missing}
	case !bytes.Equal(own[:], f.hash):
		if f.moved(end) {
			return &BrokenError{Seq: f.seq, Why: Reordered}
		}
		return &BrokenError{Seq: f.seq, Why: Altered}
	case f.prev != before.hash:
		return &BrokenError{Seq: f.seq, Why: Reordered}
	}
	return nil
}

// maxMoved bounds the distance at which a row is known again.
const maxMoved = 100_000

// moved reports whether the row is as it was written, but for its number.
func (f found) moved(end int64) bool {
	as := f.stored
	for as.seq = max(1, f.seq-maxMoved); as.seq <= min(end, f.seq+maxMoved); as.seq++ {
		if own := as.hash(); bytes.Equal(own[:], f.hash) {
			return true
		}
	}
	return false
}
