package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
)

// Parsing a short statement costs SQLite about as much as running it. database/sql can keep prepared statements, but not for
// statements run inside a transaction; this does it below, per connection, for all of them. (pgx does the same by itself.)

const (
	// maxStatements bounds the kept statements of a connection. Statements are constants of our code; the number is only
	// reached by a mistake, and then costs speed, not memory.
	maxStatements = 256
	// maxStatementLength keeps migrations out.
	maxStatementLength = 4096
)

// sqliteConn is what the driver's connection can do, as far as it is used here.
type sqliteConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.SessionResetter
	driver.Validator
}

// sqliteStmt is what the driver's statement can do.
type sqliteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// cachingConn is a connection that keeps its prepared statements. Like every driver.Conn it is used by one goroutine at a time.
type cachingConn struct {
	sqliteConn
	idle map[string]sqliteStmt // not executing: a statement in use is taken out
}

var (
	_ driver.ExecerContext  = (*cachingConn)(nil)
	_ driver.QueryerContext = (*cachingConn)(nil)
)

func newCachingConn(conn driver.Conn) (driver.Conn, error) {
	c, ok := conn.(sqliteConn)
	if !ok {
		return nil, errors.Join(errors.New("sqlite: driver lacks context methods"), conn.Close())
	}
	return &cachingConn{sqliteConn: c, idle: make(map[string]sqliteStmt)}, nil
}

// Close closes the statements and the connection.
func (c *cachingConn) Close() error {
	var errs []error
	for _, s := range c.idle {
		errs = append(errs, s.Close())
	}
	clear(c.idle)
	return errors.Join(append(errs, c.sqliteConn.Close())...)
}

// ExecContext runs a statement. Once begun it is not interrupted by the end of ctx: an interrupted write may or may not have
// happened. It is short, and waiting for other processes is bounded by busyTimeout.
func (c *cachingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx)
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	res, err := s.ExecContext(ctx, args)
	return res, errors.Join(err, c.put(query, s))
}

// QueryContext runs a statement that yields rows. The end of ctx interrupts it only if it does not write.
func (c *cachingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !reads(query) {
		ctx = context.WithoutCancel(ctx)
	}
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(ctx, args)
	if err != nil {
		return nil, errors.Join(err, c.put(query, s))
	}
	return &cachedRows{Rows: rows, done: func() error { return c.put(query, s) }}, nil
}

// take removes an idle statement from the cache or prepares one.
func (c *cachingConn) take(ctx context.Context, query string) (sqliteStmt, error) {
	if s, ok := c.idle[query]; ok {
		delete(c.idle, query)
		return s, nil
	}
	s, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	st, ok := s.(sqliteStmt)
	if !ok {
		return nil, errors.Join(errors.New("sqlite: driver lacks context methods"), s.Close())
	}
	return st, nil
}

// put gives a statement back, or closes it if it is not worth keeping.
func (c *cachingConn) put(query string, s sqliteStmt) error {
	if _, twin := c.idle[query]; twin || len(query) > maxStatementLength || len(c.idle) >= maxStatements {
		return s.Close()
	}
	c.idle[query] = s
	return nil
}

// cachedRows gives the statement back when the rows are closed.
type cachedRows struct {
	driver.Rows
	done func() error
}

// Close ends the result. database/sql calls it once.
func (r *cachedRows) Close() error {
	return errors.Join(r.Rows.Close(), r.done())
}
