package federation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
	"github.com/tsunagu-id/tsunagu/keys"
)

// services are what the outbox tells: each address answers with a status, hangs, or is away.
type services struct {
	mu     sync.Mutex
	status map[string]int // by host; 0 hangs until the time for an answer is over
	tokens map[string][]logoutClaims
	hang   time.Duration
	rtt    time.Duration // that an answer takes
}

func (s *services) set(host string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status[host] = status
}

func (s *services) told(host string) []logoutClaims {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens[host]
}

func (s *services) post(ctx context.Context, address string, form url.Values) (int, error) {
	u, err := url.Parse(address)
	if err != nil {
		return 0, err
	}
	var claims logoutClaims
	if err := json.Unmarshal([]byte(form.Get("logout_token")), &claims); err != nil {
		return 0, err
	}
	s.mu.Lock()
	status := s.status[u.Host]
	s.tokens[u.Host] = append(s.tokens[u.Host], claims)
	s.mu.Unlock()
	if status != 0 {
		time.Sleep(s.rtt)
		return status, nil
	}
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(s.hang):
		return 0, errors.New("no answer")
	}
}

// outbox is Deliveries on a clock moved by hand, with services to tell.
type outbox struct {
	*Deliveries
	*services
	t   testing.TB
	log *audit.Log
	at  *atomic.Int64
}

