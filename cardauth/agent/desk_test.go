package agent

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
	"github.com/tsunagu-id/tsunagu/internal/audit"
)

// testPIN is of no card of the drawer, so that its digits stand in no text of ours.
const testPIN = "4938"

// leaf and signatureLeaf are one certificate each with its key, made once: tests are about pages, not about key generation.
var (
	leaf          = sync.OnceValues(func() (*cardtest.Leaf, error) { return newLeaf(false) })
	signatureLeaf = sync.OnceValues(func() (*cardtest.Leaf, error) { return newLeaf(true) })
)

func newLeaf(signing bool) (*cardtest.Leaf, error) {
	dir, err := os.MkdirTemp("", "agent-pki-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	now := newClock().now
	pki, err := cardtest.LoadOrCreatePKI(dir, now, "")
	if err != nil {
		return nil, err
	}
	person := cardtest.Person{
		Name: "見本　三郎", Address: "東京都千代田区", Sex: "1", Birth: time.Date(1980, 2, 17, 0, 0, 0, 0, time.UTC),
		Place: cardtest.Place{Prefecture: "Tokyo-to", City: "Chiyoda-ku", Code: "13101"},
	}
	p := cardtest.Profile{Person: person, NotBefore: now().Add(-time.Hour), NotAfter: now().Add(24 * 365 * time.Hour)}
	if signing {
		return pki.Sign().IssueSign(p)
	}
	return pki.Auth().IssueAuth(p)
}

// box is a reader with virtual cards in it. It checks that a card is used by one caller at a time.
type box struct {
	t       *testing.T
	choices []CardChoice
	cards   map[string]*cardtest.Card
	err     error

	mu   sync.Mutex
	held map[string]bool
}

func (b *box) Cards(context.Context) ([]CardChoice, error) { return b.choices, b.err }

func (b *box) Connect(_ context.Context, name string) (jpki.Transmitter, func(), error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	card, ok := b.cards[name]
	if !ok {
		return nil, nil, &Error{Reason: CardMissing}
	}
	if b.held[name] {
		b.t.Errorf("card %s is used by two at once", name)
	}
	b.held[name] = true
	card.Reset()
	return card, func() {
		card.PowerOff()
		b.mu.Lock()
		defer b.mu.Unlock()
		b.held[name] = false
	}, nil
}

// add puts a fresh card in the box.
func (b *box) add(name string) *cardtest.Card {
	b.t.Helper()
	l, err := leaf()
	if err != nil {
		b.t.Fatal(err)
	}
	card, err := cardtest.NewCard(cardtest.Config{Auth: l, PIN: testPIN})
	if err != nil {
		b.t.Fatal(err)
	}
	b.cards[name] = card
	b.choices = append(b.choices, CardChoice{Name: name, LabelJA: name + "のカード", LabelEN: name + "'s card"})
	return card
}

// trace records a card's commands.
type trace struct {
	mu       sync.Mutex
	commands [][]byte
}

func (tr *trace) add(command, _ []byte) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.commands = append(tr.commands, command)
}

// count is how often an instruction was sent; VERIFY only with a body, without one it is a question.
func (tr *trace) count(ins byte) int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	n := 0
	for _, c := range tr.commands {
		if c[1] == ins && (ins != insVerify || len(c) > 5) {
			n++
		}
	}
	return n
}

const (
	insVerify  = 0x20
	insCompute = 0x2A
)

// desk is a citizen's computer: card app, cards, browser; and a hub somewhere.
type desk struct {
	t       *testing.T
	clock   *clock
	hub     *testHub
	box     *box
	agent   *Agent
	server  *httptest.Server
	browser *http.Client

	mu     sync.Mutex
	events []audit.Event
	log    bytes.Buffer
	pages  []string // every body the browser was given
}

