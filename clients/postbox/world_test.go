package postbox

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/clients/rp/rptest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// world is a hub and the site.
type world struct {
	t      *testing.T
	at     atomic.Int64
	hub    *rptest.Hub
	db     *sqldb.DB
	config Config
	server *httptest.Server

	site atomic.Pointer[Site]
}

func (w *world) now() time.Time          { return time.Unix(w.at.Load(), 0) }
func (w *world) advance(d time.Duration) { w.at.Add(int64(d / time.Second)) }

func newWorld(t *testing.T, db *sqldb.DB) *world {
	t.Helper()
	w := &world{t: t, db: db}
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
	w.person("taro")
	w.server = httptest.NewUnstartedServer(nil)
	w.config = Config{
		Issuer: w.hub.URL, BaseURL: "http://" + w.server.Listener.Addr().String(), ClientID: "postbox", Credential: key,
		DB: db, Now: w.now, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Sample: true,
	}
	w.restart()
	w.server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.site.Load().Handler().ServeHTTP(rw, r) })
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
	w.site.Store(site)
}

func (w *world) person(name string) { w.hub.Set(func(s *rptest.Settings) { s.Person = name }) }

// deliver is one turn of Run.
func (w *world) deliver() {
	w.t.Helper()
	if err := w.site.Load().ties.Deliver(context.WithoutCancel(w.t.Context())); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) link(person string) string { return w.hub.Link(rptest.Sub(person, "postbox")).State }

// endings is how many closed boxes the hub has not heard of.
func (w *world) endings() int { return w.count("tie_ended WHERE told_at = 0") }

// browser is a person's, at the site.
type browser struct {
	w *world
	b *rptest.Browser
}

func (w *world) browser() *browser {
	w.t.Helper()
	b, err := rptest.NewBrowser()
	if err != nil {
		w.t.Fatal(err)
	}
	return &browser{w: w, b: b}
}

func (b *browser) get(path string) rptest.Page {
	b.w.t.Helper()
	page, err := b.b.Get(b.w.server.URL + path)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return page
}

func (b *browser) post(path, mark string) rptest.Page {
	b.w.t.Helper()
	page, err := b.b.Post(b.w.server.URL+path, url.Values{"for": {mark}})
	if err != nil {
		b.w.t.Fatal(err)
	}
	return page
}

// send answers the form that stands at path.
func (b *browser) send(path string) rptest.Page {
	b.w.t.Helper()
	return b.post(path, markOf(b.w.t, b.get(path)))
}

// markOf is whom the form of a page was shown to.
func markOf(t *testing.T, page rptest.Page) string {
	t.Helper()
	_, rest, ok := strings.Cut(page.Body, `name="for" value="`)
	mark, _, _ := strings.Cut(rest, `"`)
	if !ok || mark == "" {
		t.Fatalf("no form at %s: %s", page.URL.Path, page.Body)
	}
	return mark
}

// open signs in and opens the box.
func (b *browser) open() rptest.Page {
	b.w.t.Helper()
	if page := b.get("/login?return=/box"); page.URL.Path != pathOpen {
		b.w.t.Fatalf("signed in to %s: %s", page.URL, page.Error())
	}
	return b.send(pathOpen)
}

func wantAt(t *testing.T, page rptest.Page, path, reason string) {
	t.Helper()
	if page.URL.Path != path || page.Error() != reason {
		t.Errorf("at %s with data-error %q and status %d, want %s and %q", page.URL.Path, page.Error(), page.Status, path, reason)
	}
}

func eachWorld(t *testing.T, fn func(t *testing.T, w *world)) {
	t.Helper()
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) { fn(t, newWorld(t, db)) })
}
