package idp_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral/ephemeraltest"
)

// watchedStore remembers all that was ever written, and can lose swaps.
type watchedStore struct {
	ephemeral.Store
	mu      sync.Mutex
	written bytes.Buffer
	lose    func(key string) bool // nil: never
}

func (s *watchedStore) note(key string, value []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(&s.written, "%s %s\n", key, value)
}

func (s *watchedStore) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	s.note(key, value)
	return s.Store.Create(ctx, key, value, ttl)
}

func (s *watchedStore) Swap(ctx context.Context, key string, old ephemeral.Version, value []byte, ttl time.Duration) error {
	s.note(key, value)
	if s.lose != nil && s.lose(key) {
		return ephemeral.ErrConflict
	}
	return s.Store.Swap(ctx, key, old, value, ttl)
}

func (s *watchedStore) Increment(ctx context.Context, key string, by int64, ttl time.Duration) (int64, error) {
	s.note(key, nil)
	return s.Store.Increment(ctx, key, by, ttl)
}

// dump is every row of the database.
func dump(t *testing.T, h *idptest.Hub) string {
	t.Helper()
	texts := func(query string) []string {
		rows, err := h.DB.Query(t.Context(), query)
		must(t, err)
		defer rows.Close()
		columns, err := rows.Columns()
		must(t, err)
		var out []string
		for rows.Next() {
			values, at := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				at[i] = &values[i]
			}
			must(t, rows.Scan(at...))
			for _, v := range values {
				out = append(out, fmt.Sprintf("%s", v))
			}
		}
		must(t, rows.Err())
		return out
	}
	var all strings.Builder
	for _, table := range texts(`SELECT name FROM sqlite_master WHERE type = 'table'`) {
		all.WriteString(strings.Join(texts(`SELECT * FROM "`+table+`"`), "\n"))
	}
	return all.String()
}

// TestNothingSecretIsStored: after pushed requests with every kind of credential, sign-ins, codes, tokens and a device there is nowhere
// anything by which whoever reads the stores could be a client or a citizen: not in what is kept, and not in what was kept for a while.
func TestNothingSecretIsStored(t *testing.T) {
	c := newClock()
	key := newProver(t, c.now)
	store := &watchedStore{Store: ephemeraltest.Open(t)}
	h := idptest.Start(t, idptest.Options{Now: c.now, Transient: store, Clients: append(kindsOfClient(t, key), idptest.DeviceClient(nil))})
	b := h.Browser(t)
	secrets := map[string]string{"client secret": idptest.Secret}
	use := func(who string, authenticate url.Values, r idptest.Request) {
		t.Helper()
		post := func(path string, form url.Values) idptest.Answer {
			f := url.Values{}
			for _, part := range []url.Values{form, authenticate} {
				for k, v := range part {
					f[k] = v
				}
			}
			if f.Has("client_assertion") {
				f.Set("client_assertion", assertion(t, key, h.Issuer))
				secrets[who+" assertion for "+path] = f.Get("client_assertion")
			}
			proof := key.proof(t, http.MethodPost, h.Issuer+path, nil)
			secrets[who+" proof for "+path] = proof
			return send(t, h.FormRequest(t, path, "", "", f), proof)
		}
		pushed := post("/par", r.Params)
		if pushed.Status != http.StatusCreated {
			t.Fatalf("%s: %d %s", who, pushed.Status, pushed.Raw)
		}
		p := b.Get("/authorize?" + url.Values{"client_id": r.Params["client_id"], "request_uri": {pushed.Text("request_uri")}}.Encode())
		if p.Body != "" {
			p = b.SignIn(p, "taro")
		}
		code := p.URL.Query().Get("code")
		tokens := post("/token", idptest.CodeForm(code, r))
		if tokens.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", who, tokens.Status, tokens.Raw)
		}
		secrets[who+" request_uri"], secrets[who+" code"], secrets[who+" verifier"] = pushed.Text("request_uri"), code, r.Verifier
		secrets[who+" access token"], secrets[who+" ID token"] = tokens.Text("access_token"), tokens.Text("id_token")
		if refresh := tokens.Text("refresh_token"); refresh != "" {
			next := post("/token", idptest.RefreshForm(refresh))
			secrets[who+" refresh token"], secrets[who+" next refresh token"] = refresh, next.Text("refresh_token")
		}
	}
	use("post", url.Values{"client_id": {idptest.OtherID}, "client_secret": {idptest.Secret}}, idptest.NewRequest("client_id", idptest.OtherID, "redirect_uri", idptest.OtherURI))
	use("jwt", url.Values{"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {""}},
		idptest.NewRequest("client_id", "bank", "redirect_uri", "https://bank.example/cb", "scope", "openid"))
	device := h.Device(t, idptest.DeviceID, "")
	b.Approve(device.Text("user_code"), "taro")
	secrets["device code"] = device.Text("device_code")
	secrets["device's access token"] = h.Poll(t, device.Text("device_code")).Text("access_token")
	for _, pair := range strings.Split(b.Request(http.MethodGet, h.Issuer, nil).Header.Get("Cookie"), "; ") {
		name, value, _ := strings.Cut(pair, "=")
		if len(value) >= 40 {
			secrets["cookie "+name] = value
		}
	}
	kept := store.written.String() + dump(t, h)
	if !strings.Contains(kept, "grant:1:") || !strings.Contains(kept, "https://bank.example/cb") || len(secrets) < 20 {
		t.Fatalf("%d secrets, %d bytes", len(secrets), len(kept))
	}
	for name, secret := range secrets {
		if secret == "" {
			t.Errorf("no %s to look for", name)
			continue
		}
		// Of a token also its random part alone; the name of its grant is no secret.
		if strings.Contains(kept, secret) || len(secret) == 69 && strings.Contains(kept, secret[26:]) {
			t.Errorf("the stores hold a %s", name)
		}
	}
	if strings.Contains(store.written.String(), secretDigest()) {
		t.Error("a request left the digest of a client's secret behind")
	}
}

