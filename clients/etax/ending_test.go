package etax

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/clients/rp/rptest"
)

func (w *world) endings() (n int) {
	w.t.Helper()
	if err := w.db.QueryRow(w.t.Context(), `SELECT count(*) FROM etax_ending`).Scan(&n); err != nil {
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

// The hub hears of an end as soon as it answers again, over restarts and with the token it was given meanwhile.
func TestUnlinkWhileTheHubIsDown(t *testing.T) {
	for name, change := range map[string]func(s *rptest.Settings, down bool){
		"all of it": func(s *rptest.Settings, down bool) { s.Down = down },
		"its API":   func(s *rptest.Settings, down bool) { s.APIDown = down }, // the refresh token is spent all the same
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

// Tied again while the hub is asked for a token with which to end the tie: the hub is not told.
func TestWithdrawnEndingIsNotDelivered(t *testing.T) {
	w := newWorld(t)
	taro := w.browser()
	taro.bind(demoNumber, demoPassword)
	w.hub.Set(func(s *rptest.Settings) { s.APIDown = true })
	taro.unlink()
	told := w.hub.Count("DELETE /api/link")
	w.atToken(func() {
		if _, err := w.site.bind(t.Context(), "taro-at-etax", demoNumber); err != nil {
			t.Error(err)
		}
	})
	w.hub.Set(func(s *rptest.Settings) { s.APIDown = false })
	w.advance(2 * time.Hour)
	w.deliver()
	if got := w.hub.Link("taro-at-etax").State; got != "linked" || w.hub.Count("DELETE /api/link") != told || w.endings() != 0 {
		t.Errorf("the hub says %q; %d in the outbox", got, w.endings())
	}
}

// An ending that is delivered leaves alone one that came meanwhile.
func TestDeliveredEndingSparesALaterOne(t *testing.T) {
	w := newWorld(t)
	e := ending{sub: "taro", sealed: "first", next: w.now()}
	later := ending{sub: "taro", sealed: "second", next: w.now()}
	for _, e := range []ending{e, later} {
		if err := insertEnding(t.Context(), w.db, e, w.now()); err != nil {
			t.Fatal(err)
		}
	}
	if err := deleteEnding(t.Context(), w.db, e); err != nil || w.endings() != 1 {
		t.Errorf("%d in the outbox, %v", w.endings(), err)
	}
	if stands, err := updateEnding(t.Context(), w.db, e.sealed, e); stands || err != nil {
		t.Errorf("%v, %v", stands, err)
	}
}

// A process that is told to stop while the hub trades the token does not lose the new one.
func TestStopDoesNotLoseARotatedToken(t *testing.T) {
	w := newWorld(t)
	taro := w.browser()
	taro.bind(demoNumber, demoPassword)
	w.hub.Set(func(s *rptest.Settings) { s.APIDown = true })
	taro.unlink()
	w.advance(2 * time.Hour)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	w.atToken(stop)
	if err := w.site.deliverDue(ctx); err != nil {
		t.Error(err)
	}
	w.hub.Set(func(s *rptest.Settings) { s.APIDown = false })
	w.restart()
	w.advance(2 * time.Hour)
	w.deliver()
	if got := w.hub.Link("taro-at-etax").State; got != "ended" || w.endings() != 0 {
		t.Errorf("the hub says %q; %d in the outbox", got, w.endings())
	}
}

// Whoever reads the database learns no token, and one moved to another person's row is worth nothing.
func TestEndingsTokenIsSealedInTheDatabase(t *testing.T) {
	w := newWorld(t)
	taro := w.browser()
	taro.bind(demoNumber, demoPassword)
	w.hub.Set(func(s *rptest.Settings) { s.APIDown = true })
	taro.unlink()
	var stored string
	if err := w.db.QueryRow(t.Context(), `SELECT refresh FROM etax_ending`).Scan(&stored); err != nil {
		t.Fatal(err)
	}
	token, err := w.site.party.Open("taro-at-etax", stored)
	if err != nil || token.IsZero() || strings.Contains(stored, token.Reveal()) {
		t.Errorf("not sealed: %v", err)
	}
	if _, _, err := w.site.party.Refresh(t.Context(), rp.NewSecret(stored)); err == nil {
		t.Error("what is stored is a token")
	}
	if _, err := w.site.party.Open("hanako-at-etax", stored); err == nil {
		t.Error("opened for somebody else")
	}
	// With another key it is tried again later, not given up at once: it may come back.
	key, err := rp.OpenKey(filepath.Join(t.TempDir(), "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	own := w.config.Credential
	w.config.Credential = key
	w.restart()
	w.advance(2 * time.Hour)
	w.deliver()
	if w.endings() != 1 {
		t.Error("given up")
	}
	w.config.Credential = own
	w.restart()
	w.hub.Set(func(s *rptest.Settings) { s.APIDown = false })
	w.advance(2 * time.Hour)
	w.deliver()
	if got := w.hub.Link("taro-at-etax").State; got != "ended" || w.endings() != 0 {
		t.Errorf("the hub says %q; %d in the outbox", got, w.endings())
	}
}

// A token that is dead is not tried for ever.
func TestEndingWithADeadToken(t *testing.T) {
	w := newWorld(t)
	taro := w.browser()
	taro.bind(demoNumber, demoPassword)
	w.hub.Set(func(s *rptest.Settings) { s.APIDown = true })
	taro.unlink()
	w.hub.RevokeAll()
	w.hub.Set(func(s *rptest.Settings) { s.APIDown = false })
	w.advance(2 * time.Hour)
	w.deliver()
	if w.endings() != 0 {
		t.Error("the outbox is not empty")
	}
	wantAt(t, taro.launch(), "/bind", "") // the hub says linked; what is written here counts
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
