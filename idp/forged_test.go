package idp_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// Ways to get into somebody's folder, or to stay there, by a forged succession.

func leaf(t *testing.T, h *idptest.Hub, card string) *cardtest.Leaf {
	t.Helper()
	auth, _, err := h.PKI.Drawer().Leaves(card)
	if err != nil {
		t.Fatal(err)
	}
	return auth
}

// joined ties a card to the folder of another, with nobody to ask, and returns the browser where that was done.
func joined(t *testing.T, h *idptest.Hub, card, old string) (*idptest.Browser, idptest.Request, idptest.Page) {
	t.Helper()
	h.PKI.Linkage().Behave(cardtest.LinkageDown)
	b, r, p := present(t, h, card)
	p = b.Get(b.OldCard(p, old))
	if p.URL.Path != "/folder/join" {
		t.Fatalf("at %s %s", p.URL, p.Error())
	}
	return b, r, b.Post("/folder/join", url.Values{"tx": {p.Tx()}, "decision": {"yes"}})
}

func undo(t *testing.T, owner *idptest.Browser) {
	t.Helper()
	link := undoLink.FindStringSubmatch(owner.Get("/account").Body)
	if link == nil {
		t.Fatal("the owner is told nothing")
	}
	if p := owner.Post("/account/cards/undo", url.Values{"card": {link[1]}}); p.Status != http.StatusOK || p.Error() != "" {
		t.Fatalf("undo: %d %s %s", p.Status, p.URL, p.Error())
	}
}

// TestUndoneCardLeavesNothingBehind: who had a stranger's card in the folder takes it back, and with it the card that replaced it on the authority's
// word, the passkey made with it, and the preparation for another one.
func TestUndoneCardLeavesNothingBehind(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		now := time.Now()
		h := idptest.Start(t, idptest.Options{DB: db, Domain: true, Now: func() time.Time { return now }})
		owner, first := h.Browser(t), idptest.NewRequest()
		subject := subjectOf(t, h, h.Code(t, owner, first, "taro"), first)
		now = now.Add(time.Second)
		thief, _, _ := joined(t, h, "hanako", "taro")

		h.PKI.Linkage().Behave(cardtest.LinkageGood)
		now = now.Add(10 * time.Second) // the linkage service was left alone
		d := h.Authenticator()
		thief.AddPasskey(d, "盗み")
		if p := thief.Get(thief.CardSign(asked(t, thief.Post("/account/prepare", nil)), "hanako")); p.URL.Query().Get("note") != "done" {
			t.Fatalf("prepare: %s", p.URL)
		}
		h.PKI.Linkage().Tell(leaf(t, h, "phone"), leaf(t, h, "hanako"))
		if got := comeIn(t, h, "phone"); got != subject {
			t.Fatalf("the stranger's phone: %q", got)
		}

		b, r := h.Browser(t), idptest.NewRequest("scope", "openid offline_access")
		_, tokens := wantCode(t, h, b, b.PasskeyLogin(b.Get(r.Path()), d), r)

		undo(t, owner)
		now = now.Add(time.Second)
		if got := h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(tokens.Text("refresh_token"))); got.Status != http.StatusBadRequest {
			t.Errorf("a service that the passkey let in for later: %d %s", got.Status, got.Raw)
		}
		if _, _, p := present(t, h, "phone"); p.URL.Path != "/folder/open" {
			t.Errorf("the card that replaced it: %s %s", p.URL, p.Error())
		}
		other := h.Browser(t)
		if p := other.PasskeyLogin(other.Get("/account"), d); p.Error() != "passkey_unknown" {
			t.Errorf("the passkey made with it: %s %s", p.URL, p.Error())
		}
		h.PKI.Linkage().Behave(cardtest.LinkageDown)
		if p := relinked(t, h, "hanako", "hanako"); p.URL.Query().Get("note") != "no_match" {
			t.Errorf("the preparation made with it: %s %s", p.URL, p.Error())
		}
		if got := comeIn(t, h, "taro"); got != subject {
			t.Errorf("the owner: %q", got)
		}
	})
}

