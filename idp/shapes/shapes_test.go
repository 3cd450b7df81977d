package shapes_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/idp/shapes"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

type clock struct{ unix atomic.Int64 }

func (c *clock) now() time.Time { return time.Unix(c.unix.Load(), 0) }

func open(t testing.TB, db *sqldb.DB, c *clock) *shapes.Recorder {
	t.Helper()
	r, err := shapes.New(t.Context(), shapes.Deps{DB: db, Now: c.now, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func newClock() *clock {
	c := &clock{}
	c.unix.Store(1_800_000_000)
	return c
}

func scope(words string) shapes.Shape {
	return shapes.Shape{Kind: shapes.Pushed, Client: &clients.Proof{Method: clients.SecretBasic}, Parameters: map[string][]string{"scope": {words}}}
}

func day(t *testing.T, r *shapes.Recorder, client clients.ID) shapes.Day {
	t.Helper()
	d, err := r.Day(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestAHundredAtOnceInTwoProcessesAreAllCounted: nothing is lost or counted twice, while they flush and read.
func TestAHundredAtOnceInTwoProcessesAreAllCounted(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		processes := []*shapes.Recorder{open(t, db, c), open(t, db, c)}
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				r := processes[i%2]
				r.Note("a", scope(fmt.Sprint(i%3)))
				r.Note("b", shapes.Shape{Kind: shapes.Refused, Reason: "invalid_scope"})
				if i%10 == 0 {
					if _, err := r.Day(t.Context(), "a"); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		for _, r := range processes {
			if err := r.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		a, b := day(t, processes[0], "a"), day(t, processes[1], "b")
		if n, _ := a.Requests(); n != 100 || len(a.Shapes) != 3 || a.Shapes[0].Count != 34 {
			t.Errorf("a: %d requests, %+v", n, a.Shapes)
		}
		if n, _ := b.Requests(); n != 0 || b.Refused()["invalid_scope"] != 100 {
			t.Errorf("b: %d requests, %v", n, b.Refused())
		}
	})
}

// TestADayIsForgotten: what is older is neither read nor kept.
func TestADayIsForgotten(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		r := open(t, db, c)
		for range 30 { // hours
			r.Note("a", scope("openid"))
			c.unix.Add(3600)
		}
		if n, _ := day(t, r, "a").Requests(); n != 24 {
			t.Errorf("%d requests in a day of one an hour", n)
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := r.Run(ctx); ctx.Err() == nil || err == nil {
			t.Error("it goes on")
		}
		if err := r.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		var rows int
		if err := db.QueryRow(t.Context(), `SELECT count(*) FROM request_shape`).Scan(&rows); err != nil || rows != 24 {
			t.Errorf("%d rows, %v", rows, err)
		}
	})
}

// TestStrangersCannotCrowdOut: whoever makes up ten thousand different requests finds them counted, a bounded number of them kept, and room left for
// those that the client itself proved to send.
func TestStrangersCannotCrowdOut(t *testing.T) {
	c, db := newClock(), sqldbtest.Open(t)
	r := open(t, db, c)
	for i := range 10_000 {
		r.Note("a", shapes.Shape{Kind: shapes.Authorization, Parameters: map[string][]string{"x": {fmt.Sprint(i)}}})
		if i%500 == 0 {
			if err := r.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.Note("a", scope("openid"))
	d := day(t, r, "a")
	all, beyond := d.Requests()
	if all != 10_001 || beyond < 9_000 || d.Count(shapes.Pushed) != 1 || len(d.Shapes) > 500 {
		t.Errorf("%d requests, %d beyond, %d pushed, %d shapes", all, beyond, d.Count(shapes.Pushed), len(d.Shapes))
	}
}

// TestStrangersWhoPushForAPublicClientCrowdOutNoTokens: nobody proves anything when such a client pushes.
func TestStrangersWhoPushForAPublicClientCrowdOutNoTokens(t *testing.T) {
	c, db := newClock(), sqldbtest.Open(t)
	r := open(t, db, c)
	public := &clients.Proof{Method: clients.None}
	for i := range 2_000 {
		r.Note("a", shapes.Shape{Kind: shapes.Pushed, Client: public, Parameters: map[string][]string{"scope": {fmt.Sprint(i)}}})
		if i%100 == 0 {
			if err := r.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.Note("a", shapes.Shape{Kind: shapes.Token, Client: public, Parameters: map[string][]string{"grant_type": {"authorization_code"}}})
	if d := day(t, r, "a"); d.Count(shapes.Token) != 1 {
		t.Errorf("%d tokens", d.Count(shapes.Token))
	}
}

// TestAFloodOfLongShapesIsBounded: what strangers write at length is counted, and none of it kept; nor do many clients with a database that is
// away fill the memory.
func TestAFloodOfLongShapesIsBounded(t *testing.T) {
	c := newClock()
	r := open(t, sqldbtest.Open(t), c)
	long := strings.Repeat("x", 1500)
	r.Note("a", shapes.Shape{Kind: shapes.Authorization, Parameters: map[string][]string{"claims": {long + long}}})
	if d := day(t, r, "a"); d.Count(shapes.Authorization) != 0 || d.Count(shapes.Beyond) != 1 {
		t.Errorf("%+v", d)
	}
	gone, stop := context.WithCancel(t.Context())
	stop()
	for round := range 3 {
		for i := range 200 * 200 {
			r.Note(clients.ID(fmt.Sprint("c", i/200)), shapes.Shape{Kind: shapes.Authorization, Parameters: map[string][]string{"claims": {fmt.Sprint(long, i, round)}}})
		}
		if err := r.Flush(gone); err == nil {
			t.Fatal("stored without a database")
		}
		if n := r.Held(); n > 32<<20 {
			t.Fatalf("%d bytes", n)
		}
	}
}

// TestADatabaseThatIsAwayLosesNothing: what could not be stored is stored when it is back.
func TestADatabaseThatIsAwayLosesNothing(t *testing.T) {
	c, db := newClock(), sqldbtest.Open(t)
	r := open(t, db, c)
	r.Note("a", scope("openid"))
	gone, stop := context.WithCancel(t.Context())
	stop()
	if err := r.Flush(gone); err == nil {
		t.Fatal("stored without a database")
	}
	r.Note("a", scope("openid"))
	r.Note("a", scope("email"))
	if n, _ := day(t, r, "a").Requests(); n != 3 {
		t.Errorf("%d requests of 3", n)
	}
}

// TestNothingIsNotedWithoutARecorder: a hub without one goes on.
func TestNothingIsNotedWithoutARecorder(t *testing.T) {
	var r *shapes.Recorder
	r.Note("a", scope("openid"))
	if d, err := r.Day(t.Context(), "a"); err != nil || len(d.Shapes) != 0 {
		t.Error(d, err)
	}
}

// BenchmarkNote is what a request pays.
func BenchmarkNote(b *testing.B) {
	r := open(b, sqldbtest.Open(b), newClock())
	s := shapes.Shape{Kind: shapes.Pushed, Client: &clients.Proof{Method: clients.PrivateKeyJWT, Alg: "ES256", Key: "abcdefghijklmnopqrstuvwxyz", Audience: clients.AudienceIssuer}, Parameters: map[string][]string{
		"redirect_uri": {"https://app.example/callback"}, "response_type": {"code"}, "scope": {"openid profile email"}, "code_challenge": {"AAAA"},
	}}
	b.ReportAllocs()
	for b.Loop() {
		r.Note("a", s)
	}
}
