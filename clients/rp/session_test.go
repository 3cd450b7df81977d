package rp_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/clients/rp/rptest"
)

// A refresh token used twice looks stolen and ends everything. A hundred pages at once use it once.
func TestConcurrentRefresh(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	w.get(b, "/api")
	w.clock.advance(5 * time.Minute)
	before := w.hub.Count("POST /token")
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if page, err := b.Get(w.site.URL + "/api"); err != nil || !page.Has("[taro-at-service none]") {
				t.Errorf("%v %s %s", err, page.URL, page.Error())
			}
		})
	}
	wg.Wait()
	if got := w.hub.Count("POST /token") - before; got != 1 {
		t.Errorf("%d requests to the token endpoint, want 1", got)
	}
	if got := w.hub.Count("GET /authorize"); got != 1 {
		t.Errorf("%d logins, want the first one only", got)
	}
}

// Two processes on one database do not know each other's locks in memory.
func TestConcurrentRefreshOfTwoProcesses(t *testing.T) {
	var config rp.Config
	w := newWorld(t, func(c *rp.Config) { config = *c })
	twin, err := rp.New(config)
	if err != nil {
		t.Fatal(err)
	}
	b := w.browser()
	w.get(b, "/api")
	w.clock.advance(5 * time.Minute)
	u, _ := url.Parse(w.site.URL)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, w.site.URL, nil)
			for _, c := range b.Client.Jar.Cookies(u) {
				r.AddCookie(c)
			}
			party := []*rp.Party{w.party, twin}[i%2]
			s, err := party.Session(r)
			if err == nil {
				err = party.Call(t.Context(), s, http.MethodGet, "/api/link", nil, nil)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := w.hub.Count("POST /token"); got != 2 {
		t.Errorf("%d requests to the token endpoint, want the code's and one refresh", got)
	}
}

// A token that the hub refuses although its time is not over is refreshed, and when that fails the person goes through the
// hub and is back at the same page without having noticed.
func TestTokensRevokedAtTheHub(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	w.get(b, "/api?q=1")
	w.hub.RevokeAll() // seconds after the login
	page := w.get(b, "/api?q=1")
	if page.URL.RequestURI() != "/api?q=1" || !page.Has("[taro-at-service none]") {
		t.Errorf("ended at %s: %s", page.URL, page.Body)
	}
	if got := w.hub.Count("GET /authorize"); got != 2 {
		t.Errorf("%d logins, want 2", got)
	}
}

// A hub that refuses fresh tokens does not send people round in circles.
func TestNoCircles(t *testing.T) {
	w := newWorld(t, nil)
	w.hub.Set(func(s *rptest.Settings) { s.APIRefuses = true })
	wantReason(t, w.get(w.browser(), "/api"), "hub_refused")
	if got := w.hub.Count("GET /authorize"); got != 2 {
		t.Errorf("%d logins, want the first and one that was to bring better tokens", got)
	}
}

// Nor does one whose tokens are refused while the callback is still being answered, or that ends every session as it begins.
func TestNoCirclesAtTheCallback(t *testing.T) {
	for name, refuse := range map[string]func(w *world, s *rptest.Settings){
		"its API takes no token": func(_ *world, s *rptest.Settings) { s.APIRefuses = true },
		"it ends every session": func(w *world, s *rptest.Settings) {
			s.Claims = func(c map[string]any) {
				c["sid"] = "hub-1"
				w.tellToken(w.logoutToken(map[string]any{"sid": "hub-1", "iat": w.clock.now().Add(2 * time.Second).Unix()}))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.atCallback = "/api/link"
			w.tellToken(w.logoutToken(map[string]any{"sid": "hub-0"})) // the hub's keys are known: it cannot be asked while it answers
			w.hub.Set(func(s *rptest.Settings) { refuse(w, s) })
			b := w.browser()
			wantReason(t, w.get(b, "/inner"), "hub_refused")
			if got := w.hub.Count("GET /authorize"); got != 2 {
				t.Errorf("%d logins, want the first and one that was to bring better tokens", got)
			}
		})
	}
}

