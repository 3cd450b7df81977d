package console

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/clients/rp/rptest"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// world is a hub, its administration API, and the console at the API's address.
type world struct {
	t      *testing.T
	hub    *rptest.Hub
	api    *api
	server *httptest.Server
}

func (w *world) now() time.Time { return time.Date(2026, 4, 1, 9, 0, 0, 0, time.UTC) }

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
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
	w.hub.Set(func(s *rptest.Settings) { s.DPoP, s.Person = true, "hanako" })
	w.api = newAPI(w.hub.URL, w.now)
	store, err := ephemeral.NewSQL(t.Context(), sqldbtest.Open(t), w.now)
	if err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewUnstartedServer(nil)
	o, err := New(Config{
		Issuer: w.hub.URL, BaseURL: "http://" + w.server.Listener.Addr().String(), ClientID: "console", Key: key, Store: store, Now: w.now,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Sample: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/api/", w.api)
	mux.Handle("/", o.Handler())
	w.server.Config.Handler = mux
	w.server.Start()
	t.Cleanup(w.server.Close)
	return w
}

// browser is a person's, at the console.
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
	return &browser{w, b}
}

// as is a browser of an operator with roles who has signed in.
func (w *world) as(id string, roles ...adminapi.Role) *browser {
	w.t.Helper()
	w.api.enter(adminapi.Operator{ID: id, Name: id, Roles: roles})
	b := w.browser()
	b.get("/login")
	return b
}

func (b *browser) get(path string) rptest.Page {
	b.w.t.Helper()
	page, err := b.b.Get(b.w.server.URL + path)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return page
}

// send posts a form of the page that the browser is at, with its hidden fields.
func (b *browser) send(path string, form url.Values) rptest.Page {
	b.w.t.Helper()
	page, err := b.b.Post(b.w.server.URL+path, form)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return page
}

// wantAt expects a page at a path, with the reason of an error or "".
func wantAt(t *testing.T, page rptest.Page, path, reason string) {
	t.Helper()
	if page.URL.RequestURI() != path || page.Error() != reason {
		t.Fatalf("at %s with data-error %q and status %d, want %s and %q:\n%s", page.URL, page.Error(), page.Status, path, reason, page.Body)
	}
}

// newTestSite is the console's pages by themselves.
func newTestSite(t *testing.T) *web.Site {
	t.Helper()
	own, err := words()
	if err != nil {
		t.Fatal(err)
	}
	site, err := newWeb(Config{BaseURL: "http://localhost:1"}, own)
	if err != nil {
		t.Fatal(err)
	}
	return site
}
