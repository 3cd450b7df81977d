package agent

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

// routes a stranger may try, with the form that would be right.
func tries(d *desk) []*http.Request {
	d.t.Helper()
	s := d.open(d.hub.issue())
	form := url.Values{"page": {s.token()}, "card": {"own"}, "pin": {testPIN}}.Encode()
	var out []*http.Request
	for _, r := range []struct{ method, target string }{
		{http.MethodGet, "/"}, {http.MethodGet, "/healthz"}, {http.MethodGet, "/readyz"}, {http.MethodGet, "/login?challenge=" + url.QueryEscape(d.hub.issue())},
		{http.MethodPost, "/login"}, {http.MethodPost, "/login/cancel"}, {http.MethodPost, "/sign"}, {http.MethodPost, "/sign/cancel"},
		{http.MethodPost, "/tray"}, {http.MethodGet, "/version"}, {http.MethodGet, "/nowhere"},
	} {
		var body strings.Reader
		if r.method == http.MethodPost {
			body.Reset(form)
		}
		req, err := http.NewRequestWithContext(d.t.Context(), r.method, d.server.URL+r.target, &body)
		if err != nil {
			d.t.Fatal(err)
		}
		if r.method == http.MethodPost {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.ContentLength = int64(len(form))
		}
		out = append(out, req)
	}
	return out
}

func (d *desk) sendAll(change func(*http.Request), check func(*http.Request, shown)) {
	d.t.Helper()
	for _, r := range tries(d) {
		change(r)
		s, err := d.send(r)
		if err != nil {
			d.t.Fatal(err)
		}
		check(r, s)
	}
	if n := len(d.hub.accepted()); n != 0 {
		d.t.Errorf("%d signatures", n)
	}
}

func TestForeignHost(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	port := d.server.URL[strings.LastIndex(d.server.URL, ":"):]
	for _, host := range []string{"rebound.example" + port, "localhost" + port, "127.0.0.1", "127.0.0.1:1", "[::1]" + port, "127.0.0.1" + port + "."} {
		d.sendAll(func(r *http.Request) { r.Host = host }, func(r *http.Request, s shown) {
			if s.status != http.StatusMisdirectedRequest || s.reason() != "foreign_host" {
				t.Errorf("%s %s as %s: status %d, data-error %q", r.Method, r.URL.Path, host, s.status, s.reason())
			}
			if strings.Contains(s.body, "<form") || strings.Contains(s.body, "rebound") {
				t.Errorf("%s: %s", host, s.body)
			}
		})
	}
	events := d.journalled(kindForeignHost)
	if len(events) != 1 { // the clock stands: one a second at most
		t.Fatalf("%d events, want 1", len(events))
	}
	if got := events[0].Facts["host"]; got != "rebound.example"+port {
		t.Errorf("host %q", got)
	}
	d.clock.advance(time.Second)
	d.do(http.MethodGet, "/", nil, func(r *http.Request) { r.Host = "next.example" })
	if n := len(d.journalled(kindForeignHost)); n != 2 {
		t.Errorf("%d events a second later, want 2", n)
	}
}

func TestHostInTheJournalIsBounded(t *testing.T) {
	t.Parallel()
	if got := printable(strings.Repeat("é\x00 ", 100)); len(got) != 80 || strings.Trim(got, "?") != "" {
		t.Errorf("%q", got)
	}
}

func TestNotInsideAnotherPage(t *testing.T) {
	t.Parallel()
	for header, values := range map[string][]string{
		"Sec-Fetch-Dest": {"iframe", "frame", "object", "embed", "empty", "script", "image", "fencedframe"},
		"Sec-Purpose":    {"prefetch", "prefetch;prerender"},
		"Purpose":        {"prefetch"},
	} {
		for _, value := range values {
			d := newDesk(t, nil)
			d.sendAll(func(r *http.Request) { r.Header.Set(header, value) }, func(r *http.Request, s shown) {
				if s.status != http.StatusForbidden || s.reason() != "embedded" {
					t.Errorf("%s %s with %s: status %d, data-error %q", r.Method, r.URL.Path, value, s.status, s.reason())
				}
			})
			if n := d.hub.count("GET " + challengePath); n != 1 {
				t.Errorf("%s: the hub was asked for %d challenges, want 1", value, n)
			}
			if len(d.journalled(kindEmbedded)) != 1 {
				t.Errorf("%s: journal %+v", value, d.events)
			}
		}
	}
}

