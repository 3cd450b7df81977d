package idp_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/keys"
)

// enter runs a request to its answer, with a card if it is asked for, and returns the claims of the ID token.
func enter(t *testing.T, h *idptest.Hub, b *idptest.Browser, changes ...string) map[string]any {
	t.Helper()
	r := idptest.NewRequest(changes...)
	return payloadOfHint(t, h.Redeem(t, h.Code(t, b, r, "taro"), r).Text("id_token"))
}

// atOnce is enter, for requests that must not show a page.
func atOnce(t *testing.T, h *idptest.Hub, b *idptest.Browser, changes ...string) map[string]any {
	t.Helper()
	r := idptest.NewRequest(changes...)
	p := b.Get(r.Path())
	if p.Body != "" || p.URL.Query().Get("code") == "" {
		t.Fatalf("%v: %d %s", changes, p.Status, p.URL)
	}
	return payloadOfHint(t, h.Redeem(t, p.URL.Query().Get("code"), r).Text("id_token"))
}

func wantRefusal(t *testing.T, b *idptest.Browser, code string, changes ...string) {
	t.Helper()
	r := idptest.NewRequest(changes...)
	p := b.Get(r.Path())
	if q := p.URL.Query(); p.Body != "" || q.Get("error") != code || q.Get("state") != r.Params.Get("state") || q.Has("code") || !q.Has("iss") {
		t.Errorf("%v: %d %s, want %s", changes, p.Status, p.URL, code)
	}
}

// TestPromptNone: never a page. Without a session, without consent, and beside another value (OIDC Core §3.1.2.1, §3.1.2.6). Conformance
// suite: oidcc-prompt-none-not-logged-in, oidcc-prompt-none-logged-in.
func TestPromptNone(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	wantRefusal(t, b, "login_required", "prompt", "none", "state", strings.Repeat("s~", 64))
	first := enter(t, h, b)
	second := atOnce(t, h, b, "prompt", "none")
	if first["sub"] != second["sub"] || first["auth_time"] != second["auth_time"] {
		t.Errorf("%v and %v", first, second)
	}
	wantRefusal(t, b, "consent_required", "prompt", "none", "client_id", idptest.OtherID, "redirect_uri", idptest.OtherURI)
	for _, more := range []string{"none login", "none consent", "login none", "none select_account", "none none login"} {
		wantRefusal(t, b, "invalid_request", "prompt", more)
	}
}

// TestPromptLogin: the card again, and a later auth_time; in the very second of the first login it ends as well. Conformance suite:
// oidcc-prompt-login.
func TestPromptLogin(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	b := h.Browser(t)
	first := enter(t, h, b)
	same := enter(t, h, b, "prompt", "login")
	if same["auth_time"].(float64) < first["auth_time"].(float64) {
		t.Errorf("in the same second: %v after %v", same["auth_time"], first["auth_time"])
	}
	c.advance(time.Second)
	if p := b.Get(idptest.NewRequest("prompt", "login").Path()); p.URL.Path != "/login" || !strings.Contains(p.Body, `id="card-login"`) {
		t.Errorf("%s", p.URL)
	}
	if again := enter(t, h, b, "prompt", "login"); again["auth_time"].(float64) <= first["auth_time"].(float64) || again["sub"] != first["sub"] {
		t.Errorf("%v after %v", again["auth_time"], first["auth_time"])
	}
}

// TestMaxAge: conformance suite: oidcc-max-age-1, oidcc-max-age-10000. A login made for the request satisfies it whatever its number.
func TestMaxAge(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	b := h.Browser(t)
	first := enter(t, h, b, "max_age", "15000")
	c.advance(2 * time.Second)
	if kept := atOnce(t, h, b, "max_age", "10000"); kept["auth_time"] != first["auth_time"] || kept["sub"] != first["sub"] {
		t.Errorf("max_age=10000: %v after %v", kept, first)
	}
	atOnce(t, h, b, "max_age", "2")
	wantRefusal(t, b, "login_required", "max_age", "1", "prompt", "none")
	if again := enter(t, h, b, "max_age", "1"); again["auth_time"].(float64) < first["auth_time"].(float64)+2 {
		t.Errorf("max_age=1: %v after %v", again["auth_time"], first["auth_time"])
	}
	wantRefusal(t, b, "login_required", "max_age", "0", "prompt", "none")
	enter(t, h, b, "max_age", "0")
	for _, garbage := range []string{"-1", "1.5", "soon", "0x10", " 1", "99999999999999999999"} {
		wantRefusal(t, b, "invalid_request", "max_age", garbage)
	}
}

