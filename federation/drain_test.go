package federation

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/cputime"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// everywhere ends sessions of three services each; the bank is always the first.
func (o *outbox) everywhere(sessions int) {
	o.t.Helper()
	for i := range sessions {
		account, sid := newAccount(), fmt.Sprint("s", i)
		o.enqueue(LogoutSession, Notice{Account: account, Client: "bank", Session: sid, SID: sid}, Notice{Account: account, Client: "etax", Session: sid, SID: sid},
			Notice{Account: account, Client: "picky", Session: sid, SID: sid})
	}
}

// drain runs the outbox until both healthy services have been told of every session.
func (o *outbox) drain(ctx context.Context, sessions int) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { _ = o.Run(ctx) })
	for len(o.told("etax.example")) < sessions || len(o.told("picky.example")) < sessions {
		time.Sleep(time.Millisecond)
	}
	cancel()
	running.Wait()
}

// TestHangingServiceDelaysNobody: everybody else is told of everything while one service has not answered a single time. It has no more tokens
// on their way than it may have, and loses none.
func TestHangingServiceDelaysNobody(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		const sessions = 300
		o := newOutbox(t, db)
		o.hang = time.Hour // it hangs until the outbox is stopped
		o.set("etax.example", http.StatusOK)
		o.set("picky.example", http.StatusOK)
		o.everywhere(sessions)
		o.drain(t.Context(), sessions)
		if n := len(o.told("bank.example")); n == 0 || n > DefaultPerService {
			t.Errorf("%d tries at once at one service", n)
		}
		var pending int
		if err := db.QueryRow(t.Context(), `SELECT COUNT(*) FROM logout_delivery WHERE client = 'bank' AND state = 'pending'`).Scan(&pending); err != nil || pending != sessions {
			t.Errorf("%d of %d wait for it, %v", pending, sessions, err)
		}
	})
}

// TestTokensAtOnceAreBounded: how many tokens are on their way to one service at once is for the operator to say.
func TestTokensAtOnceAreBounded(t *testing.T) {
	o := newOutbox(t, sqldbtest.Open(t))
	var at, most atomic.Int64
	o.d.PerService = 3
	post := o.post
	o.d.Post = func(ctx context.Context, address string, form url.Values) (int, error) {
		if n := at.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer at.Add(-1)
		time.Sleep(2 * time.Millisecond)
		return post(ctx, address, form)
	}
	o.set("etax.example", http.StatusOK)
	for range 30 {
		o.enqueue(LogoutSession, Notice{Account: newAccount(), Client: "etax", Session: "s", SID: "s"})
	}
	o.deliver()
	if n := most.Load(); n < 2 || n > 3 || len(o.told("etax.example")) != 30 {
		t.Errorf("%d at once, %d told", n, len(o.told("etax.example")))
	}
}

// TestSlowServicesTakeTurns: when every lane is taken by a service that always has something due, whoever has had no turn is next, however
// long the others have waited.
func TestSlowServicesTakeTurns(t *testing.T) {
	l := newLanes(time.Now)
	due := []string{"longest", "long", "new"}
	l.enter("longest")
	l.leave("longest")
	if inTurn(l, due); !slices.Equal(due, []string{"long", "new", "longest"}) {
		t.Error(due)
	}
	for _, id := range []string{"new", "long"} {
		l.enter(id)
		l.leave(id)
	}
	if inTurn(l, due); !slices.Equal(due, []string{"longest", "new", "long"}) {
		t.Error(due)
	}
}

// TestNobodyWaitsForSlowServices: as many services as there are lanes answer slowly, and have more due than a turn takes; one that has less,
// and came last, is told before they are done.
func TestNobodyWaitsForSlowServices(t *testing.T) {
	o := newOutbox(t, sqldbtest.Open(t))
	o.set("etax.example", http.StatusOK)
	o.set("bank.example", http.StatusOK)
	o.lanes.free = 1
	at := o.d.Now()
	o.d.Post = func(ctx context.Context, address string, form url.Values) (int, error) {
		if strings.Contains(address, "bank") {
			o.advance(time.Second)
		}
		return o.post(ctx, address, form)
	}
	for range 3 * laneBatch {
		o.enqueue(LogoutSession, Notice{Account: newAccount(), Client: "bank", Session: "s", SID: "s"})
	}
	o.advance(time.Second)
	o.enqueue(LogoutSession, Notice{Account: newAccount(), Client: "etax", Session: "s", SID: "s"})
	for len(o.told("etax.example")) == 0 && len(o.told("bank.example")) < 3*laneBatch {
		o.deliver()
	}
	if n := len(o.told("bank.example")); n > laneBatch {
		t.Errorf("told after %d of a slow one, %v", n, o.d.Now().Sub(at))
	}
}

// BenchmarkDrain ends 10,000 sessions of three services each, which answer in 5 ms, or one of which never does. What is told to the two healthy
// ones a second is to be the same.
func BenchmarkDrain(b *testing.B) {
	const sessions = 10_000
	for name, status := range map[string]int{"healthy": http.StatusOK, "hanging": 0} {
		b.Run(name, func(b *testing.B) {
			o := newOutbox(b, sqldbtest.Open(b))
			o.hang, o.rtt = 3*time.Second, 5*time.Millisecond
			o.set("etax.example", http.StatusOK)
			o.set("picky.example", http.StatusOK)
			o.set("bank.example", status)
			o.everywhere(sessions)
			b.ResetTimer()
			begun := time.Now()
			spent := cputime.Spent(b, func() { o.drain(b.Context(), sessions) })
			took := time.Since(begun)
			b.StopTimer()
			all := 0
			for _, host := range []string{"bank.example", "etax.example", "picky.example"} {
				all += len(o.told(host))
			}
			b.ReportMetric(2*sessions/took.Seconds(), "healthy-deliveries/s")
			b.ReportMetric(float64(spent.Microseconds())/float64(all), "cpu-µs/delivery")
		})
	}
}