// TestReplacedStrangersCardIsStillShown: that the authority renewed it does not make it the owner's, who reads of it and takes both back.
func TestReplacedStrangersCardIsStillShown(t *testing.T) {
	now := time.Now()
	h := idptest.Start(t, idptest.Options{Now: func() time.Time { return now }})
	owner := h.Browser(t)
	h.Code(t, owner, idptest.NewRequest(), "taro")
	joined(t, h, "hanako", "taro")
	h.PKI.Linkage().Behave(cardtest.LinkageGood)
	now = now.Add(10 * time.Second)
	h.PKI.Linkage().Tell(leaf(t, h, "taro-renewed"), leaf(t, h, "hanako")) // of the same kind: the stranger's first card has ended
	thief, _, _ := present(t, h, "taro-renewed")
	if p := owner.Get("/account"); !strings.Contains(p.Body, `id="new-card"`) {
		t.Error("the owner is told nothing")
	}
	if p := thief.Get("/account"); undoLink.MatchString(p.Body) {
		t.Error("the stranger may take something back")
	}
	undo(t, owner)
	if p := thief.Get("/account"); p.URL.Path != "/login" {
		t.Errorf("still signed in: %s", p.URL)
	}
	if _, _, p := present(t, h, "taro-renewed"); p.URL.Path != "/folder/open" {
		t.Errorf("still opens the folder: %s %s", p.URL, p.Error())
	}
}

// TestOwnersOwnSurvivesAnUndo: what was there before the card came.
func TestOwnersOwnSurvivesAnUndo(t *testing.T) {
	now := time.Now()
	h := idptest.Start(t, idptest.Options{Domain: true, Now: func() time.Time { return now }})
	owner, d := h.WithPasskey(t, "taro")
	if p := owner.Get(owner.CardSign(asked(t, owner.Post("/account/prepare", nil)), "taro")); p.URL.Query().Get("note") != "done" {
		t.Fatalf("prepare: %s", p.URL)
	}
	now = now.Add(2 * time.Second)
	joined(t, h, "hanako", "taro")
	undo(t, owner)
	if p := owner.Get("/account"); p.URL.Path != "/account" {
		t.Errorf("the owner is signed out: %s", p.URL)
	}
	other := h.Browser(t)
	if p := other.PasskeyLogin(other.Get("/account"), d); p.URL.Path != "/account" {
		t.Errorf("her passkey: %s %s", p.URL, p.Error())
	}
	if n := rowsOf(t, h.DB, `SELECT count(*) FROM relink_mark`); n != 1 {
		t.Errorf("%d marks", n)
	}
}

// TestUndoneCardTakesWhatItConfirmed: a stranger's card that was in the folder states the stranger's name. What the owner confirmed before it came
// stays.
func TestUndoneCardTakesWhatItConfirmed(t *testing.T) {
	for who, want := range map[string]int{"stranger": 0, "owner": 1} {
		t.Run(who, func(t *testing.T) {
			sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
				now := time.Now()
				h := idptest.Start(t, idptest.Options{DB: db, Now: func() time.Time { return now }})
				owner := atHome(t, h, "taro")
				if want == 1 && confirmed(t, owner, "taro") != "done" {
					t.Fatal("not confirmed")
				}
				now = now.Add(2 * time.Second)
				thief, _, _ := joined(t, h, "hanako", "taro")
				h.PKI.Linkage().Behave(cardtest.LinkageGood)
				now = now.Add(10 * time.Second) // it was left alone
				if want == 0 && confirmed(t, thief, "hanako") != "done" {
					t.Fatal("not confirmed")
				}
				undo(t, owner)
				if n := rowsOf(t, h.DB, `SELECT count(*) FROM attestation`); n != want {
					t.Errorf("%d records, want %d", n, want)
				}
			})
		})
	}
}

