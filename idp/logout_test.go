package idp_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/keys"
)

var logoutToken = regexp.MustCompile(`name="token" value="([^"]+)"`)

// signOut answers the question that an address asks with "all", and returns the page after it.
func signOut(t *testing.T, b *idptest.Browser, address string) idptest.Page {
	t.Helper()
	p := b.Get(address)
	m := logoutToken.FindStringSubmatch(p.Body)
	if m == nil {
		t.Fatalf("no question at %s: %d %s", p.URL, p.Status, p.Error())
	}
	return b.Post("/end-session/confirm", url.Values{"token": {m[1]}, "scope": {"all"}})
}

// payloadOfHint reads the claims of an ID token.
func payloadOfHint(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWS: %q", token)
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(b, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// withHint is a browser with a session, the ID token the service got, and a state with every character that may be in one.
func withHint(t *testing.T, h *idptest.Hub, card string) (b *idptest.Browser, hint, state string) {
	t.Helper()
	b = h.Browser(t)
	r := idptest.NewRequest()
	hint = h.Redeem(t, h.Code(t, b, r, card), r).Text("id_token")
	var all strings.Builder
	for c := byte(0x20); c < 0x7f; c++ {
		all.WriteByte(c)
	}
	return b, hint, all.String()
}

func endSession(pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Add(pairs[i], pairs[i+1])
	}
	return "/end-session?" + q.Encode()
}

func wantSignedIn(t *testing.T, b *idptest.Browser, want bool) {
	t.Helper()
	p := b.Get(idptest.NewRequest("prompt", "none").Path())
	if in := p.URL.Query().Has("code"); in != want || !in && p.URL.Query().Get("error") != "login_required" {
		t.Errorf("signed in: %v, want %v (%s)", in, want, p.URL)
	}
}

// TestEndSessionWithHint: the service proves that it speaks for this session: nothing is asked, state comes back untouched and alone,
// and prompt=none finds nobody. The hint may be old, and its key retired. Conformance suite: oidcc-rp-initiated-logout.
func TestEndSessionWithHint(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	for _, age := range []time.Duration{0, 20 * time.Minute} {
		name := "hint of " + age.String()
		if age != 0 { // the key that signed the hint is retired meanwhile
			must(t, h.Keys.Rotate(t.Context(), keys.ES256))
			c.advance(24*time.Hour - 10*time.Minute)
		}
		b, hint, state := withHint(t, h, "taro")
		c.advance(age)
		must(t, h.Keys.Advance(t.Context()))
		if signed, err := h.Keys.Sign(keys.ES256, "JWT", struct{}{}); err != nil || (signed[:60] == hint[:60]) != (age == 0) {
			t.Errorf("%s: the key did not change hands: %v", name, err)
		}
		p := b.Get(endSession("id_token_hint", hint, "post_logout_redirect_uri", idptest.LogoutURI, "state", state))
		q := p.URL.Query()
		if p.Body != "" || !strings.HasPrefix(p.URL.String(), idptest.LogoutURI+"?") || len(q) != 1 || q.Get("state") != state {
			t.Errorf("%s: %d %s %s", name, p.Status, p.URL, p.Error())
		}
		wantSignedIn(t, b, false)
	}
	b, hint, _ := withHint(t, h, "taro")
	if p := b.Get(endSession("id_token_hint", hint, "post_logout_redirect_uri", idptest.LogoutURI)); p.URL.String() != idptest.LogoutURI { // oidcc-rp-initiated-logout-no-state
		t.Errorf("without state: %s", p.URL)
	}
	// Signed out already: the service gets the citizen back all the same.
	if p := b.Get(endSession("id_token_hint", hint, "post_logout_redirect_uri", idptest.LogoutURI, "client_id", idptest.ClientID, "logout_hint", "x")); p.URL.String() != idptest.LogoutURI {
		t.Errorf("twice: %s", p.URL)
	}
	// RP-Initiated Logout §2: POST as well, from the service's page.
	b, hint, _ = withHint(t, h, "taro")
	if p := b.Post("/end-session", url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {idptest.LogoutURI}, "state": {"s"}}); p.URL.String() != idptest.LogoutURI+"?state=s" {
		t.Errorf("POST: %s %s", p.URL, p.Error())
	}
	wantSignedIn(t, b, false)
}

// TestEndSessionWithoutWayBack: signed out, and told so. Conformance suite: oidcc-rp-initiated-logout-no-params, -only-state,
// -no-post-logout-redirect-uri.
func TestEndSessionWithoutWayBack(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	for _, query := range []string{"", "?state=x", "?client_id=app"} {
		b, _, _ := withHint(t, h, "taro")
		if p := signOut(t, b, "/end-session"+query); p.URL.Path != "/signed-out" || p.Status != http.StatusOK || p.Error() != "" {
			t.Errorf("%q: %d %s %s", query, p.Status, p.URL, p.Error())
		}
		wantSignedIn(t, b, false)
	}
	b, hint, _ := withHint(t, h, "taro")
	if p := b.Get(endSession("id_token_hint", hint, "state", "x")); p.URL.Path != "/signed-out" || p.Error() != "" {
		t.Errorf("hint alone: %s %s", p.URL, p.Error())
	}
	wantSignedIn(t, b, false)
}

