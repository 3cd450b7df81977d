package rp_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/clients/rp/rptest"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// clock is moved by hand.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(time.Date(2026, 4, 1, 9, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.at.Load()) }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

// world is a hub, a relying party and its key.
type world struct {
	t     *testing.T
	clock *clock
	hub   *rptest.Hub
	key   *rp.Key
	party *rp.Party
	site  *httptest.Server
	sign  jose.Signer // the hub's
	priv  *ecdsa.PrivateKey

	atCallback string                     // what is asked of the hub's API before the callback is answered; empty: nothing
	arrived    atomic.Pointer[rp.Arrival] // the newest
}

func hubKeys(t *testing.T, clientJWKS []byte) (rptest.Keys, *ecdsa.PrivateKey) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer := signerOf(t, jose.ES256, private, "hub")
	jwks, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: private.Public(), KeyID: "hub", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	var client jose.JSONWebKeySet
	if err := json.Unmarshal(clientJWKS, &client); err != nil {
		t.Fatal(err)
	}
	return rptest.Keys{
		JWKS: jwks,
		Sign: func(claims map[string]any) string { return compact(t, signer, claims) },
		Client: func(assertion string) (map[string]any, error) {
			jws, err := jose.ParseSignedCompact(assertion, []jose.SignatureAlgorithm{jose.ES256})
			if err != nil {
				return nil, err
			}
			payload, err := jws.Verify(client)
			if err != nil {
				return nil, err
			}
			var claims map[string]any
			return claims, json.Unmarshal(payload, &claims)
		},
	}, private
}

func signerOf(t *testing.T, alg jose.SignatureAlgorithm, key any, kid string) jose.Signer {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func compact(t *testing.T, s jose.Signer, claims map[string]any) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Error(err)
	}
	jws, err := s.Sign(payload)
	if err != nil {
		t.Error(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Error(err)
	}
	return text
}

