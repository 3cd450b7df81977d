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
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral/ephemeraltest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// asked is where a page sent the browser to sign.
func asked(t *testing.T, p idptest.Page) string {
	t.Helper()
	at := p.URL.Query().Get("request")
	if at == "" {
		t.Fatalf("not asked to sign: %d %s %s", p.Status, p.URL, p.Error())
	}
	return at
}

// prepared signs a card's owner in, who then signs with a card so that a later one can be recognised; it returns the note of the page.
func prepared(t *testing.T, h *idptest.Hub, card, signs string) (b *idptest.Browser, subject, note string) {
	t.Helper()
	b, r := h.Browser(t), idptest.NewRequest()
	subject = subjectOf(t, h, h.Code(t, b, r, card), r)
	p := b.Get(b.CardSign(asked(t, b.Post("/account/prepare", nil)), signs))
	return b, subject, p.URL.Query().Get("note")
}

// relinked reads a card in a new browser while nobody says whose it is, and signs with another for it.
func relinked(t *testing.T, h *idptest.Hub, card, signs string) idptest.Page {
	t.Helper()
	b, _, p := present(t, h, card)
	return b.Get(b.CardSign(asked(t, b.Post("/folder/again", url.Values{"tx": {p.Tx()}, "way": {"sign"}})), signs))
}

// TestSignatureLeadsBackToTheFolder: with the linkage service down and the old card gone, who prepared gets her folder back, after a wait that
// everybody who is in the folder reads of; the attributes are nowhere.
func TestSignatureLeadsBackToTheFolder(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		now := time.Now()
		h := idptest.Start(t, idptest.Options{DB: db, Now: func() time.Time { return now }})
		owner, subject, note := prepared(t, h, "taro", "taro")
		if note != "done" {
			t.Fatalf("prepared: %s", note)
		}
		h.PKI.Linkage().Behave(cardtest.LinkageDown)
		if p := relinked(t, h, "taro-renewed", "taro-renewed"); p.Error() != "card_waiting" {
			t.Fatalf("at %s %s", p.URL, p.Error())
		}
		if page := owner.Get("/account"); !strings.Contains(page.Body, `id="new-card"`) || !undoLink.MatchString(page.Body) {
			t.Error("the folder's owner is told nothing")
		}
		now = now.Add(23 * time.Hour)
		if _, _, p := present(t, h, "taro-renewed"); p.Error() != "card_waiting" {
			t.Errorf("too early: %s %s", p.URL, p.Error())
		}
		now = now.Add(2 * time.Hour)
		if got := comeIn(t, h, "taro-renewed"); got != subject {
			t.Errorf("subject %q, was %q", got, subject)
		}
		if got := comeIn(t, h, "taro"); got != subject {
			t.Errorf("the old card: subject %q, was %q", got, subject)
		}
	})
}

// TestAuthorityDecidesOverSignature: as soon as it answers, its word opens the folder at once, or takes the tie back.
func TestAuthorityDecidesOverSignature(t *testing.T) {
	t.Run("the same person", func(t *testing.T) {
		now := time.Now()
		h := idptest.Start(t, idptest.Options{Now: func() time.Time { return now }})
		_, subject, _ := prepared(t, h, "taro", "taro")
		h.PKI.Linkage().Behave(cardtest.LinkageDown)
		relinked(t, h, "taro-renewed", "taro-renewed")
		h.PKI.Linkage().Behave(cardtest.LinkageGood)
		now = now.Add(10 * time.Second) // it was left alone
		if got := comeIn(t, h, "taro-renewed"); got != subject {
			t.Errorf("subject %q, was %q", got, subject)
		}
		if n := rowsOf(t, h.DB, `SELECT count(*) FROM card_binding WHERE evidence = 'linkage'`); n != 1 {
			t.Errorf("%d ties on the authority's word", n)
		}
	})
	t.Run("another person, for whom the owner was made to sign", func(t *testing.T) {
		now := time.Now()
		h := idptest.Start(t, idptest.Options{Now: func() time.Time { return now }})
		_, subject, _ := prepared(t, h, "taro", "taro")
		h.PKI.Linkage().Behave(cardtest.LinkageDown)
		if p := relinked(t, h, "hanako", "taro"); p.Error() != "card_waiting" {
			t.Fatalf("at %s %s", p.URL, p.Error())
		}
		h.PKI.Linkage().Behave(cardtest.LinkageGood)
		now = now.Add(10 * time.Second) // it was left alone
		b, r, p := present(t, h, "hanako")
		if p.URL.Path != "/folder/open" {
			t.Fatalf("at %s %s", p.URL, p.Error())
		}
		now = now.Add(time.Second)
		if got := subjectOf(t, h, b.Finish(p).URL.Query().Get("code"), r); got == subject || got == "" {
			t.Errorf("subject %q", got)
		}
		if n := auditedTimes(t, h.DB, "card.not_joined"); n != 1 {
			t.Errorf("%d audit rows", n)
		}
	})
}

