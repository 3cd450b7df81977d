package audit_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// notary signs with a key that the tests' tamperers do not have.
func notary() audit.Notary {
	prove := func(b []byte) (d [32]byte) {
		m := hmac.New(sha256.New, []byte("a key outside of the database"))
		m.Write(b)
		return [32]byte(m.Sum(nil))
	}
	return audit.Notary{Prove: prove, Sign: func(c audit.Claim) (string, error) {
		d := prove(fmt.Append(nil, c.Seq, c.Prev, c.Hash))
		return fmt.Sprint(c.Seq, ".", hex.EncodeToString(d[:])), nil
	}}
}

func openVouched(t testing.TB, db *sqldb.DB, now func() time.Time) *audit.Log {
	t.Helper()
	l, err := audit.New(t.Context(), db, now)
	if err != nil {
		t.Fatal(err)
	}
	l.Vouch(notary())
	return l
}

func checkpoint(t testing.TB, l *audit.Log) audit.Checkpoint {
	t.Helper()
	c, err := l.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// eachVouched has a log of ten rows with checkpoints after the fourth and the eighth.
func eachVouched(t *testing.T, fn func(t *testing.T, db *sqldb.DB, l *audit.Log)) {
	t.Helper()
	eachLog(t, func(t *testing.T, db *sqldb.DB, _ *audit.Log) {
		l := openVouched(t, db, clock)
		for _, n := range []int{4, 4} {
			fill(t, l, n)
			checkpoint(t, l)
		}
		fill(t, l, 2)
		if err := l.Verify(t.Context()); err != nil {
			t.Fatalf("before: %v", err)
		}
		fn(t, db, openVouched(t, db, clock)) // another process, which remembers nothing
	})
}

func wantBroken(t *testing.T, err error, want audit.BrokenError) {
	t.Helper()
	if broken, ok := errors.AsType[*audit.BrokenError](err); !ok || *broken != want {
		t.Errorf("got %v, want %v", err, &want)
	}
}

// recompute makes the chain whole again from a row on, head included, as somebody can who reads this package's source. It is written
// from its documentation.
func recompute(t *testing.T, db *sqldb.DB, from int64) {
	t.Helper()
	ctx := t.Context()
	rows, err := db.Query(ctx, `SELECT seq, at_us, kind, account, client, session, actor, reason, trace, facts FROM audit_event ORDER BY seq`)
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		seq, at int64
		texts   [8]string
	}
	var all []row
	for rows.Next() {
		var r row
		x := &r.texts
		if err := rows.Scan(&r.seq, &r.at, &x[0], &x[1], &x[2], &x[3], &x[4], &x[5], &x[6], &x[7]); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	var prev [32]byte
	if all[0].seq > 1 {
		var b []byte
		if err := db.QueryRow(ctx, `SELECT hash FROM audit_base`).Scan(&b); err != nil {
			t.Fatal(err)
		}
		prev = [32]byte(b)
	}
	for _, r := range all {
		b := append([]byte("tsunagu audit row v1"), prev[:]...)
		b = binary.BigEndian.AppendUint64(b, uint64(r.seq))
		b = binary.BigEndian.AppendUint64(b, uint64(r.at))
		for _, text := range r.texts {
			b = binary.BigEndian.AppendUint64(b, uint64(len(text)))
			b = append(b, text...)
		}
		hash := sha256.Sum256(b)
		if r.seq >= from {
			must(t, db, `UPDATE audit_event SET prev = $1, hash = $2 WHERE seq = $3`, prev[:], hash[:], r.seq)
		}
		prev = hash
	}
	must(t, db, `UPDATE audit_head SET seq = $1, hash = $2`, all[len(all)-1].seq, prev[:])
}

func must(t *testing.T, db *sqldb.DB, q string, args ...any) {
	t.Helper()
	if n, err := db.Exec(t.Context(), q, args...); err != nil || n == 0 {
		t.Fatal(q, n, err)
	}
}

// TestRecomputedChainIsFound is about whoever can write to every table and knows how rows are hashed.
func TestRecomputedChainIsFound(t *testing.T) {
	tests := []struct {
		name string
		do   func(t *testing.T, db *sqldb.DB)
		want audit.BrokenError
	}{
		{"altered, the whole chain recomputed", func(t *testing.T, db *sqldb.DB) {
			must(t, db, `UPDATE audit_event SET account = 'mallory' WHERE seq = 2`)
			recompute(t, db, 2)
		}, audit.BrokenError{Seq: 4, Why: audit.Unattested}},
		{"altered between two checkpoints", func(t *testing.T, db *sqldb.DB) {
			must(t, db, `UPDATE audit_event SET account = 'mallory' WHERE seq = 6`)
			recompute(t, db, 6)
		}, audit.BrokenError{Seq: 8, Why: audit.Unattested}},
		{"deleted, renumbered and recomputed", func(t *testing.T, db *sqldb.DB) {
			must(t, db, `DELETE FROM audit_event WHERE seq = 6`)
			for seq := 7; seq <= 10; seq++ {
				must(t, db, `UPDATE audit_event SET seq = seq - 1 WHERE seq = $1`, seq)
			}
			recompute(t, db, 6)
		}, audit.BrokenError{Seq: 8, Why: audit.Unattested}},
		{"exchanged and recomputed", func(t *testing.T, db *sqldb.DB) {
			must(t, db, `UPDATE audit_event SET seq = 99 WHERE seq = 2`)
			must(t, db, `UPDATE audit_event SET seq = 2 WHERE seq = 3`)
			must(t, db, `UPDATE audit_event SET seq = 3 WHERE seq = 99`)
			recompute(t, db, 2)
		}, audit.BrokenError{Seq: 4, Why: audit.Unattested}},
		{"cut off, head and all", func(t *testing.T, db *sqldb.DB) {
			must(t, db, `DELETE FROM audit_event WHERE seq > 6`)
			recompute(t, db, 7)
		}, audit.BrokenError{Seq: 8, Why: audit.Unattested}},
		{"recomputed, and the checkpoint's hash with it", func(t *testing.T, db *sqldb.DB) {
			must(t, db, `UPDATE audit_event SET account = 'mallory' WHERE seq = 6`)
			recompute(t, db, 6)
			must(t, db, `UPDATE audit_checkpoint SET hash = (SELECT hash FROM audit_event WHERE seq = 8) WHERE seq = 8`)
		}, audit.BrokenError{Seq: 8, Why: audit.Unattested}},
		{"a checkpoint taken away", func(t *testing.T, db *sqldb.DB) {
			must(t, db, `DELETE FROM audit_checkpoint WHERE seq = 4`)
		}, audit.BrokenError{Seq: 4, Why: audit.Unattested}},
		{"a checkpoint taken away, and not missed by the next", func(t *testing.T, db *sqldb.DB) {
			must(t, db, `DELETE FROM audit_checkpoint WHERE seq = 4`)
			must(t, db, `UPDATE audit_checkpoint SET prev = 0`)
		}, audit.BrokenError{Seq: 8, Why: audit.Unattested}},
		{"a checkpoint's statement altered", func(t *testing.T, db *sqldb.DB) {
			must(t, db, `UPDATE audit_checkpoint SET jws = 'x' WHERE seq = 4`)
		}, audit.BrokenError{Seq: 4, Why: audit.Unattested}},
		{"a beginning taken out that was not to be", func(t *testing.T, db *sqldb.DB) {
			must(t, db, `UPDATE audit_base SET seq = 4, hash = (SELECT hash FROM audit_event WHERE seq = 4)`)
			must(t, db, `DELETE FROM audit_event WHERE seq <= 4`)
		}, audit.BrokenError{Seq: 4, Why: audit.Headless}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eachVouched(t, func(t *testing.T, db *sqldb.DB, l *audit.Log) {
				tt.do(t, db)
				wantBroken(t, l.Verify(t.Context()), tt.want)
			})
		})
	}
}

