package etax

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/clients/rp/rptest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

const (
	demoNumber   = "1234567890123456"
	demoPassword = "etax-demo"
	otherNumber  = "6543210987654321"
)

// world is a hub and the tax site.
type world struct {
	t      *testing.T
	at     atomic.Int64
	hub    *rptest.Hub
	db     *sqldb.DB
	site   *Site
	server *httptest.Server
	config Config

	handler atomic.Pointer[Site]
	signers *signers
}

func (w *world) now() time.Time          { return time.Unix(w.at.Load(), 0) }
func (w *world) advance(d time.Duration) { w.at.Add(int64(d / time.Second)) }

func newWorld(t *testing.T) *world { return newWorldOn(t, sqldbtest.Open(t)) }

func newWorldOn(t *testing.T, db *sqldb.DB) *world {
	t.Helper()
	w := &world{t: t, db: db, signers: newSigners(t)}
	w.at.Store(time.Date(2026, 4, 1, 9, 0, 0, 0, time.UTC).Unix())
	key, err := rp.OpenKey(filepath.Join(t.TempDir(), "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := rptest.NewKeys(key.JWKS())
	if err != nil {
		t.Fatal(err)
	}
	w.hub = rptest.NewHub(keys, w.now)
	t.Cleanup(w.hub.Close)
	w.hub.Set(func(s *rptest.Settings) { s.Person = "taro" })
	w.server = httptest.NewUnstartedServer(nil)
	w.config = Config{
		Issuer: w.hub.URL, BaseURL: "http://" + w.server.Listener.Addr().String(), ClientID: "etax", Credential: key,
		DB: db, Now: w.now, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Sample: true,
		Accounts:             []Account{{demoNumber, rp.NewSecret(demoPassword)}, {otherNumber, rp.NewSecret("other-password")}},
		SignatureAuthorities: w.signers.pem,
	}
	w.restart()
	w.server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.handler.Load().Handler().ServeHTTP(rw, r)
	})
	w.server.Start()
	t.Cleanup(w.server.Close)
	return w
}

// restart is a new process on the same database.
func (w *world) restart() {
	w.t.Helper()
	site, err := New(w.t.Context(), w.config)
	if err != nil {
		w.t.Fatal(err)
	}
	w.site = site
	w.handler.Store(site)
}

// deliver is one turn of Run.
func (w *world) deliver() {
	w.t.Helper()
	if err := w.site.ties.Deliver(context.WithoutCancel(w.t.Context())); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) browser() *browser {
	w.t.Helper()
	b, err := rptest.NewBrowser()
	if err != nil {
		w.t.Fatal(err)
	}
	return &browser{w: w, b: b}
}

// browser is a person's, at the tax site.
type browser struct {
	w *world
	b *rptest.Browser
}

func (b *browser) get(path string) rptest.Page {
	b.w.t.Helper()
	page, err := b.b.Get(b.w.server.URL + path)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return page
}

func (b *browser) post(path string, pairs ...string) rptest.Page {
	b.w.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	page, err := b.b.Post(b.w.server.URL+path, form)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return page
}

// launch is what the portal's tile leads to.
func (b *browser) launch() rptest.Page {
	b.w.t.Helper()
	return b.get(rp.PathInitiate + "?" + url.Values{"iss": {b.w.hub.URL}}.Encode())
}

// bind answers the question that launch ended at.
func (b *browser) bind(number, password string) rptest.Page {
	b.w.t.Helper()
	if page := b.launch(); page.URL.Path != "/bind" {
		b.w.t.Fatalf("launched to %s", page.URL)
	}
	return b.post("/bind", "number", number, "password", password)
}

// unlink answers the question whether to cut the tie.
func (b *browser) unlink() rptest.Page {
	b.w.t.Helper()
	b.get("/unlink")
	return b.post("/unlink")
}

func wantAt(t *testing.T, page rptest.Page, path, reason string) {
	t.Helper()
	if page.URL.Path != path || page.Error() != reason {
		t.Errorf("at %s with data-error %q and status %d, want %s and %q", page.URL.Path, page.Error(), page.Status, path, reason)
	}
}

const signedIn = " data-signed-in>"
