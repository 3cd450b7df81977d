package clients

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral/ephemeraltest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
	"github.com/tsunagu-id/tsunagu/keys"
)

// publisher is a client's own web server. What it answers can be changed.
type publisher struct {
	*httptest.Server
	asked  atomic.Int64
	answer atomic.Pointer[http.HandlerFunc]
}

func newPublisher(t testing.TB, h http.HandlerFunc) *publisher {
	t.Helper()
	p := &publisher{}
	p.answer.Store(&h)
	p.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		(*p.answer.Load())(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *publisher) host() string { return strings.TrimPrefix(p.URL, "https://") }

func (p *publisher) set(h http.HandlerFunc) { p.answer.Store(&h) }

func says(body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }
}

func fails(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }

// fetcher allows the publisher, and more, and trusts its certificate.
func fetcher(t testing.TB, c *clock, p *publisher, more ...string) *Fetcher {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(p.Certificate())
	f, err := NewFetcher(FetcherConfig{Now: c.now, Allow: append(more, p.host()), RootCAs: roots})
	must(t, err)
	return f
}

func TestFetch(t *testing.T) {
	p := newPublisher(t, says([]byte(`["x"]`)))
	elsewhere := newPublisher(t, says([]byte(`["internal"]`)))
	f := fetcher(t, newClock(), p, elsewhere.host())
	if b, err := f.get(t.Context(), p.URL+"/x.json"); err != nil || string(b) != `["x"]` {
		t.Fatalf("%q, %v", b, err)
	}
	plain := httptest.NewServer(says([]byte(`["plain"]`)))
	t.Cleanup(plain.Close)
	for name, h := range map[string]http.HandlerFunc{
		"redirect":           func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, p.URL+"/other", http.StatusFound) },
		"redirect elsewhere": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) },
		"failure":            fails,
		"created":            func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) },
		"one byte too many":  says(make([]byte, maxFetched+1)),
		"endless": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		},
		"redirect for ever": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, p.URL, http.StatusPermanentRedirect) },
		"compressed": func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
				t.Error("asked for compression: what is small on the wire may be large")
			}
			fails(w, r)
		},
		"slow": func(w http.ResponseWriter, r *http.Request) {
			select { // the server says nothing for longer than anybody waits
			case <-r.Context().Done():
			case <-time.After(10 * time.Second):
			}
		},
		"huge header": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 64<<10)) },
	} {
		p.set(h)
		if b, err := f.get(t.Context(), p.URL); err == nil {
			t.Errorf("%s: %d bytes", name, len(b))
		}
	}
	if elsewhere.asked.Load() != 0 {
		t.Error("a redirect was followed")
	}
	p.set(says(make([]byte, maxFetched)))
	if _, err := f.get(t.Context(), p.URL); err != nil {
		t.Errorf("64 KiB: %v", err)
	}
	if _, err := f.get(t.Context(), plain.URL); !errors.Is(err, errAddressScheme) {
		t.Errorf("plain http: %v", err)
	}
	open, err := NewFetcher(FetcherConfig{Now: newClock().now, Allow: []string{strings.TrimPrefix(plain.URL, "http://")}})
	must(t, err)
	if b, err := open.get(t.Context(), plain.URL); err != nil || string(b) != `["plain"]` {
		t.Errorf("plain http that is allowed: %v", err)
	}
	if _, err := open.get(t.Context(), p.URL); !errors.Is(err, errGuarded) {
		t.Errorf("another port of the same host: %v", err)
	}
	strict, err := NewFetcher(FetcherConfig{Now: newClock().now, Allow: []string{p.host()}})
	must(t, err)
	if _, err := strict.get(t.Context(), p.URL); err == nil {
		t.Error("a certificate of nobody was trusted")
	}
	if _, err := NewFetcher(FetcherConfig{Now: newClock().now, Allow: []string{"localhost"}}); err == nil {
		t.Error("an allowed host without a port")
	}
}

// Server-side request forgery: the hub must not be sent into its own network, by
// number or by a name that resolves there.
func TestFetchIsGuarded(t *testing.T) {
	p := newPublisher(t, says([]byte(`{}`)))
	roots := x509.NewCertPool()
	roots.AddCert(p.Certificate())
	f, err := NewFetcher(FetcherConfig{Now: newClock().now, RootCAs: roots})
	must(t, err)
	_, port, _ := strings.Cut(p.host(), ":")
	for _, address := range []string{p.URL, "https://localhost:" + port, "https://[::1]:" + port} {
		if _, err := f.get(t.Context(), address); !errors.Is(err, errGuarded) {
			t.Errorf("%s: %v", address, err)
		}
	}
	response, err := f.http.Get("https://localhost:" + port) // as get dials, whatever was judged before
	if !errors.Is(err, errGuarded) {
		t.Errorf("dialled: %v", err)
	}
	if err == nil {
		_ = response.Body.Close()
	}
	if p.asked.Load() != 0 {
		t.Error("asked")
	}
}