func TestSessionEnds(t *testing.T) {
	t.Run("unused", func(t *testing.T) {
		w := newWorld(t, nil)
		b := w.browser()
		w.get(b, "/inner")
		w.clock.advance(29 * time.Minute)
		w.get(b, "/inner") // counts as use
		w.clock.advance(29 * time.Minute)
		if page := w.get(b, "/"); !page.Has(taro) {
			t.Errorf("ended though it was used: %s", page.Body)
		}
		w.clock.advance(31 * time.Minute)
		if page := w.get(b, "/"); !page.Has("[nobody]") {
			t.Errorf("lives on unused: %s", page.Body)
		}
	})
	t.Run("too old", func(t *testing.T) {
		w := newWorld(t, nil)
		b := w.browser()
		w.get(b, "/inner")
		for range 12 * 3 {
			w.clock.advance(20 * time.Minute)
			w.get(b, "/")
		}
		if page := w.get(b, "/"); !page.Has("[nobody]") {
			t.Errorf("lives on after twelve hours: %s", page.Body)
		}
	})
}

func TestSessionOfAPlantedCookie(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	u, _ := url.Parse(w.site.URL)
	for _, value := range []string{"", "AAAA", strings.Repeat("A", 52), strings.Repeat("A", 5000)} {
		b.Client.Jar.SetCookies(u, []*http.Cookie{{Name: "tsunagu-test-session", Value: value}})
		if page := w.get(b, "/"); !page.Has("[nobody]") {
			t.Errorf("%q: %s", value, page.Body)
		}
		page := w.get(b, "/inner")
		if !page.Has(taro) {
			t.Errorf("%q: %s", value, page.Body)
		}
		for _, c := range b.Client.Jar.Cookies(u) {
			if c.Name == "tsunagu-test-session" && c.Value == value {
				t.Error("the planted cookie was kept")
			}
		}
		w.get(b, rp.PathLogout)
		w.hub.Set(func(s *rptest.Settings) { s.Person = "taro" })
	}
}

func TestSignOut(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	w.get(b, "/inner")
	page := w.get(b, rp.PathLogout)
	if page.URL.Path != rp.PathSignedOut || w.hub.Count("GET /end-session") != 1 || w.hub.Count("POST /revoke") != 1 {
		t.Errorf("ended at %s; %d logouts at the hub", page.URL, w.hub.Count("GET /end-session"))
	}
	if page := w.get(b, "/"); !page.Has("[nobody]") {
		t.Error("still signed in")
	}
	// Again, and without the hub: still signed out here.
	if page := w.get(b, rp.PathLogout); page.URL.Path != rp.PathSignedOut {
		t.Errorf("ended at %s", page.URL)
	}
	w.hub.Set(func(s *rptest.Settings) { s.Person = "taro" })
	w.get(b, "/inner")
	w.hub.Set(func(s *rptest.Settings) { s.Down = true })
	w.clock.advance(2 * time.Hour) // the discovery document has to be fetched again as well
	w.get(b, rp.PathLogout)
	w.hub.Set(func(s *rptest.Settings) { s.Down = false })
	if page := w.get(b, "/"); !page.Has("[nobody]") {
		t.Error("still signed in")
	}
}

// Renew asks nothing: whoever is not signed in at the hub any more is not signed in here either.
func TestRenew(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	w.get(b, "/inner")
	if page := w.get(b, "/renew"); !page.Has(taro) || w.hub.LastRequest().Get("prompt") != "none" {
		t.Errorf("%s", page.Body)
	}
	w.hub.Set(func(s *rptest.Settings) { s.Person = "" })
	if page := w.get(b, "/renew"); !page.Has("[nobody]") || page.Error() != "" {
		t.Errorf("%s", page.Body)
	}
}

func TestLocalSession(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	if page := w.get(b, "/local"); !page.Has("[local number]") {
		t.Errorf("%s", page.Body)
	}
	w.get(b, rp.PathLogout)
	if w.hub.Count("GET /end-session") != 0 {
		t.Error("the hub was asked to end a session it knows nothing of")
	}
}

// What a form posts without a session is lost, but the person is back at the form.
func TestPostWithoutASessionComesBackToItsPage(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	w.get(b, "/form?step=2")
	w.clock.advance(time.Hour)
	page, err := b.Post(w.site.URL+"/send", url.Values{"a": {"b"}})
	if err != nil {
		t.Fatal(err)
	}
	if page.URL.RequestURI() != "/form?step=2" || !page.Has(taro) {
		t.Errorf("ended at %s", page.URL)
	}
}