// TestSignatureThatShowsNothing: without preparation, of another person, beside another card where the authority says so, in another browser,
// or after minutes.
func TestSignatureThatShowsNothing(t *testing.T) {
	now := time.Now()
	h := idptest.Start(t, idptest.Options{Now: func() time.Time { return now }})
	comeIn(t, h, "taro")
	ties := func() int { return rowsOf(t, h.DB, `SELECT count(*) FROM card_binding`) }
	h.PKI.Linkage().Behave(cardtest.LinkageDown)
	if p := relinked(t, h, "taro-renewed", "taro-renewed"); p.URL.Query().Get("note") != "no_match" {
		t.Errorf("not prepared: %s %s", p.URL, p.Error())
	}
	if _, _, note := prepared(t, h, "taro", "taro"); note != "silent" {
		t.Errorf("prepared without the authority: %q", note)
	}
	h.PKI.Linkage().Behave(cardtest.LinkageGood)
	now = now.Add(10 * time.Second) // it was left alone
	if _, _, note := prepared(t, h, "taro", "hanako"); note != "not_same" {
		t.Errorf("prepared with another's signature: %q", note)
	}
	if n := rowsOf(t, h.DB, `SELECT count(*) FROM relink_mark`); n != 0 {
		t.Fatalf("%d marks", n)
	}
	if _, _, note := prepared(t, h, "taro", "taro"); note != "done" {
		t.Fatalf("prepared: %q", note)
	}
	h.PKI.Linkage().Behave(cardtest.LinkageDown)
	if p := relinked(t, h, "taro-renewed", "hanako"); p.URL.Query().Get("note") != "no_match" {
		t.Errorf("another's signature: %s %s", p.URL, p.Error())
	}

	b, _, p := present(t, h, "hanako")
	at := b.CardSign(asked(t, b.Post("/folder/again", url.Values{"tx": {p.Tx()}, "way": {"sign"}})), "taro")
	h.PKI.Linkage().Behave(cardtest.LinkageGood)
	now = now.Add(10 * time.Second)
	if p := b.Get(at); p.URL.Query().Get("note") != "not_same" {
		t.Errorf("the authority is back and says no: %s %s", p.URL, p.Error())
	}

	h.PKI.Linkage().Behave(cardtest.LinkageDown)
	b, _, p = present(t, h, "taro-renewed")
	request := asked(t, b.Post("/folder/again", url.Values{"tx": {p.Tx()}, "way": {"sign"}}))
	thief := h.Browser(t)
	thief.Get(idptest.NewRequest().Path())
	if p := thief.Get(b.CardSign(request, "taro-renewed")); p.Error() != "other_browser" {
		t.Errorf("another browser: %s %s", p.URL, p.Error())
	}
	at = b.CardSign(asked(t, b.Post("/folder/again", url.Values{"tx": {p.Tx()}, "way": {"sign"}})), "taro-renewed")
	now = now.Add(6 * time.Minute)
	if p := b.Get(at); p.Error() != "return_unknown" {
		t.Errorf("minutes later: %s %s", p.URL, p.Error())
	}
	if ties() != 1 {
		t.Errorf("%d ties", ties())
	}
}