// TestUndoIsOneAuditRow: of many presses at once one takes the card back, and says so once.
func TestUndoIsOneAuditRow(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		h := idptest.Start(t, idptest.Options{DB: db})
		owner := h.Browser(t)
		h.Code(t, owner, idptest.NewRequest(), "taro")
		joined(t, h, "hanako", "taro")
		link := undoLink.FindStringSubmatch(owner.Get("/account").Body)
		if link == nil {
			t.Fatal("the owner is told nothing")
		}
		var all sync.WaitGroup
		for range 8 {
			req := owner.Request(http.MethodPost, h.Issuer+"/account/cards/undo", url.Values{"card": {link[1]}})
			all.Go(func() {
				resp, err := h.Client().Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				_ = resp.Body.Close()
				if resp.StatusCode >= 500 {
					t.Errorf("status %d", resp.StatusCode)
				}
			})
		}
		all.Wait()
		if n := auditedTimes(t, db, "card.undone"); n != 1 {
			t.Errorf("%d audit rows", n)
		}
	})
}

// TestTwoLoginsOfOneNewCard: in two browsers at once, one of which ties it so that it waits. The other hears that, whatever it does, and not of
// trouble at the hub.
func TestTwoLoginsOfOneNewCard(t *testing.T) {
	for name, do := range map[string]func(h *idptest.Hub, b *idptest.Browser, p idptest.Page) idptest.Page{
		"opens a folder": func(_ *idptest.Hub, b *idptest.Browser, p idptest.Page) idptest.Page {
			p = b.Post("/folder/again", url.Values{"tx": {p.Tx()}, "way": {"first"}})
			return b.Post("/folder/open", url.Values{"tx": {p.Tx()}})
		},
		"joins one": func(_ *idptest.Hub, b *idptest.Browser, p idptest.Page) idptest.Page {
			p = b.Get(b.OldCard(p, "taro"))
			return b.Post("/folder/join", url.Values{"tx": {p.Tx()}, "decision": {"yes"}})
		},
		"asks again": func(_ *idptest.Hub, b *idptest.Browser, p idptest.Page) idptest.Page {
			return b.Post("/folder/again", url.Values{"tx": {p.Tx()}, "way": {"retry"}})
		},
		"signs": func(_ *idptest.Hub, b *idptest.Browser, p idptest.Page) idptest.Page {
			return b.Get(b.CardSign(asked(t, b.Post("/folder/again", url.Values{"tx": {p.Tx()}, "way": {"sign"}})), "taro-renewed"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := idptest.Start(t, idptest.Options{})
			prepared(t, h, "taro", "taro")
			h.PKI.Linkage().Behave(cardtest.LinkageDown)
			b, _, p := present(t, h, "taro-renewed")
			relinked(t, h, "taro-renewed", "taro-renewed")
			if p = do(h, b, p); p.Error() != "card_waiting" {
				t.Errorf("%d %s %s", p.Status, p.URL, p.Error())
			}
		})
	}
}

// TestRemovedPasskeyJoinsNothing: it showed the folder a moment ago, and its owner removed it before the yes.
func TestRemovedPasskeyJoinsNothing(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Domain: true})
	owner, d := h.WithPasskey(t, "taro")
	h.PKI.Linkage().Behave(cardtest.LinkageDown)
	b, _, p := present(t, h, "hanako")
	if p = b.PasskeyLogin(p, d); p.URL.Path != "/folder/join" {
		t.Fatalf("at %s %s", p.URL, p.Error())
	}
	owner.Post("/account/passkeys/"+passkeyID(t, owner.Get("/account/passkeys"))+"/remove", nil)
	if p = b.Post("/folder/join", url.Values{"tx": {p.Tx()}, "decision": {"yes"}}); p.URL.Query().Get("note") != "stale" {
		t.Errorf("at %s %s", p.URL, p.Error())
	}
	if n := rowsOf(t, h.DB, `SELECT count(*) FROM card_binding`); n != 1 {
		t.Errorf("%d ties", n)
	}
}

