package audit_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

var start = time.Date(2026, 4, 1, 9, 0, 0, 123456789, time.UTC)

func clock() time.Time { return start }

func open(t testing.TB, db *sqldb.DB) *audit.Log {
	t.Helper()
	l, err := audit.New(t.Context(), db, clock)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func eachLog(t *testing.T, fn func(t *testing.T, db *sqldb.DB, l *audit.Log)) {
	t.Helper()
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) { fn(t, db, open(t, db)) })
}

// fill appends n events that differ.
func fill(t testing.TB, l *audit.Log, n int) {
	t.Helper()
	for i := range n {
		e := audit.Event{Kind: "login.succeeded", Account: fmt.Sprint("a", i), Facts: map[string]string{"source": "ocsp"}}
		if err := l.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAppendAndList(t *testing.T) {
	eachLog(t, func(t *testing.T, _ *sqldb.DB, l *audit.Log) {
		ctx := t.Context()
		full := audit.Event{
			Kind: "login.card_refused", Account: "a", Client: "c", Session: "s", Actor: "hub", Reason: "cert_revoked",
			Trace: "7F3A-21C9", Facts: map[string]string{"source": "ocsp", "age": "3s"},
		}
		for _, e := range []audit.Event{full, {Kind: "key.rotated"}, {Kind: "login.succeeded", Account: "a"}} {
			if err := l.Append(ctx, e); err != nil {
				t.Fatal(err)
			}
		}
		rows, err := l.List(ctx, audit.Query{})
		if err != nil || len(rows) != 3 {
			t.Fatal(len(rows), err)
		}
		r := rows[0]
		if got, want := fmt.Sprint(r.Event), fmt.Sprint(full); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if want := start.Truncate(time.Microsecond); r.Seq != 1 || !r.At.Equal(want) || r.Prev != [32]byte{} {
			t.Errorf("seq %d, at %v, prev %x", r.Seq, r.At, r.Prev)
		}
		if rows[1].Prev != r.Hash || rows[2].Prev != rows[1].Hash {
			t.Error("not chained")
		}
		for _, tt := range []struct {
			q    audit.Query
			want string
		}{
			{audit.Query{After: 1}, "2 3"},
			{audit.Query{Limit: 2}, "1 2"},
			{audit.Query{Account: "a"}, "1 3"},
			{audit.Query{Account: "a", Kind: "login.succeeded"}, "3"},
			{audit.Query{Kind: "key.rotated"}, "2"},
			{audit.Query{Account: "a", After: 1, Limit: 9999}, "3"},
			{audit.Query{Account: "nobody"}, ""},
		} {
			rows, err := l.List(ctx, tt.q)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range rows {
				got = append(got, fmt.Sprint(r.Seq))
			}
			if g := strings.Join(got, " "); g != tt.want {
				t.Errorf("%+v: %q, want %q", tt.q, g, tt.want)
			}
		}
		if err := l.Verify(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestAppendRefusesMalformed(t *testing.T) {
	l := open(t, sqldbtest.Open(t))
	many := map[string]string{}
	for i := range 17 {
		many[fmt.Sprint("k", i)] = ""
	}
	for _, e := range []audit.Event{
		{}, {Kind: "login"}, {Kind: "Login.done"}, {Kind: "login."}, {Kind: "login.done "},
		{Kind: audit.Kind("a." + strings.Repeat("b", 300))},
		{Kind: "a.b", Facts: map[string]string{"A Key": ""}},
		{Kind: "a.b", Facts: map[string]string{"": ""}},
		{Kind: "a.b", Facts: many},
	} {
		if err := l.Append(t.Context(), e); err == nil {
			t.Errorf("%.80v was accepted", e)
		}
	}
	if rows, err := l.List(t.Context(), audit.Query{}); err != nil || len(rows) != 0 {
		t.Error(rows, err)
	}
}

// TestStrangersTextIsCutNotRefused: nobody keeps an event about himself out of the log by what he sends.
func TestStrangersTextIsCutNotRefused(t *testing.T) {
	eachLog(t, func(t *testing.T, _ *sqldb.DB, l *audit.Log) {
		for _, tt := range []struct{ name, in, want string }{
			{"nul and escape", "a\x00b\x1b[31m\r\nc", "a\uFFFDb\uFFFD[31m\uFFFD\uFFFDc"},
			{"bad utf8", "a\xff\xfeb", "a\uFFFDb"},
			{"bidi override", "a\u202eb", "a\uFFFDb"},
			{"long", strings.Repeat("x", 1<<20), strings.Repeat("x", 253) + "…"},
			{"long and wide", strings.Repeat("つ", 1000), strings.Repeat("つ", 84) + "…"},
			{"just fits", strings.Repeat("x", 256), strings.Repeat("x", 256)},
			{"ordinary", "つなぐ", "つなぐ"},
		} {
			before, err := l.List(t.Context(), audit.Query{})
			if err != nil {
				t.Fatal(err)
			}
			e := audit.Event{Kind: "client.refused", Client: tt.in, Facts: map[string]string{"seen": tt.in}}
			if err := l.Append(t.Context(), e); err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			rows, err := l.List(t.Context(), audit.Query{After: int64(len(before))})
			if err != nil {
				t.Fatal(err)
			}
			if got := rows[0].Client; got != tt.want || rows[0].Facts["seen"] != tt.want {
				t.Errorf("%s: %q", tt.name, got)
			}
		}
		if err := l.Verify(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestAppendFollowsTransaction: an event is in the log if and only if what it tells about was committed.
func TestAppendFollowsTransaction(t *testing.T) {
	eachLog(t, func(t *testing.T, db *sqldb.DB, l *audit.Log) {
		boom := errors.New("boom")
		for _, want := range []error{nil, boom, nil} {
			err := db.Tx(t.Context(), func(ctx context.Context) error {
				for range 2 {
					if err := l.Append(ctx, audit.Event{Kind: "link.offered"}); err != nil {
						return err
					}
				}
				return want
			})
			if !errors.Is(err, want) {
				t.Fatal(err)
			}
		}
		rows, err := l.List(t.Context(), audit.Query{})
		if err != nil || len(rows) != 4 {
			t.Fatal(len(rows), err)
		}
		if err := l.Verify(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestAppendOutlivesCaller: a browser that hangs up does not keep the event out.
func TestAppendOutlivesCaller(t *testing.T) {
	l := open(t, sqldbtest.Open(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Append(ctx, audit.Event{Kind: "login.succeeded"}); err != nil {
		t.Fatal(err)
	}
	if rows, err := l.List(t.Context(), audit.Query{}); err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
}

// TestConcurrentAppendsKeepOneChain appends from two logs, which stand for two processes, alone and in transactions that also
// change rows of their own in opposite orders, while a third party verifies.
func TestConcurrentAppendsKeepOneChain(t *testing.T) {
	for name, dsn := range map[string]func(testing.TB) string{"sqlite": sqldbtest.SQLite, "postgres": sqldbtest.Postgres} {
		t.Run(name, func(t *testing.T) {
			addr := dsn(t)
			dbs := []*sqldb.DB{sqldbtest.OpenDSN(t, addr), sqldbtest.OpenDSN(t, addr)}
			logs := []*audit.Log{open(t, dbs[0]), open(t, dbs[1])}
			const workers, rounds = 20, 10
			var wg sync.WaitGroup
			for i := range workers {
				wg.Go(func() {
					db, l := dbs[i%2], logs[i%2]
					for range rounds {
						err := l.Append(t.Context(), audit.Event{Kind: "a.alone"})
						err = errors.Join(err, db.Tx(t.Context(), func(ctx context.Context) error {
							return l.Append(ctx, audit.Event{Kind: "a.joined"})
						}))
						if err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			for range 5 {
				if err := logs[0].Verify(t.Context()); err != nil {
					t.Error(err)
				}
			}
			wg.Wait()
			if err := logs[1].Verify(t.Context()); err != nil {
				t.Error(err)
			}
			rows, err := logs[0].List(t.Context(), audit.Query{After: workers*rounds*2 - 1})
			if err != nil || len(rows) != 1 {
				t.Error(len(rows), err)
			}
		})
	}
}
