package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
)

// txKey is the context key of a transaction on one database, so that transactions on two databases do not meet.
type txKey struct{ db *DB }

// tx is a running transaction.
type tx struct {
	sql *sql.Tx

	mu     sync.Mutex
	failed error                             // the first failure; the transaction can only roll back
	last   []func(ctx context.Context) error // to run before commit
}

func (d *DB) tx(ctx context.Context) *tx {
	t, _ := ctx.Value(txKey{d}).(*tx)
	return t
}

// saw notes the outcome of a statement.
func (t *tx) saw(err error) {
	if err == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed == nil {
		t.failed = err
	}
}

// usable reports why no further statement may run, if so.
func (t *tx) usable() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed != nil {
		return fmt.Errorf("transaction already failed: %w", t.failed)
	}
	return nil
}

// Tx runs fn in a transaction and commits it. If fn returns an error or panics, if a statement in it failed, or if ctx ends
// before the commit, everything is rolled back. A call within another Tx joins that one: its work is committed with the outer,
// and its failure rolls the outer back.
//
// fn must use the context it is given. It must not wait for anything outside the database: on SQLite nobody else writes
// meanwhile.
func (d *DB) Tx(ctx context.Context, fn func(ctx context.Context) error) error {
	if t := d.tx(ctx); t != nil {
		if err := t.usable(); err != nil {
			return err
		}
		err := fn(ctx)
		t.saw(err)
		return err
	}

	s, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	t := &tx{sql: s}
	committed := false
	// Also on panic and runtime.Goexit. A rollback after commit does nothing.
	defer func() {
		if !committed {
			_ = s.Rollback()
		}
	}()

	inner := context.WithValue(ctx, txKey{d}, t)
	if err := fn(inner); err != nil {
		return d.rollback(s, err)
	}
	if err := t.finish(inner); err != nil {
		return d.rollback(s, err)
	}
	if err := s.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	committed = true
	return nil
}

// rollback returns cause, and the failure to roll back if there is one: the connection is then dropped, and the database
// server rolls back by itself.
func (d *DB) rollback(s *sql.Tx, cause error) error {
	if err := s.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return errors.Join(cause, fmt.Errorf("roll back: %w", err))
	}
	return cause
}

// BeforeCommit has fn run as the last thing the transaction in ctx does before it commits, in the order of registration; its
// error rolls back. It reports false, and does nothing, if there is no transaction in ctx.
//
// It is for rows that everybody writes to, like the head of the audit chain: locked last they are locked briefly, and two
// transactions cannot lock them in opposite orders.
func (d *DB) BeforeCommit(ctx context.Context, fn func(ctx context.Context) error) bool {
	t := d.tx(ctx)
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, fn)
	return true
}

// finish runs what was registered with BeforeCommit, including what that registers in turn.
func (t *tx) finish(ctx context.Context) error {
	for {
		if err := t.usable(); err != nil {
			return err
		}
		t.mu.Lock()
		if len(t.last) == 0 {
			t.mu.Unlock()
			return nil
		}
		fn := t.last[0]
		t.last = t.last[1:]
		t.mu.Unlock()
		if err := fn(ctx); err != nil {
			return err
		}
	}
}
