//go:build pcsc && linux

package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/cardauth/pcsc/pcsctest"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestCardPulledOutDuringALoginAtAHub: wherever in the login the card leaves the reader, the citizen is told so, the hub has signed nobody in and its
// challenge is still open: with the card back, the same page of the hub goes on.
func TestCardPulledOutDuringALoginAtAHub(t *testing.T) {
	d := pcsctest.Start(t)
	h := idptest.Start(t, idptest.Options{})
	b, r := h.Browser(t), idptest.NewRequest()
	at := b.Challenge(b.Get(r.Path()))
	login := func() session {
		t.Helper()
		return cardagent(t, "1234", "login", "-issuer", h.Issuer, "-challenge", at, "-pin-file", "-")
	}
	for _, commands := range []int{1, 4, 9} { // before the PIN, about it, in the signature
		card, p := plugged(t, d, 0, h.PKI, "taro")
		card.Behave(cardtest.Quirks{FailAfter: commands})
		login().want(t, exitCard, "", "card_removed")
		<-p.Ended()
		if account := b.Get("/account"); account.URL.Path != "/login" {
			t.Errorf("after %d commands somebody is signed in: %s", commands, account.URL)
		}
	}
	login().want(t, exitCard, "", "card_missing")
	plugged(t, d, 0, h.PKI, "taro")
	s := login()
	s.want(t, exitDone, h.Issuer+"/login/return?code=", "")
	p := b.Finish(b.Get(strings.TrimSpace(s.out)))
	if tokens := h.Redeem(t, p.URL.Query().Get("code"), r); tokens.Status != http.StatusOK || tokens.Text("id_token") == "" {
		t.Errorf("no ID token: %d %s at %s", tokens.Status, tokens.Raw, p.URL)
	}
}

// TestPINCountsDownToTheLockThroughAReader: at a hub that runs, through PC/SC: three wrong PINs, told each time, and the right one comes too late. The last try
// is not spent by a program.
func TestPINCountsDownToTheLockThroughAReader(t *testing.T) {
	d := pcsctest.Start(t)
	h := idptest.Start(t, idptest.Options{})
	// Hubs of one test binary share their cards, and this one stays locked.
	plugged(t, d, 0, h.PKI, "taro-renewed")
	b := h.Browser(t)
	page := b.Get(idptest.NewRequest().Path())
	login := func(pin string, more ...string) session {
		t.Helper()
		return cardagent(t, pin, append([]string{"login", "-issuer", h.Issuer, "-challenge", b.Challenge(page), "-pin-file", "-"}, more...)...)
	}
	login("0000").want(t, exitCard, "", "pin_wrong: tries left: 2")
	login("0000").want(t, exitCard, "", "pin_wrong: tries left: 1")
	login("0000").want(t, exitCard, "", "last_try")
	login("0000", "-last-try").want(t, exitCard, "", "pin_locked")
	login("1234").want(t, exitCard, "", "pin_locked")
	if account := b.Get("/account"); account.URL.Path != "/login" {
		t.Errorf("somebody is signed in: %s", account.URL)
	}
}
