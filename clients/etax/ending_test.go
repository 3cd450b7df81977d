package etax

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/clients/rp/rptest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

func (w *world) endings() (n int) {
	w.t.Helper()
	if err := w.db.QueryRow(w.t.Context(), `SELECT count(*) FROM etax_ended WHERE told_at = 0`).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// atToken does something, once, while the hub answers at its token endpoint.
func (w *world) atToken(do func()) {
	once := sync.OnceFunc(do)
	w.hub.Set(func(s *rptest.Settings) {
		s.Hold = func(endpoint string) {
			if endpoint == "/token" {
				once()
			}
		}
	})
}

func TestUnlink(t *testing.T) {
	w := newWorld(t)
	taro := w.browser()
	taro.bind(demoNumber, demoPassword)
	page := taro.get("/unlink")
	wantAt(t, page, "/unlink", "")
	if !page.Has("申告の内容は消えません", `action="/unlink"`) {
		t.Errorf("%s", page.Body)
	}
	page = taro.unlink()
	wantAt(t, page, "/unlinked", "")
	if page.Has(signedIn) {
		t.Error("still signed in")
	}
	if got := w.hub.Link("taro-at-etax").State; got != "ended" {
		t.Errorf("the hub says %q", got)
	}
	if w.endings() != 0 {
		t.Error("the outbox is not empty")
	}
	wantAt(t, taro.launch(), "/bind", "")
	// The number is free for whoever knows its password.
	w.hub.Set(func(s *rptest.Settings) { s.Person = "hanako" })
	wantAt(t, w.browser().bind(demoNumber, demoPassword), "/home", "")
}

// The hub hears of an end as soon as it answers again, over restarts.
func TestUnlinkWhileTheHubIsDown(t *testing.T) {
	for name, change := range map[string]func(s *rptest.Settings, down bool){
		"all of it": func(s *rptest.Settings, down bool) { s.Down = down },
		"its API":   func(s *rptest.Settings, down bool) { s.APIDown = down },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			taro := w.browser()
			taro.bind(demoNumber, demoPassword)
			w.hub.Set(func(s *rptest.Settings) { change(s, true) })
			wantAt(t, taro.unlink(), "/unlinked", "")
			if b, err := findBinding(t.Context(), w.db, "taro-at-etax"); b != nil || err != nil {
				t.Fatalf("still bound: %v, %v", b, err)
			}
			for range 3 {
				w.restart()
				w.advance(3 * time.Minute)
				w.deliver()
			}
			if w.hub.Link("taro-at-etax").State != "linked" || w.endings() != 1 {
				t.Fatalf("the hub says %q; %d in the outbox", w.hub.Link("taro-at-etax").State, w.endings())
			}
			w.hub.Set(func(s *rptest.Settings) { change(s, false) })
			w.deliver() // not due
			if w.endings() != 1 {
				t.Error("tried before its time")
			}
			w.advance(time.Hour)
			w.deliver()
			if w.hub.Link("taro-at-etax").State != "ended" || w.endings() != 0 {
				t.Errorf("the hub says %q; %d in the outbox", w.hub.Link("taro-at-etax").State, w.endings())
			}
		})
	}
}

// Tied again before the hub heard of the end: the end is withdrawn.
func TestTiedAgainBeforeTheHubHeard(t *testing.T) {
	w := newWorld(t)
	taro := w.browser()
	taro.bind(demoNumber, demoPassword)
	w.hub.Set(func(s *rptest.Settings) { s.APIDown = true })
	taro.unlink()
	w.hub.Set(func(s *rptest.Settings) { s.APIDown = false })
	wantAt(t, taro.bind(otherNumber, "other-password"), "/home", "")
	w.advance(2 * time.Hour)
	w.deliver()
	if got := w.hub.Link("taro-at-etax").State; got != "linked" || w.endings() != 0 {
		t.Errorf("the hub says %q; %d in the outbox", got, w.endings())
	}
	wantAt(t, taro.launch(), "/home", "")
}

// Tied again while an end is on its way to the hub: the new tie stays, because the old one is named.
func TestEndOfATieSparesTheOneAfterIt(t *testing.T) {
	w := newWorld(t)
	taro := w.browser()
	taro.bind(demoNumber, demoPassword)
	w.hub.Set(func(s *rptest.Settings) { s.APIDown = true })
	taro.unlink()
	w.hub.Set(func(s *rptest.Settings) { s.APIDown = false })
	w.advance(2 * time.Hour)
	e, err := claimEnding(t.Context(), w.db, w.now(), endingHold)
	if err != nil || e == nil {
		t.Fatal(e, err)
	}
	wantAt(t, taro.bind(demoNumber, demoPassword), "/home", "")
	if err := w.site.party.EndTie(t.Context(), rp.Tie{Sub: e.sub, Name: e.tie}); err != nil {
		t.Error(err)
	}
	if err := w.site.deliver(t.Context(), *e); err != nil {
		t.Error(err)
	}
	if got := w.hub.Link("taro-at-etax"); got.State != "linked" || got.Tie == e.tie || w.endings() != 0 {
		t.Errorf("the hub says %q; %d in the outbox", got.State, w.endings())
	}
	wantAt(t, taro.launch(), "/home", "")
}