func newOutbox(t testing.TB, db *sqldb.DB) *outbox {
	t.Helper()
	ctx := t.Context()
	at := &atomic.Int64{}
	at.Store(start.UnixMilli())
	now := func() time.Time { return time.UnixMilli(at.Load()) }
	subjects, _, log := open(t, db)
	registry, err := clients.Open(ctx, clients.Deps{DB: db, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	var seed []map[string]any
	for id, more := range map[string]map[string]any{
		"etax":   {"backchannel_logout_uri": "https://etax.example/bye"},
		"bank":   {"backchannel_logout_uri": "https://bank.example/bye", "id_token_signed_response_alg": "EdDSA"},
		"picky":  {"backchannel_logout_uri": "https://picky.example/bye", "backchannel_logout_session_required": true},
		"walled": {"status_list_logout": true}, "walled-too": {"status_list_logout": true},
		"silent": {}, "front": {"frontchannel_logout_uri": "https://front.example/bye"},
	} {
		m := map[string]any{"client_id": id, "client_name": id, "operator": id, "redirect_uris": []string{"https://" + id + ".example/cb"}, "token_endpoint_auth_method": "none"}
		for k, v := range more {
			m[k] = v
		}
		seed = append(seed, m)
	}
	b, err := json.Marshal(seed)
	if err == nil {
		err = registry.Seed(ctx, b)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := &services{status: map[string]int{}, tokens: map[string][]logoutClaims{}, hang: 100 * time.Millisecond}
	o, err := NewDeliveries(DeliveriesDeps{
		Issuer: "https://hub.example", DB: db, Clients: registry, Subjects: subjects, Audit: log, Post: s.post, Now: now,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Sign: func(alg keys.Alg, typ string, claims any) (string, error) {
			if typ != "logout+jwt" && typ != "statuslist+jwt" || alg != keys.ES256 && alg != keys.EdDSA {
				return "", fmt.Errorf("sign %s %s", alg, typ)
			}
			b, err := json.Marshal(claims)
			return string(b), err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &outbox{Deliveries: o, services: s, t: t, log: log, at: at}
}

// twin is another process on the same database, of which nothing is in memory yet.
func (o *outbox) twin() *outbox {
	twin, err := NewDeliveries(o.d)
	if err != nil {
		o.t.Fatal(err)
	}
	return &outbox{Deliveries: twin, services: o.services, t: o.t, log: o.log, at: o.at}
}

func (o *outbox) advance(d time.Duration) { o.at.Add(d.Milliseconds()) }

// deliver makes one round and waits for it.
func (o *outbox) deliver() {
	o.t.Helper()
	var working sync.WaitGroup
	if err := o.round(o.t.Context(), &working); err != nil {
		o.t.Fatal(err)
	}
	working.Wait()
}

func (o *outbox) enqueue(reason LogoutReason, notices ...Notice) string {
	o.t.Helper()
	batch, err := o.Enqueue(o.t.Context(), reason, notices)
	if err != nil {
		o.t.Fatal(err)
	}
	return batch
}

// states returns the states of a batch by client.
func (o *outbox) states(batch string) map[clients.ID]DeliveryState {
	o.t.Helper()
	all, err := o.Batch(o.t.Context(), batch, 0)
	if err != nil {
		o.t.Fatal(err)
	}
	out := map[clients.ID]DeliveryState{}
	for _, r := range all {
		out[r.Client] = r.State
		if r.Done.IsZero() != (r.State == Pending) {
			o.t.Errorf("%s is %s, done at %v", r.Client, r.State, r.Done)
		}
	}
	return out
}

func (o *outbox) want(batch string, client clients.ID, state DeliveryState) {
	o.t.Helper()
	if got := o.states(batch)[client]; got != state {
		o.t.Errorf("%s is %q, want %q", client, got, state)
	}
}

func TestNewDeliveriesNamesWhatIsMissing(t *testing.T) {
	if _, err := NewDeliveries(DeliveriesDeps{}); err == nil {
		t.Error("accepted empty DeliveriesDeps")
	}
}

func TestLifeOfADelivery(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		o := newOutbox(t, db)
		taro := newAccount()
		o.set("etax.example", http.StatusOK)
		o.set("bank.example", http.StatusServiceUnavailable)
		batch := o.enqueue(LogoutSession,
			Notice{taro, "etax", "s1", "etax-1", false, false}, Notice{taro, "bank", "s1", "bank-1", false, false}, Notice{taro, "silent", "s1", "silent-1", false, false},
			Notice{taro, "picky", "", "", false, false}, Notice{taro, "never-registered", "s1", "x", false, false})
		o.want(batch, "etax", Pending)
		o.want(batch, "silent", Unsupported)
		o.want(batch, "picky", Unsupported) // it can end one session only, and none is named
		o.want(batch, "never-registered", Unsupported)
		o.deliver()
		o.want(batch, "etax", Confirmed)
		o.want(batch, "bank", Pending)
		o.deliver() // not due
		if n := len(o.told("bank.example")); n != 1 {
			t.Fatalf("%d tries, want 1", n)
		}
		o.set("bank.example", http.StatusNoContent)
		o.advance(firstPause * 5 / 4)
		o.deliver()
		o.want(batch, "bank", Confirmed)
		if a, b := o.told("bank.example")[0], o.told("bank.example")[1]; a.ID == b.ID || a.IssuedAt == b.IssuedAt || a.Happened != b.Happened {
			t.Errorf("the second token is not fresh: %+v %+v", a, b)
		}
		list, err := o.List(t.Context(), taro)
		if err != nil || len(list) != 5 || list[0].Reason != LogoutSession || list[0].Session == "" && list[0].Client != "picky" {
			t.Errorf("%+v, %v", list, err)
		}
		if list, err := o.List(t.Context(), newAccount()); err != nil || len(list) != 0 {
			t.Errorf("a stranger's receipts: %+v, %v", list, err)
		}
		if batch := o.enqueue(LogoutSession); batch != "" {
			t.Errorf("a batch of nothing: %q", batch)
		}
	})
}

func TestLogoutTokenClaims(t *testing.T) {
	o := newOutbox(t, sqldbtest.Open(t))
	taro := newAccount()
	o.set("etax.example", http.StatusOK)
	o.enqueue(LogoutSession, Notice{taro, "etax", "s1", "etax-1", false, false})
	o.deliver()
	o.enqueue(LogoutEverywhere, Notice{taro, "etax", "", "", false, false})
	o.deliver()
	sub, err := o.d.Subjects.For(t.Context(), taro, "etax.example")
	if err != nil || len(o.told("etax.example")) != 2 {
		t.Fatal(err, o.told("etax.example"))
	}
	for i, sid := range []string{"etax-1", ""} {
		c := o.told("etax.example")[i]
		_, event := c.Events["http://schemas.openid.net/event/backchannel-logout"]
		if c.Issuer != "https://hub.example" || c.Subject != sub || c.Audience != "etax" || c.SID != sid || c.ID == "" || !event || len(c.Events) != 1 ||
			c.IssuedAt != start.Unix() || c.Expires != start.Add(2*time.Minute).Unix() || c.Happened != start.Unix() {
			t.Errorf("%+v", c)
		}
	}
	b, err := json.Marshal(claimsOf(Delivery{}, "", start))
	var members map[string]any
	if err == nil {
		err = json.Unmarshal(b, &members)
	}
	if _, has := members["nonce"]; err != nil || has || members["sid"] != nil {
		t.Errorf("%s, %v", b, err)
	}
	if events := fmt.Sprint(members["events"]); events != "map[http://schemas.openid.net/event/backchannel-logout:map[]]" {
		t.Error(events)
	}
}

// The promise to tell and what it tells of stand or fall together.
func TestEnqueueJoinsTheCallersTransaction(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		o := newOutbox(t, db)
		taro := newAccount()
		stop := errors.New("changed my mind")
		err := db.Tx(t.Context(), func(ctx context.Context) error {
			if _, err := o.Enqueue(ctx, LogoutEverywhere, []Notice{{taro, "etax", "", "", false, false}}); err != nil {
				return err
			}
			return stop
		})
		if list, failed := o.List(t.Context(), taro); !errors.Is(err, stop) || failed != nil || len(list) != 0 {
			t.Errorf("%v; %+v, %v", err, list, failed)
		}
	})
}

// A process that is killed after it claimed a try, or asked to stop during one, loses nothing.
func TestRestartInTheMiddle(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		o := newOutbox(t, db)
		batch := o.enqueue(LogoutSession, Notice{newAccount(), "etax", "s1", "etax-1", false, false}, Notice{newAccount(), "bank", "s1", "bank-1", false, false})
		rows, err := listDeliveries(t.Context(), db, `client = 'etax'`)
		if err != nil || len(rows) != 1 {
			t.Fatal(rows, err)
		}
		if won, err := claimDelivery(t.Context(), db, rows[0], o.d.Now().Add(leaseLife)); !won || err != nil {
			t.Fatal(won, err)
		}
		// Killed here. The other service hangs while Run is asked to stop.
		o.hang = time.Hour
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- o.Run(ctx) }()
		for len(o.told("bank.example")) == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		o.want(batch, "etax", Pending)
		o.want(batch, "bank", Pending)

		next := o.twin()
		next.set("etax.example", http.StatusOK)
		next.set("bank.example", http.StatusOK)
		next.deliver()
		o.want(batch, "etax", Pending) // still the dead process's
		next.advance(leaseLife)
		next.deliver()
		o.want(batch, "etax", Confirmed)
		o.want(batch, "bank", Confirmed)
	})
}

