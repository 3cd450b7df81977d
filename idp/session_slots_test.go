package idp_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/idp"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestClassesThatWereTogetherAreLeftInBothCookies: the second cookie's session served the government too while the classes were together. Kept
// apart again, it does no more.
func TestClassesThatWereTogetherAreLeftInBothCookies(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{governmentClient()}})
	b := h.Browser(t)
	choose := func(apart string) {
		t.Helper()
		if p := b.Post("/account/devices/apart", url.Values{"apart": {apart}}); !strings.Contains(p.URL.RawQuery, "done=") {
			t.Fatalf("%d %s", p.Status, p.URL)
		}
	}
	redeemed(t, h, b, ruledRequest(), "", "taro")
	choose("yes")
	redeemed(t, h, b, idptest.NewRequest(), idptest.Secret, "taro")
	choose("no")
	if p := signOut(t, b, "/end-session?client_id="+ruledID); p.URL.Path != "/signed-out" { // of the first cookie alone
		t.Fatalf("%d %s", p.Status, p.URL)
	}
	if e := silently(b, ruledRequest()); e != "" {
		t.Fatalf("together: %q", e)
	}
	choose("yes")
	if n := counted(t, h.DB, `SELECT COUNT(*) FROM logout_delivery WHERE client = $1 AND reason = 'service'`, ruledID); n != 1 {
		t.Errorf("the government's service was told %d times that it is left", n)
	}
	if silently(b, ruledRequest()) != "login_required" || silently(b, idptest.NewRequest()) != "" {
		t.Error("not kept apart")
	}
}

// TestEndingEverythingTellsTheServicesOfBothCookies: the browser tells the private ones as well.
func TestEndingEverythingTellsTheServicesOfBothCookies(t *testing.T) {
	private := ruledClient(map[string]any{"client_id": "shop", "redirect_uris": []string{"https://shop.example/cb"}, "frontchannel_logout_uri": "https://shop.example/bye"})
	h := idptest.Start(t, idptest.Options{Session: separate(), Clients: []map[string]any{governmentClient(), private}})
	b := h.Browser(t)
	redeemed(t, h, b, ruledRequest(), "", "taro")
	sid, _ := redeemed(t, h, b, idptest.NewRequest("client_id", "shop", "redirect_uri", "https://shop.example/cb"), "", "taro")
	p := b.Post("/account/sign-out-everywhere", nil)
	if got := framesOf(p); !slices.Equal(got, []string{address("https://shop.example/bye", h.Issuer, sid)}) {
		t.Errorf("%d %s: frames %q", p.Status, p.URL, got)
	}
}

// TestSlotsOfOneBrowserAreStrangers: each has its own session ids, and a hint that names the one ends nothing of the other.
func TestSlotsOfOneBrowserAreStrangers(t *testing.T) {
	government := ruledClient(map[string]any{"category": "government", "backchannel_logout_uri": "https://rules.example/bye"})
	h := idptest.Start(t, idptest.Options{Session: separate(), Clients: []map[string]any{government}})
	b := h.Browser(t)
	one, hint := redeemed(t, h, b, ruledRequest(), "", "taro")
	two, _ := redeemed(t, h, b, idptest.NewRequest(), idptest.Secret, "taro")
	if one == two || one == "" {
		t.Errorf("sids %q and %q", one, two)
	}
	b.Get("/end-session?" + url.Values{"id_token_hint": {hint}}.Encode())
	if silently(b, ruledRequest()) != "login_required" || silently(b, idptest.NewRequest()) != "" {
		t.Error("the government's hint did not end its session and no other")
	}
	if n := counted(t, h.DB, `SELECT COUNT(*) FROM logout_delivery WHERE client = $1`, idptest.ClientID); n != 0 {
		t.Errorf("the private service was told %d times", n)
	}
}

// TestLevelsOfTheSlotsAreApart: a passkey in the second cookie and the card in the first: neither speaks for the other.
func TestLevelsOfTheSlotsAreApart(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Domain: true, Session: separate(), Clients: []map[string]any{governmentClient()}})
	b := h.Browser(t)
	d := h.Authenticator()
	atPasskeys(t, h, b, "taro")
	b.AddPasskey(d, "鍵")
	h.Code(t, b, ruledRequest(), "taro")
	h.Code(t, h.Browser(t), idptest.NewRequest(), "taro") // agreed to
	r := idptest.NewRequest()
	p := b.Get(r.Path())
	if p.URL.Path != "/login" {
		t.Fatalf("%d %s", p.Status, p.URL)
	}
	if p = b.Post("/login/passkey", b.PasskeyForm(p, d)); p.URL.Query().Get("code") == "" {
		t.Fatalf("by passkey: %d %s", p.Status, p.URL)
	}
	if p := b.Get(idptest.NewRequest("acr_values", idp.ACRCard).Path()); p.URL.Path != "/login" {
		t.Errorf("the first cookie's card raised the second: %s", p.URL)
	}
	if p := b.Get(ruledRequest("acr_values", idp.ACRCard).Path()); p.URL.Query().Get("code") == "" {
		t.Errorf("the second cookie's passkey lowered the first: %s", p.URL)
	}
}

// TestHerChoiceEndsExchangesOfWhatAPasskeyGot: from the choice on nothing new is made of a token that no card stands behind.
func TestHerChoiceEndsExchangesOfWhatAPasskeyGot(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Domain: true, Clients: resourceClients()})
	b, other := h.Browser(t), h.Browser(t)
	d := h.Authenticator()
	atPasskeys(t, h, b, "taro")
	b.AddPasskey(d, "鍵")
	card := frontTokens(t, h, b, "taro")
	r := frontRequest()
	p := other.Post("/login/passkey", other.PasskeyForm(other.Get(r.Path()), d))
	passkey := h.PostForm(t, "/token", "front", idptest.Secret, idptest.CodeForm(p.URL.Query().Get("code"), r))
	if a := h.PostForm(t, "/token", "front", idptest.Secret, exchangeForm(passkey.Text("access_token"), taxAPI)); a.Status != http.StatusOK {
		t.Fatalf("before: %d %s", a.Status, a.Raw)
	}
	b.Post("/account/services/front", url.Values{"always_card": {"yes"}})
	if a := h.PostForm(t, "/token", "front", idptest.Secret, exchangeForm(passkey.Text("access_token"), taxAPI)); a.Text("error") != "invalid_request" {
		t.Errorf("what a passkey got is exchanged: %d %s", a.Status, a.Raw)
	}
	if a := h.PostForm(t, "/token", "front", idptest.Secret, exchangeForm(card.Text("access_token"), taxAPI)); a.Status != http.StatusOK {
		t.Errorf("what her card got: %d %s", a.Status, a.Raw)
	}
	if a := h.PostForm(t, "/token", "front", idptest.Secret, idptest.RefreshForm(passkey.Text("refresh_token"))); a.Text("error") != "invalid_grant" {
		t.Errorf("offline, by passkey: %d %s", a.Status, a.Raw)
	}
}
