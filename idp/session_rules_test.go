package idp_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/idp"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestAlwaysCardService: a service that wants the card each time is entered with a card that was read for it, and with nothing else.
func TestAlwaysCardService(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Domain: true, Clients: []map[string]any{ruledClient(map[string]any{"always_card": true})}})
	b := h.Browser(t)
	d := h.Authenticator()
	atPasskeys(t, h, b, "taro")
	b.AddPasskey(d, "鍵")
	for range 2 {
		if e := silently(b, ruledRequest()); e != "login_required" {
			t.Errorf("without anybody asked: %q", e)
		}
		p := b.Get(ruledRequest().Path())
		if p.URL.Path != "/login" || !strings.Contains(p.Body, `data-notice="always-card"`) || !strings.Contains(p.Body, `id="phone-refused"`) {
			t.Fatalf("%s", p.URL)
		}
		if p = b.Get("/login/passkey?" + url.Values{"tx": {p.Tx()}}.Encode()); p.URL.Path != "/login/passkey/refused" {
			t.Errorf("a passkey is asked for: %s", p.URL)
		}
		h.Code(t, b, ruledRequest(), "taro")
	}
	if e := silently(b, idptest.NewRequest("scope", "openid")); e != "consent_required" && e != "" {
		t.Errorf("another service: %q", e)
	}
}

// atPasskeys signs in with the card where passkeys are added.
func atPasskeys(t *testing.T, h *idptest.Hub, b *idptest.Browser, card string) {
	t.Helper()
	if p := b.SignIn(b.Get("/account/passkeys"), card); p.URL.Path != "/account/passkeys" {
		t.Fatalf("signed in: %d %s", p.Status, p.URL)
	}
	_ = h
}

// TestCitizenWantsHerCardAskedFor: her choice for a service binds it as the service's own would, refreshes of what a passkey got included;
// and only who has her card takes it back.
func TestCitizenWantsHerCardAskedFor(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now, Domain: true})
	b := h.Browser(t)
	d := h.Authenticator()
	atPasskeys(t, h, b, "taro")
	b.AddPasskey(d, "鍵")
	h.Code(t, b, idptest.NewRequest(), "taro")
	// another browser, by passkey
	other := h.Browser(t)
	r := idptest.NewRequest()
	login := other.Get(r.Path())
	p := other.Post("/login/passkey", other.PasskeyForm(login, d))
	a := h.Redeem(t, p.URL.Query().Get("code"), r)
	if a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Raw)
	}
	rules := "/account/services/" + idptest.ClientID
	if p := b.Post(rules, url.Values{"always_card": {"yes"}}); p.URL.RequestURI() != rules+"?done=always" || !strings.Contains(p.Body, `id="always-on"`) {
		t.Fatalf("%d %s", p.Status, p.URL)
	}
	audited(t, h, "session.rule_chosen", "")
	if p := b.Get("/account"); !strings.Contains(p.Body, "data-always-card") {
		t.Error("the account page does not say so")
	}
	for _, who := range []*idptest.Browser{b, other} {
		if e := silently(who, idptest.NewRequest()); e != "login_required" {
			t.Errorf("entered without the card: %q", e)
		}
	}
	if a := h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(a.Text("refresh_token"))); a.Text("error") != "invalid_grant" {
		t.Errorf("what a passkey got is refreshed: %d %s", a.Status, a.Raw)
	}
	// Whoever comes by passkey is asked for the card after it.
	third := h.Browser(t)
	login = third.Get(idptest.NewRequest().Path())
	p = third.Post("/login/passkey", third.PasskeyForm(login, d))
	if p.URL.Path != "/login" || !strings.Contains(p.Body, `data-notice="always-card"`) {
		t.Fatalf("by passkey: %s", p.URL)
	}
	if p = third.SignIn(p, "taro"); p.URL.Query().Get("code") == "" {
		t.Errorf("and then by card: %s", p.URL)
	}
	// Taking it back needs a card that was read a moment ago.
	if p := other.Post(rules, url.Values{"always_card": {"no"}}); p.URL.Path != "/login" {
		t.Errorf("a passkey takes it back: %s", p.URL)
	}
	c.advance(11 * time.Minute)
	if p := b.Post(rules, url.Values{"always_card": {"no"}}); p.URL.Path != "/login" {
		t.Errorf("an old sign-in takes it back: %s", p.URL)
	}
	b.SignIn(b.Post(rules, url.Values{"always_card": {"no"}}), "taro")
	if p := b.Post(rules, url.Values{"always_card": {"no"}}); p.URL.RequestURI() != rules+"?done=usual" {
		t.Errorf("%d %s", p.Status, p.URL)
	}
	if e := silently(b, idptest.NewRequest()); e != "" {
		t.Errorf("afterwards: %q", e)
	}
	for _, odd := range []string{"/account/services/nobody", "/account/services/" + strings.Repeat("x", 300)} {
		if p := b.Post(odd, url.Values{"always_card": {"yes"}}); p.Status != http.StatusNotFound {
			t.Errorf("%s: %d", odd, p.Status)
		}
	}
	if p := b.Post(rules, url.Values{"always_card": {"perhaps"}}); p.Status != http.StatusBadRequest {
		t.Errorf("%d", p.Status)
	}
}