// TestLostRaceIsInvalidGrant: who loses the write has used what somebody else used first. That is no failure of ours and no malformed
// request (RFC 6749 §5.2). For a code it is a replay; for a refresh token a doubled request, and the token is still good.
func TestLostRaceIsInvalidGrant(t *testing.T) {
	store := &watchedStore{Store: ephemeraltest.Open(t)}
	h := idptest.Start(t, idptest.Options{Transient: store})
	b := h.Browser(t)
	losing := func(what string, do func() idptest.Answer) {
		t.Helper()
		lost := false
		store.lose = func(key string) bool {
			now := !lost && strings.HasPrefix(key, "grant:1:")
			lost = lost || now
			return now
		}
		tokenError(t, what, do(), "invalid_grant")
		if store.lose = nil; !lost {
			t.Errorf("%s: nothing was written", what)
		}
	}
	r := idptest.NewRequest()
	refresh := h.Redeem(t, h.Code(t, b, r, "taro"), r).Text("refresh_token")
	again := func() idptest.Answer {
		return h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(refresh))
	}
	losing("refresh token", again)
	if a := again(); a.Status != http.StatusOK {
		t.Errorf("refresh token after a lost race: %d %s", a.Status, a.Raw)
	}
	r = idptest.NewRequest()
	code := h.Code(t, b, r, "taro")
	losing("code", func() idptest.Answer { return h.Redeem(t, code, r) })
	tokenError(t, "code after a lost race", h.Redeem(t, code, r), "invalid_grant")
}

// TestBrokenStoreIsToldToNobody: programs get server_error, citizens a page; neither learns what is broken, and a token is not called
// invalid because nobody could look.
func TestBrokenStoreIsToldToNobody(t *testing.T) {
	store := &brokenStore{Store: ephemeraltest.Open(t)}
	h := idptest.Start(t, idptest.Options{Transient: store, Clients: []map[string]any{idptest.DeviceClient(nil)}})
	b := h.Browser(t)
	r := idptest.NewRequest()
	tokens := h.Redeem(t, h.Code(t, b, r, "taro"), r)
	pushed := h.PostForm(t, "/par", idptest.ClientID, idptest.Secret, idptest.NewRequest().Params)
	next := idptest.NewRequest()
	code := h.Code(t, b, next, "taro")
	store.broken.Store(true)
	for name, a := range map[string]idptest.Answer{
		"par": h.PostForm(t, "/par", idptest.ClientID, idptest.Secret, r.Params), "token": h.Redeem(t, code, next),
		"userinfo": h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("access_token")), "device": h.PostForm(t, "/device_authorization", idptest.DeviceID, "", idptest.DeviceForm()),
	} {
		if a.Status != http.StatusInternalServerError && a.Status != http.StatusServiceUnavailable || a.Text("error") != "server_error" && a.Text("error") != "temporarily_unavailable" || strings.Contains(a.Raw, "unplugged") {
			t.Errorf("%s: %d %s", name, a.Status, a.Raw)
		}
	}
	for name, address := range map[string]string{
		"authorize": r.Path(), "pushed": "/authorize?" + url.Values{"client_id": {idptest.ClientID}, "request_uri": {pushed.Text("request_uri")}}.Encode(),
		"prompt none": idptest.NewRequest("prompt", "none").Path(), "end-session": "/end-session",
	} {
		if p := b.Get(address); p.Status != http.StatusInternalServerError || p.Error() != "internal" || strings.Contains(p.Body, "unplugged") {
			t.Errorf("%s: %d %s %q", name, p.Status, p.URL, p.Error())
		}
	}
	store.broken.Store(false)
	if a := h.Redeem(t, code, next); a.Status != http.StatusOK {
		t.Errorf("the code afterwards: %d %s", a.Status, a.Raw)
	}
	wantSignedIn(t, b, true)
}
