package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// itemTable is what most tests write to.
const itemTable = `CREATE TABLE item (name text PRIMARY KEY, count bigint NOT NULL, body bytea, done boolean)`

func withItems(t *testing.T, fn func(t *testing.T, db *sqldb.DB)) {
	t.Helper()
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		if err := db.Migrate(t.Context(), "item", fstest.MapFS{"0001_item.sql": {Data: []byte(itemTable)}}); err != nil {
			t.Fatal(err)
		}
		fn(t, db)
	})
}

func insert(ctx context.Context, db *sqldb.DB, name string) error {
	n, err := db.Exec(ctx, `INSERT INTO item (name, count) VALUES ($1, 0)`, name)
	if err == nil && n != 1 {
		err = fmt.Errorf("%d rows", n)
	}
	return err
}

func names(t *testing.T, db *sqldb.DB) string {
	t.Helper()
	rows, err := db.Query(t.Context(), `SELECT name FROM item ORDER BY name`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var n string
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

// TestDialect holds what doc.go promises about the one SQL text.
func TestDialect(t *testing.T) {
	withItems(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		type word string
		// Placeholders in any order, a named string type, all column types.
		n, err := db.Exec(ctx, `INSERT INTO item (done, body, count, name) VALUES ($4, $3, $2, $1)`,
			word("a"), int64(1)<<62, []byte{0, 0xff, 1}, true)
		if err != nil || n != 1 {
			t.Fatal(n, err)
		}
		var name string
		var count int64
		var body []byte
		var done bool
		err = db.QueryRow(ctx, `SELECT name, count, body, done FROM item WHERE name = $1`, "a").Scan(&name, &count, &body, &done)
		if err != nil || name != "a" || count != 1<<62 || string(body) != "\x00\xff\x01" || !done {
			t.Fatal(name, count, body, done, err)
		}

		// A conditional conflict: the row count is the verdict.
		upsert := `INSERT INTO item (name, count) VALUES ($1, $2)
			ON CONFLICT (name) DO UPDATE SET count = item.count + excluded.count WHERE item.count < $3`
		for _, want := range []int64{1, 1, 0} {
			if n, err := db.Exec(ctx, upsert, "b", 2, 3); err != nil || n != want {
				t.Fatal(n, err, want)
			}
		}

		// RETURNING outside a transaction commits although it is a query.
		err = db.QueryRow(ctx, `DELETE FROM item WHERE name = $1 RETURNING count`, "b").Scan(&count)
		if err != nil || count != 4 {
			t.Fatal(count, err)
		}
		err = db.QueryRow(ctx, `DELETE FROM item WHERE name = $1 RETURNING count`, "b").Scan(&count)
		if !errors.Is(err, sql.ErrNoRows) {
			t.Fatal(err)
		}
		if got := names(t, db); got != "a" {
			t.Fatal(got)
		}
	})
}

func TestIsUnique(t *testing.T) {
	withItems(t, func(t *testing.T, db *sqldb.DB) {
		if err := insert(t.Context(), db, "a"); err != nil {
			t.Fatal(err)
		}
		err := insert(t.Context(), db, "a")
		if !sqldb.IsUnique(err) || !sqldb.IsUnique(fmt.Errorf("wrapped: %w", err)) {
			t.Fatalf("not recognised: %v", err)
		}
		_, err = db.Exec(t.Context(), `INSERT INTO item (name) VALUES ($1)`, "b") // NOT NULL
		if err == nil || sqldb.IsUnique(err) {
			t.Fatalf("taken for a unique violation: %v", err)
		}
		if sqldb.IsUnique(nil) {
			t.Fatal("nil")
		}
	})
}

func TestTx(t *testing.T) {
	boom := errors.New("boom")
	tests := []struct {
		name string
		fn   func(ctx context.Context, db *sqldb.DB) error
		err  error // nil: commit
		want string
	}{
		{"commit", func(ctx context.Context, db *sqldb.DB) error {
			return insert(ctx, db, "a")
		}, nil, "a"},
		{"error rolls back", func(ctx context.Context, db *sqldb.DB) error {
			return errors.Join(insert(ctx, db, "a"), boom)
		}, boom, ""},
		{"nested joins", func(ctx context.Context, db *sqldb.DB) error {
			return errors.Join(insert(ctx, db, "a"), db.Tx(ctx, func(ctx context.Context) error { return insert(ctx, db, "b") }))
		}, nil, "a b"},
		{"outer failure undoes nested", func(ctx context.Context, db *sqldb.DB) error {
			return errors.Join(db.Tx(ctx, func(ctx context.Context) error { return insert(ctx, db, "b") }), boom)
		}, boom, ""},
		{"nested failure dooms outer", func(ctx context.Context, db *sqldb.DB) error {
			_ = db.Tx(ctx, func(context.Context) error { return boom })
			_ = insert(ctx, db, "a")
			return nil
		}, boom, ""},
		{"before commit runs last", func(ctx context.Context, db *sqldb.DB) error {
			if !db.BeforeCommit(ctx, func(ctx context.Context) error {
				n, err := db.Exec(ctx, `UPDATE item SET name = 'b' WHERE name = 'a'`)
				if err == nil && n != 1 {
					err = errors.New("a was not yet there")
				}
				return err
			}) {
				return errors.New("no transaction")
			}
			return insert(ctx, db, "a")
		}, nil, "b"},
		{"before commit can refuse", func(ctx context.Context, db *sqldb.DB) error {
			db.BeforeCommit(ctx, func(context.Context) error { return boom })
			return insert(ctx, db, "a")
		}, boom, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			withItems(t, func(t *testing.T, db *sqldb.DB) {
				err := db.Tx(t.Context(), func(ctx context.Context) error { return tt.fn(ctx, db) })
				if !errors.Is(err, tt.err) {
					t.Errorf("error %v, want %v", err, tt.err)
				}
				if got := names(t, db); got != tt.want {
					t.Errorf("rows %q, want %q", got, tt.want)
				}
			})
		})
	}
}