func TestGuard(t *testing.T) {
	for ip, ok := range map[string]bool{
		"8.8.8.8": true, "133.242.0.1": true, "2001:4860:4860::8888": true, "2400:4050::1": true,
		"127.0.0.1": false, "127.8.8.8": false, "0.0.0.0": false, "0.1.2.3": false, "10.1.2.3": false, "172.16.0.1": false, "172.31.255.255": false,
		"192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false, "198.18.0.1": false, "192.0.0.8": false, "192.0.2.1": false,
		"224.0.0.1": false, "240.0.0.1": false, "255.255.255.255": false, "::1": false, "::": false, "::ffff:127.0.0.1": false,
		"::ffff:10.0.0.1": false, "::ffff:100.64.0.1": false, "::127.0.0.1": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd00:ec2::254": false, "fec0::1": false,
		"ff02::1": false, "64:ff9b::7f00:1": false, "64:ff9b:1::1": false, "2002:7f00:1::": false, "2001:0:1::1": false, "2001:db8::1": false, "100::1": false,
		"64:ff9b::8.8.8.8": false, "::ffff:0:10.0.0.1": false, "::ffff:0:0:1": false, "::ffff:7f00:1": false, "::ffff:a9fe:a9fe": false, "2002:a9fe:a9fe::1": false,
		"2001:2::1": false, "3fff::1": false, "5f00::1": false, "4000::1": false, "100.63.255.255": true, "100.128.0.1": true, "100.127.255.255": false,
		"239.255.255.250": false, "192.88.99.1": false, "203.0.113.1": false, "198.51.100.1": false, "198.19.255.255": false, "2001:4860::ffff": true,
		"0x7f.1": false, "127.1": false, "2130706433": false, "0177.0.0.1": false, "[::1]": false,
		"localhost": false, "": false, "example.com": false,
	} {
		if err := guard(ip); (err == nil) != ok {
			t.Errorf("%s: %v", ip, err)
		}
	}
}

// remoteClient registers a client whose keys are at the publisher, and returns how it
// authenticates.
func remoteClient(t testing.TB, c *clock, p *publisher) func(signing) error {
	t.Helper()
	r := openRegistry(t, sqldbtest.Open(t), c, fetcher(t, c, p))
	_, err := r.put(t.Context(), metadata(t, "a", map[string]any{
		"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": p.URL + "/jwks", "development": true,
	}), nil)
	must(t, err)
	store := ephemeraltest.Open(t)
	return func(key signing) error {
		_, err := r.Authenticate(t.Context(), asserted("a", key.sign(t, "", claims(c, "a", nil))), rules(store))
		return err
	}
}

func TestKeysByReference(t *testing.T) {
	c := newClock()
	first, second := newECKey(t, "1"), newECKey(t, "2")
	p := newPublisher(t, says(jwks(t, first)))
	authenticate := remoteClient(t, c, p)
	asks := func(want int64, why string) {
		t.Helper()
		if got := p.asked.Swap(0); got != want {
			t.Errorf("%s: asked %d times, not %d", why, got, want)
		}
	}
	for range 5 {
		must(t, authenticate(first))
	}
	asks(1, "one set for many")

	// The client rotates: its new key is believed as soon as we may ask again.
	p.set(says(jwks(t, first, second)))
	if err := authenticate(second); reasonOf(err) != BadAssertion {
		t.Errorf("within 30 s: %v", err)
	}
	asks(0, "strangers' key ids must not make us ask")
	c.pass(retryAfter)
	must(t, authenticate(second))
	must(t, authenticate(first))
	asks(1, "after 30 s")

	// The client takes its old key out.
	p.set(says(jwks(t, second)))
	c.pass(keysFresh)
	if err := authenticate(first); reasonOf(err) != BadAssertion {
		t.Errorf("withdrawn key: %v", err)
	}
	asks(1, "the set was no longer fresh")

	// The client's server is away: what is known serves for an hour.
	p.set(fails)
	c.pass(keysFresh)
	for range 3 {
		must(t, authenticate(second))
	}
	asks(1, "failing server")
	c.pass(keysStale - keysFresh)
	if err := authenticate(second); reasonOf(err) != KeysUnavailable {
		t.Errorf("stale set: %v", err)
	}
	if err := authenticate(second); reasonOf(err) != KeysUnavailable {
		t.Errorf("stale set, again: %v", err)
	}
	asks(1, "failures are remembered too")
	p.set(says(jwks(t, second)))
	c.pass(retryAfter)
	must(t, authenticate(second))
}

