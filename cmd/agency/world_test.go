package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/agency"
	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

const (
	cityCode    = "132993"
	pensionCode = "4000012990001"
	purpose     = "JT01010000000214"
	otherJob    = "JT01010000000999"
	item        = "TM00000000000041"
	otherItem   = "TM00000000000013"
)

const bases = "basis,requester,purpose,purpose_name,purpose_name_en,provider,item,item_name,item_name_en,valid_from,valid_until,law\n" +
	"KODOMO-01," + cityCode + "," + purpose + ",児童手当の認定,Child allowance," + pensionCode + "," + item + ",公的年金の加入状況,Pension membership,2020-04-01,2090-03-31,番号法第19条第8号\n" +
	"KODOMO-02," + cityCode + "," + purpose + ",児童手当の認定,Child allowance," + pensionCode + "," + item + ",公的年金の加入状況,Pension membership,2020-04-01,2021-03-31,番号法第19条第8号\n"

// world is a hub and the two offices, each at an address of its own.
type world struct {
	*idptest.Hub
	t    *testing.T
	past atomic.Int64 // seconds that the clock of all is ahead

	city, pension *place
}

// place is an office with its address, its database and what it logged.
type place struct {
	w      *world
	server *httptest.Server
	key    *rp.Key
	file   string
	db     *sqldb.DB
	log    buffer
	config agency.Config

	office  atomic.Pointer[agency.Office]
	down    atomic.Bool  // answers nobody
	calls   atomic.Int64 // at the item API
	hub     fussy        // what it reaches others with
	running sync.WaitGroup
	end     context.CancelFunc
}

// fussy is a transport that lets nothing through whose path has a part.
type fussy struct {
	deaf atomic.Value // string; empty: everything goes through
	seen atomic.Value // string: the last token that was shown to an office
	told buffer       // what it was answered, before any of it is sealed
}

func (f *fussy) RoundTrip(r *http.Request) (*http.Response, error) {
	if part, _ := f.deaf.Load().(string); part != "" && strings.Contains(r.URL.Path, part) {
		return nil, io.ErrUnexpectedEOF
	}
	if strings.HasPrefix(r.URL.Path, "/items/") {
		f.seen.Store(strings.TrimPrefix(r.Header.Get("Authorization"), "DPoP "))
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return nil, err
	}
	_, _ = f.told.Write(body) // a buffer in memory
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return answer, nil
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.past.Load()) * time.Second) }

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	w.city, w.pension = w.place(), w.place()
	w.city.config = agency.Config{
		Slug: "city", ClientID: "city", Name: agency.Text{JA: "見本市役所", EN: "Sample City"},
		Inquiries: []agency.Inquiry{w.inquiry("KODOMO-01", purpose, item)},
	}
	w.pension.config = agency.Config{
		Slug: "pension", ClientID: "pension", Name: agency.Text{JA: "見本年金事務所", EN: "Sample Pension Office"},
		Records: []agency.Record{
			{Number: "1234-567890", Born: "1980-02-17", Item: item, Category: 2, Since: "2003-04-01", AsOf: "2026-11-01"},
			{Number: "2345-678901", Born: "1992-07-07", Item: item, Category: 3, Since: "2020-04-01", AsOf: "2026-11-01", Nondisclosure: 1},
			{Number: "3456-789012", Born: "1992-07-07", Item: item, Category: 1, Since: "2020-04-01", AsOf: "2026-11-01", Withheld: true},
		},
	}
	var registered []map[string]any
	var hosts []string
	for _, p := range []*place{w.city, w.pension} {
		o := office{
			Slug: p.config.Slug, Name: p.config.Name, BaseURL: p.server.URL, ClientID: p.config.ClientID, BodyCode: cityCode,
			Inquiries: p.config.Inquiries, Records: p.config.Records,
		}
		if len(o.Records) > 0 {
			o.BodyCode = pensionCode
		}
		b, err := agency.Registration(o.registered(p.key.JWKS()))
		must(t, err)
		var m map[string]any
		must(t, json.Unmarshal(b, &m))
		registered, hosts = append(registered, m), append(hosts, p.server.Listener.Addr().String())
	}
	w.Hub = idptest.Start(t, idptest.Options{Clients: registered, Reachable: hosts, Now: w.now})
	set, err := w.Exchanges.Propose(t.Context(), strings.NewReader(bases), "sato")
	must(t, err)
	_, err = w.Exchanges.Approve(t.Context(), set.Version, "tanaka", time.Time{}, time.Time{})
	must(t, err)
	w.city.start()
	w.pension.start()
	return w
}

