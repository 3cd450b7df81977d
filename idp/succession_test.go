package idp_test

import (
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// comeIn signs in with a card in a new browser and returns the subject that the service is told.
func comeIn(t *testing.T, h *idptest.Hub, card string) string {
	t.Helper()
	r := idptest.NewRequest()
	return subjectOf(t, h, h.Code(t, h.Browser(t), r, card), r)
}

// present reads a card in a new browser and returns the browser and the page it is at then.
func present(t *testing.T, h *idptest.Hub, card string) (*idptest.Browser, idptest.Request, idptest.Page) {
	t.Helper()
	b, r := h.Browser(t), idptest.NewRequest()
	return b, r, b.Get(b.CardLogin(b.Get(r.Path()), card))
}

func rowsOf(t *testing.T, db *sqldb.DB, query string, args ...any) (n int) {
	t.Helper()
	if err := db.QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func auditedTimes(t *testing.T, db *sqldb.DB, kind string) int {
	t.Helper()
	return rowsOf(t, db, `SELECT count(*) FROM audit_event WHERE kind = $1`, kind)
}

// TestRenewedCardKeepsThePerson: no question, the same subject, the old card's end and its reason on record, and no use of it afterwards.
func TestRenewedCardKeepsThePerson(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		h := idptest.Start(t, idptest.Options{DB: db})
		subject := comeIn(t, h, "taro")

		b, r, p := present(t, h, "taro-renewed")
		code := p.URL.Query().Get("code")
		if code == "" {
			t.Fatalf("asked a question: %s %s", p.URL, p.Error())
		}
		if got := subjectOf(t, h, code, r); got != subject {
			t.Errorf("subject %q, was %q", got, subject)
		}
		if n := rowsOf(t, db, `SELECT count(*) FROM card_binding WHERE evidence = 'linkage' AND ended_at IS NULL AND old_serial IS NOT NULL`); n != 1 {
			t.Errorf("%d new ties", n)
		}
		if n := rowsOf(t, db, `SELECT count(*) FROM card_binding WHERE evidence = 'opened' AND end_reason = 'superseded'`); n != 1 {
			t.Errorf("%d ended ties", n)
		}
		if n := auditedTimes(t, db, "card.tied"); n != 1 {
			t.Errorf("%d audit rows", n)
		}
		page := b.Get("/account")
		for _, want := range []string{`data-card="linkage"`, `data-card-end="superseded"`} {
			if strings.Count(page.Body, want) != 1 {
				t.Errorf("account page: %s %d times", want, strings.Count(page.Body, want))
			}
		}
		if _, _, p := present(t, h, "taro"); p.Error() != "card_replaced" {
			t.Errorf("the old card: %s %s", p.URL, p.Error())
		}
		if got := comeIn(t, h, "taro-renewed"); got != subject {
			t.Errorf("later: subject %q, was %q", got, subject)
		}
		if n := rowsOf(t, db, `SELECT count(*) FROM account`); n != 1 {
			t.Errorf("%d folders", n)
		}
	})
}

// TestPhoneJoinsThePlasticCard: the phone's certificate opens the same folder, and the card goes on doing so.
func TestPhoneJoinsThePlasticCard(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	subject := comeIn(t, h, "taro")
	for _, card := range []string{"phone", "taro", "phone"} {
		if got := comeIn(t, h, card); got != subject {
			t.Errorf("%s: subject %q, was %q", card, got, subject)
		}
	}
}

// TestForgedSuccessionIsRefused: whatever comes instead of a good answer ties nothing, loses nothing, and is made good by a later one.
func TestForgedSuccessionIsRefused(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	comeIn(t, h, "taro")
	for name, b := range map[string]cardtest.LinkageBehaviour{
		"about another certificate": cardtest.LinkageOtherCertificate, "replayed": cardtest.LinkageReplayed, "old": cardtest.LinkageOld,
		"garbage": cardtest.LinkageGarbage, "down": cardtest.LinkageDown, "refusing": cardtest.LinkageRefusing,
	} {
		h.PKI.Linkage().Behave(b)
		_, _, p := present(t, h, "taro-renewed")
		if p.URL.Path != "/folder/again" {
			t.Errorf("%s: at %s", name, p.URL)
		}
	}
	if n := rowsOf(t, h.DB, `SELECT count(*) FROM card_binding`); n != 1 {
		t.Fatalf("%d ties", n)
	}
}

