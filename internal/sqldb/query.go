package sqldb

import (
	"context"
	"database/sql"
	"strings"
)

// Exec runs a statement and returns the number of rows it changed. The statement takes part in the transaction in ctx, if any.
func (d *DB) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	var res sql.Result
	var err error
	if t := d.tx(ctx); t != nil {
		if err = t.usable(); err == nil {
			res, err = t.sql.ExecContext(ctx, query, args...)
			t.saw(err)
		}
	} else {
		res, err = d.write.ExecContext(ctx, query, args...)
	}
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// Query runs a statement that yields rows, within the transaction in ctx, if any. The caller closes the rows and asks them for
// their error. An open result of a statement that writes holds the only writing connection of SQLite.
func (d *DB) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if t := d.tx(ctx); t != nil {
		if err := t.usable(); err != nil {
			return nil, err
		}
		rows, err := t.sql.QueryContext(ctx, query, args...)
		t.saw(err)
		return rows, err
	}
	return d.pool(query).QueryContext(ctx, query, args...)
}

// QueryRow runs a statement that yields at most one row, within the transaction in ctx, if any. Errors, and [sql.ErrNoRows],
// come from Scan, which must be called.
func (d *DB) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	if t := d.tx(ctx); t != nil {
		// After a failure the statement still runs, in vain: a Row cannot be made to carry an error of ours, PostgreSQL
		// refuses the statement itself, and on SQLite the transaction rolls back whatever happens here.
		row := t.sql.QueryRowContext(ctx, query, args...)
		t.saw(row.Err())
		return row
	}
	return d.pool(query).QueryRowContext(ctx, query, args...)
}

// pool picks the connections for a statement outside any transaction.
func (d *DB) pool(query string) *sql.DB {
	if reads(query) {
		return d.read
	}
	return d.write
}

// reads reports whether a statement certainly writes nothing.
func reads(query string) bool {
	q := strings.TrimLeft(query, " \t\r\n")
	return len(q) > 6 && strings.EqualFold(q[:6], "SELECT")
}
