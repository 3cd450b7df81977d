package rp_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/clients/rp/rptest"
)

const backchannelEvent = "http://schemas.openid.net/event/backchannel-logout"

// logoutClaims are those of a good logout token, with changes; a nil value removes a claim.
func (w *world) logoutClaims(changes map[string]any) map[string]any {
	claims := map[string]any{
		"iss": w.hub.URL, "aud": "service", "sub": "taro-at-service", "jti": rand.Text(),
		"iat": w.clock.now().Unix(), "exp": w.clock.now().Add(2 * time.Minute).Unix(),
		"events": map[string]any{backchannelEvent: map[string]any{}},
	}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

// typed signs with the hub's key and a type.
func (w *world) typed(typ jose.ContentType, claims map[string]any) string {
	w.t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: w.priv, KeyID: "hub"}},
		(&jose.SignerOptions{}).WithType(typ))
	if err != nil {
		w.t.Fatal(err)
	}
	return compact(w.t, s, claims)
}

func (w *world) logoutToken(changes map[string]any) string {
	w.t.Helper()
	return w.typed("logout+jwt", w.logoutClaims(changes))
}

// tell posts a body as the hub does and returns the status and the error word.
func (w *world) tell(contentType, body string) (status int, code string) {
	w.t.Helper()
	resp, err := http.Post(w.site.URL+rp.PathBackchannel, contentType, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if resp.Header.Get("Cache-Control") != "no-store" {
		w.t.Errorf("Cache-Control %q", resp.Header.Get("Cache-Control"))
	}
	var answer struct{ Error string }
	if len(b) > 0 {
		if err := json.Unmarshal(b, &answer); err != nil {
			w.t.Errorf("%s: %v", b, err)
		}
	}
	return resp.StatusCode, answer.Error
}

func (w *world) tellToken(token string) (status int, code string) {
	w.t.Helper()
	return w.tell("application/x-www-form-urlencoded", url.Values{"logout_token": {token}}.Encode())
}

// signedIn signs a browser in, in the named session at the hub.
func (w *world) signedIn(sid string) *rptest.Browser {
	w.t.Helper()
	w.hub.Set(func(s *rptest.Settings) { s.Claims = func(c map[string]any) { c["sid"] = sid } })
	b := w.browser()
	if page := w.get(b, "/inner"); !page.Has(taro) {
		w.t.Fatalf("not signed in: %s", page.Body)
	}
	return b
}

func (w *world) wantSignedIn(b *rptest.Browser, want bool) {
	w.t.Helper()
	if page := w.get(b, "/"); page.Has(taro) != want || page.Has("[nobody]") == want {
		w.t.Errorf("signed in: %v, want %v: %s", !want, want, page.Body)
	}
}

func TestBackchannelEndsTheNamedSession(t *testing.T) {
	w := newWorld(t, nil)
	one, two := w.signedIn("hub-1"), w.signedIn("hub-2")
	if status, code := w.tellToken(w.logoutToken(map[string]any{"sid": "hub-1"})); status != http.StatusOK || code != "" {
		t.Errorf("%d %s", status, code)
	}
	w.wantSignedIn(one, false)
	w.wantSignedIn(two, true)
	// A session that nobody has here is over as well, and telling of it twice is harmless.
	for _, sid := range []string{"hub-1", "hub-9"} {
		if status, code := w.tellToken(w.logoutToken(map[string]any{"sid": sid, "sub": nil})); status != http.StatusOK {
			t.Errorf("%s: %d %s", sid, status, code)
		}
	}
	w.wantSignedIn(two, true)
}

func TestBackchannelEndsAllSessionsOfAPerson(t *testing.T) {
	w := newWorld(t, nil)
	one, two := w.signedIn("hub-1"), w.signedIn("hub-2")
	w.hub.Set(func(s *rptest.Settings) { s.Person = "hanako" })
	other := w.browser()
	w.get(other, "/inner")
	if status, code := w.tellToken(w.logoutToken(nil)); status != http.StatusOK {
		t.Errorf("%d %s", status, code)
	}
	w.wantSignedIn(one, false)
	w.wantSignedIn(two, false)
	if page := w.get(other, "/"); !page.Has("[hanako-at-service]") {
		t.Error("another person was signed out")
	}
}

// A token that comes late, because we were down, does not end what was begun since.
func TestLateBackchannelSparesNewSessions(t *testing.T) {
	for name, sid := range map[string]any{"person": nil, "session": "hub-1"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			before := w.signedIn("hub-1")
			w.clock.advance(time.Minute)
			at := w.clock.now().Unix()
			w.clock.advance(time.Minute)
			since := w.signedIn("hub-1") // the hub went on with the session
			w.clock.advance(20 * time.Minute)
			if status, code := w.tellToken(w.logoutToken(map[string]any{"toe": at, "sid": sid})); status != http.StatusOK {
				t.Errorf("%d %s", status, code)
			}
			w.wantSignedIn(before, false)
			w.wantSignedIn(since, true)
		})
	}
}