// TestFailedStatementEndsTransaction holds the two databases to the stricter one's rule.
func TestFailedStatementEndsTransaction(t *testing.T) {
	withItems(t, func(t *testing.T, db *sqldb.DB) {
		for name, fail := range map[string]func(ctx context.Context) error{
			"exec": func(ctx context.Context) error { return insert(ctx, db, "a") },
			"query": func(ctx context.Context) error {
				rows, err := db.Query(ctx, `INSERT INTO item (name, count) VALUES ('a', 0) RETURNING name`)
				if err == nil {
					for rows.Next() {
					}
					err = errors.Join(rows.Err(), rows.Close())
				}
				return err
			},
			"row": func(ctx context.Context) error {
				return db.QueryRow(ctx, `INSERT INTO item (name, count) VALUES ('a', 0) RETURNING name`).Scan(new(string))
			},
		} {
			err := db.Tx(t.Context(), func(ctx context.Context) error {
				if err := insert(ctx, db, "a"); err != nil {
					return err
				}
				if err := fail(ctx); !sqldb.IsUnique(err) {
					t.Errorf("%s: %v", name, err)
				}
				return nil // swallowed
			})
			if err == nil {
				t.Errorf("%s: committed", name)
			}
			if got := names(t, db); got != "" {
				t.Errorf("%s: left %q", name, got)
			}
		}
	})
}

