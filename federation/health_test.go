package federation

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

const authorizeURL = "http://localhost:8400/authorize"

// launcher is Launches with a clock and answers that a test decides.
type launcher struct {
	*Launches
	links  *Links
	at     atomic.Int64 // ms
	tries  atomic.Int32
	answer atomic.Value // func() (int, string, error)
}

func newLauncher(t *testing.T, db *sqldb.DB) *launcher {
	t.Helper()
	l := &launcher{}
	l.at.Store(start.UnixMilli())
	clock := func() time.Time { return time.UnixMilli(l.at.Load()) }
	_, l.links, _ = open(t, db)
	l.links.now = clock
	registry, err := clients.Open(t.Context(), clients.Deps{DB: db, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if err := registry.Seed(t.Context(), []byte(seed)); err != nil {
		t.Fatal(err)
	}
	l.Launches, err = NewLaunches(LaunchesDeps{
		Issuer: "http://localhost:8400", Authorize: authorizeURL, DB: db, Clients: registry, Now: clock, Log: slog.New(slog.DiscardHandler),
		Redirect: func(_ context.Context, address string) (int, string, error) {
			l.tries.Add(1)
			if u, err := url.Parse(address); err != nil || u.Host != "localhost:8402" || u.Query().Get("iss") != "http://localhost:8400" {
				t.Errorf("asked for %s", address)
			}
			return l.answer.Load().(func() (int, string, error))()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *launcher) answers(status int, location string, err error) {
	l.answer.Store(func() (int, string, error) { return status, location, err })
}

func (l *launcher) round(t *testing.T, later time.Duration) Standing {
	t.Helper()
	l.at.Add(later.Milliseconds())
	if err := l.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, err := l.links.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all["etax"]
}

const goodLaunch = authorizeURL + "?client_id=etax&request_uri=urn%3Ax"

func TestHealthOfAService(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		l := newLauncher(t, db)
		l.answers(303, goodLaunch, nil)
		first := l.round(t, 0)
		if first.Health != HealthOK || !first.Since.Equal(start) {
			t.Fatalf("%+v", first)
		}
		if l.round(t, time.Second); l.tries.Load() != 1 {
			t.Error("tried again before its time")
		}
		l.answers(0, "", errors.New("refused"))
		if s := l.round(t, 7*time.Minute); s != first {
			t.Errorf("after one failure, which may be a restart: %+v", s)
		}
		down := l.round(t, 2*time.Minute)
		if down.Health != HealthDown || !down.Since.Equal(start.Add(9*time.Minute+time.Second)) {
			t.Errorf("%+v", down)
		}
		if s := l.round(t, 2*time.Minute); s != down {
			t.Errorf("since has moved: %+v", s)
		}
		l.answers(302, goodLaunch, nil)
		if s := l.round(t, 2*time.Minute); s.Health != HealthOK || !s.Since.After(down.Since) {
			t.Errorf("%+v", s)
		}
		l.at.Add(time.Hour.Milliseconds()) // nobody tried
		if all, err := l.links.Health(t.Context()); err != nil || len(all) != 0 {
			t.Errorf("still known: %+v, %v", all, err)
		}
	})
}

// A hundred processes, one service, one try: it is left with one login in progress.
func TestOneOfAHundredTriesALaunch(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		l := newLauncher(t, db)
		l.answers(303, goodLaunch, nil)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if err := l.Round(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := l.tries.Load(); n != 1 {
			t.Errorf("%d tries", n)
		}
	})
}

// Whoever was cut off in the middle of a try does not write over the next one's result.
func TestLateTryIsNotWritten(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		l := newLauncher(t, db)
		was, mine, err := claimLaunch(t.Context(), db, "etax", start, start.Add(launchLease))
		if err != nil || !mine {
			t.Fatal(mine, err)
		}
		l.answers(303, goodLaunch, nil)
		if s := l.round(t, 2*launchLease); s.Health != HealthOK {
			t.Fatalf("%+v", s)
		}
		late, _ := after(launchState{failures: 5}, false, start, time.Minute)
		if err := storeLaunch(t.Context(), db, "etax", late, start, start.Add(time.Hour), was.lease); err != nil {
			t.Fatal(err)
		}
		if s := l.round(t, 0); s.Health != HealthOK {
			t.Errorf("%+v", s)
		}
	})
}

func TestWhereALaunchLeads(t *testing.T) {
	for location, ok := range map[string]bool{
		goodLaunch: true,
		authorizeURL + "?client_id=etax&response_type=code&redirect_uri=x":          true,
		authorizeURL + "?client_id=bank&request_uri=urn%3Ax":                        false,
		authorizeURL + "?client_id=etax&client_id=etax&request_uri=x":               false,
		authorizeURL + "?client_id=etax":                                            false,
		authorizeURL + "x?client_id=etax&request_uri=x":                             false,
		"https://localhost:8400/authorize?client_id=etax&request_uri=x":             false,
		"http://localhost:8400@evil.example/authorize?client_id=etax&request_uri=x": false,
		"/authorize?client_id=etax&request_uri=x":                                   false,
		"": false, "http://localhost:8402/maintenance": false, "%": false,
	} {
		if err := leadsHome(location, authorizeURL, "etax"); (err == nil) != ok {
			t.Errorf("%s: %v", location, err)
		}
	}
}

// FuzzWhereALaunchLeads: what is accepted is at the authorization endpoint.
func FuzzWhereALaunchLeads(f *testing.F) {
	f.Add(goodLaunch)
	f.Add("//localhost:8400/authorize")
	f.Fuzz(func(t *testing.T, location string) {
		if leadsHome(location, authorizeURL, "etax") == nil {
			if u, err := url.Parse(location); err != nil || u.Host != "localhost:8400" || u.Path != "/authorize" {
				t.Errorf("accepted %q", location)
			}
		}
	})
}

// A service that sends the hub on and on, or to another machine, is not followed.
func TestLaunchIsNotFollowed(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.Redirect(w, r, "/again", http.StatusFound)
	}))
	defer server.Close()
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		allow []string
		want  int32
	}{{nil, 0}, {[]string{u.Host}, 1}} {
		fetch, err := clients.NewFetcher(clients.FetcherConfig{Now: now, Allow: c.allow})
		if err != nil {
			t.Fatal(err)
		}
		status, location, err := fetch.Redirect(t.Context(), server.URL+"/login")
		if asked.Load() != c.want || c.allow != nil && (err != nil || status != 302 || location != "/again") || c.allow == nil && err == nil {
			t.Errorf("asked %d times: %d %s, %v", asked.Load(), status, location, err)
		}
	}
}