// TestSilenceIsAskedAgain: from the same page, without another reading of the card.
func TestSilenceIsAskedAgain(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	subject := comeIn(t, h, "taro")
	h.PKI.Linkage().Behave(cardtest.LinkageDown)
	b, r, p := present(t, h, "taro-renewed")
	if p = b.Post("/folder/again", url.Values{"tx": {p.Tx()}, "way": {"retry"}}); p.URL.Query().Get("note") != "still_silent" {
		t.Fatalf("at %s", p.URL)
	}
	if open := b.Post("/folder/open", url.Values{"tx": {p.Tx()}}); open.URL.Path != "/folder/again" {
		t.Fatalf("a second folder opened by the way: %s", open.URL)
	}
	h.PKI.Linkage().Behave(cardtest.LinkageGood)
	p = b.Post("/folder/again", url.Values{"tx": {p.Tx()}, "way": {"retry"}})
	if got := subjectOf(t, h, p.URL.Query().Get("code"), r); got != subject {
		t.Errorf("subject %q, was %q", got, subject)
	}
}

// TestOlderCardsOfTwoFoldersAreNotChosenFrom: the answer names cards of two people, or of one with two folders.
func TestOlderCardsOfTwoFoldersAreNotChosenFrom(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	comeIn(t, h, "taro")
	comeIn(t, h, "hanako")
	taro, _, err := h.PKI.Drawer().Leaves("taro")
	if err != nil {
		t.Fatal(err)
	}
	hanako, _, err := h.PKI.Drawer().Leaves("hanako")
	if err != nil {
		t.Fatal(err)
	}
	renewed, _, err := h.PKI.Drawer().Leaves("taro-renewed")
	if err != nil {
		t.Fatal(err)
	}
	h.PKI.Linkage().Tell(renewed, taro, hanako)
	_, _, p := present(t, h, "taro-renewed")
	if p.URL.Path != "/folder/again" {
		t.Errorf("at %s", p.URL)
	}
	if n := rowsOf(t, h.DB, `SELECT count(*) FROM card_binding`); n != 2 {
		t.Errorf("%d ties", n)
	}
	if n := auditedTimes(t, h.DB, "card.conflict"); n != 2 {
		t.Errorf("%d audit rows", n)
	}
}

// TestOldAndNewCardTogether: with nobody to ask, both cards read in one login of one browser, and the citizen's word, tie the new one.
func TestOldAndNewCardTogether(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		h := idptest.Start(t, idptest.Options{DB: db})
		subject := comeIn(t, h, "taro")
		h.PKI.Linkage().Behave(cardtest.LinkageDown)
		b, r, p := present(t, h, "taro-renewed")
		p = b.Get(b.OldCard(p, "taro"))
		if p.URL.Path != "/folder/join" || !strings.Contains(p.Body, "試験サービス") {
			t.Fatalf("after the old card: %s", p.URL)
		}
		if n := rowsOf(t, db, `SELECT count(*) FROM card_binding`); n != 1 {
			t.Fatalf("tied before it was confirmed: %d", n)
		}
		p = b.Post("/folder/join", url.Values{"tx": {p.Tx()}, "decision": {"yes"}})
		if got := subjectOf(t, h, p.URL.Query().Get("code"), r); got != subject {
			t.Errorf("subject %q, was %q", got, subject)
		}
		if n := rowsOf(t, db, `SELECT count(*) FROM card_binding WHERE evidence = 'both' AND old_serial IS NOT NULL`); n != 1 {
			t.Errorf("%d new ties", n)
		}
		for _, card := range []string{"taro", "taro-renewed"} {
			if got := comeIn(t, h, card); got != subject {
				t.Errorf("%s: subject %q, was %q", card, got, subject)
			}
		}
	})
}

// TestSessionAndNewCardTogether: the folder that was signed in to a moment ago, in the same browser.
func TestSessionAndNewCardTogether(t *testing.T) {
	now := time.Now()
	h := idptest.Start(t, idptest.Options{Now: func() time.Time { return now }})
	b, first := h.Browser(t), idptest.NewRequest()
	subject := subjectOf(t, h, h.Code(t, b, first, "taro"), first)
	h.PKI.Linkage().Behave(cardtest.LinkageDown)
	r := idptest.NewRequest("prompt", "login")
	p := b.Get(b.CardLogin(b.Get(r.Path()), "taro-renewed"))
	if !strings.Contains(p.Body, `id="again-session"`) {
		t.Fatalf("at %s", p.URL)
	}
	at := p
	p = b.Post("/folder/again", url.Values{"tx": {p.Tx()}, "way": {"session"}})
	if p.URL.Path != "/folder/join" {
		t.Fatalf("at %s", p.URL)
	}
	t.Run("stale", func(t *testing.T) {
		before := now
		now = now.Add(6 * time.Minute)
		defer func() { now = before }()
		p := b.Post("/folder/join", url.Values{"tx": {p.Tx()}, "decision": {"yes"}})
		if p.URL.Query().Get("note") != "stale" || strings.Contains(p.Body, `id="again-session"`) {
			t.Errorf("at %s", p.URL)
		}
	})
	p = b.Post("/folder/again", url.Values{"tx": {at.Tx()}, "way": {"session"}})
	p = b.Post("/folder/join", url.Values{"tx": {p.Tx()}, "decision": {"yes"}})
	if got := subjectOf(t, h, p.URL.Query().Get("code"), r); got != subject {
		t.Errorf("subject %q, was %q", got, subject)
	}
}