// TestNothingIsSignedOverABrokenLog: neither over rows that were altered, nor by a process whose own statement was taken away.
func TestNothingIsSignedOverABrokenLog(t *testing.T) {
	eachVouched(t, func(t *testing.T, db *sqldb.DB, l *audit.Log) {
		must(t, db, `UPDATE audit_event SET account = 'mallory' WHERE seq = 9`)
		_, err := l.Checkpoint(t.Context())
		wantBroken(t, err, audit.BrokenError{Seq: 9, Why: audit.Altered})
	})
	eachVouched(t, func(t *testing.T, db *sqldb.DB, l *audit.Log) {
		if c := checkpoint(t, l); c.Seq != 10 || c.Prev != 8 {
			t.Fatalf("%+v", c)
		}
		// All that was signed is gone and the chain is made anew: no row of the database speaks against it.
		must(t, db, `DELETE FROM audit_checkpoint`)
		must(t, db, `UPDATE audit_event SET account = 'mallory' WHERE seq = 2`)
		recompute(t, db, 2)
		_, err := l.Checkpoint(t.Context())
		wantBroken(t, err, audit.BrokenError{Seq: 10, Why: audit.Unattested})
		wantBroken(t, l.Verify(t.Context()), audit.BrokenError{Seq: 10, Why: audit.Unattested})
	})
}