func newWorld(t *testing.T, change func(*rp.Config)) *world {
	t.Helper()
	w := &world{t: t, clock: newClock()}
	var err error
	if w.key, err = rp.OpenKey(filepath.Join(t.TempDir(), "key.pem")); err != nil {
		t.Fatal(err)
	}
	keys, private := hubKeys(t, w.key.JWKS())
	w.priv, w.sign = private, signerOf(t, jose.ES256, private, "hub")
	w.hub = rptest.NewHub(keys, w.clock.now)
	t.Cleanup(w.hub.Close)
	w.hub.Set(func(s *rptest.Settings) { s.Person = "taro" })
	store, err := ephemeral.NewSQL(t.Context(), sqldbtest.Open(t), w.clock.now)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := rp.Messages(fstest.MapFS{
		"ja.json": {Data: []byte(`{"site.name":"試験","page.title":"ページ"}`)}, "en.json": {Data: []byte(`{"site.name":"Test","page.title":"Page"}`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	site, err := web.NewSite(web.SiteConfig{
		Slug: "test", Kind: web.Service, Messages: messages, CrossOriginPaths: []string{rp.PathInitiate}, APIPaths: []string{rp.PathBackchannel},
		Pages: fstest.MapFS{"page.html": {Data: []byte(`{{define "main"}}<h1>{{t "page.title"}}</h1><p>[{{.Data}}]</p>{{end}}`)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.site = httptest.NewUnstartedServer(nil)
	base := "http://" + w.site.Listener.Addr().String()
	config := rp.Config{
		Issuer: w.hub.URL, BaseURL: base, ClientID: "service", Credential: w.key, Scopes: []string{"offline_access", "link"},
		Site: site, Store: store, Now: w.clock.now, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	if change != nil {
		change(&config)
	}
	if w.party, err = rp.New(config); err != nil {
		t.Fatal(err)
	}
	w.site.Config.Handler = site.Middleware(w.handler(site))
	w.site.Start()
	t.Cleanup(w.site.Close)
	return w
}

// handler is the smallest service: every page but the login's needs a session, shows whose it is, and asks the hub's API.
func (w *world) handler(site *web.Site) http.Handler {
	show := func(rw http.ResponseWriter, r *http.Request, text string) {
		site.Render(rw, r, http.StatusOK, web.Page{Name: "page", Title: "page.title", Data: text})
	}
	handle := func(f func(rw http.ResponseWriter, r *http.Request) error) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) {
			if err := f(rw, r); err != nil && !w.party.Answer(rw, r, err) {
				w.t.Error(err)
				rw.WriteHeader(http.StatusInternalServerError)
			}
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc(rp.PathLogin, handle(w.party.Login))
	mux.HandleFunc(rp.PathInitiate, handle(func(rw http.ResponseWriter, r *http.Request) error {
		to, err := w.party.Initiate(r)
		if err != nil {
			return err
		}
		return w.party.Begin(rw, r, to)
	}))
	mux.HandleFunc(rp.PathCallback, handle(func(rw http.ResponseWriter, r *http.Request) error {
		a, err := w.party.Finish(rw, r)
		w.arrived.Store(&a)
		if err == nil && w.atCallback != "" {
			err = w.party.Call(r.Context(), a.Session, http.MethodGet, w.atCallback, nil, nil)
		}
		if err == nil {
			http.Redirect(rw, r, a.Return.String(), http.StatusSeeOther)
		}
		return err
	}))
	mux.HandleFunc("/renew", handle(func(rw http.ResponseWriter, r *http.Request) error { return w.party.Renew(rw, r, rp.Local{}) }))
	mux.HandleFunc("/ask", handle(func(rw http.ResponseWriter, r *http.Request) error {
		to, _ := rp.ParseLocal("/inner")
		return w.party.AskSignature(rw, r, to, rp.NewDocument("契約書", "text/plain", []byte(signedText)))
	}))
	mux.HandleFunc("/local", handle(func(rw http.ResponseWriter, r *http.Request) error {
		s, err := w.party.StartLocal(rw, r, "number")
		if err == nil {
			show(rw, r, "local "+s.Local())
		}
		return err
	}))
	mux.HandleFunc(rp.PathLogout, func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, w.party.SignOut(rw, r), http.StatusSeeOther)
	})
	mux.HandleFunc(rp.PathBackchannel, w.party.Backchannel)
	mux.HandleFunc(rp.PathSignedOut, func(rw http.ResponseWriter, r *http.Request) { show(rw, r, "signed out") })
	mux.HandleFunc("/", handle(func(rw http.ResponseWriter, r *http.Request) error {
		s, err := w.party.Session(r)
		if err != nil {
			if r.URL.Path == "/" {
				show(rw, r, "nobody")
				return nil
			}
			return err
		}
		text := s.Subject()
		switch r.URL.Path {
		case "/api":
			var link struct{ State string }
			if err := w.party.Call(r.Context(), s, http.MethodGet, "/api/link", nil, &link); err != nil {
				return err
			}
			text += " " + link.State
		case "/userinfo":
			var claims map[string]any
			if err := w.party.UserInfo(r.Context(), s, &claims); err != nil {
				return err
			}
			text += fmt.Sprint(" ", claims["sub"])
		}
		show(rw, r, text)
		return nil
	}))
	return mux
}

func (w *world) browser() *rptest.Browser {
	w.t.Helper()
	b, err := rptest.NewBrowser()
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// get visits a page of the relying party, or an address.
func (w *world) get(b *rptest.Browser, to string) rptest.Page {
	w.t.Helper()
	if strings.HasPrefix(to, "/") {
		to = w.site.URL + to
	}
	page, err := b.Get(to)
	if err != nil {
		w.t.Fatal(err)
	}
	return page
}

// callback stops a login short of the relying party's callback and returns its address.
func (w *world) callback(b *rptest.Browser) string {
	w.t.Helper()
	b.Stop(rp.PathCallback)
	defer b.Stop("")
	page := w.get(b, "/login?return=/inner")
	if page.Header.Get("Location") == "" {
		w.t.Fatalf("stopped at %s with %d", page.URL, page.Status)
	}
	return page.Header.Get("Location")
}

func with(address string, change func(url.Values)) string {
	u, _ := url.Parse(address)
	q := u.Query()
	change(q)
	u.RawQuery = q.Encode()
	return u.String()
}

const taro = "[taro-at-service]"

func wantReason(t *testing.T, page rptest.Page, reason string) {
	t.Helper()
	if page.Error() != reason {
		t.Errorf("%s answered %d with data-error %q, want %q", page.URL, page.Status, page.Error(), reason)
	}
	if page.Status < 400 || !page.Has(`class="button`) {
		t.Errorf("%d, and the page has a next step: %v", page.Status, page.Has(`class="button`))
	}
}
