package idptest_test

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/tsunagu-id/tsunagu/clients/etax"
	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// country is a hub with three services: the tax site, one of another make that may be out of order, and one that cannot be told.
type country struct {
	t     *testing.T
	hub   *idptest.Hub
	tax   *httptest.Server
	other *plainService
}

// plainService keeps the logout tokens it gets and answers as it was set.
type plainService struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	tokens []string
}

func (s *plainService) answer(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = status
}

func (s *plainService) received() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tokens)
}

const otherID = "plain"

func newCountry(t *testing.T, db *sqldb.DB, more map[string]any) *country {
	t.Helper()
	c := &country{t: t, tax: httptest.NewUnstartedServer(nil), other: &plainService{status: http.StatusOK}}
	c.other.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.other.mu.Lock()
		defer c.other.mu.Unlock()
		c.other.tokens = append(c.other.tokens, r.PostFormValue("logout_token"))
		w.WriteHeader(c.other.status)
	}))
	t.Cleanup(c.other.Close)
	base := "http://" + c.tax.Listener.Addr().String()
	key, err := rp.OpenKey(filepath.Join(t.TempDir(), "key.pem"))
	must(t, err)
	b, err := etax.Registration("etax", base, key.JWKS(), true)
	must(t, err)
	var registration map[string]any
	must(t, json.Unmarshal(b, &registration))
	plain := map[string]any{
		"client_id": otherID, "client_name": "よその店", "operator": "よその店", "redirect_uris": []string{c.other.URL + "/callback"},
		"scope": "openid", "token_endpoint_auth_method": "none", "development": true, "backchannel_logout_uri": c.other.URL + "/bye",
	}
	maps.Copy(plain, more)
	c.hub = idptest.Start(t, idptest.Options{
		DB: db, Clients: []map[string]any{registration, plain},
		Reachable: []string{c.tax.Listener.Addr().String(), c.other.Listener.Addr().String()},
	})
	site, err := etax.New(t.Context(), etax.Config{
		Issuer: c.hub.Issuer, BaseURL: base, ClientID: "etax", Credential: key, DB: sqldbtest.Open(t), Now: time.Now,
		Log: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	c.tax.Config.Handler = site.Handler()
	c.tax.Start()
	t.Cleanup(c.tax.Close)
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// citizen is somebody at a computer: the same browser, at the hub and at the tax site.
type citizen struct {
	*idptest.Browser
	c    *country
	card string
	tax  *http.Client
}

func (c *country) citizen(card string) *citizen {
	c.t.Helper()
	jar, err := cookiejar.New(nil)
	must(c.t, err)
	tax := idptest.Client()
	tax.Jar = jar
	return &citizen{Browser: c.hub.Browser(c.t), c: c, card: card, tax: tax}
}

// at asks the tax site and returns the status and where it sends the browser.
func (p *citizen) at(address string) (int, string) {
	p.c.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = p.c.tax.URL + address
	}
	resp, err := p.tax.Get(address)
	must(p.c.t, err)
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	must(p.c.t, err)
	return resp.StatusCode, resp.Header.Get("Location")
}

// through takes a request to the hub to the address of a service it ends at.
func (p *citizen) through(address string) string {
	p.c.t.Helper()
	page := p.Get(address)
	if page.Body != "" && strings.Contains(page.Body, `id="card-login"`) {
		page = p.SignIn(page, p.card)
	} else if page.Body != "" {
		page = p.Finish(page)
	}
	if page.Body != "" {
		p.c.t.Fatalf("stopped at %s: %s", page.URL, page.Error())
	}
	return page.URL.String()
}

// enterTax signs in at the tax site, which asks for a number then.
func (p *citizen) enterTax() {
	p.c.t.Helper()
	_, hub := p.at("/login")
	if status, to := p.at(p.through(hub)); status != http.StatusSeeOther || to != "/bind" {
		p.c.t.Fatalf("tax site: %d %s", status, to)
	}
	p.wantInTax(true)
}

func (p *citizen) wantInTax(want bool) {
	p.c.t.Helper()
	status, to := p.at("/bind")
	if in := status == http.StatusOK; in != want || !in && !strings.HasPrefix(to, p.c.hub.Issuer) {
		p.c.t.Errorf("signed in at the tax site: %v, want %v (%d %s)", in, want, status, to)
	}
}

// eventuallyOutOfTax waits for the hub to have told the tax site.
func (p *citizen) eventuallyOutOfTax() {
	p.c.t.Helper()
	for range 200 {
		if status, _ := p.at("/bind"); status != http.StatusOK {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	p.wantInTax(false)
}

// enter signs in at a service that keeps no session of its own here.
func (p *citizen) enter(client, redirect string, more ...string) {
	p.c.t.Helper()
	r := idptest.NewRequest(append([]string{"client_id", client, "redirect_uri", redirect, "scope", "openid"}, more...)...)
	if to := p.through(r.Path()); !strings.Contains(to, "code=") {
		p.c.t.Fatal(to)
	}
}

func (p *citizen) enterOther() { p.c.t.Helper(); p.enter(otherID, p.c.other.URL+"/callback") }

var hiddenToken = regexp.MustCompile(`name="token" value="([^"]+)"`)

// signOut asks the hub to sign out, of everything in this browser or of the one service.
func (p *citizen) signOut(address, scope string) idptest.Page {
	p.c.t.Helper()
	page := p.Get(address)
	m := hiddenToken.FindStringSubmatch(page.Body)
	if m == nil {
		p.c.t.Fatalf("no question at %s: %s", page.URL, page.Error())
	}
	return p.Post("/end-session/confirm", url.Values{"token": {m[1]}, "scope": {scope}})
}

func (c *country) wantReceipt(p idptest.Page, service string, state federation.DeliveryState) {
	c.t.Helper()
	if !strings.Contains(p.Body, `data-service="`+service+`" data-state="`+string(state)+`"`) {
		c.t.Errorf("%s is not %s on %s:\n%s", service, state, p.URL, p.Body)
	}
}

func TestSignOutIsToldAndShown(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := newCountry(t, db, nil)
		taro := c.citizen("taro")
		taro.enterTax()
		taro.enterOther()
		taro.enter(idptest.ClientID, idptest.RedirectURI)
		c.other.answer(http.StatusServiceUnavailable)

		page := taro.signOut("/end-session", "all")
		if page.URL.Path != "/signed-out" || page.Status != http.StatusOK {
			t.Fatalf("%d %s %s", page.Status, page.URL, page.Error())
		}
		c.wantReceipt(page, "etax", federation.Confirmed)
		c.wantReceipt(page, otherID, federation.Pending)
		c.wantReceipt(page, idptest.ClientID, federation.Unsupported)
		if !strings.Contains(page.Body, `id="receipts-again"`) || !strings.Contains(page.Body, "見本e-Tax") {
			t.Error(page.Body)
		}
		taro.wantInTax(false)

		// The address alone shows nothing to anybody else.
		if stranger := c.citizen("hanako").Get(page.URL.String()); stranger.Status != http.StatusOK || strings.Contains(stranger.Body, "data-service") {
			t.Errorf("%d %s", stranger.Status, stranger.Body)
		}

		c.other.answer(http.StatusNoContent)
		for range 10 { // the page itself waits a second
			if page = taro.Get(page.URL.String()); !strings.Contains(page.Body, `id="receipts-again"`) {
				break
			}
		}
		c.wantReceipt(page, otherID, federation.Confirmed)

		taro.enterTax()
		account := taro.Get("/account")
		for _, service := range []string{"etax", otherID} {
			c.wantReceipt(account, service, federation.Confirmed)
		}

		// What was told is a logout token to anyone: an unmodified library verifies it.
		tokens := c.other.received()
		if len(tokens) < 2 || tokens[0] == tokens[1] {
			t.Fatalf("%d tokens", len(tokens))
		}
		provider, err := oidc.NewProvider(t.Context(), c.hub.Issuer)
		must(t, err)
		for _, raw := range tokens {
			token, err := provider.Verifier(&oidc.Config{ClientID: otherID}).Verify(t.Context(), raw)
			must(t, err)
			var claims struct{ SID, JTI string }
			if err := token.Claims(&claims); err != nil || claims.SID == "" || claims.JTI == "" || token.Subject == "" {
				t.Errorf("%+v, %v", claims, err)
			}
		}
		var offered struct {
			Backchannel bool `json:"backchannel_logout_supported"`
			Session     bool `json:"backchannel_logout_session_supported"`
		}
		if err := provider.Claims(&offered); err != nil || !offered.Backchannel || !offered.Session {
			t.Errorf("discovery: %+v, %v", offered, err)
		}
		must(t, c.hub.Audit.Verify(t.Context()))
	})
}

func TestSignOutEverywhereIsTold(t *testing.T) {
	c := newCountry(t, nil, map[string]any{"backchannel_logout_session_required": true})
	home, work, hanako := c.citizen("taro"), c.citizen("taro"), c.citizen("hanako")
	for _, p := range []*citizen{home, work, hanako} {
		p.enterTax()
		p.enterOther()
	}
	page := home.Post("/account/sign-out-everywhere", nil)
	if page.URL.Path != "/signed-out" || page.URL.Query().Get("everywhere") != "1" {
		t.Fatalf("%s %s", page.URL, page.Error())
	}
	c.wantReceipt(page, "etax", federation.Confirmed)
	c.wantReceipt(page, otherID, federation.Confirmed)
	if n := strings.Count(page.Body, "data-service"); n != 2 {
		t.Errorf("%d lines for 2 services", n)
	}
	home.wantInTax(false)
	work.wantInTax(false)
	hanako.wantInTax(true)
	if n := len(c.other.received()); n != 2 { // it can only end the session it is told of
		t.Errorf("%d tokens for 2 sessions", n)
	}
}

// Whoever signs in again keeps what they entered before, under the name that the service knows.
func TestSignOutAfterSigningInAgain(t *testing.T) {
	c := newCountry(t, nil, nil)
	taro := c.citizen("taro")
	taro.enterTax()
	taro.enter(otherID, c.other.URL+"/callback", "prompt", "login")
	taro.enter(otherID, c.other.URL+"/callback", "prompt", "login")
	taro.wantInTax(true)
	c.wantReceipt(taro.signOut("/end-session", "all"), "etax", federation.Confirmed)
	taro.wantInTax(false)
	if n := len(c.other.received()); n != 1 {
		t.Errorf("%d tokens", n)
	}
}

func TestSignOutOfOneService(t *testing.T) {
	c := newCountry(t, nil, nil)
	taro := c.citizen("taro")
	taro.enterTax()
	taro.enterOther()
	page := taro.signOut("/end-session?client_id=etax", "service")
	c.wantReceipt(page, "etax", federation.Confirmed)
	taro.wantInTax(false)
	if strings.Contains(page.Body, `data-service="`+otherID) || len(c.other.received()) != 0 {
		t.Error("another service was told")
	}
}

// Somebody else at the same computer: the services of the person before are told.
func TestOtherPersonAtTheSameComputer(t *testing.T) {
	c := newCountry(t, nil, nil)
	taro := c.citizen("taro")
	taro.enterTax()
	taro.card = "hanako"
	taro.enter(otherID, c.other.URL+"/callback", "prompt", "login")
	taro.eventuallyOutOfTax()
}

// Cutting the link at the portal ends the sessions at the service; cutting it at the service tells the service nothing new.
func TestEndedLinkIsTold(t *testing.T) {
	c := newCountry(t, nil, nil)
	taro := c.citizen("taro")
	taro.enterTax()
	r := idptest.NewRequest("scope", "openid links")
	token := c.hub.Redeem(t, c.hub.Code(t, taro.Browser, r, "taro"), r).Text("access_token")
	if a := c.hub.Bearer(t, http.MethodDelete, "/api/account/links/etax", token); a.Status != http.StatusNoContent {
		t.Fatalf("%d %s", a.Status, a.Raw)
	}
	taro.eventuallyOutOfTax()
	taro.enterTax() // agreed to again
	r = idptest.NewRequest("scope", "openid link")
	token = c.hub.Redeem(t, c.hub.Code(t, taro.Browser, r, "taro"), r).Text("access_token")
	if a := c.hub.Bearer(t, http.MethodDelete, "/api/link", token); a.Status != http.StatusNoContent {
		t.Fatalf("%d %s", a.Status, a.Raw)
	}
	var n int
	must(t, c.hub.DB.QueryRow(t.Context(), `SELECT COUNT(*) FROM logout_delivery WHERE reason = 'link_ended'`).Scan(&n))
	if n != 1 {
		t.Errorf("%d deliveries for the one link that the citizen cut", n)
	}
}

// growing reads a page that goes on as a browser does: what has arrived so far, until the page has the words.
type growing struct {
	t    *testing.T
	resp *http.Response
	seen strings.Builder
}

func (p *citizen) grow(address string) *growing {
	p.c.t.Helper()
	req := p.Request(http.MethodGet, address, nil)
	req.Header.Set("Sec-Fetch-Dest", "document")
	resp, err := idptest.Client().Do(req)
	must(p.c.t, err)
	p.c.t.Cleanup(func() { _ = resp.Body.Close() })
	return &growing{t: p.c.t, resp: resp}
}

// until reads until the words have arrived, or, if there are none, to the end.
func (g *growing) until(words string) {
	g.t.Helper()
	buffer := make([]byte, 4096)
	for words == "" || !strings.Contains(g.seen.String(), words) {
		n, err := g.resp.Body.Read(buffer)
		g.seen.Write(buffer[:n])
		if errors.Is(err, io.EOF) && words == "" {
			return
		}
		if err != nil && (words == "" || !strings.Contains(g.seen.String(), words)) {
			g.t.Fatalf("the page ended (%v) before %q:\n%s", err, words, g.seen.String())
		}
	}
}

// TestSignedOutPageGoesOn: the page shows a service that confirms later without being asked again, and ends when nothing more will come; it
// counts how many a browser has open, and other programs get a page that ends.
func TestSignedOutPageGoesOn(t *testing.T) {
	c := newCountry(t, nil, nil)
	taro := c.citizen("taro")
	taro.enterTax()
	taro.enterOther()
	c.other.answer(http.StatusServiceUnavailable)
	page := taro.signOut("/end-session", "all")
	c.wantReceipt(page, otherID, federation.Pending)
	if !strings.HasSuffix(strings.TrimSpace(page.Body), "</html>") || strings.Contains(page.Body, "shadowrootmode") {
		t.Error("a program that is no browser got a page that goes on")
	}
	pages := []*growing{taro.grow(page.URL.String()), taro.grow(page.URL.String()), taro.grow(page.URL.String())}
	pending, confirmed := `data-service="`+otherID+`" data-state="pending"`, `data-service="`+otherID+`" data-state="confirmed"`
	for _, g := range pages {
		g.until(pending)
		if s := g.seen.String(); strings.Contains(s, "</html>") || !strings.Contains(s, "</footer>") || !strings.Contains(s, `<p data-confirmed="1">`) {
			t.Errorf("what arrives at once: %s", s)
		}
	}
	fourth := taro.grow(page.URL.String())
	if fourth.until(""); strings.Contains(fourth.seen.String(), "shadowrootmode") {
		t.Error("a browser has more pages open than it may")
	}
	pages[0].resp.Body.Close()
	c.other.answer(http.StatusOK)
	for _, g := range pages[1:] {
		g.until(confirmed)
		g.until("")
		s := g.seen.String()
		if strings.Index(s, confirmed) < strings.Index(s, pending) || !strings.Contains(s, `<p data-confirmed="2">`) || !strings.HasSuffix(strings.TrimSpace(s), "</html>") {
			t.Errorf("the page does not end as it should: %s", s)
		}
	}
}