// TestKeptCheckpointConvicts is the third party's view: everything in the database was made anew, by whoever has all keys.
func TestKeptCheckpointConvicts(t *testing.T) {
	eachVouched(t, func(t *testing.T, db *sqldb.DB, l *audit.Log) {
		ctx := t.Context()
		list, err := l.Checkpoints(ctx, 0, 10)
		if err != nil || len(list) != 2 || list[0].Seq != 8 || list[1].Seq != 4 {
			t.Fatal(list, err)
		}
		kept := list[0].Claim
		if e, err := l.Examine(ctx, kept); err != nil || e.Rows() != 10 || e.First != 1 {
			t.Fatal(e, err)
		}
		must(t, db, `DELETE FROM audit_checkpoint`)
		must(t, db, `UPDATE audit_event SET account = 'mallory' WHERE seq = 2`)
		recompute(t, db, 2)
		if err := l.Verify(ctx); err != nil {
			t.Fatalf("alone it looks whole: %v", err)
		}
		_, err = l.Examine(ctx, kept)
		wantBroken(t, err, audit.BrokenError{Seq: 8, Why: audit.Unattested})
		kept.Seq = 11
		_, err = l.Examine(ctx, kept)
		wantBroken(t, err, audit.BrokenError{Seq: 11, Why: audit.Unattested})
	})
}