// What ended is remembered: the same tie does not come back, and it is told once.
func TestEndedTieIsRemembered(t *testing.T) {
	w := newWorld(t)
	e := ending{sub: "taro", tie: "first", next: w.now()}
	for range 2 {
		if err := insertEnding(t.Context(), w.db, e, time.Time{}, w.now()); err != nil {
			t.Fatal(err)
		}
	}
	if err := setTold(t.Context(), w.db, e, w.now()); err != nil || w.endings() != 0 {
		t.Fatalf("%d in the outbox, %v", w.endings(), err)
	}
	for tie, want := range map[string]bool{"first": true, "second": false} {
		if got, err := w.site.Ended(t.Context(), "taro", tie); got != want || err != nil {
			t.Errorf("%s: %v, %v", tie, got, err)
		}
	}
	if err := forgetEndings(t.Context(), w.db, w.now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if got, err := w.site.Ended(t.Context(), "taro", "first"); got || err != nil {
		t.Errorf("kept for ever: %v, %v", got, err)
	}
}

// A process that is told to stop while the hub is asked writes down what it answered.
func TestStopWhileAnEndIsTold(t *testing.T) {
	w := newWorld(t)
	taro := w.browser()
	taro.bind(demoNumber, demoPassword)
	w.hub.Set(func(s *rptest.Settings) { s.APIDown = true })
	taro.unlink()
	w.advance(2 * time.Hour)
	w.hub.Set(func(s *rptest.Settings) { s.APIDown = false })
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	w.atToken(stop)
	if err := w.site.deliverDue(ctx); err != nil {
		t.Error(err)
	}
	if got := w.hub.Link("taro-at-etax").State; got != "ended" || w.endings() != 0 {
		t.Errorf("the hub says %q; %d in the outbox", got, w.endings())
	}
}

// A hundred callers at once: an ending is one caller's.
func TestOneOfAHundredTellsAnEnd(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		w := newWorldOn(t, db)
		if err := insertEnding(t.Context(), db, ending{sub: "taro", tie: "t", next: w.now()}, time.Time{}, w.now()); err != nil {
			t.Fatal(err)
		}
		var claims, turns atomic.Int32
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				e, err := claimEnding(t.Context(), db, w.now(), endingHold)
				if err != nil {
					t.Error(err)
				} else if e != nil {
					claims.Add(1)
				}
				if mine, err := takeTurn(t.Context(), db, turnFollow, w.now(), w.now().Add(time.Minute)); err != nil {
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

func TestUnlinkNeedsTheHubsWord(t *testing.T) {
	w := newWorld(t)
	w.browser().bind(demoNumber, demoPassword)
	w.hub.Set(func(s *rptest.Settings) { s.Person = "hanako" })
	hanako := w.browser()
	hanako.post("/number", "number", demoNumber, "password", demoPassword) // knows the number, is not the person
	wantAt(t, hanako.post("/unlink"), "/bind", "")
	if b, err := findBinding(t.Context(), w.db, "taro-at-etax"); b == nil || err != nil {
		t.Errorf("the tie of somebody else was cut: %v", err)
	}
	wantAt(t, hanako.post(rp.PathLogout), rp.PathSignedOut, "")
}

// The same page in another tab, from before somebody else signed in, cuts nobody's tie.
func TestUnlinkOfOnePersonDoesNotUnlinkAnother(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.bind(demoNumber, demoPassword)
	shown := b.get("/unlink").Hidden("/unlink").Get("for")
	w.hub.Set(func(s *rptest.Settings) { s.Person = "hanako" })
	wantAt(t, b.bind(otherNumber, "other-password"), "/home", "")
	hers := b.get("/unlink").Hidden("/unlink").Get("for")
	if shown == "" || shown == hers {
		t.Errorf("marks %q and %q", shown, hers)
	}
	page := b.post("/unlink", "for", shown)
	wantAt(t, page, "/unlink", "person_changed")
	if !page.Has(signedIn, "ログインしている人が変わりました") {
		t.Errorf("%s", page.Body)
	}
	for _, sub := range []string{"taro-at-etax", "hanako-at-etax"} {
		if b, err := findBinding(t.Context(), w.db, sub); b == nil || err != nil {
			t.Errorf("%s is not bound any more: %v", sub, err)
		}
	}
	wantAt(t, b.post("/unlink"), "/unlinked", "") // from the page shown again, to hanako
}
