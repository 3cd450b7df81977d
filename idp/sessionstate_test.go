package idp_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

const stateCookie = "__Host-tsunagu-hub-state"

// browserState is the cookie that the frame's script would read.
func browserState(t *testing.T, h *idptest.Hub, b *idptest.Browser) string {
	t.Helper()
	c, err := b.Request(http.MethodGet, h.Issuer+"/", nil).Cookie(stateCookie)
	if err != nil {
		return ""
	}
	return c.Value
}

// frameSays is what check-session.js works out.
func frameSays(sessionState, client, origin, state string) string {
	want, salt, ok := strings.Cut(sessionState, ".")
	d := sha256.Sum256([]byte(client + " " + origin + " " + state + " " + salt))
	switch {
	case !ok:
		return "error"
	case hex.EncodeToString(d[:]) == want:
		return "unchanged"
	}
	return "changed"
}

// TestSessionStateFollowsTheSignIn: unchanged while the person is signed in, whoever asks again; changed once they signed out, or
// somebody else signed in. Session Management §2, §3.2; conformance suite: oidcc-session-management-rp-initiated-logout.
func TestSessionStateFollowsTheSignIn(t *testing.T) {
	h := idptest.Start(t, idptest.Options{TLS: true})
	b := h.Browser(t)
	enter := func(card string, changes ...string) string {
		t.Helper()
		p := b.Get(idptest.NewRequest(changes...).Path())
		if p.Body != "" {
			p = b.SignIn(p, card)
		}
		state := p.URL.Query().Get("session_state")
		if p.URL.Query().Get("code") == "" || strings.Contains(state, " ") || len(state) < 64+1+16 {
			t.Fatalf("%d %s %s", p.Status, p.URL, p.Error())
		}
		return state
	}
	first := enter("taro")
	says := func(state string) string {
		return frameSays(state, idptest.ClientID, "https://app.example", browserState(t, h, b))
	}
	if got := says(first); got != "unchanged" {
		t.Fatalf("signed in: %s", got)
	}
	second := enter("taro", "prompt", "none")
	if second == first {
		t.Error("the salt is not random")
	}
	enter("taro", "prompt", "login") // the same person: nothing that a service need ask about
	for _, state := range []string{first, second} {
		if got := says(state); got != "unchanged" {
			t.Errorf("still signed in: %s", got)
		}
	}
	if got := frameSays(first, idptest.ClientID, "https://evil.example", browserState(t, h, b)); got != "changed" {
		t.Errorf("another origin learns something: %s", got)
	}
	other := enter("hanako", "prompt", "login")
	if says(first) != "changed" || says(other) != "unchanged" {
		t.Errorf("somebody else signed in: %s, %s", says(first), says(other))
	}
	signOut(t, b, "/end-session")
	if says(other) != "changed" || browserState(t, h, b) == "" {
		t.Errorf("signed out: %s", says(other))
	}
	// Nobody is signed in: the service is told so, with a state to watch.
	p := b.Get(idptest.NewRequest("prompt", "none").Path())
	nobody := p.URL.Query().Get("session_state")
	if p.URL.Query().Get("error") != "login_required" || says(nobody) != "unchanged" {
		t.Errorf("%s: %s", p.URL, says(nobody))
	}
	enter("taro")
	if says(nobody) != "changed" {
		t.Error("signing in is not seen")
	}
	if p := b.Post("/account/sign-out-everywhere", nil); p.Status != http.StatusOK || says(nobody) != "changed" || browserState(t, h, b) == "" {
		t.Errorf("signed out everywhere: %d", p.Status)
	}
}

// TestSessionStateIsForWhoCanWatch: not over http, not without openid, and not in an error that the citizen caused.
func TestSessionStateIsForWhoCanWatch(t *testing.T) {
	plain := idptest.Start(t, idptest.Options{})
	b := plain.Browser(t)
	if p := b.SignIn(b.Get(idptest.NewRequest().Path()), "taro"); p.URL.Query().Has("session_state") || p.URL.Query().Get("code") == "" {
		t.Errorf("over http: %s", p.URL)
	}
	if p := b.Get("/check-session"); p.Status != http.StatusNotFound {
		t.Errorf("frame over http: %d", p.Status)
	}
	h := idptest.Start(t, idptest.Options{TLS: true})
	b = h.Browser(t)
	if p := b.SignIn(b.Get(idptest.NewRequest("scope", "link").Path()), "taro"); p.URL.Query().Has("session_state") || p.URL.Query().Get("code") == "" {
		t.Errorf("without openid: %s", p.URL)
	}
	if p := b.Get(idptest.NewRequest("scope", "openid", "max_age", "x").Path()); p.URL.Query().Has("session_state") || !p.URL.Query().Has("error") {
		t.Errorf("request in error: %s", p.URL)
	}
}

// TestCheckSessionFrame: any site may frame it; it runs one script of ours, and sets nothing.
func TestCheckSessionFrame(t *testing.T) {
	h := idptest.Start(t, idptest.Options{TLS: true})
	b := h.Browser(t)
	var doc struct{ Check string }
	doc.Check, _ = h.Bearer(t, http.MethodGet, "/.well-known/openid-configuration", "").JSON["check_session_iframe"].(string)
	if !strings.HasPrefix(doc.Check, h.Issuer+"/") {
		t.Fatalf("discovery: %q", doc.Check)
	}
	p := b.Get(doc.Check)
	csp := p.Header.Get("Content-Security-Policy")
	if p.Status != http.StatusOK || csp != "default-src 'none'; script-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors *" ||
		p.Header.Get("X-Frame-Options") != "" || p.Header.Get("Set-Cookie") != "" {
		t.Errorf("%d %q %v", p.Status, csp, p.Header)
	}
	m := regexp.MustCompile(`<script src="(/static/[0-9a-f]+/check-session\.js)" data-cookie="` + stateCookie + `"></script>`).FindStringSubmatch(p.Body)
	if m == nil {
		t.Fatal(p.Body)
	}
	if s := b.Get(m[1]); s.Status != http.StatusOK || !strings.HasPrefix(s.Header.Get("Content-Type"), "text/javascript") {
		t.Errorf("script: %d %s", s.Status, s.Header.Get("Content-Type"))
	}
}

// TestBrowserStateOpensNothing: the cookie that scripts may read is no part of the session's, and ends with the session.
func TestBrowserStateOpensNothing(t *testing.T) {
	h := idptest.Start(t, idptest.Options{TLS: true})
	b := h.Browser(t)
	p := b.SignIn(b.Get(idptest.NewRequest().Path()), "taro")
	var found *http.Cookie
	for _, c := range (&http.Response{Header: p.Header}).Cookies() {
		if c.Name == stateCookie {
			found = c
		}
	}
	if found == nil || found.HttpOnly || !found.Secure || found.SameSite != http.SameSiteNoneMode || found.Path != "/" {
		t.Fatalf("%+v", found)
	}
	if life := time.Duration(found.MaxAge) * time.Second; life < 29*time.Minute || life > 30*time.Minute {
		t.Errorf("lives %v", life)
	}
	for _, c := range b.Request(http.MethodGet, h.Issuer+"/", nil).Cookies() {
		if c.Name != stateCookie && strings.Contains(c.Value, found.Value) {
			t.Errorf("%s holds it too", c.Name)
		}
	}
	stranger := h.Browser(t)
	req := stranger.Request(http.MethodGet, h.Issuer+"/account", nil)
	req.AddCookie(&http.Cookie{Name: stateCookie, Value: found.Value})
	resp, err := h.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusSeeOther {
		t.Errorf("it opened the account page: %d", resp.StatusCode)
	}
}
