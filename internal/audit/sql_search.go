package audit

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// afterBase keeps out rows that are to be taken out, and may still be there.
const afterBase = `seq > COALESCE((SELECT b.seq FROM audit_base b WHERE b.id = 1), 0)`

// query is one search as it is put to the database.
type query struct {
	Filter
	newest  bool // first
	after   cursor
	resumed bool   // after counts
	along   string // the column whose index is used; empty: that of the time
	limit   int
}

// column is a filter on one column.
type column struct{ name, value string }

// columns are the filters that are set, the one that is narrow most often first.
func (f Filter) columns() (out []column) {
	for _, c := range []column{
		{"trace", f.Trace}, {"account", f.Account}, {"actor", f.Actor}, {"client", f.Client}, {"kind", string(f.Kind)},
	} {
		if c.value != "" {
			out = append(out, c)
		}
	}
	return out
}

// only is a filter of nothing but this column.
func (c column) only(from, to time.Time) Filter {
	f := Filter{From: from, To: to}
	switch c.name {
	case "trace":
		f.Trace = c.value
	case "account":
		f.Account = c.value
	case "actor":
		f.Actor = c.value
	case "client":
		f.Client = c.value
	case "kind":
		f.Kind = Kind(c.value)
	}
	return f
}

// where returns the conditions and their arguments.
func (q query) where() (string, []any) {
	var b strings.Builder
	b.WriteString(afterBase)
	var args []any
	add := func(text string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			text = strings.Replace(text, "?", "$"+strconv.Itoa(len(args)), 1)
		}
		b.WriteString(" AND " + text)
	}
	for _, c := range q.columns() {
		switch {
		case c.name != q.along: // as an expression, so that its index is not taken
			add("("+c.name+" || '') = ?", c.value)
		case c.name == "kind":
			add("kind = ?", c.value)
		default: // the index leaves the empty ones out
			add(c.name+" = ? AND "+c.name+" <> ''", c.value)
		}
	}
	if !q.From.IsZero() {
		add("at_us >= ?", q.From.UnixMicro())
	}
	if !q.To.IsZero() {
		add("at_us < ?", q.To.UnixMicro())
	}
	if q.resumed {
		switch {
		case q.chained():
			add("seq > ?", q.after.seq)
		case q.newest:
			add("(at_us, seq) < (?, ?)", q.after.at, q.after.seq)
		default:
			add("(at_us, seq) > (?, ?)", q.after.at, q.after.seq)
		}
	}
	return b.String(), args
}

// chained reports whether what is found can be judged as a part of the chain, and so comes in its order.
func (q query) chained() bool { return !q.newest && len(q.columns()) == 0 }

// rows returns what is found, in the order of time and number, or of the chain.
func (q query) rows(ctx context.Context, db *sqldb.DB) ([]found, error) {
	where, args := q.where()
	order := "at_us, seq"
	switch {
	case q.chained():
		order = "seq"
	case q.newest:
		order = "at_us DESC, seq DESC"
	}
	args = append(args, q.limit)
	return selectRows(ctx, db, where+` ORDER BY `+order+` LIMIT $`+strconv.Itoa(len(args)), args...)
}

// count counts what is found, up to the limit.
func (q query) count(ctx context.Context, db *sqldb.DB) (n int64, err error) {
	where, args := q.where()
	args = append(args, q.limit)
	err = db.QueryRow(ctx, `SELECT count(*) FROM (SELECT 1 FROM audit_event WHERE `+where+` LIMIT $`+strconv.Itoa(len(args))+`) found`, args...).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("audit: count: %w", err)
	}
	return n, nil
}

// selectRows returns the rows that match where, which also orders and limits them.
func selectRows(ctx context.Context, db *sqldb.DB, where string, args ...any) (_ []found, err error) {
	rows, err := db.Query(ctx, `SELECT `+rowColumns+` FROM audit_event WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("audit: read: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var list []found
	for rows.Next() {
		var f found
		var prev []byte
		t := &f.texts
		err := rows.Scan(&f.seq, &f.at, &t[textKind], &t[textAccount], &t[textClient], &t[textSession], &t[textActor],
			&t[textReason], &t[textTrace], &t[textFacts], &prev, &f.hash)
		if err != nil {
			return nil, fmt.Errorf("audit: read: %w", err)
		}
		if len(prev) == len(f.prev) { // otherwise it stays zero, which no hash fits
			copy(f.prev[:], prev)
		}
		list = append(list, f)
	}
	return list, rows.Err()
}
