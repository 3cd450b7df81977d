package audit

import "context"

// The number of rows of one List: what is asked for when nothing is said, and the most there is.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// Query chooses rows. Its zero value is the first hundred of the log.
type Query struct {
	After   int64  // only rows with a greater number: the Seq of the last row of the page before
	Limit   int    // 0 means 100; at most 1000
	Kind    Kind   // empty: any
	Account string // empty: any
}

// List returns rows in the order of the log. It does not verify them; a row that cannot be read at all is a *BrokenError.
func (l *Log) List(ctx context.Context, q Query) ([]Row, error) {
	if q.Limit <= 0 {
		q.Limit = defaultLimit
	}
	q.Limit = min(q.Limit, maxLimit)
	base, err := readBase(ctx, l.db)
	if err != nil {
		return nil, err
	}
	q.After = max(q.After, base.seq)
	list, err := findRows(ctx, l.db, q)
	if err != nil {
		return nil, err
	}
	return decodeAll(list)
}
