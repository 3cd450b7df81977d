package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of a search.
const (
	maxPage  = 1000   // rows of one page
	maxCount = 10_000 // up to here rows are counted
)

// Filter chooses rows of the log. The zero value chooses all; each field that is set narrows.
type Filter struct {
	From, To time.Time // from the first on, before the second; zero: no bound
	Kind     Kind
	Actor    string
	Client   string
	Account  string
	Trace    string
}

// ErrCursor is returned for a cursor that no page gave.
var ErrCursor = errors.New("audit: not a cursor of a page")

// cursor is a place between two rows: after the row with this time and number, in the direction of the search.
type cursor struct{ at, seq int64 }

func (c cursor) String() string {
	return strconv.FormatInt(c.at, 36) + "." + strconv.FormatInt(c.seq, 36)
}

// parseCursor accepts the one spelling that String has.
func parseCursor(s string) (cursor, error) {
	if len(s) > 32 {
		return cursor{}, ErrCursor
	}
	at, seq, _ := strings.Cut(s, ".")
	var c cursor
	var err1, err2 error
	c.at, err1 = strconv.ParseInt(at, 36, 64)
	c.seq, err2 = strconv.ParseInt(seq, 36, 64)
	if err1 != nil || err2 != nil || c.String() != s {
		return cursor{}, ErrCursor
	}
	return c, nil
}

// ErrTakenOut is returned by Oldest when rows that would have come next were taken out since the page before.
var ErrTakenOut = errors.New("audit: the rows that follow were taken out")

// Page is a part of what a search found.
type Page struct {
	Rows []Row
	Next string // where the next page begins; empty: this is the last
}

// Search returns up to limit rows (1 to 1000), newest first, after a place that an earlier page gave as Next, or the first with "". It does not verify
// them; a row that cannot be read at all is a *BrokenError. The error for a place that none gave is ErrCursor.
func (l *Log) Search(ctx context.Context, f Filter, after string, limit int) (Page, error) {
	return l.search(ctx, f, after, limit, true)
}

func (l *Log) search(ctx context.Context, f Filter, after string, limit int, newest bool) (Page, error) {
	limit = min(max(limit, 1), maxPage)
	q := query{Filter: f, newest: newest, limit: limit + 1}
	if after != "" {
		var err error
		if q.after, err = parseCursor(after); err != nil {
			return Page{}, err
		}
		q.resumed = true
	}
	if err := l.choose(ctx, &q); err != nil {
		return Page{}, err
	}
	list, err := q.rows(ctx, l.db)
	if err != nil {
		return Page{}, err
	}
	if q.resumed && !newest { // read after the rows: what is gone by now may have been gone by then
		if b, err := readBase(ctx, l.db); err != nil {
			return Page{}, err
		} else if q.after.seq < b.seq {
			return Page{}, ErrTakenOut
		}
	}
	var page Page
	if len(list) > limit {
		list = list[:limit]
		last := list[limit-1]
		page.Next = cursor{last.at, last.seq}.String()
	}
	page.Rows, err = decodeAll(list)
	return page, err
}

// Oldest is Search from the other end: for what reads everything, such as an export. Without a filter on anything but time the rows come in the
// order of the chain, which that of the time need not be: several programs write, each with its own clock. What is appended meanwhile may be
// among the last.
func (l *Log) Oldest(ctx context.Context, f Filter, after string, limit int) (Page, error) {
	return l.search(ctx, f, after, limit, false)
}

// Count counts the rows that a filter chooses, up to ten thousand; more says that there are more.
func (l *Log) Count(ctx context.Context, f Filter) (n int64, more bool, err error) {
	q := query{Filter: f, newest: true, limit: maxCount + 1}
	if err := l.choose(ctx, &q); err != nil {
		return 0, false, err
	}
	if n, err = q.count(ctx, l.db); err != nil {
		return 0, false, err
	}
	return min(n, maxCount), n > maxCount, nil
}

// probe is how many entries of an index are counted to see which is the narrowest.
const probe = 2000

// choose picks the index that a search goes along: the one with the fewest rows of the period. Neither database can be left to guess, the
// one because it has no figures of its own, the other because figures of a growing table are old.
func (l *Log) choose(ctx context.Context, q *query) error {
	columns := q.columns()
	if len(columns) == 0 {
		return nil
	}
	q.along = columns[0].name
	if len(columns) == 1 {
		return nil
	}
	fewest := int64(probe) + 1
	for _, c := range columns {
		one := query{Filter: c.only(q.From, q.To), along: c.name, limit: probe}
		n, err := one.count(ctx, l.db)
		if err != nil {
			return fmt.Errorf("audit: choose index: %w", err)
		}
		if n < fewest {
			fewest, q.along = n, c.name
		}
	}
	return nil
}

// decodeAll reads rows as they were found.
func decodeAll(list []found) ([]Row, error) {
	rows := make([]Row, 0, len(list))
	for _, f := range list {
		var hash [32]byte
		copy(hash[:], f.hash)
		r, err := f.decode(hash)
		if err != nil || len(f.hash) != len(hash) {
			return nil, &BrokenError{Seq: f.seq, Why: Altered}
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// Latest returns the newest rows of these kinds that are about one person, up to limit of all together, newest first.
func (l *Log) Latest(ctx context.Context, account string, kinds []Kind, limit int) ([]Row, error) {
	var all []Row
	for _, k := range kinds {
		page, err := l.Search(ctx, Filter{Account: account, Kind: k}, "", limit)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Rows...)
	}
	slices.SortFunc(all, func(a, b Row) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.Seq, a.Seq)) })
	return all[:min(limit, len(all))], nil
}