func governmentClient() map[string]any { return ruledClient(map[string]any{"category": "government"}) }

// redeemed runs a request to its end and returns the session id that the service is told.
func redeemed(t *testing.T, h *idptest.Hub, b *idptest.Browser, r idptest.Request, secret, card string) (sid, idToken string) {
	t.Helper()
	a := h.PostForm(t, "/token", r.Params.Get("client_id"), secret, idptest.CodeForm(h.Code(t, b, r, card), r))
	if a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Raw)
	}
	idToken = a.Text("id_token")
	sid, _ = payloadOfHint(t, idToken)["sid"].(string)
	return sid, idToken
}

func separate() idp.SessionRules {
	return idp.SessionRules{Separate: [][2]clients.SessionClass{{clients.ClassGovernment, clients.ClassPrivate}}}
}

// TestGovernmentAndPrivateShareNoSession: where classes are kept apart, a session of the one is nothing to the other: two sign-ins, two
// sessions, two sign-outs. The hub's own page signs out of both, and another person in one of them ends the other.
func TestGovernmentAndPrivateShareNoSession(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Session: separate(), Clients: []map[string]any{governmentClient()}})
	b := h.Browser(t)
	redeemed(t, h, b, ruledRequest(), "", "taro")
	if e := silently(b, idptest.NewRequest()); e != "login_required" {
		t.Errorf("a private service on the government's session: %q", e)
	}
	_, private := redeemed(t, h, b, idptest.NewRequest(), idptest.Secret, "taro")
	if e := silently(b, ruledRequest()); e != "" {
		t.Errorf("the government's after the private sign-in: %q", e)
	}
	if p := b.Get("/account/devices"); strings.Count(p.Body, "data-session=") != 2 || strings.Count(p.Body, "data-current") != 2 || !strings.Contains(p.Body, `id="apart-here"`) {
		t.Errorf("%d sessions listed", strings.Count(p.Body, "data-session="))
	}
	b.Get("/end-session?" + url.Values{"id_token_hint": {private}, "client_id": {idptest.ClientID}}.Encode())
	if silently(b, ruledRequest()) != "" || silently(b, idptest.NewRequest()) != "login_required" {
		t.Error("signing out of the private service did not end its session and no other")
	}
	if n := counted(t, h.DB, `SELECT COUNT(*) FROM logout_delivery WHERE client = $1`, ruledID); n != 0 {
		t.Errorf("the government's service was told %d times", n)
	}
	redeemed(t, h, b, idptest.NewRequest(), idptest.Secret, "taro")
	signOut(t, b, "/end-session")
	if silently(b, ruledRequest()) != "login_required" || silently(b, idptest.NewRequest()) != "login_required" {
		t.Error("the hub's own page did not sign out of both")
	}
	redeemed(t, h, b, ruledRequest(), "", "taro")
	redeemed(t, h, b, idptest.NewRequest(), idptest.Secret, "hanako")
	if e := silently(b, ruledRequest()); e != "login_required" {
		t.Errorf("two people in one browser: %q", e)
	}
}

