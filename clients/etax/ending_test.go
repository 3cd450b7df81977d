package etax

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/clients/rp/rptest"
)

func (w *world) endings() (n int) {
	w.t.Helper()
	if err := w.db.QueryRow(w.t.Context(), `SELECT count(*) FROM tie_ended WHERE told_at = 0`).Scan(&n); err != nil {
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
	old := w.hub.Link("taro-at-etax").Tie
	wantAt(t, taro.bind(demoNumber, demoPassword), "/home", "")
	if err := w.site.party.EndTie(t.Context(), rp.Tie{Sub: "taro-at-etax", Name: old}); err != nil {
		t.Error(err)
	}
	if got := w.hub.Link("taro-at-etax"); got.State != "linked" || got.Tie == old || w.endings() != 0 {
		t.Errorf("the hub says %q; %d in the outbox", got.State, w.endings())
	}
	wantAt(t, taro.launch(), "/home", "")
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
	if err := w.site.ties.Deliver(ctx); err != nil {
		t.Error(err)
	}
	if got := w.hub.Link("taro-at-etax").State; got != "ended" || w.endings() != 0 {
		t.Errorf("the hub says %q; %d in the outbox", got, w.endings())
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