// TestOldCardRevokedBeforeTheYes: the hub has learned of it meanwhile.
func TestOldCardRevokedBeforeTheYes(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	comeIn(t, h, "taro")
	h.PKI.Linkage().Behave(cardtest.LinkageDown)
	b, _, p := present(t, h, "hanako")
	p = b.Get(b.OldCard(p, "taro"))
	if _, err := h.DB.Exec(t.Context(), `UPDATE card_binding SET revoked = 'keyCompromise', ended_at = 1, end_reason = 'revoked'`); err != nil {
		t.Fatal(err)
	}
	if p = b.Post("/folder/join", url.Values{"tx": {p.Tx()}, "decision": {"yes"}}); p.URL.Query().Get("note") != "stale" {
		t.Errorf("at %s %s", p.URL, p.Error())
	}
	if n := rowsOf(t, h.DB, `SELECT count(*) FROM card_binding`); n != 1 {
		t.Errorf("%d ties", n)
	}
}

// TestAnotherPersonsSessionAtTheJoinPage: between the page and the yes somebody else signs in, in the same browser.
func TestAnotherPersonsSessionAtTheJoinPage(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	comeIn(t, h, "hanako")
	b := h.Browser(t)
	h.Code(t, b, idptest.NewRequest(), "taro")
	h.PKI.Linkage().Behave(cardtest.LinkageDown)
	p := b.Get(b.CardLogin(b.Get(idptest.NewRequest("prompt", "login").Path()), "taro-renewed"))
	if p = b.Post("/folder/again", url.Values{"tx": {p.Tx()}, "way": {"session"}}); p.URL.Path != "/folder/join" {
		t.Fatalf("at %s", p.URL)
	}
	b.Get(b.CardLogin(b.Get(idptest.NewRequest("prompt", "login").Path()), "hanako"))
	if p = b.Post("/folder/join", url.Values{"tx": {p.Tx()}, "decision": {"yes"}}); p.URL.Query().Get("note") != "stale" {
		t.Errorf("at %s %s", p.URL, p.Error())
	}
	if n := rowsOf(t, h.DB, `SELECT count(*) FROM card_binding`); n != 2 {
		t.Errorf("%d ties", n)
	}
}

// TestYesFromAnotherSite: a page of somebody else posts the yes in the citizen's browser.
func TestYesFromAnotherSite(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	comeIn(t, h, "taro")
	h.PKI.Linkage().Behave(cardtest.LinkageDown)
	b, _, p := present(t, h, "taro-renewed")
	p = b.Get(b.OldCard(p, "taro"))
	for path, form := range map[string]url.Values{
		"/folder/join": {"tx": {p.Tx()}, "decision": {"yes"}}, "/folder/again": {"tx": {p.Tx()}, "way": {"sign"}}, "/account/prepare": nil, "/account/cards/undo": {"card": {"x.y"}},
	} {
		for header, value := range map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"} {
			req := b.Request(http.MethodPost, h.Issuer+path, form)
			req.Header.Del("Origin")
			req.Header.Del("Sec-Fetch-Site")
			req.Header.Set(header, value)
			resp, err := h.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s with %s: %d", path, header, resp.StatusCode)
			}
		}
	}
	if n := rowsOf(t, h.DB, `SELECT count(*) FROM card_binding`); n != 1 {
		t.Errorf("%d ties", n)
	}
}