// A service that fails is left alone for a while, then asked with one row, and when it answers it gets all.
func TestServiceIsLeftAlone(t *testing.T) {
	o := newOutbox(t, sqldbtest.Open(t))
	o.set("etax.example", http.StatusInternalServerError)
	var batches []string
	for range 20 {
		batches = append(batches, o.enqueue(LogoutSession, Notice{newAccount(), "etax", "s", "e", false, false}))
	}
	o.deliver()
	first := len(o.told("etax.example"))
	if first < breakAfter || first > breakAfter+DefaultPerService {
		t.Fatalf("%d tries before it was left alone", first)
	}
	o.deliver()
	if n := len(o.told("etax.example")); n != first {
		t.Errorf("%d tries while left alone", n-first)
	}
	o.advance(maxBreak)
	o.deliver()
	if n := len(o.told("etax.example")); n != first+1 {
		t.Errorf("%d tries to see whether it is back", n-first)
	}
	o.set("etax.example", http.StatusOK)
	o.advance(maxBreak)
	for range 3 {
		o.deliver()
	}
	for _, b := range batches {
		o.want(b, "etax", Confirmed)
	}
}

// Whoever claims a try makes it; the other ninety-nine, in this process and in another, do not.
func TestHundredWorkersMakeOneTry(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		o := newOutbox(t, db)
		twin := o.twin()
		o.set("etax.example", http.StatusServiceUnavailable)
		o.enqueue(LogoutSession, Notice{newAccount(), "etax", "s", "e", false, false})
		for try := 1; try <= 3; try++ {
			rows, err := listDeliveries(t.Context(), db, `state = 'pending'`)
			if err != nil || len(rows) != 1 {
				t.Fatal(rows, err)
			}
			var working sync.WaitGroup
			for i := range 100 {
				working.Go(func() {
					if err := []*outbox{o, twin}[i%2].try(t.Context(), rows[0]); err != nil {
						t.Error(err)
					}
				})
			}
			working.Wait()
			if n := len(o.told("etax.example")); n != try {
				t.Fatalf("%d posts for %d tries", n, try)
			}
		}
	})
}