func (w *world) inquiry(basis, purpose, item string) agency.Inquiry {
	return agency.Inquiry{
		Item: item, Basis: basis, Purpose: purpose, Resource: agency.Resource(w.pension.server.URL),
		Name: agency.Text{JA: "年金の加入状況", EN: "pension enrolment"}, From: agency.Text{JA: "見本年金事務所", EN: "Sample Pension Office"},
	}
}

func (w *world) place() *place {
	t := w.t
	p := &place{w: w}
	p.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if p.down.Load() {
			http.Error(rw, "down", http.StatusServiceUnavailable)
			return
		}
		if strings.HasPrefix(r.URL.Path, "/items/") {
			p.calls.Add(1)
		}
		p.office.Load().Handler().ServeHTTP(rw, r)
	}))
	t.Cleanup(p.server.Close)
	dir := t.TempDir()
	var err error
	p.key, err = rp.OpenKey(filepath.Join(dir, "key.pem"))
	must(t, err)
	p.file = filepath.Join(dir, "office.db")
	p.db, err = sqldb.Open(t.Context(), "sqlite:"+p.file)
	must(t, err)
	t.Cleanup(func() { _ = p.db.Close() })
	return p
}

// start is a new process of the office; the one before, if any, is gone without a word.
func (p *place) start() {
	t := p.w.t
	t.Helper()
	p.stop()
	c := p.config
	c.Issuer, c.BaseURL, c.Key, c.DB, c.Now, c.Sample = p.w.Issuer, p.server.URL, p.key, p.db, p.w.now, true
	c.HTTP = &http.Client{Transport: &p.hub}
	c.Log = slog.New(slog.NewTextHandler(&p.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	o, err := agency.New(t.Context(), c)
	must(t, err)
	p.office.Store(o)
}

// run begins what the office does by itself.
func (p *place) run() {
	ctx, cancel := context.WithCancel(p.w.t.Context())
	p.end = cancel
	o := p.office.Load()
	p.running.Go(func() {
		if err := o.Run(ctx); err != nil {
			p.w.t.Error(err)
		}
	})
	p.w.t.Cleanup(p.stop)
}

func (p *place) stop() {
	if p.end != nil {
		p.end()
		p.running.Wait()
		p.end = nil
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// person is somebody with a card, a browser at the hub and one at the offices.
type person struct {
	w    *world
	card string
	hub  *idptest.Browser
	own  *http.Client
}

func (w *world) person(card string) *person {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	must(w.t, err)
	return &person{w: w, card: card, hub: w.Browser(w.t), own: &http.Client{Jar: jar, Timeout: 30 * time.Second}}
}

// page is what an office answered.
type page struct {
	status     int
	path, body string
}

func (p page) has(texts ...string) bool {
	for _, s := range texts {
		if !strings.Contains(p.body, s) {
			return false
		}
	}
	return true
}

var dataError = regexp.MustCompile(`<main[^>]* data-error="([^"]*)"`)

func (p page) refusal() string {
	if m := dataError.FindStringSubmatch(p.body); m != nil {
		return m[1]
	}
	return ""
}

// do sends a request to an office. Where that leads to the hub, the person signs in with the card and comes back.
func (p *person) do(method, address string, form url.Values) page {
	t := p.w.t
	t.Helper()
	for range 10 {
		req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
		must(t, err)
		if method == http.MethodPost {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Sec-Fetch-Site", "same-origin")
		}
		client := *p.own
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		resp, err := client.Do(req)
		must(t, err)
		body, err := io.ReadAll(resp.Body)
		must(t, err)
		must(t, resp.Body.Close())
		to, err := resp.Location()
		if err != nil {
			return page{resp.StatusCode, resp.Request.URL.Path, string(body)}
		}
		method, address, form = http.MethodGet, to.String(), nil
		if strings.HasPrefix(address, p.w.Issuer+"/") {
			at := p.hub.Get(address)
			if at.Body != "" && strings.Contains(at.Body, "card-login") {
				at = p.hub.SignIn(at, p.card)
			} else if at.Body != "" {
				at = p.hub.Finish(at)
			}
			if at.Body != "" {
				t.Fatalf("stayed at the hub: %s %s", at.URL, at.Error())
			}
			address = at.URL.String()
		}
	}
	t.Fatal("redirected for ever")
	return page{}
}

func (p *person) get(at *place, path string) page {
	p.w.t.Helper()
	return p.do(http.MethodGet, at.server.URL+path, nil)
}

var mark = regexp.MustCompile(`name="for" value="([^"]+)"`)

// post sends the form of the page at a path, with values in its fields.
func (p *person) post(at *place, shown, path string, pairs ...string) page {
	t := p.w.t
	t.Helper()
	m := mark.FindStringSubmatch(p.get(at, shown).body)
	if m == nil {
		t.Fatalf("no form at %s", shown)
	}
	form := url.Values{"for": {m[1]}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return p.do(http.MethodPost, at.server.URL+path, form)
}

// join makes a person staff of an office.
func (p *person) join(at *place) {
	t := p.w.t
	t.Helper()
	code, err := at.office.Load().Invite(t.Context())
	must(t, err)
	if got := p.post(at, "/desk/join", "/desk/join", "code", strings.ToLower(code.Reveal())); got.path != "/desk" {
		t.Fatalf("join: %d at %s %s", got.status, got.path, got.refusal())
	}
}

// applies lets taro tie his record and apply, and hanako join the desk. It returns the address of the case.
func (w *world) applies(taro, hanako *person) (casePath string) {
	t := w.t
	t.Helper()
	if got := taro.post(w.pension, "/tie", "/tie", "number", "１２３４ー５６７８９０", "born", "1980年2月17日"); got.path != "/record" || !got.has("第2号被保険者") {
		t.Fatalf("tie: %d at %s %s", got.status, got.path, got.refusal())
	}
	if got := taro.post(w.city, "/apply", "/apply", "children", "2", "youngest", "2024/4/1"); got.path != "/applications" || !got.has("KT-") {
		t.Fatalf("apply: %d at %s %s", got.status, got.path, got.refusal())
	}
	hanako.join(w.city)
	return w.caseOf(hanako)
}

var caseLink = regexp.MustCompile(`href="(/desk/cases/[^"]+)"`)

func (w *world) caseOf(clerk *person) string {
	w.t.Helper()
	m := caseLink.FindStringSubmatch(clerk.get(w.city, "/desk").body)
	if m == nil {
		w.t.Fatal("no case on the desk")
	}
	return m[1]
}

// state is how the inquiry about an item stands on the case's page, and why.
func (w *world) state(clerk *person, casePath, item string) (state, why string) {
	w.t.Helper()
	body := clerk.get(w.city, casePath).body
	_, rest, ok := strings.Cut(body, `data-inquiry="`+item+`" data-state="`)
	if !ok {
		w.t.Fatalf("item %s is not on the page", item)
	}
	state, rest, _ = strings.Cut(rest, `"`)
	rest, _, _ = strings.Cut(rest, "</section>")
	if _, after, ok := strings.Cut(rest, `data-why="`); ok {
		why, _, _ = strings.Cut(after, `"`)
	}
	return state, why
}

// eventually waits for something that another process does by itself.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}

// everything is all that an office keeps: its database with what was not merged into it yet, and its log; and,
// because some of it is kept sealed, all that it was told.
func (p *place) everything() string {
	var all strings.Builder
	for _, suffix := range []string{"", "-wal"} {
		if b, err := os.ReadFile(p.file + suffix); err == nil {
			all.Write(b)
		}
	}
	return all.String() + p.log.String() + p.hub.told.String()
}