// newDesk has one card, "own", in place. change may alter the configuration before the card app starts.
func newDesk(t *testing.T, change func(*desk, *Config)) *desk {
	t.Helper()
	d := &desk{t: t, clock: newClock()}
	d.hub = newTestHub(t, d.clock)
	d.box = &box{t: t, cards: map[string]*cardtest.Card{}, held: map[string]bool{}}
	d.box.add("own")
	d.server = httptest.NewUnstartedServer(nil)
	c := Config{
		Origin: "http://" + d.server.Listener.Addr().String(), Trusted: []Issuer{{URL: d.hub.URL, Name: "つなぐ"}},
		Reader: d.box, Now: d.clock.now, Journal: d.journal,
		Log: slog.New(slog.NewTextHandler(lockedWriter{d}, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(d, &c)
	}
	var err error
	if d.agent, err = New(c); err != nil {
		t.Fatal(err)
	}
	d.server.Config.Handler = d.agent.Handler()
	d.server.Start()
	t.Cleanup(d.server.Close)
	d.browser = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return d
}

type lockedWriter struct{ *desk }

func (w lockedWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(b)
}

func (d *desk) journal(_ context.Context, e audit.Event) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, e)
	return nil
}

// journalled returns the events of a kind.
func (d *desk) journalled(k audit.Kind) []audit.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []audit.Event
	for _, e := range d.events {
		if e.Kind == k {
			out = append(out, e)
		}
	}
	return out
}

// shown is an answer as the citizen and a robot see it.
type shown struct {
	t      *testing.T
	status int
	header http.Header
	body   string
}

var (
	dataError = regexp.MustCompile(`<main[^>]* data-error="([^"]*)"`)
	pageToken = regexp.MustCompile(`name="page" value="([^"]+)"`)
	heading   = regexp.MustCompile(`<h1>([^<]*)</h1>`)
)

func find(r *regexp.Regexp, s string) string {
	if m := r.FindStringSubmatch(s); m != nil {
		return m[1]
	}
	return ""
}

func (s shown) reason() string { return find(dataError, s.body) }
func (s shown) token() string  { return find(pageToken, s.body) }
func (s shown) h1() string     { return find(heading, s.body) }

// want fails the test unless the page is the expected one.
func (s shown) want(status int, reason string) shown {
	s.t.Helper()
	if s.status != status || s.reason() != reason {
		s.t.Fatalf("status %d, data-error %q, h1 %q; want %d, %q\n%s", s.status, s.reason(), s.h1(), status, reason, s.body)
	}
	return s
}

// wantText fails the test unless the page has all the words.
func (s shown) wantText(words ...string) shown {
	s.t.Helper()
	for _, w := range words {
		if !strings.Contains(s.body, w) {
			s.t.Errorf("page lacks %q\n%s", w, s.body)
		}
	}
	return s
}

// wantRedirect fails the test unless the browser is sent to an address.
func (s shown) wantRedirect(to string) {
	s.t.Helper()
	if s.status != http.StatusSeeOther || s.header.Get("Location") != to {
		s.t.Fatalf("status %d to %q, want 303 to %q\n%s", s.status, s.header.Get("Location"), to, s.body)
	}
}

// do sends a request as a browser would; change may spoil it.
func (d *desk) do(method, target string, form url.Values, change func(*http.Request)) shown {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), method, d.server.URL+target, strings.NewReader(form.Encode()))
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", d.server.URL)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if change != nil {
		change(r)
	}
	s, err := d.send(r)
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

func (d *desk) send(r *http.Request) (shown, error) {
	res, err := d.browser.Do(r)
	if err != nil {
		return shown{}, err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return shown{}, err
	}
	d.mu.Lock()
	d.pages = append(d.pages, string(b), fmt.Sprint(res.Header))
	d.mu.Unlock()
	return shown{t: d.t, status: res.StatusCode, header: res.Header, body: string(b)}, nil
}

// open opens the PIN page for a challenge.
func (d *desk) open(challenge string) shown {
	d.t.Helper()
	return d.do(http.MethodGet, "/login?challenge="+url.QueryEscape(challenge), nil, nil)
}

// press sends the form of a page with a PIN.
func (d *desk) press(s shown, pin string) shown {
	d.t.Helper()
	return d.do(http.MethodPost, "/login", url.Values{"page": {s.token()}, "card": {"own"}, "pin": {pin}}, nil)
}