func TestGivingUpAfterADay(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		o := newOutbox(t, db)
		taro := newAccount()
		o.set("etax.example", http.StatusBadRequest)
		batch := o.enqueue(LogoutSession, Notice{taro, "etax", "s1", "e", false, false})
		tries := 0
		for ; o.d.Now().Before(start.Add(giveUpAfter)); tries++ {
			o.deliver()
			if err := o.expire(t.Context()); err != nil {
				t.Fatal(err)
			}
			o.want(batch, "etax", Pending)
			o.advance(10 * time.Minute)
		}
		if n := len(o.told("etax.example")); n != tries {
			t.Errorf("%d tries in a day, want one every ten minutes at least: %d", n, tries)
		}
		for range 2 { // once is enough
			if err := o.expire(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		o.want(batch, "etax", Failed)
		rows, err := o.log.List(t.Context(), audit.Query{Limit: 10, Account: string(taro)})
		if err != nil || len(rows) != 1 || rows[0].Kind != EventLogoutGivenUp || rows[0].Client != "etax" || rows[0].Session != "s1" {
			t.Errorf("%+v, %v", rows, err)
		}
		o.set("etax.example", http.StatusOK)
		o.deliver()
		o.want(batch, "etax", Failed)
		// A receipt is not kept for ever.
		o.advance(keepFor)
		if err := o.expire(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(o.states(batch)) != 0 {
			t.Error("kept for ever")
		}
	})
}

func TestPause(t *testing.T) {
	t.Parallel()
	for tries, least := range map[int]time.Duration{
		-1: firstPause, 0: firstPause, 1: firstPause, 2: 2 * firstPause, 3: 4 * firstPause, 9: maxPause, 100: maxPause, 1 << 40: maxPause,
	} {
		for range 100 {
			if got := pause(tries); got < least || got > least*5/4 || got > 10*time.Minute {
				t.Fatalf("after %d tries %v", tries, got)
			}
		}
	}
}

// Batch waits for an answer that comes soon, and no longer than it may.
func TestBatchWaitsAMoment(t *testing.T) {
	o := newOutbox(t, sqldbtest.Open(t))
	o.set("etax.example", http.StatusOK)
	batch := o.enqueue(LogoutSession, Notice{newAccount(), "etax", "s", "e", false, false})
	begun := time.Now()
	if all, err := o.Batch(t.Context(), batch, 150*time.Millisecond); err != nil || all[0].State != Pending || time.Since(begun) < 150*time.Millisecond {
		t.Errorf("%+v, %v", all, err)
	}
	go func() {
		time.Sleep(50 * time.Millisecond)
		var working sync.WaitGroup
		_ = o.round(context.WithoutCancel(t.Context()), &working)
		working.Wait()
	}()
	if all, err := o.Batch(t.Context(), batch, 10*time.Second); err != nil || all[0].State != Confirmed {
		t.Errorf("%+v, %v", all, err)
	}
}
