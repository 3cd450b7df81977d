package ratelimit_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral/ephemeraltest"
	"github.com/tsunagu-id/tsunagu/internal/ratelimit"
)

var perMinute = ratelimit.Rule{Name: "login", Limit: 3, Window: time.Minute}

func TestWindows(t *testing.T) {
	ephemeraltest.Each(t, func(t *testing.T, s ephemeral.Store) {
		start := time.Date(2026, 4, 1, 9, 0, 10, 500_000_000, time.UTC) // ten and a half seconds into a window
		now := start
		l := ratelimit.New(s, func() time.Time { return now })
		other := perMinute
		other.Name = "code"
		for i, step := range []struct {
			after time.Duration // since start
			rule  ratelimit.Rule
			who   string
			ok    bool
			retry time.Duration
		}{
			{0, perMinute, "a", true, 0},
			{time.Second, perMinute, "a", true, 0},
			{2 * time.Second, perMinute, "a", true, 0},
			{2 * time.Second, perMinute, "a", false, 48 * time.Second},         // 47.5 s, rounded up
			{2500 * time.Millisecond, perMinute, "a", false, 47 * time.Second}, // exactly
			{3 * time.Second, perMinute, "b", true, 0},                         // somebody else
			{3 * time.Second, other, "a", true, 0},                             // something else
			{49499 * time.Millisecond, perMinute, "a", false, time.Second},     // the last millisecond
			{49500 * time.Millisecond, perMinute, "a", true, 0},                // the next window
			{49500 * time.Millisecond, perMinute, "a", true, 0},
			{80 * time.Second, perMinute, "a", true, 0},
			{81 * time.Second, perMinute, "a", false, 29 * time.Second}, // 28.5 s
		} {
			now = start.Add(step.after)
			ok, retry, err := l.Allow(t.Context(), step.rule, step.who)
			if ok != step.ok || retry != step.retry || err != nil {
				t.Errorf("step %d: %v, %v, %v; want %v, %v", i, ok, retry, err, step.ok, step.retry)
			}
		}
	})
}

// TestCrowdDoesNotExceedLimit asks from many goroutines and two limiters, which stand for two processes.
func TestCrowdDoesNotExceedLimit(t *testing.T) {
	ephemeraltest.Each(t, func(t *testing.T, s ephemeral.Store) {
		now := func() time.Time { return time.Date(2026, 4, 1, 9, 0, 0, 0, time.UTC) }
		limiters := []*ratelimit.Limiter{ratelimit.New(s, now), ratelimit.New(s, now)}
		rule := ratelimit.Rule{Name: "crowd", Limit: 40, Window: time.Hour}
		var allowed atomic.Int64
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				ok, retry, err := limiters[i%2].Allow(t.Context(), rule, "everybody")
				if err != nil || ok == (retry > 0) {
					t.Error(ok, retry, err)
				}
				if ok {
					allowed.Add(1)
				}
			})
		}
		wg.Wait()
		if n := allowed.Load(); n != rule.Limit {
			t.Errorf("%d allowed", n)
		}
	})
}

// keeper remembers the keys a store was asked for.
type keeper struct {
	ephemeral.Store
	keys []string
}

func (k *keeper) Increment(ctx context.Context, key string, by int64, ttl time.Duration) (int64, error) {
	k.keys = append(k.keys, key)
	return k.Store.Increment(ctx, key, by, ttl)
}

// TestKeysTellNothing: neither the address nor what a stranger sends stands in a key, whatever its length and alphabet.
func TestKeysTellNothing(t *testing.T) {
	k := &keeper{Store: ephemeraltest.Open(t)}
	l := ratelimit.New(k, time.Now)
	for _, who := range []string{"192.0.2.7", "つなぐ\x00\n", strings.Repeat("x", 1<<16)} {
		if ok, _, err := l.Allow(t.Context(), perMinute, who); !ok || err != nil {
			t.Fatal(ok, err)
		}
		key := k.keys[len(k.keys)-1]
		if strings.Contains(key, who) || len(key) > 60 || !strings.HasPrefix(key, "rate:1:login:") {
			t.Errorf("key %q", key)
		}
	}
}

func TestRefusals(t *testing.T) {
	l := ratelimit.New(ephemeraltest.Open(t), time.Now)
	for _, r := range []ratelimit.Rule{
		{}, {Name: "Login", Limit: 1, Window: time.Minute}, {Name: "a:b", Limit: 1, Window: time.Minute},
		{Name: "a", Window: time.Minute}, {Name: "a", Limit: -1, Window: time.Minute}, {Name: "a", Limit: 1, Window: time.Millisecond},
	} {
		if ok, _, err := l.Allow(t.Context(), r, "a"); ok || err == nil {
			t.Errorf("%+v: %v, %v", r, ok, err)
		}
	}
	if ok, _, err := l.Allow(t.Context(), perMinute, ""); ok || err == nil {
		t.Error("counted nobody")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if ok, _, err := l.Allow(ctx, perMinute, "a"); ok || !errors.Is(err, context.Canceled) {
		t.Error(ok, err)
	}
}

func BenchmarkAllow(b *testing.B) {
	l := ratelimit.New(ephemeraltest.Open(b), time.Now)
	rule := ratelimit.Rule{Name: "bench", Limit: 1 << 60, Window: time.Hour}
	for b.Loop() {
		if _, _, err := l.Allow(b.Context(), rule, "192.0.2.7"); err != nil {
			b.Fatal(err)
		}
	}
}

// TestRefundedTriesDoNotCount: ten tries that succeed use nothing up, and a refund gives back exactly one.
func TestRefundedTriesDoNotCount(t *testing.T) {
	ephemeraltest.Each(t, func(t *testing.T, s ephemeral.Store) {
		now := time.Date(2026, 4, 1, 9, 0, 0, 0, time.UTC)
		l := ratelimit.New(s, func() time.Time { return now })
		try := func(want bool) {
			t.Helper()
			if ok, _, err := l.Allow(t.Context(), perMinute, "a"); ok != want || err != nil {
				t.Errorf("%v, %v; want %v", ok, err, want)
			}
		}
		for range 10 {
			try(true)
			if err := l.Refund(t.Context(), perMinute, "a"); err != nil {
				t.Fatal(err)
			}
		}
		for range perMinute.Limit {
			try(true)
		}
		try(false)
		for range 2 { // the refused try counted too
			if err := l.Refund(t.Context(), perMinute, "a"); err != nil {
				t.Fatal(err)
			}
		}
		try(true)
		try(false)
		if err := l.Refund(t.Context(), perMinute, ""); err == nil {
			t.Error("nobody was refunded")
		}
	})
}
