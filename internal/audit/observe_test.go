package audit_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// What an observer stores and the event it was told of stand or fall together, in a transaction of the caller's or without one.
func TestObserverSharesTheFateOfItsEvent(t *testing.T) {
	eachLog(t, func(t *testing.T, db *sqldb.DB, l *audit.Log) {
		if _, err := db.Exec(t.Context(), `CREATE TABLE heard (account text NOT NULL)`); err != nil {
			t.Fatal(err)
		}
		broken := errors.New("broken")
		l.Observe(func(ctx context.Context, e audit.Event) error {
			if _, err := db.Exec(ctx, `INSERT INTO heard (account) VALUES ($1)`, e.Account); err != nil {
				return err
			}
			if e.Account == "bad" {
				return broken
			}
			return nil
		}, "link.linked")

		want := func(heard, rows int) {
			t.Helper()
			var n int
			if err := db.QueryRow(t.Context(), `SELECT COUNT(*) FROM heard`).Scan(&n); err != nil {
				t.Fatal(err)
			}
			list, err := l.List(t.Context(), audit.Query{})
			if err != nil || len(list) != rows || n != heard {
				t.Fatalf("%d heard, %d rows, %v; want %d and %d", n, len(list), err, heard, rows)
			}
		}
		event := func(account string) audit.Event { return audit.Event{Kind: "link.linked", Account: account} }
		if err := l.Append(t.Context(), event("alone")); err != nil {
			t.Fatal(err)
		}
		want(1, 1)
		if err := l.Append(t.Context(), event("bad")); !errors.Is(err, broken) {
			t.Fatalf("got %v", err)
		}
		want(1, 1)
		if err := db.Tx(t.Context(), func(ctx context.Context) error { return l.Append(ctx, event("joined")) }); err != nil {
			t.Fatal(err)
		}
		want(2, 2)
		err := db.Tx(t.Context(), func(ctx context.Context) error {
			if err := l.Append(ctx, event("undone")); err != nil {
				return err
			}
			return broken
		})
		if !errors.Is(err, broken) {
			t.Fatalf("got %v", err)
		}
		want(2, 2)
		if err := l.Append(t.Context(), audit.Event{Kind: "link.ended", Account: "unobserved"}); err != nil {
			t.Fatal(err)
		}
		want(2, 3)
		if err := l.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}
