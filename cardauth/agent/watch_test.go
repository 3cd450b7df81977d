package agent

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
	"github.com/tsunagu-id/tsunagu/internal/audit"
)

// seats is a reader of which only what lies in it matters.
type seats struct {
	there atomic.Pointer[[]CardChoice]
	err   atomic.Pointer[error]
}

func (s *seats) put(c ...CardChoice) { s.there.Store(&c) }

func (s *seats) Cards(context.Context) ([]CardChoice, error) {
	if err := s.err.Load(); err != nil {
		return nil, *err
	}
	return *s.there.Load(), nil
}

func (s *seats) Connect(context.Context, string) (jpki.Transmitter, func(), error) {
	return nil, nil, errors.New("nobody connects")
}

// watching is a card app without pages, and a hub that answers reports with status.
func watching(t *testing.T) (a *Agent, reader *seats, status *atomic.Int32, reports *atomic.Int32) {
	t.Helper()
	reader, status, reports = &seats{}, &atomic.Int32{}, &atomic.Int32{}
	status.Store(http.StatusNoContent)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/card/removals" && r.PostFormValue("token") == "token" {
			reports.Add(1)
		}
		w.WriteHeader(int(status.Load()))
	}))
	t.Cleanup(server.Close)
	h, err := newHub(Issuer{URL: server.URL}, server.Client(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	a = &Agent{
		now: time.Now, log: slog.New(slog.DiscardHandler), watcher: newWatcher(), hubs: []*hub{h}, cards: &cards{reader: reader},
		journal: &journal{append: func(context.Context, audit.Event) error { return nil }, now: time.Now, last: map[audit.Kind]time.Time{}},
	}
	return a, reader, status, reports
}

func (a *Agent) watchForTest(card CardChoice) {
	a.watcher.add(&watch{hub: a.hubs[0], card: card, token: "token", until: a.now().Add(watchLife)})
}

// Whatever takes the card away is reported: another card in its place, a reader that was unplugged, a service that stays away. A service
// that is away for a moment is not.
func TestEveryWayOutIsNoticed(t *testing.T) {
	t.Parallel()
	card := CardChoice{Name: "Reader#1", Stay: 1}
	missing, silent := error(&Error{Reason: ReaderMissing}), error(&Error{Reason: ServiceMissing})
	now := time.Now()
	for name, c := range map[string]struct {
		there []CardChoice
		err   error
		later time.Duration
		out   bool
	}{
		"still there":                      {there: []CardChoice{{Name: "other"}, card}},
		"taken out":                        {out: true},
		"another in its place":             {there: []CardChoice{{Name: "Reader#3", Stay: 1}}, out: true},
		"taken out and put back":           {there: []CardChoice{{Name: "Reader#1", Stay: 2}}, out: true},
		"reader unplugged":                 {err: missing, out: true},
		"readers do not answer for once":   {err: silent},
		"readers do not answer any longer": {err: silent, later: serviceGrace, out: true},
	} {
		s := newWatcher()
		s.add(&watch{card: card})
		s.saw(c.there, c.err, now)
		if c.later > 0 {
			s.saw(c.there, c.err, now.Add(c.later))
		}
		s.each(func(w *watch) {
			if w.out != c.out {
				t.Errorf("%s: out is %v", name, w.out)
			}
		})
	}
}

// A hub that is down is told when it is back; the card that was put back in meanwhile changes nothing.
func TestRemovalOutlastsAHubThatIsDown(t *testing.T) {
	t.Parallel()
	a, reader, status, reports := watching(t)
	card := CardChoice{Name: "taro"}
	reader.put(card)
	status.Store(http.StatusBadGateway)
	go func() { _ = a.Run(t.Context()) }()
	a.watchForTest(card)
	time.Sleep(watchEvery * 2)
	if reports.Load() != 0 {
		t.Fatal("reported although the card is in")
	}
	reader.put()
	eventually(t, "the first try", func() bool { return reports.Load() > 0 })
	reader.put(card)
	status.Store(http.StatusNoContent)
	eventually(t, "the last try", func() bool { return a.watcher.held() == 0 })
	n := reports.Load()
	time.Sleep(watchEvery * 3)
	if reports.Load() != n {
		t.Error("reported again after the hub had confirmed")
	}
}

// Who takes the card app away takes the eyes away that watch the card: the logins end, as far as the hub can be reached.
func TestEndOfTheProgramEndsWatchedLogins(t *testing.T) {
	t.Parallel()
	a, reader, _, reports := watching(t)
	card := CardChoice{Name: "taro"}
	reader.put(card)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	eventually(t, "running", a.watcher.runs)
	a.watchForTest(card)
	time.Sleep(watchEvery)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	if reports.Load() != 1 {
		t.Errorf("%d reports", reports.Load())
	}
	if a.watcher.runs() {
		t.Error("says that it watches")
	}
}

// More logins than can be watched end the oldest, and none is forgotten in silence; nothing is watched for longer than a session can last.
func TestWatchesAreBounded(t *testing.T) {
	t.Parallel()
	a, reader, _, reports := watching(t)
	card := CardChoice{Name: "taro"}
	reader.put(card)
	for range maxWatches + 3 {
		a.watchForTest(card)
	}
	for range 3 {
		a.watchRound(t.Context())
	}
	if n := a.watcher.held(); n != maxWatches || reports.Load() != 3 {
		t.Errorf("%d watched, %d reported", n, reports.Load())
	}
	later := time.Now().Add(watchLife)
	a.now = func() time.Time { return later }
	if a.watchRound(t.Context()) || a.watcher.held() != 0 {
		t.Error("watched for ever")
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// held is how many logins are watched.
func (s *watcher) held() (n int) {
	s.each(func(*watch) { n++ })
	return n
}
