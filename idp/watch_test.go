package idp_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/idp"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral/ephemeraltest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// quickly is an interval that a test can wait for.
const quickly = time.Second

// revoke takes a demo card's certificate back, as of now.
func revoke(t *testing.T, h *idptest.Hub, card string, why cardauth.RevocationReason) {
	t.Helper()
	serial, _, err := h.PKI.Drawer().Serials(card)
	if err == nil {
		err = h.PKI.Auth().Revoke(serial, int(why))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func release(t *testing.T, h *idptest.Hub, card string) {
	t.Helper()
	serial, _, err := h.PKI.Drawer().Serials(card)
	if err == nil {
		err = h.PKI.Auth().Release(serial)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// within waits until ok, and fails after the time.
func within(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// knownToHub says whether the hub knows the browser, without leading it anywhere.
func knownToHub(b *idptest.Browser) bool { return b.Get("/account").URL.Path == "/account" }

func counted(t *testing.T, db *sqldb.DB, query string, args ...any) (n int) {
	t.Helper()
	if err := db.QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestRevokedCardEndsItsSessions: whatever is the reason, within the interval the session and what hangs on it are over and the browser
// hears why; what services may do in the person's absence goes on only if the card was never in wrong hands. Nobody else notices.
func TestRevokedCardEndsItsSessions(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		h := idptest.Start(t, idptest.Options{DB: db, Own: true, Recheck: idp.Recheck{Every: quickly}})
		for _, c := range []struct {
			why     cardauth.RevocationReason
			word    string
			offline int
		}{
			{cardauth.CertificateHold, "card-revoked", http.StatusBadRequest},
			{cardauth.KeyCompromise, "card-revoked", http.StatusBadRequest},
			{cardauth.CessationOfOperation, "card-revoked", http.StatusBadRequest},
			{cardauth.Unspecified, "card-revoked", http.StatusBadRequest},
			{cardauth.Superseded, "card-replaced", http.StatusOK},
		} {
			t.Run(c.why.String(), func(t *testing.T) {
				b, other := h.Browser(t), h.Browser(t)
				r := idptest.NewRequest("scope", "openid offline_access")
				tokens := h.Redeem(t, h.Code(t, b, r, "taro"), r)
				h.Code(t, other, idptest.NewRequest(), "hanako")
				page := b.Get("/account")
				if !strings.Contains(page.Body, "data-checked") {
					t.Error("the account page does not say when the card was asked about")
				}
				told := counted(t, db, `SELECT COUNT(*) FROM logout_delivery WHERE reason = 'card-revoked'`)
				rows := counted(t, db, `SELECT COUNT(*) FROM audit_event WHERE kind = 'card.ended'`)
				revoke(t, h, "taro", c.why)
				within(t, quickly, "signed out", func() bool { return !knownToHub(b) })
				if page := b.Get("/account"); !strings.Contains(page.Body, `data-notice="`+c.word+`"`) {
					t.Errorf("the next page does not say why: %s", page.URL)
				}
				a := h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(tokens.Text("refresh_token")))
				if a.Status != c.offline {
					t.Errorf("refresh: %d, want %d: %s", a.Status, c.offline, a.Raw)
				}
				if n := counted(t, db, `SELECT COUNT(*) FROM logout_delivery WHERE reason = 'card-revoked'`) - told; n != 1 {
					t.Errorf("%d notices to one service", n)
				}
				if n := counted(t, db, `SELECT COUNT(*) FROM audit_event WHERE kind = 'card.ended'`) - rows; n != 1 {
					t.Errorf("%d audit rows", n)
				}
				if !knownToHub(other) {
					t.Error("somebody else was signed out")
				}
				release(t, h, "taro") // as after a suspension: the card signs in again, and nothing old comes back
				if knownToHub(b) {
					t.Error("the old session came back")
				}
				h.Code(t, b, idptest.NewRequest(), "taro")
				if !knownToHub(b) {
					t.Error("a card that is good again does not sign in")
				}
				signOut(t, b, "/end-session")
			})
		}
		if err := h.Audit.Verify(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestLiveRevocationOnEveryStore: several sessions of one card in either ephemeral store end, and no second process that shares the work
// tells anybody twice.
func TestLiveRevocationOnEveryStore(t *testing.T) {
	ephemeraltest.Each(t, func(t *testing.T, store ephemeral.Store) {
		h := idptest.Start(t, idptest.Options{Transient: store, Own: true, Recheck: idp.Recheck{Every: quickly}})
		h.Process(t)
		h.Process(t)
		browsers := []*idptest.Browser{h.Browser(t), h.Browser(t), h.Browser(t)}
		for _, b := range browsers {
			h.Code(t, b, idptest.NewRequest(), "taro")
		}
		revoke(t, h, "taro", cardauth.KeyCompromise)
		within(t, quickly, "signed out everywhere", func() bool {
			for _, b := range browsers {
				if knownToHub(b) {
					return false
				}
			}
			return true
		})
		time.Sleep(quickly) // another process would have found it by now
		if n := counted(t, h.DB, `SELECT COUNT(*) FROM logout_delivery`); n != 1 {
			t.Errorf("%d notices to one service that ends all sessions at once", n)
		}
		if n := counted(t, h.DB, `SELECT COUNT(*) FROM audit_event WHERE kind = 'card.ended'`); n != 1 {
			t.Errorf("%d audit rows", n)
		}
	})
}

// TestRevocationWhileSigningInAgain: whichever of a login and the discovery is first, no session of the card is left after the interval.
func TestRevocationWhileSigningInAgain(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Own: true, Recheck: idp.Recheck{Every: quickly / 4}})
	h.Process(t)
	first := h.Browser(t)
	h.Code(t, first, idptest.NewRequest(), "taro")
	var wg sync.WaitGroup
	browsers := make([]*idptest.Browser, 6)
	for i := range browsers {
		browsers[i] = h.Browser(t)
		page := browsers[i].Get(browsers[i].CardLogin(browsers[i].Get(idptest.NewRequest().Path()), "taro")) // the card was good
		wg.Go(func() {
			time.Sleep(time.Duration(i) * quickly / 16)
			browsers[i].Finish(page)
		})
	}
	revoke(t, h, "taro", cardauth.KeyCompromise)
	wg.Wait()
	within(t, quickly, "no session of the card", func() bool {
		for _, b := range append(browsers, first) {
			if knownToHub(b) {
				return false
			}
		}
		return counted(t, h.DB, `SELECT COUNT(*) FROM card_watch`) == 0
	})
}

// TestSilentAuthorityEndsNothing: while nobody answers, sessions stay. After the patience services are handed nothing, and when the
// authority is back everything goes on by itself.
func TestSilentAuthorityEndsNothing(t *testing.T) {
	const patience = 3 * quickly
	h := idptest.Start(t, idptest.Options{Own: true, Recheck: idp.Recheck{Every: quickly / 4, Patience: patience}})
	b := h.Browser(t)
	r := idptest.NewRequest("scope", "openid offline_access")
	tokens := h.Redeem(t, h.Code(t, b, r, "taro"), r)
	silent := func(prompt string) string { // what a service hears without a page
		return b.Get(idptest.NewRequest("prompt", prompt).Path()).URL.Query().Get("error")
	}
	refresh := func() int {
		a := h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(tokens.Text("refresh_token")))
		if a.Status == http.StatusOK {
			tokens = a
		}
		return a.Status
	}
	h.Responder.BehaveOCSP(cardtest.OCSPServerError)
	h.Responder.BehaveCRL(cardtest.CRLMissing)
	time.Sleep(quickly)
	if e, status := silent("none"), refresh(); e != "" || status != http.StatusOK || !knownToHub(b) {
		t.Fatalf("at once: error %q, refresh %d", e, status)
	}
	within(t, 2*patience, "services are handed nothing", func() bool { return silent("none") == "login_required" })
	if status := refresh(); status != http.StatusServiceUnavailable {
		t.Errorf("refresh: %d", status)
	}
	if p := b.Get(idptest.NewRequest().Path()); !strings.Contains(p.Body, `data-notice="unsure"`) {
		t.Errorf("the login page does not say why: %s", p.URL)
	}
	if !knownToHub(b) {
		t.Error("the session ended although nobody said that the card was revoked")
	}
	if n := counted(t, h.DB, `SELECT COUNT(*) FROM logout_delivery`); n != 0 {
		t.Errorf("%d services told", n)
	}
	h.Responder.BehaveOCSP(cardtest.OCSPGood)
	h.Responder.BehaveCRL(cardtest.CRLGood)
	within(t, 10*quickly, "services are handed tokens again", func() bool { return silent("none") == "" && refresh() == http.StatusOK })
}

// TestRefreshAsksAboutTheCard: a token that outlives the session is worth nothing once its card is revoked, though nobody watches the card.
func TestRefreshAsksAboutTheCard(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Own: true, Recheck: idp.Recheck{Every: 50 * time.Millisecond}})
	b := h.Browser(t)
	r := idptest.NewRequest("scope", "openid offline_access")
	tokens := h.Redeem(t, h.Code(t, b, r, "taro"), r)
	if _, err := h.DB.Exec(t.Context(), `DELETE FROM card_watch`); err != nil { // as after the session's end
		t.Fatal(err)
	}
	revoke(t, h, "taro", cardauth.KeyCompromise)
	time.Sleep(100 * time.Millisecond)
	got := volley(t, func(int) *http.Request {
		return h.FormRequest(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(tokens.Text("refresh_token")))
	})
	if got[http.StatusBadRequest] != crowd {
		t.Errorf("statuses %v", got)
	}
	if n := counted(t, h.DB, `SELECT COUNT(*) FROM logout_delivery`); n != 1 {
		t.Errorf("%d notices", n)
	}
}

// TestCrashInMidWatchIsMadeGood: what a process that was killed had claimed is asked about by whoever starts next.
func TestCrashInMidWatchIsMadeGood(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		h := idptest.Start(t, idptest.Options{DB: db, Own: true, Recheck: idp.Recheck{Every: quickly}})
		b := h.Browser(t)
		h.Code(t, b, idptest.NewRequest(), "taro")
		revoke(t, h, "taro", cardauth.KeyCompromise)
		// The row as claimDue leaves it, its lease about to end.
		_, err := db.Exec(t.Context(), `UPDATE card_watch SET claim = 'of the dead', next_ms = $1`, h.Now().Add(quickly).UnixMilli())
		if err != nil {
			t.Fatal(err)
		}
		within(t, 2*quickly, "signed out", func() bool { return !knownToHub(b) })
		if n := counted(t, db, `SELECT COUNT(*) FROM logout_delivery`); n != 1 {
			t.Errorf("%d notices", n)
		}
	})
}

// TestWatchIsBounded: a round asks about no more cards than a batch has, and rows of sessions that are over go.
func TestWatchIsBounded(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Own: true, Recheck: idp.Recheck{Every: quickly}})
	h.Code(t, h.Browser(t), idptest.NewRequest(), "taro")
	var account string
	if err := h.DB.QueryRow(t.Context(), `SELECT account FROM card_watch`).Scan(&account); err != nil {
		t.Fatal(err)
	}
	for i := range 250 {
		_, err := h.DB.Exec(t.Context(), `INSERT INTO card_watch (issuer_key, serial, account, until, next_ms, checked_ms, silent, claim)
			VALUES ('none', $1, $2, $3, 0, 0, 0, '')`, fmt.Appendf(nil, "%032d", i), account, h.Now().Add(-time.Second).Unix())
		if err != nil {
			t.Fatal(err)
		}
	}
	within(t, 5*quickly, "old rows are gone", func() bool { return counted(t, h.DB, `SELECT COUNT(*) FROM card_watch`) == 1 })
}
