package idp_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/idp"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// offlineByPasskey signs a person in by passkey and returns the browser, and tokens that outlive its session.
func offlineByPasskey(t *testing.T, h *idptest.Hub, card string) (*idptest.Browser, func() int) {
	t.Helper()
	_, d := h.WithPasskey(t, card)
	b, r := h.Browser(t), idptest.NewRequest("scope", "openid offline_access")
	page := b.Finish(b.PasskeyLogin(b.Get(r.Path()), d))
	code := page.URL.Query().Get("code")
	if code == "" {
		t.Fatalf("no code: %d %s %s", page.Status, page.URL, page.Error())
	}
	tokens := h.Redeem(t, code, r)
	return b, func() int {
		a := h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(tokens.Text("refresh_token")))
		if a.Status == http.StatusOK {
			tokens = a
		}
		return a.Status
	}
}

// TestPasskeyOfALostCardEndsWithIt: whoever had the card and its PIN may have added it. Neither it nor what it made comes back when the card,
// or another, opens the folder again. What a renewed card added stays.
func TestPasskeyOfALostCardEndsWithIt(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		h := idptest.Start(t, idptest.Options{DB: db, Own: true, Domain: true, Recheck: idp.Recheck{Every: quickly}})
		_, removed := offlineByPasskey(t, h, "hanako") // of a card that nothing happens to
		for _, c := range []struct {
			why     cardauth.RevocationReason
			offline int
			works   bool
		}{
			{cardauth.Superseded, http.StatusOK, true},
			{cardauth.KeyCompromise, http.StatusBadRequest, false},
		} {
			t.Run(c.why.String(), func(t *testing.T) {
				_, d := h.WithPasskey(t, "taro")
				b, refresh := offlineByPasskey(t, h, "taro")
				revoke(t, h, "taro", c.why)
				within(t, 2*quickly, "signed out", func() bool { return !knownToHub(b) })
				if status := refresh(); status != c.offline {
					t.Errorf("refresh: %d, want %d", status, c.offline)
				}
				release(t, h, "taro")
				h.Code(t, h.Browser(t), idptest.NewRequest(), "taro")
				again := h.Browser(t)
				again.PasskeyLogin(again.Get("/account"), d)
				if hasSession(again) != c.works {
					t.Errorf("the passkey works: %v", !c.works)
				}
				if status := refresh(); status != c.offline {
					t.Errorf("refresh afterwards: %d, want %d", status, c.offline)
				}
				if n := counted(t, db, `SELECT COUNT(*) FROM audit_event WHERE kind = 'passkey.removed' AND reason = 'card-revoked'`); (n == 0) != c.works {
					t.Errorf("%d audit rows of passkeys", n)
				}
			})
		}
		if status := removed(); status != http.StatusOK {
			t.Errorf("somebody else's refresh: %d", status)
		}
	})
}

// TestRefreshOfAPasskeyAsksAboutTheCards: a passkey's tokens rest on the person's cards, long after its session.
func TestRefreshOfAPasskeyAsksAboutTheCards(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Own: true, Domain: true, Recheck: idp.Recheck{Every: 50 * time.Millisecond}})
	_, refresh := offlineByPasskey(t, h, "taro")
	if _, err := h.DB.Exec(t.Context(), `UPDATE passkey SET issuer_key = NULL, serial = NULL`); err != nil { // added with a card that is long gone
		t.Fatal(err)
	}
	if status := refresh(); status != http.StatusOK {
		t.Fatalf("while the card is good: %d", status)
	}
	if _, err := h.DB.Exec(t.Context(), `DELETE FROM card_watch`); err != nil { // as after the session's end
		t.Fatal(err)
	}
	revoke(t, h, "taro", cardauth.KeyCompromise)
	time.Sleep(100 * time.Millisecond)
	if status := refresh(); status != http.StatusBadRequest {
		t.Errorf("of a revoked card: %d", status)
	}
	release(t, h, "taro")
	h.Code(t, h.Browser(t), idptest.NewRequest(), "taro")
	if status := refresh(); status != http.StatusBadRequest {
		t.Errorf("it came back: %d", status)
	}
}

// TestCopiedPasskeysTokensEnd: what a passkey made that there may be a copy of is over, and what a removed one made goes on.
func TestCopiedPasskeysTokensEnd(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Domain: true})
	_, refresh := offlineByPasskey(t, h, "taro")
	for _, c := range []struct {
		column string
		want   int
	}{{"ended_at", http.StatusOK}, {"suspect_at", http.StatusBadRequest}} {
		if _, err := h.DB.Exec(t.Context(), `UPDATE passkey SET `+c.column+` = 1`); err != nil {
			t.Fatal(err)
		}
		if status := refresh(); status != c.want {
			t.Errorf("%s: %d, want %d", c.column, status, c.want)
		}
	}
}

// TestProofFromBeforeTheRevocationSignsNobodyIn: a browser that kept a card's proof back until the card was found revoked is not signed in,
// not for a moment.
func TestProofFromBeforeTheRevocationSignsNobodyIn(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		h := idptest.Start(t, idptest.Options{DB: db, Own: true})
		b, late := h.Browser(t), h.Browser(t)
		h.Code(t, b, idptest.NewRequest(), "taro")
		back := late.CardLogin(late.Get(idptest.NewRequest().Path()), "taro")
		time.Sleep(quickly) // proofs are dated to the second
		revoke(t, h, "taro", cardauth.KeyCompromise)
		if _, err := db.Exec(t.Context(), `UPDATE card_watch SET next_ms = 0`); err != nil { // its turn has come
			t.Fatal(err)
		}
		within(t, 5*quickly, "signed out", func() bool { return !knownToHub(b) })
		if p := late.Finish(late.Get(back)); p.URL.Query().Get("code") != "" {
			t.Error("a service was handed a code")
		}
		if n := counted(t, db, `SELECT COUNT(*) FROM card_binding WHERE revoked IS NULL`); n != 0 {
			t.Error("the card's binding counts again")
		}
	})
}