// TestCitizenKeepsClassesApart: by her own choice, at a hub that does not. What her session had of the other class is left at once.
func TestCitizenKeepsClassesApart(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{governmentClient()}})
	b, hanako := h.Browser(t), h.Browser(t)
	redeemed(t, h, b, ruledRequest(), "", "taro")
	redeemed(t, h, b, idptest.NewRequest(), idptest.Secret, "taro")
	redeemed(t, h, hanako, ruledRequest(), "", "hanako")
	redeemed(t, h, hanako, idptest.NewRequest(), idptest.Secret, "hanako")
	if p := b.Post("/account/devices/apart", url.Values{"apart": {"yes"}}); p.URL.RequestURI() != "/account/devices?done=apart" {
		t.Fatalf("%d %s", p.Status, p.URL)
	}
	if n := counted(t, h.DB, `SELECT COUNT(*) FROM logout_delivery WHERE client = $1 AND reason = 'service'`, idptest.ClientID); n != 1 {
		t.Errorf("the private service was told %d times", n)
	}
	if silently(b, idptest.NewRequest()) != "login_required" || silently(b, ruledRequest()) != "" {
		t.Error("not kept apart")
	}
	redeemed(t, h, b, idptest.NewRequest(), idptest.Secret, "taro")
	if silently(b, idptest.NewRequest()) != "" || silently(b, ruledRequest()) != "" {
		t.Error("two sessions do not stand beside each other")
	}
	if silently(hanako, idptest.NewRequest()) != "" {
		t.Error("another person's sessions are kept apart as well")
	}
	if p := b.Post("/account/devices/apart", url.Values{"apart": {"no"}}); p.URL.RequestURI() != "/account/devices?done=together" {
		t.Errorf("%d %s", p.Status, p.URL)
	}
	if silently(b, idptest.NewRequest()) != "" || silently(b, ruledRequest()) != "" {
		t.Error("after that")
	}
}

// TestSharedComputer: a session there is short, leaves nothing in the browser, cannot make a passkey, and every page signs out with a press.
func TestSharedComputer(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now, Domain: true})
	b := h.Browser(t)
	p := b.Get("/account")
	if p = b.Post("/login/shared", url.Values{"tx": {p.Tx()}, "shared": {"yes"}}); p.URL.Path != "/login" || !strings.Contains(p.Body, "data-shared") {
		t.Fatalf("%d %s", p.Status, p.URL)
	}
	back := b.CardLogin(p, "taro")
	resp, err := h.Client().Do(b.Request(http.MethodGet, back, nil))
	must(t, err)
	_ = resp.Body.Close()
	p = b.Finish(b.Get(b.CardLogin(b.Get("/account"), "taro")))
	if !strings.Contains(p.Body, `id="shared-sign-out"`) {
		t.Errorf("no way out on %s", p.URL)
	}
	for _, cookie := range resp.Header["Set-Cookie"] {
		if (strings.Contains(cookie, "-session=") || strings.Contains(cookie, "-way=")) && strings.Contains(cookie, "Max-Age=") && !strings.Contains(cookie, "Max-Age=0") {
			t.Errorf("outlives the browser: %s", cookie)
		}
	}
	if p := b.Get("/account/passkeys/new"); p.URL.Path != "/account/passkeys" || !strings.Contains(p.Body, `id="passkeys-shared"`) {
		t.Errorf("a passkey is offered at %s", p.URL)
	}
	if p := b.Get("/account/devices"); !strings.Contains(p.Body, "chip-warn") {
		t.Error("the list of devices does not say that it is shared")
	}
	c.advance(9 * time.Minute)
	if !knownToHub(b) {
		t.Fatal("over too early")
	}
	if p := b.Post("/session/sign-out", nil); p.URL.Path != "/signed-out" || knownToHub(b) {
		t.Errorf("signed out at %s", p.URL)
	}
	b.SignIn(b.Get("/account"), "taro") // said once, it holds for who comes next
	c.advance(10*time.Minute + 2*time.Second)
	if knownToHub(b) {
		t.Error("still signed in after ten minutes")
	}
	p = b.Get("/account")
	if p = b.Post("/login/shared", url.Values{"tx": {p.Tx()}, "shared": {"no"}}); strings.Contains(p.Body, "data-shared") {
		t.Error("cannot be taken back")
	}
	b.SignIn(p, "taro")
	c.advance(15 * time.Minute)
	if !knownToHub(b) {
		t.Error("a computer of one's own has the short time as well")
	}
	if p := b.Post("/login/shared", url.Values{"tx": {p.Tx()}, "shared": {"x"}}); p.Status == http.StatusOK {
		t.Errorf("%d", p.Status)
	}
}