// TestCheckpointsOfManyProcesses: one chain of statements, whoever makes them and whoever appends meanwhile.
func TestCheckpointsOfManyProcesses(t *testing.T) {
	eachLog(t, func(t *testing.T, db *sqldb.DB, _ *audit.Log) {
		first := openVouched(t, db, clock)
		if _, err := first.Checkpoint(t.Context()); !errors.Is(err, audit.ErrEmpty) {
			t.Fatalf("got %v", err)
		}
		fill(t, first, 3)
		var wg sync.WaitGroup
		for i := range 20 {
			l := openVouched(t, db, clock)
			wg.Go(func() {
				if i%4 == 0 {
					fill(t, l, 5)
				}
				if _, err := l.Checkpoint(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		last := checkpoint(t, first)
		if again := checkpoint(t, first); again.JWS != last.JWS {
			t.Error("nothing came since, and there is another one")
		}
		if err := openVouched(t, db, clock).Verify(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestRetention(t *testing.T) {
	eachLog(t, func(t *testing.T, db *sqldb.DB, _ *audit.Log) {
		ctx := t.Context()
		now := start
		l := openVouched(t, db, func() time.Time { return now })
		day := 24 * time.Hour
		for range 5 { // rows 1 to 50, a checkpoint on each of five days
			fill(t, l, 10)
			checkpoint(t, l)
			now = now.Add(day)
		}
		fill(t, l, 3)
		kept, err := l.Checkpoints(ctx, 0, 10)
		if err != nil || len(kept) != 5 {
			t.Fatal(kept, err)
		}
		if through, err := l.Retain(ctx, start); err != nil || through != 0 {
			t.Fatal(through, err)
		}
		var wg sync.WaitGroup
		for range 8 {
			other := openVouched(t, db, func() time.Time { return now })
			wg.Go(func() {
				if through, err := other.Retain(ctx, start.Add(2*day)); err != nil || through != 20 {
					t.Error(through, err)
				}
			})
		}
		wg.Wait()
		var rows int
		if err := db.QueryRow(ctx, `SELECT count(*) FROM audit_event`).Scan(&rows); err != nil || rows != 34 {
			t.Fatal(rows, err) // 33, and what tells of it
		}
		if first, err := l.First(ctx); err != nil || first != 21 {
			t.Fatal(first, err)
		}
		e, err := l.Examine(ctx, kept[4].Claim, kept[0].Claim)
		if err != nil || e.First != 21 || e.Last != 54 {
			t.Fatal(e, err)
		}
		told, err := l.Search(ctx, audit.Filter{Kind: "audit.taken_out"}, "", 10)
		if err != nil || len(told.Rows) != 1 || told.Rows[0].Facts["through"] != "20" {
			t.Fatal(told, err)
		}

		// A killed process left rows behind: nobody sees them, and the next call takes them away.
		must(t, db, `INSERT INTO audit_event (seq, at_us, kind, account, client, session, actor, reason, trace, facts, prev, hash)
			SELECT 20, at_us, kind, account, client, session, actor, reason, trace, facts, prev, hash FROM audit_event WHERE seq = 21`)
		if list, err := l.List(ctx, audit.Query{Limit: 1}); err != nil || list[0].Seq != 21 {
			t.Fatal(list, err)
		}
		all, err := l.Search(ctx, audit.Filter{}, "", 1000)
		if err != nil || len(all.Rows) != 34 {
			t.Fatal(len(all.Rows), err)
		}
		if _, err := l.Retain(ctx, start); err != nil {
			t.Fatal(err)
		}
		if err := db.QueryRow(ctx, `SELECT count(*) FROM audit_event`).Scan(&rows); err != nil || rows != 34 {
			t.Fatal(rows, err)
		}

		// What is broken stays, as evidence.
		must(t, db, `UPDATE audit_event SET account = 'mallory' WHERE seq = 25`)
		_, err = l.Retain(ctx, start.Add(4*day))
		wantBroken(t, err, audit.BrokenError{Seq: 25, Why: audit.Altered})
		recompute(t, db, 25)
		_, err = l.Retain(ctx, start.Add(4*day))
		wantBroken(t, err, audit.BrokenError{Seq: 30, Why: audit.Unattested})
		if first, err := l.First(ctx); err != nil || first != 21 {
			t.Fatal(first, err)
		}
	})
}

// TestRetentionDoesNotDisturbVerification: what is being read goes away.
func TestRetentionDoesNotDisturbVerification(t *testing.T) {
	eachLog(t, func(t *testing.T, db *sqldb.DB, _ *audit.Log) {
		now := start
		l := openVouched(t, db, func() time.Time { return now })
		for range 20 {
			fill(t, l, 100)
			checkpoint(t, l)
			now = now.Add(time.Hour)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range 19 {
				if _, err := l.Retain(t.Context(), start.Add(time.Duration(i+1)*time.Hour)); err != nil {
					t.Error(err)
				}
			}
		}()
		for over := false; !over; {
			select {
			case <-done:
				over = true
			default:
			}
			if err := l.Verify(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestKeepMakesCheckpointsByItself(t *testing.T) {
	eachLog(t, func(t *testing.T, db *sqldb.DB, _ *audit.Log) {
		l := openVouched(t, db, clock)
		fill(t, l, 3)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		done := make(chan error, 1)
		go func() {
			done <- l.Keep(ctx, audit.Keeping{Every: time.Hour, For: time.Hour, Tell: func(err error) {
				if err != nil {
					t.Error(err)
				}
			}})
		}()
		for {
			list, err := l.Checkpoints(t.Context(), 0, 1)
			if err != nil {
				t.Fatal(err)
			}
			if len(list) == 1 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
