package etax

import (
	"context"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp/rptest"
)

func contextWithTimeout(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), 20*time.Millisecond)
}

// The tie stands although the hub did not hear of it, and it hears of it at the next visit.
func TestHubDoesNotHearOfTheTie(t *testing.T) {
	w := newWorld(t)
	w.hub.Set(func(s *rptest.Settings) { s.APIDown = true })
	taro := w.browser()
	wantAt(t, taro.bind(demoNumber, demoPassword), "/home", "")
	if got := w.hub.Link("taro-at-etax").State; got != "" {
		t.Fatalf("the hub says %q", got)
	}
	w.restart() // a crash in between changes nothing
	wantAt(t, taro.launch(), "/home", "")
	w.hub.Set(func(s *rptest.Settings) { s.APIDown = false })
	wantAt(t, taro.get("/home"), "/home", "")
	if got := w.hub.Link("taro-at-etax").State; got != "linked" {
		t.Errorf("the hub says %q", got)
	}
	puts := w.hub.Count("PUT /api/link")
	taro.get("/home")
	taro.launch()
	if got := w.hub.Count("PUT /api/link"); got != puts {
		t.Error("told again what the hub knows")
	}
}

// An old end does not undo a tie that the hub has not heard of yet.
func TestOldEndDoesNotUndoANewTie(t *testing.T) {
	w := newWorld(t)
	w.hub.SetLink("taro-at-etax", "ended")
	w.advance(time.Minute)
	w.hub.Set(func(s *rptest.Settings) { s.APIDown = true })
	taro := w.browser()
	taro.bind(demoNumber, demoPassword)
	w.hub.Set(func(s *rptest.Settings) { s.APIDown = false })
	wantAt(t, taro.launch(), "/home", "")
	if got := w.hub.Link("taro-at-etax").State; got != "linked" {
		t.Errorf("the hub says %q", got)
	}
}

// A tie that was ended at the hub before it heard of it from us is not reported over that end by somebody who only stays here.
func TestHomeDoesNotReportOverAnEnd(t *testing.T) {
	w := newWorld(t)
	w.hub.Set(func(s *rptest.Settings) { s.APIDown = true })
	taro := w.browser()
	wantAt(t, taro.bind(demoNumber, demoPassword), "/home", "")
	w.advance(time.Minute)
	w.hub.SetLink("taro-at-etax", "ended") // in the portal
	w.hub.Set(func(s *rptest.Settings) { s.APIDown = false })
	wantAt(t, taro.get("/home"), "/bind", "")
	if got := w.hub.Link("taro-at-etax").State; got != "ended" {
		t.Errorf("the hub says %q", got)
	}
	if b, err := findBinding(t.Context(), w.db, "taro-at-etax"); b != nil || err != nil {
		t.Errorf("still bound: %v, %v", b, err)
	}
}

func TestEndedAtThePortal(t *testing.T) {
	for _, state := range []string{"ended", "offered"} { // offered: ended, and then chosen again
		w := newWorld(t)
		taro := w.browser()
		taro.bind(demoNumber, demoPassword)
		w.advance(time.Minute)
		w.hub.SetLink("taro-at-etax", state)
		wantAt(t, taro.launch(), "/bind", "")
		wantAt(t, taro.get("/home"), "/bind", "")
		wantAt(t, taro.post("/bind", "number", demoNumber, "password", demoPassword), "/home", "")
		if got := w.hub.Link("taro-at-etax").State; got != "linked" {
			t.Errorf("the hub says %q", got)
		}
	}
}

// A hub that lost its memory is told again; nobody is asked.
func TestHubForgot(t *testing.T) {
	w := newWorld(t)
	taro := w.browser()
	taro.bind(demoNumber, demoPassword)
	w.hub.SetLink("taro-at-etax", "")
	wantAt(t, taro.launch(), "/home", "")
	if got := w.hub.Link("taro-at-etax").State; got != "linked" {
		t.Errorf("the hub says %q", got)
	}
}

// Somebody who stays signed in here notices within a minute that the tie was cut in the portal.
func TestEndedAtThePortalMeanwhile(t *testing.T) {
	w := newWorld(t)
	taro := w.browser()
	taro.bind(demoNumber, demoPassword)
	taro.launch()
	w.hub.SetLink("taro-at-etax", "ended")
	asked := w.hub.Count("GET /api/link")
	for range 5 {
		wantAt(t, taro.get("/home"), "/home", "")
	}
	if got := w.hub.Count("GET /api/link"); got != asked {
		t.Errorf("the hub was asked %d times within a minute", got-asked)
	}
	w.advance(time.Minute + time.Second)
	wantAt(t, taro.get("/home"), "/bind", "")
}

// The same for somebody whose tokens the hub has withdrawn: through the hub, without a question, and on.
func TestTokensWithdrawnMeanwhile(t *testing.T) {
	w := newWorld(t)
	taro := w.browser()
	taro.bind(demoNumber, demoPassword)
	w.advance(2 * time.Minute)
	w.hub.RevokeAll()
	logins := w.hub.Count("GET /authorize")
	wantAt(t, taro.get("/home"), "/home", "")
	if got := w.hub.Count("GET /authorize") - logins; got != 1 {
		t.Errorf("%d logins", got)
	}
	w.advance(2 * time.Minute)
	w.hub.Set(func(s *rptest.Settings) { s.Down = true })
	wantAt(t, taro.get("/home"), "/home", "") // a hub that is down throws nobody out
}
