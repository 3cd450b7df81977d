package agent

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/audit"
)

// Bounds of what is watched after a login.
const (
	watchEvery   = 500 * time.Millisecond
	watchLife    = 13 * time.Hour // longer than any session of a hub
	maxWatches   = 32             // of more, the oldest is ended
	lookTimeout  = 5 * time.Second
	serviceGrace = 10 * time.Second // without an answer from the readers; then the card counts as out
	firstRetry   = time.Second
	maxRetry     = time.Minute
	farewellTime = 2 * time.Second // for the last reports, when the program ends
)

// preferWatch tells the hub that the card will be watched (RFC 7240).
const preferWatch = "card-watch"

// watch is a login that ends when its card is taken out. token is good for nothing else.
type watch struct {
	hub   *hub
	card  CardChoice
	token string
	until time.Time
	out   bool
	retry time.Duration
	next  time.Time // of the report
}

// watcher looks at the cards of logins until they are taken out, and reports that. Nothing of it is written down.
type watcher struct {
	mu      sync.Mutex
	running bool
	list    []*watch
	wake    chan struct{}
	silent  time.Time // since when the readers do not answer
}

func newWatcher() *watcher { return &watcher{wake: make(chan struct{}, 1)} }

// Run watches the cards of logins for which that was asked, until ctx ends. Without it no hub is told that cards are watched. When the
// program ends nobody would notice the card going any more, so the logins end with it, as far as the hubs can be reached at once.
func (a *Agent) Run(ctx context.Context) error {
	a.watcher.run(true)
	defer a.watcher.run(false)
	for {
		pause := a.watchRound(ctx)
		var tick <-chan time.Time
		if pause {
			tick = time.After(watchEvery)
		}
		select {
		case <-tick:
		case <-a.watcher.wake:
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewellTime)
			defer cancel()
			a.watcher.each(func(w *watch) { w.out, w.next = true, time.Time{} })
			a.report(last)
			return ctx.Err()
		}
	}
}

func (s *watcher) run(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = on
}

// runs says whether somebody would notice.
func (s *watcher) runs() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running
}

func (s *watcher) add(w *watch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.list) >= maxWatches { // nothing is dropped in silence: what cannot be watched ends
		for _, old := range s.list[:len(s.list)-maxWatches+1] {
			old.out = true
		}
	}
	s.list = append(s.list, w)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *watcher) each(f func(*watch)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.list {
		f(w)
	}
}

// due returns what is to be reported now.
func (s *watcher) due(now time.Time) (out []*watch) {
	s.each(func(w *watch) {
		if w.out && !now.Before(w.next) {
			out = append(out, w)
		}
	})
	return out
}

func (s *watcher) remove(gone func(*watch) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = slices.DeleteFunc(s.list, gone)
}

// watchRound looks once, and says whether there is something left to look at.
func (a *Agent) watchRound(ctx context.Context) bool {
	now := a.now()
	a.watcher.remove(func(w *watch) bool { return !now.Before(w.until) })
	waiting, looking := 0, 0
	a.watcher.each(func(w *watch) {
		waiting++
		if !w.out {
			looking++
		}
	})
	if waiting == 0 {
		return false
	}
	if looking > 0 {
		look, cancel := context.WithTimeout(ctx, lookTimeout)
		there, err := a.cards.reader.Cards(look)
		cancel()
		if ctx.Err() != nil {
			return true
		}
		a.watcher.saw(there, err, now)
	}
	a.report(ctx)
	return true
}

// saw marks the cards that are out. A reader that was unplugged took its card with it. One that cannot be asked for a while is taken for
// empty: nobody would see the card go.
func (s *watcher) saw(there []CardChoice, err error, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && Word(err) != ReaderMissing.String() {
		if s.silent.IsZero() {
			s.silent = now
		}
		if now.Sub(s.silent) < serviceGrace {
			return
		}
	} else {
		s.silent = time.Time{}
	}
	for _, w := range s.list {
		stays := err == nil && slices.ContainsFunc(there, func(c CardChoice) bool { return c.Name == w.card.Name && c.Stay == w.card.Stay })
		w.out = w.out || !stays
	}
}

// report tells the hubs of the cards that are out. A hub that cannot be reached is tried again for as long as the session can last.
func (a *Agent) report(ctx context.Context) {
	due := a.watcher.due(a.now())
	done := make([]bool, len(due))
	var all sync.WaitGroup
	for i, w := range due {
		all.Go(func() { done[i] = w.hub.removed(ctx, w.token) == nil })
	}
	all.Wait()
	for i, w := range due {
		if done[i] {
			a.watcher.remove(func(other *watch) bool { return other == w })
			a.record(ctx, a.journal.write(ctx, audit.Event{Kind: kindRemoved, Facts: map[string]string{"hub": w.hub.origin}}))
			continue
		}
		a.watcher.each(func(other *watch) {
			if other == w {
				w.retry = min(max(2*w.retry, firstRetry), maxRetry)
				w.next = a.now().Add(w.retry)
			}
		})
	}
}

var errNotRemoved = errors.New("the hub has not ended the session yet")

// removed reports that the card of a login is out.
func (h *hub) removed(ctx context.Context, token string) error {
	a, err := h.do(ctx, hubRequest{
		method: http.MethodPost, address: h.origin + "/card/removals", kind: "application/x-www-form-urlencoded", body: url.Values{"token": {token}}.Encode(),
	}, maxAnswer)
	if err == nil && a.status != http.StatusNoContent {
		err = errNotRemoved
	}
	return err
}

// seat finds a card as it lies there now, to see later whether it was taken out.
func (cs *cards) seat(ctx context.Context, name string) (CardChoice, error) {
	choices, err := cs.reader.Cards(ctx)
	if err != nil {
		return CardChoice{}, err
	}
	i := slices.IndexFunc(choices, func(c CardChoice) bool { return c.Name == name })
	if i < 0 {
		return CardChoice{}, refuse(CardMissing, "no card of this name")
	}
	return choices[i], nil
}

// Tray is a reader whose cards are taken out and put back by a button, where there is nothing to take hold of.
type Tray interface {
	// Eject takes a card out, Insert puts it back in. A name it does not know is an *Error with CardMissing.
	Eject(name string) error
	Insert(name string) error
	// Out lists the cards that are out.
	Out() []CardChoice
}
