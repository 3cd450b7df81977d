package portal

import (
	"log/slog"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/clients/rp/rptest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// world is a hub, the portal, and a service to launch.
type world struct {
	t       *testing.T
	at      atomic.Int64
	hub     *rptest.Hub
	server  *httptest.Server
	service *httptest.Server
	portal  *Portal
}

func (w *world) now() time.Time          { return time.Unix(w.at.Load(), 0) }
func (w *world) advance(d time.Duration) { w.at.Add(int64(d / time.Second)) }

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
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
	w.service = httptest.NewServer(nil)
	t.Cleanup(w.service.Close)
	w.hub.Set(func(s *rptest.Settings) {
		s.DPoP = true
		s.Person = "taro"
		s.Services = []map[string]any{
			entryOf("bank", "見本銀行", "private", w.service.URL+"/bank/login?iss=x"),
			entryOf("etax", "見本e-Tax", "government", w.service.URL+"/login/initiate?iss=x"),
		}
	})
	w.server = httptest.NewUnstartedServer(nil)
	w.portal, err = New(t.Context(), Config{
		Issuer: w.hub.URL, BaseURL: "http://" + w.server.Listener.Addr().String(), ClientID: "portal", Credential: key,
		DB: sqldbtest.Open(t), Now: w.now, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Sample: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.server.Config.Handler = w.portal.Handler()
	w.server.Start()
	t.Cleanup(w.server.Close)
	return w
}

func entryOf(id, name, category, launch string) map[string]any {
	return map[string]any{
		"client_id": id, "client_name": name, "client_name#en": "Sample " + id, "operator": "見本運営", "domain": id + ".example",
		"category": category, "description": name + "の説明です。", "description#en": "About " + id, "verified": category == "government",
		"launch_uri": launch,
	}
}

// browser is a person's, at the portal.
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

// signedIn is a browser at the home page.
func (w *world) signedIn() *browser {
	w.t.Helper()
	b := w.browser()
	if page := b.get("/login"); page.URL.Path != "/" || !page.Has(signedIn) {
		w.t.Fatalf("signing in ended at %s: %s", page.URL, page.Error())
	}
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

func (b *browser) post(path string) rptest.Page {
	b.w.t.Helper()
	return b.send(path, nil)
}

func (b *browser) send(path string, form url.Values) rptest.Page {
	b.w.t.Helper()
	page, err := b.b.Post(b.w.server.URL+path, form)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return page
}

func wantAt(t *testing.T, page rptest.Page, path, reason string) {
	t.Helper()
	if page.URL.RequestURI() != path || page.Error() != reason {
		t.Errorf("at %s with data-error %q and status %d, want %s and %q", page.URL, page.Error(), page.Status, path, reason)
	}
}

const signedIn = " data-signed-in>"
