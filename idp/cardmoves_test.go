package idp_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// The moves of docs/model/samedevice.pml, sent to a running hub. What other files have is named in docs/threat-model.md.

// TestReturnAddressInAnotherBrowser: the address is stolen before the browser that it is for has used it. It is spent, and logs nobody in; the login itself goes on.
func TestReturnAddressInAnotherBrowser(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	victim, thief := h.Browser(t), h.Browser(t)
	r := idptest.NewRequest()
	login := victim.Get(r.Path())
	back := victim.CardLogin(login, "taro")
	thief.Get(idptest.NewRequest().Path()) // he has a login and a cookie of his own
	if p := thief.Get(back); p.Status != http.StatusForbidden || p.Error() != "other_browser" {
		t.Errorf("the thief sees %d %q", p.Status, p.Error())
	}
	notSignedIn(t, thief)
	if p := victim.Get(back); p.Error() != "return_used" {
		t.Errorf("the victim sees %d %q", p.Status, p.Error())
	}
	notSignedIn(t, victim)
	if p := victim.SignIn(login, "taro"); p.URL.Query().Get("code") == "" {
		t.Errorf("the login did not go on: %s %s", p.URL, p.Error())
	}
}

// TestAttackersReturnAddressSignsNobodyIn is session fixation: the attacker signs in his own login and sends the address to a citizen whose browser is
// in the middle of hers.
func TestAttackersReturnAddressSignsNobodyIn(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	attacker, victim := h.Browser(t), h.Browser(t)
	h.Code(t, attacker, idptest.NewRequest(), "hanako") // he has a folder, so that nothing would ask her anything
	login := victim.Get(idptest.NewRequest().Path())
	at := victim.Challenge(login)
	back := attacker.CardLogin(attacker.Get(idptest.NewRequest("prompt", "login").Path()), "hanako")
	if p := victim.Get(back); p.Error() != "other_browser" {
		t.Errorf("the victim sees %d %q", p.Status, p.Error())
	}
	notSignedIn(t, victim)
	if a := h.Submit(t, at, idptest.Respond(t, h.Fetch(t, at), issue(t, h.PKI.Auth(), profile(h))).Compact(t)); a.Status != http.StatusOK {
		t.Errorf("her own challenge was touched: %d %s", a.Status, a.Raw)
	}
}

// TestResponseMovedToAnotherLogin: what a citizen signed for one login is worth nothing in the attacker's, for the same service or another.
func TestResponseMovedToAnotherLogin(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	victim, attacker := h.Browser(t), h.Browser(t)
	hers := victim.Challenge(victim.Get(idptest.NewRequest().Path()))
	body := idptest.Respond(t, h.Fetch(t, hers), issue(t, h.PKI.Auth(), profile(h))).Compact(t)
	his := attacker.Challenge(attacker.Get(idptest.NewRequest().Path()))
	a := h.Submit(t, his, body)
	if a.Status == http.StatusOK || a.Text("error") != "challenge_mismatch" {
		t.Errorf("moved: %d %s", a.Status, a.Raw)
	}
	if p := attacker.Get(a.Text("return_uri")); p.Error() != "challenge_mismatch" {
		t.Errorf("the attacker sees %d %q", p.Status, p.Error())
	}
	notSignedIn(t, attacker)
	if a := h.Submit(t, hers, body); a.Status != http.StatusOK {
		t.Errorf("where it belongs: %d %s", a.Status, a.Raw)
	}
}

// TestTwoTabsEachWithItsLogin: two logins of one browser at once. Each answer goes on with the login that it was signed for, in whatever order they
// come.
func TestTwoTabsEachWithItsLogin(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	h.Code(t, b, idptest.NewRequest(), "taro")
	one, two := idptest.NewRequest("prompt", "login"), idptest.NewRequest("prompt", "login")
	first, second := b.Get(one.Path()), b.Get(two.Path())
	backOne, backTwo := b.CardLogin(first, "taro"), b.CardLogin(second, "taro")
	for _, c := range []struct {
		back string
		r    idptest.Request
	}{{backTwo, two}, {backOne, one}} {
		p := b.Finish(b.Get(c.back))
		if got, want := p.URL.Query().Get("state"), c.r.Params.Get("state"); got != want || p.URL.Query().Get("code") == "" {
			t.Errorf("went on with %q, want %q: %s %s", got, want, p.URL, p.Error())
		}
	}
}

// TestPlantedSessionIsNotTheCitizens: a browser that holds the attacker's session cookie signs a citizen in. Her session has another cookie, and his is over.
func TestPlantedSessionIsNotTheCitizens(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	attacker, victim := h.Browser(t), h.Browser(t)
	h.Code(t, attacker, idptest.NewRequest(), "hanako")
	h.Code(t, h.Browser(t), idptest.NewRequest(), "taro") // her folder is open
	planted := session(t, attacker.Request(http.MethodGet, h.Issuer+"/account", nil).Cookies())
	back := victim.CardLogin(victim.Get(idptest.NewRequest().Path()), "taro")
	req := victim.Request(http.MethodGet, back, nil)
	req.AddCookie(planted)
	resp, err := h.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if hers := session(t, resp.Cookies()); hers.Value == planted.Value || strings.Contains(planted.Value, hers.Value[:22]) {
		t.Error("the citizen's session is the planted one")
	}
	notSignedIn(t, attacker)
}

// session picks the session's cookie.
func session(t *testing.T, all []*http.Cookie) *http.Cookie {
	t.Helper()
	for _, c := range all {
		if strings.HasSuffix(c.Name, "session") && len(c.Value) > 22 {
			return c
		}
	}
	t.Fatalf("no session among %d cookies", len(all))
	return nil
}