func TestPostFromAnotherSite(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*http.Request){
		"says so":            func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"sibling port":       func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		"old browser":        func(r *http.Request) { r.Header.Set("Origin", "https://stranger.example") },
		"sandboxed document": func(r *http.Request) { r.Header.Set("Origin", "null") },
	} {
		d := newDesk(t, nil)
		d.sendAll(spoil, func(r *http.Request, s shown) {
			if r.Method == http.MethodPost && (s.status != http.StatusForbidden || s.reason() != "csrf") {
				t.Errorf("%s: %s: status %d, data-error %q", name, r.URL.Path, s.status, s.reason())
			}
		})
	}
}

// The answer to "may another site call you?" is no, and nothing that could be taken for a yes.
func TestPreflightIsRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	d.sendAll(func(r *http.Request) {
		r.Method = http.MethodOptions
		r.Header.Set("Origin", "https://stranger.example")
		r.Header.Set("Access-Control-Request-Method", "POST")
		r.Header.Set("Access-Control-Request-Private-Network", "true")
	}, func(r *http.Request, s shown) {
		if s.status != http.StatusForbidden {
			t.Errorf("%s: status %d", r.URL.Path, s.status)
		}
	})
	s := d.do(http.MethodOptions, "/static/x/app.css", nil, nil)
	if s.status != http.StatusForbidden {
		t.Errorf("static: status %d", s.status)
	}
}

// What every answer carries, whatever was asked.
func TestHeaders(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	for _, origin := range []string{"", d.server.URL, "https://stranger.example"} {
		for _, r := range tries(d) {
			if origin != "" {
				r.Header.Set("Origin", origin)
			}
			s, err := d.send(r)
			if err != nil {
				t.Fatal(err)
			}
			where := r.Method + " " + r.URL.Path
			csp := s.header.Get("Content-Security-Policy")
			for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} {
				if !strings.Contains(csp, part) {
					t.Errorf("%s: policy %q lacks %s", where, csp, part)
				}
			}
			for name, want := range map[string]string{
				"X-Content-Type-Options": "nosniff", "Cross-Origin-Opener-Policy": "same-origin",
				"Cache-Control": "no-store", "Referrer-Policy": "same-origin",
			} {
				if got := s.header.Get(name); got != want {
					t.Errorf("%s: %s is %q", where, name, got)
				}
			}
			for name := range s.header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s: %s", where, name)
				}
			}
		}
	}
}

func TestHealthAndStart(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	d.do(http.MethodGet, "/healthz", nil, nil).want(http.StatusOK, "")
	d.do(http.MethodGet, "/readyz", nil, nil).want(http.StatusOK, "")
	d.do(http.MethodGet, "/", nil, nil).want(http.StatusOK, "").wantText("カードアプリは動いています", "ownのカード", "つなぐ")
	d.do(http.MethodGet, "/?lang=en", nil, nil).want(http.StatusOK, "").wantText("The card app is running", "own&#39;s card")
	d.do(http.MethodGet, "/nowhere", nil, nil).want(http.StatusNotFound, "not_found")
	d.do(http.MethodPut, "/login", nil, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-origin") }).
		want(http.StatusNotFound, "not_found")
	d.box.err = &Error{Reason: ReaderMissing}
	d.do(http.MethodGet, "/", nil, nil).want(http.StatusOK, "").wantText("見つかりません")
	d.do(http.MethodGet, "/readyz", nil, nil).want(http.StatusServiceUnavailable, "").wantText("reader_missing")
}

func TestFormsAreStrict(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	token := d.open(d.hub.issue()).token()
	for name, c := range map[string]struct {
		form   string
		change func(*http.Request)
	}{
		"no page":     {"card=own&pin=" + testPIN, nil},
		"no card":     {"page=" + token + "&pin=" + testPIN, nil},
		"pin twice":   {"page=" + token + "&card=own&pin=" + testPIN + "&pin=" + testPIN, nil},
		"not a form":  {`{"page":"` + token + `"}`, func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }},
		"other parts": {"", func(r *http.Request) { r.Header.Set("Content-Type", "multipart/form-data; boundary=x") }},
		"too large":   {"page=" + token + "&card=own&pin=" + testPIN + "&x=" + strings.Repeat("x", maxForm), nil},
		"bad escape":  {"page=%zz&card=own", nil},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.server.URL+"/login", strings.NewReader(c.form))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if c.change != nil {
			c.change(r)
		}
		s, err := d.send(r)
		if err != nil {
			t.Fatal(err)
		}
		if s.status != http.StatusBadRequest || s.reason() != "invalid_request" {
			t.Errorf("%s: status %d, data-error %q", name, s.status, s.reason())
		}
	}
	// None of them used the page up.
	d.do(http.MethodPost, "/login", url.Values{"page": {token}, "card": {"own"}, "pin": {testPIN}}, nil).wantRedirect(d.hub.returnURI())
}