// A sign-out at the hub that overtakes the login is not lost.
func TestBackchannelDuringTheLogin(t *testing.T) {
	for name, change := range map[string]func(w *world) map[string]any{
		"session": func(w *world) map[string]any {
			return map[string]any{"sid": "hub-1", "iat": w.clock.now().Add(2 * time.Second).Unix()}
		},
		"person": func(w *world) map[string]any { return map[string]any{"iat": w.clock.now().Add(2 * time.Second).Unix()} },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.tellToken(w.logoutToken(map[string]any{"sid": "hub-0"})) // the hub's keys are known: it cannot be asked while it answers
			w.hub.Set(func(s *rptest.Settings) {
				s.Claims = func(c map[string]any) {
					c["sid"] = "hub-1"
					if status, code := w.tellToken(w.logoutToken(change(w))); status != http.StatusOK {
						t.Errorf("%d %s", status, code)
					}
				}
			})
			b := w.browser()
			at := w.callback(b)
			b.Stop("/authorize") // where the person begins again
			page := w.get(b, at)
			if to := page.Header.Get("Location"); !strings.Contains(to, "/authorize") {
				t.Errorf("ended at %s, %s", page.URL, page.Body)
			}
			b.Stop("")
			w.wantSignedIn(b, false)
			// What begins after the sign-out is let in.
			w.clock.advance(2 * time.Second)
			w.wantSignedIn(w.signedIn("hub-1"), true)
		})
	}
}

func TestBackchannelRefusals(t *testing.T) {
	w := newWorld(t, nil)
	var idToken string
	w.hub.Set(func(s *rptest.Settings) { s.Token = func(compact string) string { idToken = compact; return compact } })
	b := w.signedIn("hub-1")
	w.hub.Set(func(s *rptest.Settings) { s.Token = nil })

	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	unsigned := func(claims map[string]any) string {
		payload, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		e := base64.RawURLEncoding
		return e.EncodeToString([]byte(`{"alg":"none","typ":"logout+jwt"}`)) + "." + e.EncodeToString(payload) + "."
	}
	foreign, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: stranger, KeyID: "hub"}},
		(&jose.SignerOptions{}).WithType("logout+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	hmac, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: make([]byte, 32)}, (&jose.SignerOptions{}).WithType("logout+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	past := func(d time.Duration) int64 { return w.clock.now().Add(-d).Unix() }
	used := w.logoutToken(map[string]any{"sid": "hub-of-another"})
	if status, code := w.tellToken(used); status != http.StatusOK {
		t.Fatalf("%d %s", status, code)
	}
	good := w.logoutToken(nil)
	for name, token := range map[string]string{
		"other audience":           w.logoutToken(map[string]any{"aud": "other"}),
		"other issuer":             w.logoutToken(map[string]any{"iss": "https://hub.example"}),
		"nonce":                    w.logoutToken(map[string]any{"nonce": "n"}),
		"empty nonce":              w.logoutToken(map[string]any{"nonce": ""}),
		"no events":                w.logoutToken(map[string]any{"events": nil}),
		"other event":              w.logoutToken(map[string]any{"events": map[string]any{"https://schemas.openid.net/secevent/risc/event-type/account-disabled": map[string]any{}}}),
		"event is no object":       w.logoutToken(map[string]any{"events": map[string]any{backchannelEvent: true}}),
		"events are a list":        w.logoutToken(map[string]any{"events": []string{backchannelEvent}}),
		"expired":                  w.logoutToken(map[string]any{"exp": past(time.Second)}),
		"no exp":                   w.logoutToken(map[string]any{"exp": nil}),
		"no iat":                   w.logoutToken(map[string]any{"iat": nil}),
		"old":                      w.logoutToken(map[string]any{"iat": past(time.Hour)}),
		"from the future":          w.logoutToken(map[string]any{"iat": past(-time.Hour), "exp": past(-2 * time.Hour)}),
		"neither sub nor sid":      w.logoutToken(map[string]any{"sub": nil}),
		"no jti":                   w.logoutToken(map[string]any{"jti": nil}),
		"jti too long":             w.logoutToken(map[string]any{"jti": strings.Repeat("j", 256)}),
		"sid is no string":         w.logoutToken(map[string]any{"sid": 1}),
		"typ JWT":                  w.typed("JWT", w.logoutClaims(nil)),
		"typ of another":           w.typed("at+jwt", w.logoutClaims(nil)),
		"no typ":                   compact(t, w.sign, w.logoutClaims(nil)),
		"replayed":                 used,
		"an ID token":              idToken,
		"an ID token in our typ":   w.typed("logout+jwt", w.logoutClaims(map[string]any{"events": nil, "nonce": "n", "sid": "hub-1"})),
		"unsigned":                 unsigned(w.logoutClaims(nil)),
		"signed by a stranger":     compact(t, foreign, w.logoutClaims(nil)),
		"signed with a secret":     compact(t, hmac, w.logoutClaims(nil)),
		"signature cut":            good[:len(good)-4],
		"payload of another token": strings.Join([]string{strings.Split(good, ".")[0], strings.Split(used, ".")[1], strings.Split(good, ".")[2]}, "."),
		"empty":                    "",
	} {
		if status, code := w.tellToken(token); status != http.StatusBadRequest || code != "invalid_request" {
			t.Errorf("%s: %d %q", name, status, code)
		}
	}
	form := "application/x-www-form-urlencoded"
	for name, c := range map[string]struct{ contentType, body string }{
		"JSON":       {"application/json", `{"logout_token":"` + good + `"}`},
		"bare":       {"application/logout+jwt", good},
		"two tokens": {form, "logout_token=" + good + "&logout_token=" + good},
		"none":       {form, "token=" + good},
		"too large":  {form, "x=" + strings.Repeat("x", 40<<10) + "&logout_token=" + good},
		"bad form":   {form, "logout_token=%zz"},
	} {
		if status, code := w.tell(c.contentType, c.body); status != http.StatusBadRequest || code != "invalid_request" {
			t.Errorf("%s: %d %q", name, status, code)
		}
	}
	if resp, err := http.Get(w.site.URL + rp.PathBackchannel + "?logout_token=" + good); err != nil || resp.StatusCode != http.StatusBadRequest {
		t.Errorf("GET: %v, %v", resp, err)
	}
	w.wantSignedIn(b, true)
	// The same token, sent as it should be, is good: what was refused above was refused for its reason.
	if status, code := w.tellToken(good); status != http.StatusOK {
		t.Errorf("%d %s", status, code)
	}
	w.wantSignedIn(b, false)
}

