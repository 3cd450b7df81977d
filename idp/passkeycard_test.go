package idp_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// TestPasskeyNeedsACardThatIsGood: an expired or ended card takes its owner's passkeys along, and the page offers the card.
func TestPasskeyNeedsACardThatIsGood(t *testing.T) {
	for name, spoil := range map[string]string{
		"expired": `UPDATE card_binding SET not_after = 1000`, "ended": `UPDATE card_binding SET ended_at = 1000`,
	} {
		t.Run(name, func(t *testing.T) {
			h, _ := passkeyHub(t)
			_, d := h.WithPasskey(t, "taro")
			_, err := h.DB.Exec(t.Context(), spoil)
			must(t, err)
			b := h.Browser(t)
			p := b.PasskeyLogin(b.Get("/account"), d)
			wantRefused(t, p, "passkey_no_card")
			if hasSession(b) || !strings.Contains(p.Body, `id="card-login"`) {
				t.Error("signed in, or the card is not offered")
			}
		})
	}
}

// TestRevokedCardTakesPasskeysAlong: a card that the authority took back since it was used last is found out at the passkey's login.
func TestRevokedCardTakesPasskeysAlong(t *testing.T) {
	h, c := passkeyHub(t)
	_, d := h.WithPasskey(t, "taro")
	c.advance(6 * time.Minute)
	revoke(t, h, "taro", cardauth.CertificateHold)
	t.Cleanup(func() { release(t, h, "taro") })
	b := h.Browser(t)
	wantRefused(t, b.PasskeyLogin(b.Get("/account"), d), "passkey_no_card")
	if hasSession(b) {
		t.Error("signed in")
	}
}

// TestPasskeyWaitsForAnAnswerAboutTheCard: nobody is let in by a card that nobody has stood by for hours.
func TestPasskeyWaitsForAnAnswerAboutTheCard(t *testing.T) {
	h, c := passkeyHub(t)
	_, d := h.WithPasskey(t, "taro")
	c.advance(5 * time.Hour)
	h.Responder.BehaveOCSP(cardtest.OCSPSilent)
	h.Responder.BehaveCRL(cardtest.CRLStale)
	t.Cleanup(func() {
		h.Responder.BehaveOCSP(cardtest.OCSPGood)
		h.Responder.BehaveCRL(cardtest.CRLGood)
	})
	b := h.Browser(t)
	p := b.PasskeyLogin(b.Get("/account"), d)
	wantRefused(t, p, "passkey_card_unconfirmed")
	if p.Status != http.StatusServiceUnavailable || hasSession(b) {
		t.Errorf("%d, or signed in", p.Status)
	}
	h.Responder.BehaveOCSP(cardtest.OCSPGood)
	if b.PasskeyLogin(b.Get("/account"), d); !hasSession(b) {
		t.Error("refused when the authority answers again")
	}
}

// TestPasskeysGrantFallsWithTheLastCard: what a passkey let a service do in its owner's absence rests on her cards too. Taken back, they end it,
// though nobody watches them any more; out of date, they do not, as with what a card let it do.
func TestPasskeysGrantFallsWithTheLastCard(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		h := idptest.Start(t, idptest.Options{DB: db, Now: c.now, Domain: true})
		_, d := h.WithPasskey(t, "taro")
		b, r := h.Browser(t), idptest.NewRequest("scope", "openid offline_access")
		_, tokens := wantCode(t, h, b, b.PasskeyLogin(b.Get(r.Path()), d), r)
		refresh := func() idptest.Answer {
			t.Helper()
			return h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(tokens.Text("refresh_token")))
		}
		c.advance(13 * time.Hour)
		if tokens = refresh(); tokens.Status != http.StatusOK {
			t.Fatalf("after the session: %d %s", tokens.Status, tokens.Raw)
		}
		_, err := h.DB.Exec(t.Context(), `UPDATE card_binding SET not_after = 1000`)
		must(t, err)
		if tokens = refresh(); tokens.Status != http.StatusOK {
			t.Fatalf("with a card out of date: %d %s", tokens.Status, tokens.Raw)
		}
		_, err = h.DB.Exec(t.Context(), `UPDATE card_binding SET not_after = $1`, c.now().Add(time.Hour).Unix())
		must(t, err)
		c.advance(6 * time.Minute)
		revoke(t, h, "taro", cardauth.CertificateHold)
		t.Cleanup(func() { release(t, h, "taro") })
		if a := refresh(); a.Status != http.StatusBadRequest || a.Text("error") != "invalid_grant" {
			t.Errorf("with a revoked card: %d %s", a.Status, a.Raw)
		}
		if a := h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("access_token")); a.Status != http.StatusUnauthorized {
			t.Errorf("its token lives: %d", a.Status)
		}
	})
}

// TestPasskeyBesideACardJoinsItToTheFolder: with a card that opens no folder yet, a passkey shows whose folder there is; it signs nobody in
// by itself, and the owner is asked. Neither an old nor an ended card of hers stands in the way.
func TestPasskeyBesideACardJoinsItToTheFolder(t *testing.T) {
	h, c := passkeyHub(t)
	taro, d := h.WithPasskey(t, "taro")
	id := passkeyID(t, taro.Get("/account/passkeys"))
	h.PKI.Linkage().Behave(cardtest.LinkageDown)
	t.Cleanup(func() { h.PKI.Linkage().Behave(cardtest.LinkageGood) })
	_, err := h.DB.Exec(t.Context(), `UPDATE card_binding SET not_after = 1000`)
	must(t, err)
	for _, keep := range []bool{false, true} { // from the page of the new card, or after an old one was asked for
		c.advance(time.Minute)
		b := h.Browser(t)
		page := b.Get(b.CardLogin(b.Get("/account"), "taro-renewed"))
		again := b.Get("/folder/again?tx=" + page.Tx())
		if !strings.Contains(again.Body, `id="passkey-login"`) {
			t.Fatalf("%d %s offers no passkey", again.Status, again.URL)
		}
		if keep {
			b.Post("/login/card", url.Values{"tx": {again.Tx()}, "keep": {"1"}})
		}
		p := b.PasskeyLogin(again, d)
		if p.URL.Path != "/folder/join" || hasSession(b) {
			t.Fatalf("%d %s %s, or signed in", p.Status, p.URL, p.Error())
		}
		if !keep {
			continue // she thinks about it
		}
		if p = b.Post("/folder/join", url.Values{"tx": {p.Tx()}, "decision": {"yes"}}); p.URL.Path != "/account" || !hasSession(b) {
			t.Fatalf("%d %s %s", p.Status, p.URL, p.Error())
		}
		if passkeyID(t, b.Get("/account/passkeys")) != id {
			t.Error("another folder")
		}
	}
}
