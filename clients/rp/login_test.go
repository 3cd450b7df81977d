package rp_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/clients/rp/rptest"
)

func TestLogin(t *testing.T) {
	for name, change := range map[string]func(*world, *rp.Config){
		"private_key_jwt, pushed": nil,
		"client_secret_basic": func(_ *world, c *rp.Config) {
			c.Credential = rp.ClientSecret{Secret: rp.NewSecret(rptest.Secret)}
		},
	} {
		for _, noPAR := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				w := newWorld(t, func(c *rp.Config) {
					if change != nil {
						change(nil, c)
					}
				})
				w.hub.Set(func(s *rptest.Settings) { s.NoPAR = noPAR })
				b := w.browser()
				page := w.get(b, "/inner?x=1&lang=en")
				if page.URL.RequestURI() != "/inner?x=1&lang=en" || !page.Has(taro) {
					t.Errorf("ended at %s: %s", page.URL, page.Body)
				}
				if got := w.hub.Count("POST /par"); (got == 0) != noPAR {
					t.Errorf("%d pushed requests", got)
				}
				sent := w.hub.LastRequest()
				if sent.Get("scope") != "openid offline_access link" || sent.Get("ui_locales") != "en" || sent.Get("prompt") != "" {
					t.Errorf("asked for %v", sent)
				}
			})
		}
	}
}

// A pushed request leaves nothing in the browser's address bar but a reference.
func TestPushedRequestShowsNothing(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	b.Stop("/authorize")
	u, err := url.Parse(w.get(b, "/login").Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	if q := u.Query(); len(q) != 2 || q.Get("client_id") != "service" || !strings.HasPrefix(q.Get("request_uri"), "urn:") {
		t.Errorf("the browser carries %v", q)
	}
}

// Whoever is signed in as somebody else at the hub by now is not left in the old session.
func TestSessionChangesAtEveryLogin(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	w.get(b, "/inner")
	cookie := func() string {
		u, _ := url.Parse(w.site.URL)
		for _, c := range b.Client.Jar.Cookies(u) {
			if c.Name == "tsunagu-test-session" {
				return c.Value
			}
		}
		return ""
	}
	first := cookie()
	w.hub.Set(func(s *rptest.Settings) { s.Person = "hanako" })
	if page := w.get(b, "/login?return=/inner"); !page.Has("[hanako-at-service]") {
		t.Errorf("still %s", page.Body)
	}
	if first == "" || cookie() == first || cookie() == "" {
		t.Error("the session id did not change")
	}
	if got := w.hub.Count("POST /revoke"); got != 1 {
		t.Errorf("the first session's tokens were revoked %d times, want once", got)
	}
	// The first cookie opens nothing.
	other := w.browser()
	u, _ := url.Parse(w.site.URL)
	cookies := b.Client.Jar.Cookies(u)
	for i := range cookies {
		if cookies[i].Name == "tsunagu-test-session" {
			cookies[i].Value = first
		}
	}
	other.Client.Jar.SetCookies(u, cookies)
	if page := w.get(other, "/"); !page.Has("[nobody]") {
		t.Errorf("the old session lives: %s", page.Body)
	}
}

// An attacker who makes a victim's browser visit a callback of the attacker's own login does not sign the victim in.
func TestLoginCSRF(t *testing.T) {
	w := newWorld(t, nil)
	attacker, victim := w.browser(), w.browser()
	planted := w.callback(attacker)
	wantReason(t, w.get(victim, planted), "other_browser")
	if page := w.get(victim, "/"); !page.Has("[nobody]") {
		t.Errorf("signed in all the same: %s", page.Body)
	}
	// Neither does it help that the victim has a login of their own in progress.
	w.callback(victim)
	wantReason(t, w.get(victim, w.callback(attacker)), "other_browser")
	// And the attempt has spent it for the attacker as well.
	wantReason(t, w.get(attacker, planted), "login_expired")
}

func TestReplayedCallback(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	address := w.callback(b)
	if page := w.get(b, address); !page.Has(taro) {
		t.Fatalf("the first visit: %s", page.Body)
	}
	wantReason(t, w.get(b, address), "login_expired")
	if w.hub.Count("POST /token") != 1 {
		t.Error("the code was sent twice")
	}
}

func TestCallbackRefusals(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(w *world, q url.Values)
		reason string
	}{
		"unknown state":    {func(_ *world, q url.Values) { q.Set("state", "AAAA") }, "login_expired"},
		"no state":         {func(_ *world, q url.Values) { q.Del("state") }, "response_malformed"},
		"long state":       {func(_ *world, q url.Values) { q.Set("state", strings.Repeat("A", 9000)) }, "response_malformed"},
		"state twice":      {func(_ *world, q url.Values) { q.Add("state", "x") }, "response_malformed"},
		"code twice":       {func(_ *world, q url.Values) { q.Add("code", "x") }, "response_malformed"},
		"no code":          {func(_ *world, q url.Values) { q.Del("code") }, "response_malformed"},
		"other issuer":     {func(_ *world, q url.Values) { q.Set("iss", "https://evil.example") }, "issuer_mismatch"},
		"issuer and slash": {func(w *world, q url.Values) { q.Set("iss", w.hub.URL+"/") }, "issuer_mismatch"},
		"no issuer":        {func(_ *world, q url.Values) { q.Del("iss") }, "issuer_mismatch"},
		"error elsewhere":  {func(_ *world, q url.Values) { q.Set("iss", "https://evil.example"); q.Set("error", "access_denied") }, "issuer_mismatch"},
		"unknown code":     {func(_ *world, q url.Values) { q.Set("code", "AAAA") }, "hub_refused"},
		"denied":           {func(_ *world, q url.Values) { q.Del("code"); q.Set("error", "access_denied") }, "access_denied"},
		"busy":             {func(_ *world, q url.Values) { q.Set("error", "temporarily_unavailable") }, "hub_unreachable"},
		"other error":      {func(_ *world, q url.Values) { q.Set("error", `invalid_scope"><script>`) }, "hub_refused"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			b := w.browser()
			page := w.get(b, with(w.callback(b), func(q url.Values) { tt.change(w, q) }))
			wantReason(t, page, tt.reason)
			if page.Has("<script") {
				t.Error("the page repeats markup from the address")
			}
			if !w.get(b, "/").Has("[nobody]") {
				t.Error("signed in all the same")
			}
		})
	}
}