// Every word has its page, in both languages, with a title of its own.
func TestEveryProblemHasItsWords(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	var all []error
	for r := RequestMalformed; r <= Internal; r++ {
		all = append(all, refuse(r, ""))
	}
	for r := jpki.WrongPIN; r <= jpki.ChangeUnknown; r++ {
		if r != jpki.LastTry && r != jpki.PINRequired { // one is a question, the other shown as card_fault
			all = append(all, &jpki.Error{Reason: r, Left: 2})
		}
	}
	for _, word := range refusalWords() {
		if word != "challenge_expired" { // shared with the card app's own
			all = append(all, &Refusal{Word: word})
		}
	}
	req := &request{from: challengeURL{hub: d.agent.hubs[0], id: someID}}
	for _, lang := range []string{"ja", "en"} {
		titles := map[string]string{}
		for _, err := range all {
			w := httptest.NewRecorder()
			d.agent.renderProblem(w, httptest.NewRequest(http.MethodGet, "/login?lang="+lang, nil), req, "own", err)
			s := shown{t: t, status: w.Code, body: w.Body.String()}
			if s.reason() != Word(err) {
				t.Errorf("%s: %v: data-error %q", lang, err, s.reason())
			}
			title := s.h1()
			if other, twice := titles[title]; twice || title == "" {
				t.Errorf("%s: %s and %s have the same title %q", lang, Word(err), other, title)
			}
			titles[title] = Word(err)
		}
	}
	if log := d.log.String(); log != "" {
		t.Error(log)
	}
}

// The hub's words are those of the package that decides.
func TestRefusalWordsAreTheHubs(t *testing.T) {
	t.Parallel()
	for _, word := range refusalWords() {
		if _, ok := cardauth.ParseReason(word); !ok && word != "too_many" {
			t.Errorf("%s is no reason of cardauth", word)
		}
	}
	for r := cardauth.Malformed; r.String() != "unknown"; r++ {
		if err := (&Refusal{Word: r.String()}); Word(err) != r.String() {
			t.Errorf("%s has no page", r)
		}
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	good := func() Config {
		return Config{
			Origin: "http://127.0.0.1:8404", Trusted: []Issuer{{URL: "https://hub.example"}}, Reader: &box{},
			Now: newClock().now, Journal: (&desk{}).journal,
		}
	}
	if _, err := New(good()); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Config){
		"no origin":           func(c *Config) { c.Origin = "" },
		"open to the network": func(c *Config) { c.Origin = "https://192.0.2.1:8404" },
		"origin with path":    func(c *Config) { c.Origin = "http://127.0.0.1:8404/" },
		"no hub":              func(c *Config) { c.Trusted = nil },
		"plain hub":           func(c *Config) { c.Trusted[0].URL = "http://hub.example" },
		"hub with path":       func(c *Config) { c.Trusted[0].URL = "https://hub.example/a" },
		"hub with slash":      func(c *Config) { c.Trusted[0].URL = "https://hub.example/" },
		"hub in capitals":     func(c *Config) { c.Trusted[0].URL = "https://Hub.example" },
		"hub with user":       func(c *Config) { c.Trusted[0].URL = "https://a@hub.example" },
		"hub with query":      func(c *Config) { c.Trusted[0].URL = "https://hub.example?x" },
		"default port":        func(c *Config) { c.Trusted[0].URL = "https://hub.example:443" },
		"empty port":          func(c *Config) { c.Trusted[0].URL = "https://hub.example:" },
		"no scheme":           func(c *Config) { c.Trusted[0].URL = "hub.example" },
		"no reader":           func(c *Config) { c.Reader = nil },
		"no clock":            func(c *Config) { c.Now = nil },
		"no journal":          func(c *Config) { c.Journal = nil },
	} {
		c := good()
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
