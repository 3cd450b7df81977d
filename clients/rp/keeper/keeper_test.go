package keeper

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

var start = time.Unix(1_800_000_000, 0)

func open(t *testing.T, db *sqldb.DB) {
	t.Helper()
	if err := migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
}

// What ended is remembered: the same tie does not come back, and it is told once.
func TestEndedTieIsRemembered(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		open(t, db)
		ctx, e := t.Context(), ending{sub: "taro", tie: "first", next: start}
		for range 2 {
			if err := insertEnding(ctx, db, e, time.Time{}, start); err != nil {
				t.Fatal(err)
			}
		}
		if err := setTold(ctx, db, e, start); err != nil {
			t.Fatal(err)
		}
		if due, err := stillDue(ctx, db, e); due || err != nil {
			t.Errorf("to be told again: %v", err)
		}
		for tie, want := range map[string]bool{"first": true, "second": false} {
			if got, err := tieEnded(ctx, db, "taro", tie); got != want || err != nil {
				t.Errorf("%s: %v, %v", tie, got, err)
			}
		}
		if err := forgetEndings(ctx, db, start.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if got, err := tieEnded(ctx, db, "taro", "first"); got || err != nil {
			t.Errorf("kept for ever: %v, %v", got, err)
		}
	})
}

// A process has an end in hand while the person makes a new tie: it finds that there is nothing to tell.
func TestEndInHandIsWithdrawn(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		open(t, db)
		ctx := t.Context()
		if err := insertEnding(ctx, db, ending{sub: "taro", tie: "first", next: start}, time.Time{}, start); err != nil {
			t.Fatal(err)
		}
		e, err := claimEnding(ctx, db, start, endingHold)
		if err != nil || e == nil {
			t.Fatal(e, err)
		}
		if due, err := stillDue(ctx, db, *e); !due || err != nil {
			t.Fatalf("not due: %v", err)
		}
		if err := withdrawEndings(ctx, db, "taro", start); err != nil {
			t.Fatal(err)
		}
		if due, err := stillDue(ctx, db, *e); due || err != nil {
			t.Errorf("still told: %v", err)
		}
	})
}

// A hundred callers at once: an ending is one caller's, and so is a turn.
func TestOneOfAHundredTellsAnEnd(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		open(t, db)
		if err := insertEnding(t.Context(), db, ending{sub: "taro", tie: "t", next: start}, time.Time{}, start); err != nil {
			t.Fatal(err)
		}
		var claims, turns atomic.Int32
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				e, err := claimEnding(t.Context(), db, start, endingHold)
				if err != nil {
					t.Error(err)
				} else if e != nil {
					claims.Add(1)
				}
				if mine, err := takeTurn(t.Context(), db, turnFollow, start, start.Add(time.Minute)); err != nil {
					t.Error(err)
				} else if mine {
					turns.Add(1)
				}
			})
		}
		wg.Wait()
		if claims.Load() != 1 || turns.Load() != 1 {
			t.Errorf("%d claims, %d turns", claims.Load(), turns.Load())
		}
	})
}

func TestPause(t *testing.T) {
	for tries, want := range map[int]time.Duration{0: 10 * time.Second, 1: 20 * time.Second, 8: 2560 * time.Second, 9: time.Hour, 100: time.Hour} {
		if got := pause(tries); got != want {
			t.Errorf("pause(%d) = %v, want %v", tries, got, want)
		}
	}
}