// TestNewCardJoinsNobodyElsesFolder: if the authority can be asked, two people's cards are not tied, whoever holds both; nor does a choice of
// another browser count, or one without the proof.
func TestNewCardJoinsNobodyElsesFolder(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	comeIn(t, h, "taro")
	ties := func() int { return rowsOf(t, h.DB, `SELECT count(*) FROM card_binding`) }

	b, _, p := present(t, h, "hanako") // has no folder, nobody objects to opening one
	if p.URL.Path != "/folder/open" || !strings.Contains(p.Body, `id="folder-again"`) {
		t.Fatalf("at %s", p.URL)
	}
	p = b.Get("/folder/again?tx=" + p.Tx())
	p = b.Get(b.OldCard(p, "taro"))
	p = b.Post("/folder/join", url.Values{"tx": {p.Tx()}, "decision": {"yes"}})
	if p.URL.Query().Get("note") != "not_same" || ties() != 1 || auditedTimes(t, h.DB, "card.not_joined") != 1 {
		t.Errorf("at %s, %d ties", p.URL, ties())
	}

	h.PKI.Linkage().Behave(cardtest.LinkageDown)
	_, _, victim := present(t, h, "taro-renewed")
	thief := h.Browser(t)
	thief.Get(idptest.NewRequest().Path()) // with a browser cookie of its own
	for _, form := range []url.Values{{"way": {"retry"}}, {"way": {"first"}}, {"way": {"session"}}} {
		form.Set("tx", victim.Tx())
		if p := thief.Post("/folder/again", form); p.Error() != "other_browser" {
			t.Errorf("%v: %s %s", form, p.URL, p.Error())
		}
	}
	if p := thief.Post("/folder/join", url.Values{"tx": {victim.Tx()}, "decision": {"yes"}}); p.Error() != "other_browser" {
		t.Errorf("join: %s %s", p.URL, p.Error())
	}
	b, _, p = present(t, h, "taro-renewed")
	if p = b.Post("/folder/join", url.Values{"tx": {p.Tx()}, "decision": {"yes"}}); p.URL.Path != "/folder/again" {
		t.Errorf("join without the old card: %s", p.URL)
	}
	if p = b.Post("/folder/again", url.Values{"tx": {p.Tx()}, "way": {"session"}}); p.URL.Query().Get("note") != "stale" {
		t.Errorf("session without one: %s", p.URL)
	}
	if ties() != 1 {
		t.Errorf("%d ties", ties())
	}
}

// TestOldCardProvesWhileItIsFreshAndGood: a revoked card proves nothing, nor does one that was read minutes ago, nor a card without a
// folder; the new card stays read.
func TestOldCardProvesWhileItIsFreshAndGood(t *testing.T) {
	now := time.Now()
	h := idptest.Start(t, idptest.Options{Now: func() time.Time { return now }})
	comeIn(t, h, "taro")
	h.PKI.Linkage().Behave(cardtest.LinkageDown)
	old, _, err := h.PKI.Drawer().Leaves("taro")
	if err != nil {
		t.Fatal(err)
	}
	b, _, again := present(t, h, "taro-renewed")

	if p := b.Get(b.OldCard(again, "hanako")); p.URL.Query().Get("note") != "no_folder" {
		t.Errorf("a card without a folder: %s", p.URL)
	}
	if err := h.PKI.Auth().Revoke(old.Serial(), 1); err != nil { // keyCompromise
		t.Fatal(err)
	}
	at := b.OldChallenge(again)
	answer := h.Submit(t, at, idptest.Respond(t, h.Fetch(t, at), old).Compact(t))
	if err := h.PKI.Auth().Release(old.Serial()); err != nil { // the authority is shared with other tests
		t.Fatal(err)
	}
	if p := b.Get(answer.Text("return_uri")); p.Error() != "cert_revoked" {
		t.Errorf("a revoked card: %s %s", p.URL, p.Error())
	}
	p := b.Get(b.OldCard(again, "taro"))
	if p.URL.Path != "/folder/join" {
		t.Fatalf("at %s", p.URL)
	}
	now = now.Add(6 * time.Minute)
	if p = b.Post("/folder/join", url.Values{"tx": {p.Tx()}, "decision": {"yes"}}); p.URL.Query().Get("note") != "stale" {
		t.Errorf("minutes later: %s", p.URL)
	}
	if n := rowsOf(t, h.DB, `SELECT count(*) FROM card_binding`); n != 1 {
		t.Errorf("%d ties", n)
	}
}