// TestWrittenDetailsShowNothing: what a person writes about herself is compared with nobody's signature.
func TestWrittenDetailsShowNothing(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	victim, _, note := prepared(t, h, "taro", "taro")
	if note != "done" {
		t.Fatal(note)
	}
	written := url.Values{"name": {"見本 太郎"}, "address": {"東京都千代田区霞が関二丁目1番1号"}, "birthdate": {"1980-01-02"}, "gender": {"male"}}
	liar := h.Browser(t)
	h.Code(t, liar, idptest.NewRequest(), "hanako")
	liar.Post("/account/details", written)
	victim.Post("/account/details", url.Values{"name": {"見本 花子"}})
	h.PKI.Linkage().Behave(cardtest.LinkageDown)
	if p := relinked(t, h, "taro-renewed", "hanako"); p.URL.Query().Get("note") != "no_match" {
		t.Errorf("the liar's signature: %s %s", p.URL, p.Error())
	}
	if p := relinked(t, h, "taro-renewed", "taro-renewed"); p.Error() != "card_waiting" {
		t.Errorf("the owner, who wrote another name: %s %s", p.URL, p.Error())
	}
}

// TestRefusedRelinkSignatureSaysWhy: on the page that the citizen came from.
func TestRefusedRelinkSignatureSaysWhy(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	_, card, err := h.PKI.Drawer().Leaves("hanako")
	if err != nil {
		t.Fatal(err)
	}
	owner := h.Browser(t)
	h.Code(t, owner, idptest.NewRequest(), "hanako")
	h.PKI.Linkage().Behave(cardtest.LinkageDown)
	b, _, p := present(t, h, "taro")
	if err := h.PKI.Sign().Revoke(card.Serial(), 3); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.PKI.Sign().Release(card.Serial()); err != nil {
			t.Error(err)
		}
	}()
	_, back := owner.RefusedSign(asked(t, owner.Post("/account/prepare", nil)), "hanako")
	if p := owner.Get(back); p.URL.Path != "/account/prepare" || p.URL.Query().Get("note") != "cert_revoked" || !strings.Contains(p.Body, "署名用電子証明書が使えなくなっています") {
		t.Errorf("prepare: %s", p.URL)
	}
	_, back = b.RefusedSign(asked(t, b.Post("/folder/again", url.Values{"tx": {p.Tx()}, "way": {"sign"}})), "hanako")
	if p := b.Get(back); p.URL.Path != "/folder/again" || p.URL.Query().Get("note") != "cert_revoked" || !strings.Contains(p.Body, "署名用電子証明書が使えなくなっています") {
		t.Errorf("relink: %s", p.URL)
	}
}

// TestRelinkAnswersOnce: the address that comes back from the card app, in many tabs at once, ties one card.
func TestRelinkAnswersOnce(t *testing.T) {
	ephemeraltest.Each(t, func(t *testing.T, store ephemeral.Store) {
		h := idptest.Start(t, idptest.Options{Transient: store})
		prepared(t, h, "taro", "taro")
		h.PKI.Linkage().Behave(cardtest.LinkageDown)
		b, _, p := present(t, h, "taro-renewed")
		back := b.CardSign(asked(t, b.Post("/folder/again", url.Values{"tx": {p.Tx()}, "way": {"sign"}})), "taro-renewed")
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				resp, err := h.Client().Do(b.Request(http.MethodGet, back, nil))
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
		if n := auditedTimes(t, h.DB, "card.tied"); n != 1 {
			t.Errorf("%d ties", n)
		}
	})
}

// TestSignatureForOneCardIsNoneForAnother: a request made for one card, answered when the login has gone on with another.
func TestSignatureForOneCardIsNoneForAnother(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	prepared(t, h, "taro", "taro")
	h.PKI.Linkage().Behave(cardtest.LinkageDown)
	b := h.Browser(t)
	one := b.Get(b.CardLogin(b.Get(idptest.NewRequest().Path()), "taro-renewed"))
	request := asked(t, b.Post("/folder/again", url.Values{"tx": {one.Tx()}, "way": {"sign"}}))
	b.Get(b.CardLogin(one, "hanako"))
	if p := b.Get(b.CardSign(request, "taro-renewed")); p.Error() == "card_waiting" {
		t.Errorf("at %s", p.URL)
	}
	if n := rowsOf(t, h.DB, `SELECT count(*) FROM card_binding`); n != 1 {
		t.Errorf("%d ties", n)
	}
}