// TestIDTokenHint: conformance suite: oidcc-id-token-hint. The hint may have expired, and its key may be retired; it has to be of this
// person, of this client and ours.
func TestIDTokenHint(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	must(t, h.Keys.Rotate(t.Context(), keys.ES256))
	c.advance(24*time.Hour - 10*time.Minute)
	taro, hint, _ := withHint(t, h, "taro")
	hanako, _, _ := withHint(t, h, "hanako")
	first := payloadOfHint(t, hint)
	c.advance(20 * time.Minute)
	must(t, h.Keys.Advance(t.Context()))
	second := atOnce(t, h, taro, "prompt", "none", "id_token_hint", hint)
	if second["sub"] != first["sub"] || second["auth_time"] != first["auth_time"] {
		t.Errorf("%v after %v", second, first)
	}
	wantRefusal(t, hanako, "login_required", "prompt", "none", "id_token_hint", hint)
	if p := hanako.Get(idptest.NewRequest("id_token_hint", hint).Path()); p.URL.Path != "/login" {
		t.Errorf("of somebody else: %s", p.URL)
	}
	wantRefusal(t, h.Browser(t), "login_required", "prompt", "none", "id_token_hint", hint)
	parts := strings.Split(hint, ".")
	for name, bad := range map[string]string{
		"no token": "x", "altered": parts[0] + "." + parts[1] + "x." + parts[2], "without signature": parts[0] + "." + parts[1] + ".",
	} {
		t.Log(name)
		wantRefusal(t, taro, "invalid_request", "id_token_hint", bad)
	}
	wantRefusal(t, taro, "invalid_request", "id_token_hint", hint, "client_id", idptest.OtherID, "redirect_uri", idptest.OtherURI)
}

// TestSelectAccount: the page says that another card will do, and the service gets whoever's card it was.
func TestSelectAccount(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	first := enter(t, h, b)
	r := idptest.NewRequest("prompt", "select_account")
	login := b.Get(r.Path())
	if login.URL.Path != "/login" || !strings.Contains(login.Body, "別の人のカード") {
		t.Fatalf("%s\n%s", login.URL, login.Body)
	}
	code := b.SignIn(login, "hanako").URL.Query().Get("code")
	if second := payloadOfHint(t, h.Redeem(t, code, r).Text("id_token")); second["sub"] == first["sub"] {
		t.Error("the card did not choose")
	}
}

// TestWishesOfARequest: what a request may only wish for never makes it fail. Conformance suite: oidcc-display-page, oidcc-display-popup,
// oidcc-ui-locales, oidcc-claims-locales, oidcc-login-hint, oidcc-ensure-request-with-acr-values-succeeds,
// oidcc-ensure-request-with-unknown-parameter-succeeds.
func TestWishesOfARequest(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	enter(t, h, b)
	for _, wish := range [][2]string{
		{"display", "page"}, {"display", "popup"}, {"display", "touch"}, {"display", "wap"}, {"ui_locales", "se"}, {"ui_locales", "en ja"},
		{"claims_locales", "se"}, {"login_hint", "buffy@hub.example"}, {"acr_values", "1 2"}, {"acr_values", "phrh"}, {"extra", "foobar"},
	} {
		atOnce(t, h, b, wish[0], wish[1])
	}
	p := h.Browser(t).Get(idptest.NewRequest("ui_locales", "fr en ja", "login_hint", "buffy@hub.example").Path())
	if !strings.Contains(p.Body, `<html lang="en"`) || strings.Contains(p.Body, "buffy") {
		t.Errorf("ui_locales: %s", p.URL)
	}
}

// TestSessionEndsByItself: 30 minutes unused, 12 hours at most; after that prompt=none finds nobody.
func TestSessionEndsByItself(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	b := h.Browser(t)
	enter(t, h, b)
	c.advance(29 * time.Minute)
	wantSignedIn(t, b, true)
	c.advance(29 * time.Minute) // that was use
	wantSignedIn(t, b, true)
	c.advance(30*time.Minute + time.Second)
	wantSignedIn(t, b, false)
	if p := b.Get("/account"); p.URL.Path != "/login" {
		t.Errorf("account page: %s", p.URL)
	}

	b = h.Browser(t)
	enter(t, h, b)
	for range 11*60/25 + 2 {
		c.advance(25 * time.Minute)
		wantSignedIn(t, b, true)
	}
	c.advance(19 * time.Minute)
	wantSignedIn(t, b, true)
	c.advance(2 * time.Minute) // used a moment ago, and over
	wantSignedIn(t, b, false)
	if resp, err := h.Client().Do(b.Request(http.MethodGet, h.Issuer+"/account", nil)); err != nil || resp.StatusCode != http.StatusSeeOther {
		t.Errorf("account page: %v", err)
	}
}