// TestSuccessionInManyBrowsersAtOnce: one tie is made, and everybody is in the same folder; some by the authority's word, some by opening.
func TestSuccessionInManyBrowsersAtOnce(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		h := idptest.Start(t, idptest.Options{DB: db})
		subject := comeIn(t, h, "taro")
		const n = 8
		returns, subjects := make([]string, n), make([]string, n)
		browsers, requests := make([]*idptest.Browser, n), make([]idptest.Request, n)
		for i := range n {
			browsers[i], requests[i] = h.Browser(t), idptest.NewRequest()
			returns[i] = browsers[i].CardLogin(browsers[i].Get(requests[i].Path()), "taro-renewed")
		}
		var wg sync.WaitGroup
		pages := make([]idptest.Page, n)
		for i := range n {
			wg.Go(func() { pages[i] = browsers[i].Get(returns[i]) })
		}
		wg.Wait()
		for i := range n {
			if subjects[i] = subjectOf(t, h, pages[i].URL.Query().Get("code"), requests[i]); subjects[i] != subject {
				t.Errorf("browser %d: subject %q, was %q (%s)", i, subjects[i], subject, pages[i].URL)
			}
		}
		if got := rowsOf(t, db, `SELECT count(*) FROM card_binding`); got != 2 {
			t.Errorf("%d ties", got)
		}
		if got := auditedTimes(t, db, "card.tied"); got != 1 {
			t.Errorf("%d audit rows", got)
		}
	})
}

var undoLink = regexp.MustCompile(`/account/cards/undo\?card=([A-Za-z0-9_.-]+)`)

// TestOlderCardTakesTheNewerBack: what was made with the newer one is over, tokens for later too; the newer could not have done the same
// to the older; the row stays to be read, and the card may open a folder of its own, which nothing of the past leads into.
func TestOlderCardTakesTheNewerBack(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		h := idptest.Start(t, idptest.Options{DB: db})
		owner, first := h.Browser(t), idptest.NewRequest()
		subject := subjectOf(t, h, h.Code(t, owner, first, "taro"), first)
		h.PKI.Linkage().Behave(cardtest.LinkageDown)
		thief, r, p := present(t, h, "taro-renewed")
		p = thief.Get(thief.OldCard(p, "taro"))
		p = thief.Post("/folder/join", url.Values{"tx": {p.Tx()}, "decision": {"yes"}})
		tokens := h.Redeem(t, p.URL.Query().Get("code"), r)
		if h.Bearer(t, "GET", "/userinfo", tokens.Text("access_token")).Text("sub") != subject {
			t.Fatal("not in the folder")
		}
		if page := thief.Get("/account"); undoLink.MatchString(page.Body) {
			t.Error("the newer card may remove the older")
		}
		page := owner.Get("/account")
		link := undoLink.FindStringSubmatch(page.Body)
		if link == nil || !strings.Contains(page.Body, `id="new-card"`) {
			t.Fatal("the owner is told nothing")
		}
		if p := thief.Post("/account/cards/undo", url.Values{"card": {link[1]}}); p.Error() != "not_found" {
			t.Errorf("the newer card takes itself back: %s", p.URL)
		}
		for _, bad := range []string{"", ".", "x.y", link[1] + "A", strings.Repeat("A", 300)} {
			if p := owner.Post("/account/cards/undo", url.Values{"card": {bad}}); p.Error() != "not_found" {
				t.Errorf("%q: %s", bad, p.URL)
			}
		}
		owner.Post("/account/cards/undo", url.Values{"card": {link[1]}})

		if got := h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(tokens.Text("refresh_token"))); got.Status != 400 {
			t.Errorf("refresh: %d %s", got.Status, got.Raw)
		}
		if p := thief.Get("/account"); p.URL.Path != "/login" {
			t.Errorf("still signed in: %s", p.URL)
		}
		if page := owner.Get("/account"); !strings.Contains(page.Body, `data-card-end="undone"`) {
			t.Error("not in the history")
		}
		if n := auditedTimes(t, db, "card.undone"); n != 1 {
			t.Errorf("%d audit rows", n)
		}
		b, r, p := present(t, h, "taro-renewed")
		if p.URL.Path != "/folder/again" {
			t.Fatalf("the card that was taken back: %s", p.URL)
		}
		p = b.Finish(b.Post("/folder/again", url.Values{"tx": {p.Tx()}, "way": {"first"}}))
		if got := subjectOf(t, h, p.URL.Query().Get("code"), r); got == subject || got == "" {
			t.Errorf("subject %q", got)
		}
		if got := h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(tokens.Text("refresh_token"))); got.Status != 400 {
			t.Errorf("refresh after a folder of its own: %d %s", got.Status, got.Raw)
		}
		if page := owner.Get("/account"); !strings.Contains(page.Body, `data-card-end="undone"`) {
			t.Error("no longer in the history")
		}
	})
}
