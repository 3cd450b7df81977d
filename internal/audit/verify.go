package audit

import (
	"bytes"
	"context"
	"fmt"
)

// verifyPage is the number of rows read at a time.
const verifyPage = 1000

// Verify reads the whole log and returns a *BrokenError for the first row at which it is not what was written, or nil. Other
// errors mean that it could not be read. Events may be appended meanwhile.
//
// It holds no transaction: that would stop all writers on SQLite. Instead it reads the head, all rows the head counts, and then
// the head again, until there is nothing beyond. Rows and head move in one transaction, so a row beyond a head that was read
// later is not ours.
func (l *Log) Verify(ctx context.Context) error {
	var last stored // the row before: number 0 and a zero hash at the start
	var hash [32]byte
	for {
		end, headHash, ok, err := readHead(ctx, l.db)
		if err != nil {
			return fmt.Errorf("audit: head: %w", err)
		}
		if !ok || end < last.seq {
			return &BrokenError{Seq: last.seq, Why: Headless}
		}
		for last.seq < end {
			page, err := findRows(ctx, l.db, Query{After: last.seq, Limit: int(min(verifyPage, end-last.seq))})
			if err != nil {
				return err
			}
			if len(page) == 0 {
				return &BrokenError{Seq: last.seq + 1, Why: Truncated}
			}
			for _, f := range page {
				if err := f.follows(last.seq, hash); err != nil {
					return err
				}
				last = f.stored
				copy(hash[:], f.hash)
			}
		}
		if hash != headHash {
			return &BrokenError{Seq: end, Why: Headless}
		}
		beyond, err := findRows(ctx, l.db, Query{After: end, Limit: 1})
		if err != nil {
			return err
		}
		if len(beyond) == 0 {
			return nil
		}
		if again, _, _, err := readHead(ctx, l.db); err == nil && again == end {
			return &BrokenError{Seq: beyond[0].seq, Why: Headless}
		}
	}
}

// follows judges a row against the number and the hash of the row before it.
func (f found) follows(seq int64, hash [32]byte) error {
	own := f.stored.hash()
	switch {
	case f.seq != seq+1:
		return &BrokenError{Seq: seq + 1, Why: Missing}
	case !bytes.Equal(own[:], f.hash):
		return &BrokenError{Seq: f.seq, Why: Altered}
	case f.prev != hash:
		return &BrokenError{Seq: f.seq, Why: Reordered}
	}
	return nil
}