var refreshTo = regexp.MustCompile(`^(\d+); url=(/session/ending\?back=[^;]*)$`)

// TestWarningBeforeTheEnd: a page leads to the warning without script, the warning is no use of the session, one press goes on, and it says
// when it is too late. A page with a form leads nowhere.
func TestWarningBeforeTheEnd(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now, Session: idp.SessionRules{Idle: 10 * time.Minute, Absolute: time.Hour, Warn: 2 * time.Minute}})
	b := atHome(t, h, "taro")
	p := b.Get("/account/devices")
	m := refreshTo.FindStringSubmatch(p.Header.Get("Refresh"))
	if m == nil || m[1] != "480" || !strings.Contains(p.Body, "data-session-ends=") {
		t.Fatalf("Refresh: %q", p.Header.Get("Refresh"))
	}
	if p := b.Get("/account/details"); p.Header.Get("Refresh") != "" || !strings.Contains(p.Body, `id="session-warning"`) || !strings.Contains(p.Body, `data-after="480"`) {
		t.Errorf("a form is led away from: %q", p.Header.Get("Refresh"))
	}
	c.advance(8 * time.Minute)
	for range 2 { // reading it twice changes nothing
		if p = b.Get(m[2]); p.URL.Path != "/session/ending" || !strings.Contains(p.Body, `id="session-continue"`) || !strings.Contains(p.Body, `value="/account/devices"`) {
			t.Fatalf("%d %s", p.Status, p.URL)
		}
		if p.Header.Get("Refresh") == "" {
			t.Error("the warning does not say when it is over")
		}
		c.advance(30 * time.Second)
	}
	if p = b.Post("/session/continue", url.Values{"back": {"/account/devices"}}); p.URL.RequestURI() != "/account/devices" {
		t.Fatalf("%d %s", p.Status, p.URL)
	}
	c.advance(9 * time.Minute)
	if !knownToHub(b) {
		t.Error("one press did not put off the end")
	}
	c.advance(11 * time.Minute)
	if p = b.Get(m[2]); !strings.Contains(p.Body, `id="session-over"`) || !strings.Contains(p.Body, `href="/account/devices"`) {
		t.Errorf("after the end: %s", p.URL)
	}
	if p = b.Post("/session/continue", url.Values{"back": {"/account/devices"}}); p.URL.Path != "/login" {
		t.Errorf("too late: %s", p.URL)
	}
	b.SignIn(p, "taro")
	for range 9 {
		c.advance(6*time.Minute + 20*time.Second)
		knownToHub(b)
	}
	c.advance(2*time.Minute + 30*time.Second)
	if p = b.Post("/session/continue", url.Values{"back": {"/account"}}); p.URL.Path != "/login" {
		t.Fatalf("a session that is as old as they get goes on without the card: %s", p.URL)
	}
	if p = b.SignIn(p, "taro"); p.URL.Path != "/account" {
		t.Errorf("%s", p.URL)
	}
	c.advance(9 * time.Minute)
	if !knownToHub(b) {
		t.Error("the card did not begin anew")
	}
	for _, evil := range []string{"https://evil.example/", "//evil.example/account/x", "/account/../end-session", "/account//evil", "/accountx", "/account/%0d", `/account/\evil`, ""} {
		if p := b.Post("/session/continue", url.Values{"back": {evil}}); p.URL.Host != strings.TrimPrefix(h.Issuer, "http://") || p.URL.Path != "/account" {
			t.Errorf("%q leads to %s", evil, p.URL)
		}
	}
}