func TestFlowExpires(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	address := w.callback(b)
	w.clock.advance(31 * 60e9)
	wantReason(t, w.get(b, address), "login_expired")
}

func TestDeniedByTheHub(t *testing.T) {
	w := newWorld(t, nil)
	w.hub.Set(func(s *rptest.Settings) { s.Deny = "access_denied" })
	page := w.get(w.browser(), "/inner")
	wantReason(t, page, "access_denied")
	if page.Status != 403 || !page.Has(`href="/"`) {
		t.Errorf("%d: %s", page.Status, page.Body)
	}
}

// The hub may start later than its relying parties, and go away in between.
func TestHubIsDown(t *testing.T) {
	w := newWorld(t, nil)
	w.hub.Set(func(s *rptest.Settings) { s.Down = true })
	b := w.browser()
	page := w.get(b, "/inner")
	wantReason(t, page, "hub_unreachable")
	if page.Status != 503 || !page.Has(`href="/inner"`) {
		t.Errorf("%d: %s", page.Status, page.Body)
	}
	for range 20 { // nobody knocks at a closed door for every visitor
		w.get(b, "/inner")
	}
	if got := w.hub.Count("GET /.well-known/openid-configuration"); got != 1 {
		t.Errorf("discovery was tried %d times within a second", got)
	}
	w.hub.Set(func(s *rptest.Settings) { s.Down = false })
	w.clock.advance(2e9)
	if page := w.get(b, "/inner"); !page.Has(taro) {
		t.Errorf("after the hub came up: %s", page.Body)
	}
}

func TestForeignDiscoveryDocument(t *testing.T) {
	one := newWorld(t, nil)
	two := newWorld(t, func(c *rp.Config) { c.Issuer = strings.Replace(one.hub.URL, "127.0.0.1", "localhost", 1) })
	wantReason(t, two.get(two.browser(), "/inner"), "hub_unreachable") // it says that it is another issuer
}
