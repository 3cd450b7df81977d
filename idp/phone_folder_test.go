package idp_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestComputerSaysWhoseFolder: the attacker's phone signs for the victim's computer, which says that the folder is not hers before anything
// is signed in.
func TestComputerSaysWhoseFolder(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	hanako := h.Browser(t)
	h.Code(t, hanako, idptest.NewRequest(), "hanako")
	hanako.Post("/account/details", url.Values{"name": {"見本花子"}})
	w := newPair(t, h)
	w.signed("hanako")
	p := w.computer()
	for _, want := range []string{"「見」で始まる名前", "に開いたもの"} {
		if !strings.Contains(p.Body, want) {
			t.Errorf("the computer does not say %s: %s", want, p.Body)
		}
	}
	if strings.Contains(p.Body, "花子") {
		t.Error("the computer names the owner to whoever sits there")
	}
	w.nothing()
	if p := w.pc.Post("/login/phone/end", url.Values{"tx": {w.tx}, "decision": {"no"}}); p.Error() != "not_mine" {
		t.Errorf("%d %s", p.Status, p.Error())
	}
	if p := w.phone.Get("/phone"); p.Error() != "not_mine" {
		t.Errorf("phone: %s", p.Error())
	}
	if p := w.finish(); p.Error() != "not_mine" {
		t.Errorf("the computer went on: %d %s", p.Status, p.URL)
	}
	w.nothing()
}

// TestComputerSaysWhoseFolderARenewedCardJoins: before the yes it is said, and only with the yes is anything tied.
func TestComputerSaysWhoseFolderARenewedCardJoins(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	subject := comeIn(t, h, "taro")
	w := newPair(t, h)
	w.signed("phone")
	if p := w.computer(); !strings.Contains(p.Body, "に開いたもの") {
		t.Errorf("the computer does not know the folder: %s", p.Body)
	}
	if n := rowsOf(t, h.DB, `SELECT count(*) FROM card_binding`); n != 1 {
		t.Errorf("%d ties before the yes", n)
	}
	if got := subjectOf(t, h, w.finish().URL.Query().Get("code"), w.r); got != subject {
		t.Errorf("subject %q, was %q", got, subject)
	}
}

// TestPhoneProvesNobodysFolder: who led a citizen to sign for his computer must not make a card of his own hers. With the linkage silent, neither
// her session there nor her card, read by a phone, is proof for a new card.
func TestPhoneProvesNobodysFolder(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	comeIn(t, h, "taro")
	w := newPair(t, h)
	w.tokens("taro")
	h.PKI.Linkage().Behave(cardtest.LinkageDown)
	r := idptest.NewRequest("prompt", "login")
	p := w.pc.Get(w.pc.CardLogin(w.pc.Get(r.Path()), "hanako"))
	if p.URL.Path != "/folder/again" || strings.Contains(p.Body, `id="again-session"`) {
		t.Errorf("the session that a phone made is offered: %s", p.URL)
	}
	again := p.Tx()
	if p := w.pc.Post("/folder/again", url.Values{"tx": {again}, "way": {"session"}}); p.URL.Query().Get("note") != "stale" {
		t.Errorf("pressed all the same: %s", p.URL)
	}
	w.pc.Post("/login/card", url.Values{"tx": {again}, "keep": {"1"}})
	if p := w.pc.Post("/login/phone", url.Values{"tx": {again}}); p.URL.Path == "/login/phone" {
		t.Errorf("a phone may show the old card: %s", p.URL)
	}
	if n := rowsOf(t, h.DB, `SELECT count(*) FROM card_binding`); n != 1 {
		t.Errorf("%d ties", n)
	}
}

// TestCardReadByAPhoneJoinsNobodysFolder: who led a citizen to sign for his computer must not make her new card open his own folder, where she
// would write down her life. With the linkage silent, nothing that he shows there ties what a phone read.
func TestCardReadByAPhoneJoinsNobodysFolder(t *testing.T) {
	h, c := passkeyHub(t)
	thief, d := h.WithPasskey(t, "hanako")
	prepared := thief.Get(thief.CardSign(asked(t, thief.Post("/account/prepare", nil)), "hanako"))
	if prepared.URL.Query().Get("note") != "done" {
		t.Fatalf("at %s", prepared.URL)
	}
	h.PKI.Linkage().Behave(cardtest.LinkageDown)
	c.advance(time.Minute)
	w := &pair{t: t, h: h, pc: thief, phone: h.Browser(t)}
	lured := func() idptest.Page {
		w.r = idptest.NewRequest("prompt", "login")
		w.show(w.pc.Get(w.r.Path()))
		w.signed("taro")
		p := w.finish()
		if p.URL.Path != "/folder/again" {
			t.Fatalf("at %s %s", p.URL, p.Error())
		}
		return p
	}
	p := lured()
	for _, way := range []string{"again-session", "again-old", "passkey-login", "again-sign"} {
		if strings.Contains(p.Body, `id="`+way+`"`) {
			t.Errorf("%s is offered", way)
		}
	}
	for _, way := range []string{"session", "sign"} {
		got := thief.Post("/folder/again", url.Values{"tx": {p.Tx()}, "way": {way}})
		if got.URL.Query().Get("note") != "by_phone" {
			t.Errorf("%s, pressed all the same: %s %s", way, got.URL, got.Error())
		}
	}
	if got := thief.PasskeyLogin(p, d); got.URL.Query().Get("note") != "by_phone" {
		t.Errorf("passkey: %s %s", got.URL, got.Error())
	}
	if !strings.Contains(p.Body, `id="again-here"`) {
		t.Error("no way to read the card here")
	}
	if got := thief.Get(thief.OldCard(lured(), "hanako")); got.URL.Query().Get("note") != "by_phone" {
		t.Errorf("card: %s %s", got.URL, got.Error())
	}
	if n := rowsOf(t, h.DB, `SELECT count(*) FROM card_binding`); n != 1 {
		t.Errorf("%d ties", n)
	}
}