func TestBeforeCommitNeedsTransaction(t *testing.T) {
	db, other := sqldbtest.Open(t), sqldbtest.Open(t)
	never := func(context.Context) error { t.Error("ran"); return nil }
	if db.BeforeCommit(t.Context(), never) {
		t.Error("joined nothing")
	}
	err := other.Tx(t.Context(), func(ctx context.Context) error {
		if db.BeforeCommit(ctx, never) {
			t.Error("joined the transaction of another database")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestPanicRollsBack(t *testing.T) {
	withItems(t, func(t *testing.T, db *sqldb.DB) {
		func() {
			defer func() {
				if recover() != "boom" {
					t.Error("the panic did not pass through")
				}
			}()
			_ = db.Tx(t.Context(), func(ctx context.Context) error {
				_ = insert(ctx, db, "a")
				panic("boom")
			})
		}()
		if got := names(t, db); got != "" {
			t.Errorf("left %q", got)
		}
		// The connection is free again.
		if err := insert(t.Context(), db, "b"); err != nil {
			t.Error(err)
		}
	})
}

func TestCancelledContextRollsBack(t *testing.T) {
	withItems(t, func(t *testing.T, db *sqldb.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		err := db.Tx(ctx, func(ctx context.Context) error {
			err := insert(ctx, db, "a")
			cancel()
			return err
		})
		if err == nil {
			t.Error("committed")
		}
		if got := names(t, db); got != "" {
			t.Errorf("left %q", got)
		}
	})
}

// TestReadersDoNotWaitForWriter also shows that they see only what is committed.
func TestReadersDoNotWaitForWriter(t *testing.T) {
	withItems(t, func(t *testing.T, db *sqldb.DB) {
		err := db.Tx(t.Context(), func(ctx context.Context) error {
			if err := insert(ctx, db, "a"); err != nil {
				return err
			}
			outside, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			var n int
			if err := db.QueryRow(outside, `SELECT count(*) FROM item`).Scan(&n); err != nil || n != 0 {
				t.Errorf("outside sees %d, %v", n, err)
			}
			if err := db.QueryRow(ctx, `SELECT count(*) FROM item`).Scan(&n); err != nil || n != 1 {
				t.Errorf("inside sees %d, %v", n, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// TestNeverBusy writes from many goroutines and from a second opening of the same database, which stands for another process.
func TestNeverBusy(t *testing.T) {
	dsns := map[string]func(testing.TB) string{"sqlite": sqldbtest.SQLite, "postgres": sqldbtest.Postgres}
	for name, dsn := range dsns {
		t.Run(name, func(t *testing.T) {
			addr := dsn(t)
			one, two := sqldbtest.OpenDSN(t, addr), sqldbtest.OpenDSN(t, addr)
			if _, err := one.Exec(t.Context(), itemTable); err != nil {
				t.Fatal(err)
			}
			if err := insert(t.Context(), one, "a"); err != nil {
				t.Fatal(err)
			}
			const workers, rounds = 16, 10
			var wg sync.WaitGroup
			for i := range workers {
				db := []*sqldb.DB{one, two}[i%2]
				wg.Go(func() {
					for range rounds {
						err := db.Tx(t.Context(), func(ctx context.Context) error {
							var n int64
							// A transaction that reads first and then writes is the one SQLite would refuse half-way.
							if err := db.QueryRow(ctx, `SELECT count FROM item WHERE name = 'a'`).Scan(&n); err != nil {
								return err
							}
							err := db.QueryRow(ctx, `UPDATE item SET count = count + 1 WHERE name = 'a' RETURNING count`).Scan(&n)
							if err != nil {
								return err
							}
							_, err = db.Exec(ctx, `INSERT INTO item (name, count) VALUES ($1, $2)`, fmt.Sprint("n", n), n)
							return err
						})
						if err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			var n int64
			if err := two.QueryRow(t.Context(), `SELECT count(*) FROM item`).Scan(&n); err != nil || n != workers*rounds+1 {
				t.Errorf("%d rows, %v", n, err)
			}
		})
	}
}

// TestOpenAtOnce opens a fresh file from many sides while it turns to WAL, and closes it again, which turns the log in.
func TestOpenAtOnce(t *testing.T) {
	for range 8 {
		addr := sqldbtest.SQLite(t)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 3 {
					db, err := sqldb.Open(t.Context(), addr)
					if err != nil {
						t.Error(err)
						return
					}
					if _, err := db.Exec(t.Context(), `CREATE TABLE IF NOT EXISTS item (name text)`); err != nil {
						t.Error(err)
					}
					if err := db.Close(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	}
}

// TestSameStatementNested runs a statement while a result of the same text is open.
func TestSameStatementNested(t *testing.T) {
	db := sqldbtest.Open(t)
	const q = `SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3`
	err := db.Tx(t.Context(), func(ctx context.Context) error {
		rows, err := db.Query(ctx, q)
		if err != nil {
			return err
		}
		defer rows.Close()
		for want := 1; rows.Next(); want++ {
			var outer, inner int
			if err := rows.Scan(&outer); err != nil {
				return err
			}
			if err := db.QueryRow(ctx, q).Scan(&inner); err != nil {
				return err
			}
			if outer != want || inner != 1 {
				t.Errorf("outer %d, inner %d, want %d and 1", outer, inner, want)
			}
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, dsn := range []string{
		"", "test.db", "mysql://u:secretword@h/d", "sqlite:", "sqlite::memory:",
		"sqlite:" + t.TempDir() + "/no/such/dir/x.db", "postgres://u:secretword@h:port/d",
	} {
		db, err := sqldb.Open(t.Context(), dsn)
		if err == nil {
			t.Errorf("%q opened", dsn)
			_ = db.Close()
			continue
		}
		if strings.Contains(err.Error(), "secretword") {
			t.Errorf("%q: password in %q", dsn, err)
		}
	}
}