func TestBadKeysByReference(t *testing.T) {
	for name, body := range map[string][]byte{
		"not JSON": []byte("x"), "empty set": []byte(`{"keys":[]}`), "symmetric": []byte(`{"keys":[{"kty":"oct","k":"AAAA"}]}`), "too large": make([]byte, maxFetched+1),
	} {
		c := newClock()
		authenticate := remoteClient(t, c, newPublisher(t, says(body)))
		if err := authenticate(newECKey(t, "a")); reasonOf(err) != KeysUnavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// 50 logins at once make one request.
func TestKeysAreFetchedOnce(t *testing.T) {
	key := newECKey(t, "a")
	p := newPublisher(t, nil)
	p.set(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(50 * time.Millisecond)
		says(jwks(t, key))(w, r)
	})
	authenticate := remoteClient(t, newClock(), p)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if err := authenticate(key); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := p.asked.Load(); got != 1 {
		t.Errorf("asked %d times", got)
	}
}

func TestFetchedSetsAreBounded(t *testing.T) {
	c := newClock()
	f, err := NewFetcher(FetcherConfig{Now: c.now})
	must(t, err)
	for i := range maxRemote + 10 {
		c.pass(time.Millisecond)
		if err := f.load(t.Context(), "not an address "+string(rune(0x4e00+i))); err == nil {
			t.Fatal("fetched")
		}
	}
	if len(f.sets) != maxRemote {
		t.Errorf("%d sets kept", len(f.sets))
	}
	_ = f.load(t.Context(), "not an address "+string(rune(0x4e00+maxRemote)))
	if len(f.sets) != maxRemote {
		t.Errorf("an address asked again drove another out: %d sets kept", len(f.sets))
	}
	c.pass(keysStale)
	_ = f.load(t.Context(), "one more")
	if len(f.sets) != 1 {
		t.Errorf("%d sets kept of %d old ones", len(f.sets), maxRemote)
	}
}

// OpenID Connect Registration §5: nobody joins a sector that does not list it.
func TestSectorIdentifier(t *testing.T) {
	ctx, c := t.Context(), newClock()
	redirects := []string{"https://a.example/cb", "https://b.example/cb"}
	p := newPublisher(t, nil)
	r := openRegistry(t, sqldbtest.Open(t), c, fetcher(t, c, p))
	secret := keys.RandomSecret()
	m := metadata(t, "a", map[string]any{"redirect_uris": redirects, "sector_identifier_uri": p.URL + "/sector.json", "development": true})
	listing := func(uris ...string) http.HandlerFunc {
		b, err := json.Marshal(uris)
		must(t, err)
		return says(b)
	}
	for name, tc := range map[string]struct {
		h    http.HandlerFunc
		want string
	}{
		"one is missing": {listing(redirects[0], "https://c.example/cb"), "redirect_uris[1]"},
		"nearly":         {listing(redirects[0], redirects[1]+"/"), "redirect_uris[1]"},
		"empty":          {listing(), "redirect_uris[0], redirect_uris[1]"},
		"object":         {says([]byte(`{}`)), "sector_identifier_uri"},
		"away":           {fails, "sector_identifier_uri"},
	} {
		p.set(tc.h)
		if _, err := r.put(ctx, m, &secret); faultsOf(err) != tc.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	p.set(listing(append(redirects, "https://c.example/cb")...))
	got, err := r.put(ctx, m, &secret)
	must(t, err)
	if got.Sector() != p.host() { // loopback: the port belongs to it
		t.Errorf("sector %s", got.Sector())
	}
}

// A form goes where a document could come from, and nowhere else.
func TestPost(t *testing.T) {
	var got atomic.Pointer[http.Request]
	p := newPublisher(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		got.Store(r)
		w.WriteHeader(http.StatusNoContent)
	})
	elsewhere := newPublisher(t, says(nil))
	plain := httptest.NewServer(says(nil))
	t.Cleanup(plain.Close)
	f := fetcher(t, newClock(), p)
	status, err := f.Post(t.Context(), p.URL+"/logout?x=1", url.Values{"logout_token": {"a.b.c"}})
	if err != nil || status != http.StatusNoContent {
		t.Fatalf("%d, %v", status, err)
	}
	if r := got.Load(); r.Method != http.MethodPost || r.PostForm.Get("logout_token") != "a.b.c" || r.URL.RequestURI() != "/logout?x=1" {
		t.Errorf("%s %s %v", r.Method, r.URL, r.PostForm)
	}
	p.set(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	if status, err := f.Post(t.Context(), p.URL, nil); err != nil || status != http.StatusTemporaryRedirect || elsewhere.asked.Load() != 0 {
		t.Errorf("%d, %v; redirects followed: %d", status, err, elsewhere.asked.Load())
	}
	for _, address := range []string{
		elsewhere.URL, plain.URL, "https://169.254.169.254/latest", "https://10.0.0.1/", "http://www.example/", "ftp://www.example/", "",
	} {
		if status, err := f.Post(t.Context(), address, nil); err == nil {
			t.Errorf("%q answered %d", address, status)
		}
	}
	if elsewhere.asked.Load() != 0 {
		t.Error("a private address was asked")
	}
}