// TestEndSessionRefusals: nothing is redirected, nobody is signed out, and the page offers to sign out. Conformance suite:
// oidcc-rp-initiated-logout-bad-id-token-hint, -modified-id-token-hint, -no-id-token-hint, -bad-post-logout-redirect-uri,
// -query-added-to-post-logout-redirect-uri.
func TestEndSessionRefusals(t *testing.T) {
	h, foreign := idptest.Start(t, idptest.Options{}), idptest.Start(t, idptest.Options{})
	b, hint, _ := withHint(t, h, "taro")
	_, other, _ := withHint(t, foreign, "taro")
	r := idptest.NewRequest()
	access := h.Redeem(t, h.Code(t, b, r, "taro"), r).Text("access_token")
	parts := strings.Split(hint, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."
	logout, err := h.Keys.Sign(keys.ES256, "logout+jwt", payloadOfHint(t, hint))
	must(t, err)
	claims := payloadOfHint(t, hint)
	claims["iss"] = "https://other.example"
	elsewhere, err := h.Keys.Sign(keys.ES256, "JWT", claims)
	must(t, err)
	const back = "post_logout_redirect_uri"
	for name, address := range map[string]string{
		"signed elsewhere":          endSession("id_token_hint", other, back, idptest.LogoutURI),
		"alg none":                  endSession("id_token_hint", none, back, idptest.LogoutURI),
		"altered":                   endSession("id_token_hint", parts[0]+"."+parts[1]+"x."+parts[2], back, idptest.LogoutURI),
		"no token":                  endSession("id_token_hint", "x", back, idptest.LogoutURI),
		"access token":              endSession("id_token_hint", access, back, idptest.LogoutURI),
		"logout token":              endSession("id_token_hint", logout, back, idptest.LogoutURI),
		"of another issuer":         endSession("id_token_hint", elsewhere, back, idptest.LogoutURI),
		"way back without client":   endSession(back, idptest.LogoutURI, "state", "x"),
		"not registered":            endSession("id_token_hint", hint, back, "https://app.example/elsewhere"),
		"query added":               endSession("id_token_hint", hint, back, idptest.LogoutURI+"?foo=bar"),
		"of another service":        endSession("client_id", idptest.OtherID, back, idptest.LogoutURI),
		"hint and client disagree":  endSession("id_token_hint", hint, "client_id", idptest.OtherID),
		"repeated":                  endSession("id_token_hint", hint, back, idptest.LogoutURI, back, idptest.LogoutURI),
		"state that is not visible": endSession("id_token_hint", hint, back, idptest.LogoutURI, "state", "a\x01"),
	} {
		p := b.Get(address)
		if p.Status != http.StatusBadRequest || p.Error() != "logout_invalid" || !strings.Contains(p.Body, `href="/end-session"`) {
			t.Errorf("%s: %d %s %q", name, p.Status, p.URL, p.Error())
		}
	}
	if p := b.Get(endSession("client_id", "nobody")); p.Error() != "unknown_client" {
		t.Errorf("unknown client: %s %q", p.URL, p.Error())
	}
	wantSignedIn(t, b, true)
}

// TestEndSessionAsks: a service that cannot prove the session gets the citizen back after they decided, and only then.
func TestEndSessionAsks(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b, _, state := withHint(t, h, "taro")
	address := endSession("client_id", idptest.ClientID, "post_logout_redirect_uri", idptest.LogoutURI, "state", state)
	ask := b.Get(address + "&ui_locales=en")
	if !strings.Contains(ask.Body, "<html lang=\"en\"") || !strings.Contains(ask.Body, `id="logout-cancel"`) {
		t.Errorf("ui_locales: %s", ask.URL)
	}
	wantSignedIn(t, b, true)
	if p := signOut(t, b, address); !strings.HasPrefix(p.URL.String(), idptest.LogoutURI) || p.URL.Query().Get("state") != state {
		t.Errorf("decided: %s %s", p.URL, p.Error())
	}
	wantSignedIn(t, b, false)
	// The hint of another session, of the same person or not, proves nothing about this one.
	b, _, _ = withHint(t, h, "taro")
	for _, card := range []string{"taro", "hanako"} {
		_, hint, _ := withHint(t, h, card)
		if p := b.Get(endSession("id_token_hint", hint, "post_logout_redirect_uri", idptest.LogoutURI)); !strings.Contains(p.Body, `id="logout-confirm"`) {
			t.Errorf("hint of another session: %s %s", p.URL, p.Error())
		}
	}
	wantSignedIn(t, b, true)
	if p := b.Post("/end-session/confirm", url.Values{"token": {strings.Repeat("A", 22)}, "scope": {"all"}}); p.Error() != "logout_invalid" {
		t.Errorf("unknown question: %s", p.Error())
	}
	wantSignedIn(t, b, true)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