// What is our own fault is said to be, so that the hub comes again.
func TestBackchannelWithoutTheHubsKeys(t *testing.T) {
	w := newWorld(t, nil)
	w.hub.Set(func(s *rptest.Settings) { s.Down = true })
	if status, code := w.tellToken(w.logoutToken(nil)); status != http.StatusBadRequest || code != "server_error" {
		t.Errorf("%d %q", status, code)
	}
}

// A token that comes a hundred times at once is believed once.
func TestBackchannelReplayedAtOnce(t *testing.T) {
	w := newWorld(t, nil)
	token := w.logoutToken(nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	count := map[int]int{}
	for range 100 {
		wg.Go(func() {
			status, _ := w.tellToken(token)
			mu.Lock()
			count[status]++
			mu.Unlock()
		})
	}
	wg.Wait()
	if count[http.StatusOK] != 1 || count[http.StatusBadRequest] != 99 {
		t.Errorf("%v", count)
	}
}

// The hundred-and-first session of one person ends the first, so that all that are left can be ended.
func TestTooManySessionsOfOnePerson(t *testing.T) {
	w := newWorld(t, nil)
	first := w.signedIn("hub-first")
	second := w.signedIn("hub-second")
	for range 99 {
		w.get(w.browser(), "/inner")
	}
	w.wantSignedIn(first, false)
	w.wantSignedIn(second, true)
}

// Tokens of strangers, each with another key, make us neither ask the hub nor write a line each time.
func TestStrangersDoNotMakeUsFetchKeys(t *testing.T) {
	var log lines
	w := newWorld(t, func(c *rp.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	if status, code := w.tellToken(w.logoutToken(nil)); status != http.StatusOK {
		t.Fatalf("%d %s", status, code)
	}
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	attack := func() {
		for range 50 {
			s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: stranger, KeyID: rand.Text()}},
				(&jose.SignerOptions{}).WithType("logout+jwt"))
			if err != nil {
				t.Fatal(err)
			}
			if status, code := w.tellToken(compact(t, s, w.logoutClaims(nil))); status != http.StatusBadRequest || code != "invalid_request" {
				t.Errorf("%d %q", status, code)
			}
		}
	}
	attack()
	if got := w.hub.Count("GET /jwks"); got != 1 {
		t.Errorf("the key set was fetched %d times, want 1", got)
	}
	if got := strings.Count(log.String(), "level=WARN"); got != 1 {
		t.Errorf("%d lines, want 1:\n%s", got, log.String())
	}
	if status, code := w.tellToken(w.logoutToken(nil)); status != http.StatusOK { // with the known key all goes on
		t.Errorf("%d %s", status, code)
	}
	w.clock.advance(31 * time.Second)
	attack()
	if got := w.hub.Count("GET /jwks"); got != 2 {
		t.Errorf("the key set was fetched %d times, want 2", got)
	}
	if !strings.Contains(log.String(), "left_off=49") {
		t.Errorf("does not say how many lines were left off:\n%s", log.String())
	}
}

// lines is a log to read.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