// TestDevicesAreEndedOneByOne: one service of one session, one session, and nothing of anybody else's.
func TestDevicesAreEndedOneByOne(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	mine, phone, stranger := h.Browser(t), h.Browser(t), h.Browser(t)
	other := idptest.NewRequest("client_id", idptest.OtherID, "redirect_uri", idptest.OtherURI)
	h.Code(t, mine, idptest.NewRequest(), "taro")
	h.Code(t, phone, idptest.NewRequest(), "taro")
	h.Code(t, phone, other, "taro")
	h.Code(t, stranger, idptest.NewRequest(), "hanako")
	at := deviceOf(t, mine, false)
	p := mine.Get(at)
	if strings.Count(p.Body, "data-entered=") != 2 {
		t.Fatalf("%d services at %s", strings.Count(p.Body, "data-entered="), p.URL)
	}
	if p := stranger.Post(at, url.Values{"end": {"session"}}); p.URL.RequestURI() != "/account/devices?done=gone" || !knownToHub(phone) {
		t.Errorf("somebody else's: %s", p.URL)
	}
	if p := mine.Post(at, url.Values{"end": {"service"}, "client": {idptest.OtherID}}); p.URL.RequestURI() != "/account/devices?done=service" {
		t.Errorf("%d %s", p.Status, p.URL)
	}
	if n := counted(t, h.DB, `SELECT COUNT(*) FROM logout_delivery WHERE client = $1 AND reason = 'service'`, idptest.OtherID); n != 1 {
		t.Errorf("told %d times", n)
	}
	if p := mine.Get(at); strings.Count(p.Body, "data-entered=") != 1 || !knownToHub(phone) {
		t.Error("more ended than the one service")
	}
	if p := mine.Post(at, url.Values{"end": {"session"}}); p.URL.RequestURI() != "/account/devices?done=session" || knownToHub(phone) || !knownToHub(mine) {
		t.Errorf("the other device: %s", p.URL)
	}
	if p := mine.Post(at, url.Values{"end": {"session"}}); p.URL.RequestURI() != "/account/devices?done=gone" {
		t.Errorf("once more: %s", p.URL)
	}
	if p := mine.Post(deviceOf(t, mine, true), url.Values{"end": {"x"}}); p.Status != http.StatusBadRequest {
		t.Errorf("%d", p.Status)
	}
	if p := mine.Post(deviceOf(t, mine, true), url.Values{"end": {"session"}}); p.URL.Path != "/signed-out" || knownToHub(mine) {
		t.Errorf("this device: %s", p.URL)
	}
	if !knownToHub(stranger) {
		t.Error("another person was signed out")
	}
}

var deviceLink = regexp.MustCompile(`data-session="([^"]*)"( data-current)?`)

// deviceOf returns the page of one session of the list: this browser's, or another.
func deviceOf(t *testing.T, b *idptest.Browser, current bool) string {
	t.Helper()
	for _, m := range deviceLink.FindAllStringSubmatch(b.Get("/account/devices").Body, -1) {
		if (m[2] != "") == current {
			return "/account/devices/" + m[1]
		}
	}
	t.Fatal("no such session in the list")
	return ""
}