// TestBadNewCardSucceedsNobody: expired or revoked, whatever the authority or its owner says.
func TestBadNewCardSucceedsNobody(t *testing.T) {
	now := time.Now()
	h := idptest.Start(t, idptest.Options{Now: func() time.Time { return now }})
	comeIn(t, h, "taro")
	renewed := leaf(t, h, "taro-renewed")
	refused := func(word string) {
		t.Helper()
		b := h.Browser(t)
		at := b.Challenge(b.Get(idptest.NewRequest().Path()))
		a := h.Submit(t, at, idptest.Respond(t, h.Fetch(t, at), renewed).Compact(t))
		if p := b.Get(a.Text("return_uri")); a.Text("error") != word || p.Error() != word {
			t.Errorf("%s: %d %s, %s", word, a.Status, a.Raw, p.Error())
		}
	}
	if err := h.PKI.Auth().Revoke(renewed.Serial(), 1); err != nil {
		t.Fatal(err)
	}
	refused("cert_revoked")
	if err := h.PKI.Auth().Release(renewed.Serial()); err != nil { // the authority is shared with other tests
		t.Fatal(err)
	}
	now = renewed.Certificate.NotAfter.Add(time.Hour)
	refused("cert_expired")
	if n := rowsOf(t, h.DB, `SELECT count(*) FROM card_binding`); n != 1 {
		t.Errorf("%d ties", n)
	}
}

// TestPasskeySessionReadsOfANewCard: it cannot take the card back, and is told who can.
func TestPasskeySessionReadsOfANewCard(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Domain: true})
	_, d := h.WithPasskey(t, "taro")
	thief, _, _ := joined(t, h, "hanako", "taro")
	if p := thief.Get("/account"); strings.Contains(p.Body, `id="new-card"`) {
		t.Error("the card that came is told of itself")
	}
	b := h.Browser(t)
	p := b.PasskeyLogin(b.Get("/account"), d)
	if !strings.Contains(p.Body, `id="new-card"`) || !strings.Contains(p.Body, "前からのカードでログイン") || undoLink.MatchString(p.Body) {
		t.Errorf("at %s: told nothing, or what it cannot do", p.URL)
	}
}

// TestWaitingCardIsNoGoodCard: what does not open the folder yet does not let a passkey in either.
func TestWaitingCardIsNoGoodCard(t *testing.T) {
	now := time.Now()
	h := idptest.Start(t, idptest.Options{Domain: true, Now: func() time.Time { return now }})
	owner, d := h.WithPasskey(t, "taro")
	if p := owner.Get(owner.CardSign(asked(t, owner.Post("/account/prepare", nil)), "taro")); p.URL.Query().Get("note") != "done" {
		t.Fatalf("prepare: %s", p.URL)
	}
	h.PKI.Linkage().Behave(cardtest.LinkageDown)
	relinked(t, h, "taro-renewed", "taro-renewed")
	if _, err := h.DB.Exec(t.Context(), `UPDATE card_binding SET revoked = 'keyCompromise', ended_at = 1, end_reason = 'revoked' WHERE evidence = 'opened'`); err != nil {
		t.Fatal(err)
	}
	b := h.Browser(t)
	if p := b.PasskeyLogin(b.Get("/account"), d); p.Error() != "passkey_no_card" {
		t.Errorf("while it waits: %s %s", p.URL, p.Error())
	}
}

// TestSignatureOfACardThatDoesNotSignIn: one that a newer card replaced, or that still waits, signs nothing in the folder either.
func TestSignatureOfACardThatDoesNotSignIn(t *testing.T) {
	for _, change := range []string{"ended_at = 1, end_reason = 'superseded'", "opens_at = 9999999999"} {
		h := idptest.Start(t, notaryOptions())
		comeIn(t, h, "taro")
		comeIn(t, h, "phone")
		b := h.Browser(t)
		p := toSign(t, b, signatureRequest(t, contract), "phone")
		if _, err := h.DB.Exec(t.Context(), `UPDATE card_binding SET `+change+` WHERE evidence = 'opened'`); err != nil {
			t.Fatal(err)
		}
		p = b.Get(b.CardSign(b.SignatureRequest(p), "taro"))
		if p.Error() != "signer_unknown" {
			t.Errorf("%s: %d %s %s", change, p.Status, p.URL, p.Error())
		}
	}
}
