package idptest

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

// Browser keeps cookies and follows redirects as far as the hub's own address goes. It stops at a service's or the card app's
// address and reports it.
type Browser struct {
	CardWatch bool // ask to be signed out when the card is taken out
	t         testing.TB
	hub       *Hub
	c         *http.Client
}

// Page is where a browser arrived.
type Page struct {
	Status int
	URL    *url.URL // of the page, or the address outside the hub it was sent to
	Body   string   // empty when sent outside
	Header http.Header
}

// Browser returns a new browser without cookies.
func (h *Hub) Browser(t testing.TB) *Browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	c := h.Client()
	c.Jar = jar
	return &Browser{t: t, hub: h, c: c}
}

// Get visits an address; a path is at the hub.
func (b *Browser) Get(address string) Page {
	b.t.Helper()
	return b.do(http.MethodGet, address, nil)
}

// Post sends a form to a path at the hub, as a page of the hub would.
func (b *Browser) Post(address string, form url.Values) Page {
	b.t.Helper()
	return b.do(http.MethodPost, address, form)
}

func (b *Browser) do(method, address string, form url.Values) Page {
	b.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.hub.Issuer + address
	}
	for range 12 {
		req, err := http.NewRequestWithContext(b.t.Context(), method, address, strings.NewReader(form.Encode()))
		must(b.t, err)
		if method == http.MethodPost {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Sec-Fetch-Site", "same-origin")
		}
		req.Header.Set("Accept-Language", "ja")
		resp, err := b.c.Do(req)
		must(b.t, err)
		body, err := io.ReadAll(resp.Body)
		must(b.t, err)
		must(b.t, resp.Body.Close())
		if resp.StatusCode < 300 || resp.StatusCode > 399 {
			return Page{resp.StatusCode, resp.Request.URL, string(body), resp.Header}
		}
		to, err := resp.Location()
		must(b.t, err)
		if !strings.HasPrefix(to.String(), b.hub.Issuer+"/") {
			return Page{resp.StatusCode, to, "", resp.Header}
		}
		method, address, form = http.MethodGet, to.String(), nil
	}
	b.t.Fatal("redirected for ever")
	return Page{}
}

var hidden = regexp.MustCompile(`name="tx" value="([^"]+)"`)

// Tx returns the login transaction a page's forms carry.
func (p Page) Tx() string {
	if m := hidden.FindStringSubmatch(p.Body); m != nil {
		return m[1]
	}
	return ""
}

var dataError = regexp.MustCompile(`<main[^>]* data-error="([^"]*)"`)

// Error returns the reason an error page carries, or "".
func (p Page) Error() string {
	if m := dataError.FindStringSubmatch(p.Body); m != nil {
		return m[1]
	}
	return ""
}

// CardLogin presses the card button on the login page and lets the card sign; it returns the address the card app sends the browser
// to.
func (b *Browser) CardLogin(login Page, card string) string {
	b.t.Helper()
	return b.hub.Sign(b.t, b.Challenge(login), card)
}

// Sign lets the card answer a challenge in the card app and returns the address that the app sends its browser to.
func (h *Hub) Sign(t testing.TB, challenge, card string) string {
	t.Helper()
	pin, err := jpki.ParsePIN(cardtest.DemoPIN)
	must(t, err)
	uri, err := h.Agent.Login(t.Context(), challenge, card, pin)
	must(t, err)
	return uri
}

// Challenge presses the card button and returns the challenge's address.
func (b *Browser) Challenge(login Page) string {
	b.t.Helper()
	form := url.Values{"tx": {login.Tx()}}
	if b.CardWatch {
		form.Set("card_watch", "yes")
	}
	to := b.Post("/login/card", form)
	at := to.URL.Query().Get("challenge")
	if at == "" {
		b.t.Fatalf("no challenge: %d %s %s", to.Status, to.URL, to.Error())
	}
	return at
}

// SignIn takes a login page all the way: card, folder if there is none, consent if asked. It returns where the service's address
// begins.
func (b *Browser) SignIn(login Page, card string) Page {
	b.t.Helper()
	return b.Finish(b.Get(b.CardLogin(login, card)))
}

// Finish opens the folder and agrees, where the page asks for it.
func (b *Browser) Finish(p Page) Page {
	b.t.Helper()
	if strings.Contains(p.Body, `id="open-folder"`) {
		p = b.Post("/folder/open", url.Values{"tx": {p.Tx()}})
	}
	if strings.Contains(p.Body, `id="consent-allow"`) {
		p = b.Post("/consent", url.Values{"tx": {p.Tx()}, "decision": {"allow"}})
	}
	return p
}

// Request builds one request as this browser would send it, cookies included, to be sent by another client.
func (b *Browser) Request(method, address string, form url.Values) *http.Request {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, address, strings.NewReader(form.Encode()))
	must(b.t, err)
	for _, c := range b.c.Jar.Cookies(req.URL) {
		req.AddCookie(c)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	return req
}

// OldCard presses the button for the earlier card on the page that asks whether a card is new, and lets that card sign; it returns the
// address the card app sends the browser to.
func (b *Browser) OldCard(again Page, card string) string {
	b.t.Helper()
	at := b.OldChallenge(again)
	pin, err := jpki.ParsePIN(cardtest.DemoPIN)
	must(b.t, err)
	uri, err := b.hub.Agent.Login(b.t.Context(), at, card, pin)
	must(b.t, err)
	return uri
}

// OldChallenge presses that button and returns the challenge's address.
func (b *Browser) OldChallenge(again Page) string {
	b.t.Helper()
	to := b.Post("/login/card", url.Values{"tx": {again.Tx()}, "keep": {"1"}})
	at := to.URL.Query().Get("challenge")
	if at == "" {
		b.t.Fatalf("no challenge: %d %s %s", to.Status, to.URL, to.Error())
	}
	return at
}
