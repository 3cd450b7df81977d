package ephemeraltest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

// crowd is the number of callers that do the same at once.
const crowd = 100

// rounds is how often: one round may pass by luck.
const rounds = 5

// race lets a crowd call fn at once and returns how many succeeded. A loss must be the given error.
func race(t *testing.T, loss error, fn func(ctx context.Context, i int) error) int {
	t.Helper()
	var wins atomic.Int64
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for i := range crowd {
		wg.Go(func() {
			<-gate
			err := fn(t.Context(), i)
			if err == nil {
				wins.Add(1)
			} else if !errors.Is(err, loss) {
				t.Errorf("caller %d: %v", i, err)
			}
		})
	}
	close(gate)
	wg.Wait()
	return int(wins.Load())
}

// contention: one winner of a hundred, and the record is the winner's.
func contention(t *testing.T, s ephemeral.Store) {
	for round := range rounds {
		key := label("contention", round)
		var winner atomic.Value
		one := func(what string, n int) {
			t.Helper()
			if n != 1 {
				t.Errorf("%s: %d winners", what, n)
			}
		}

		one("create", race(t, ephemeral.ErrExists, func(ctx context.Context, i int) error {
			me := fmt.Sprint("creator ", i)
			err := s.Create(ctx, key, []byte(me), long)
			if err == nil {
				winner.Store(me)
			}
			return err
		}))
		r := get(t, s, key, winner.Load().(string))

		one("swap", race(t, ephemeral.ErrConflict, func(ctx context.Context, i int) error {
			me := fmt.Sprint("swapper ", i)
			err := s.Swap(ctx, key, r.Version, []byte(me), long)
			if err == nil {
				winner.Store(me)
			}
			return err
		}))
		last := winner.Load().(string)
		get(t, s, key, last)

		one("take", race(t, ephemeral.ErrNotFound, func(ctx context.Context, i int) error {
			v, err := s.Take(ctx, key)
			if err == nil && string(v) != last {
				t.Errorf("took %q, want %q", v, last)
			}
			return err
		}))

		// Every increment is seen once: the sums are 1 to crowd.
		var seen sync.Map
		race(t, nil, func(ctx context.Context, i int) error {
			n, err := s.Increment(ctx, key+"-n", 1, long)
			if _, twice := seen.LoadOrStore(n, true); twice || n < 1 || n > crowd {
				t.Errorf("sum %d", n)
			}
			return err
		})

		mixed(t, s, round)
	}
}

// mixed spends a record by Swap and by Take at once, as a redemption and a revocation would. Whoever is last, nobody has
// swapped what was taken before.
func mixed(t *testing.T, s ephemeral.Store, round int) {
	key := label("mixed", round)
	create(t, s, key, "fresh", long)
	r := get(t, s, key, "fresh")
	var swapped, tookFresh, tookSwapped atomic.Int64
	race(t, nil, func(ctx context.Context, i int) error {
		if i%2 == 0 {
			err := s.Swap(ctx, key, r.Version, []byte("swapped"), long)
			if err == nil {
				swapped.Add(1)
			}
			if errors.Is(err, ephemeral.ErrConflict) {
				err = nil
			}
			return err
		}
		v, err := s.Take(ctx, key)
		switch {
		case errors.Is(err, ephemeral.ErrNotFound):
			return nil
		case string(v) == "fresh":
			tookFresh.Add(1)
		case string(v) == "swapped":
			tookSwapped.Add(1)
		}
		return err
	})
	if s, f, w := swapped.Load(), tookFresh.Load(), tookSwapped.Load(); f+w != 1 || s != w {
		t.Errorf("swapped %d, taken fresh %d, taken swapped %d", s, f, w)
	}
}

// expiryContention: a record past its time, not yet swept, is replaced once.
func expiryContention(t *testing.T, s ephemeral.Store, advance func(time.Duration)) {
	key := func(round int) string { return label("expired", round) }
	for round := range rounds {
		create(t, s, key(round), "old", short)
	}
	advance(short + short/4)
	for round := range rounds {
		n := race(t, ephemeral.ErrExists, func(ctx context.Context, i int) error {
			return s.Create(ctx, key(round), []byte("new"), long)
		})
		if n != 1 {
			t.Errorf("%d winners", n)
		}
		get(t, s, key(round), "new")
	}
}
