package idp_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral/ephemeraltest"
)

const remoteACR = "urn:tsunagu:acr:card-remote"

var (
	qrAddress     = regexp.MustCompile(`id="qr-address">([^<]+)<`)
	pairingNumber = regexp.MustCompile(`id="pairing-number">(\d\d)<`)
	pairingField  = regexp.MustCompile(`name="pairing" value="([^"]+)"`)
)

// pair is a computer that shows a QR code, and a phone that has not read it yet.
type pair struct {
	t          *testing.T
	h          *idptest.Hub
	pc, phone  *idptest.Browser
	r          idptest.Request
	tx         string
	scannedURL string
}

func newPair(t *testing.T, h *idptest.Hub, changes ...string) *pair {
	t.Helper()
	w := &pair{t: t, h: h, pc: h.Browser(t), phone: h.Browser(t), r: idptest.NewRequest(changes...)}
	w.show(w.pc.Get(w.r.Path()))
	return w
}

// show presses the phone button of a login page.
func (w *pair) show(login idptest.Page) idptest.Page {
	w.t.Helper()
	w.tx = login.Tx()
	p := w.pc.Post("/login/phone", url.Values{"tx": {w.tx}})
	if p.URL.Path != "/login/phone" || p.Status != http.StatusOK {
		w.t.Fatalf("no QR code: %d %s %s", p.Status, p.URL, p.Error())
	}
	return p
}

func (w *pair) computer() idptest.Page {
	w.t.Helper()
	return w.pc.Get("/login/phone?tx=" + w.tx)
}

// frame returns what the QR code says at this moment.
func (w *pair) frame() string { return w.found(qrAddress, w.computer().Body) }

func (w *pair) found(what *regexp.Regexp, body string) string {
	w.t.Helper()
	m := what.FindStringSubmatch(body)
	if m == nil {
		w.t.Fatalf("no %s in %s", what, body)
	}
	return m[1]
}

// scan reads the QR code with the phone and returns what it shows.
func (w *pair) scan() idptest.Page {
	w.t.Helper()
	w.scannedURL = w.frame()
	return w.phone.Get(w.scannedURL)
}

// id returns the pairing that a phone's page is about.
func (w *pair) id(phone idptest.Page) url.Values {
	w.t.Helper()
	return url.Values{"pairing": {w.found(pairingField, phone.Body)}}
}

// number types what the computer shows, or something else.
func (w *pair) number(phone idptest.Page, text string) idptest.Page {
	w.t.Helper()
	form := w.id(phone)
	form.Set("number", text)
	return w.phone.Post("/phone/number", form)
}

func (w *pair) shownNumber() string { return w.found(pairingNumber, w.computer().Body) }

// match scans and types the right number.
func (w *pair) match() idptest.Page {
	w.t.Helper()
	return w.number(w.scan(), w.shownNumber())
}

// challenge presses the phone's card button and returns the challenge's address.
func (w *pair) challenge(phone idptest.Page) string {
	w.t.Helper()
	to := w.phone.Post("/phone/card", w.id(phone))
	at := to.URL.Query().Get("challenge")
	if at == "" {
		w.t.Fatalf("no challenge: %d %s %s", to.Status, to.URL, to.Error())
	}
	return at
}

// signed goes as far as the phone goes.
func (w *pair) signed(card string) idptest.Page {
	w.t.Helper()
	return w.signedFrom(w.match(), card)
}

func (w *pair) signedFrom(matched idptest.Page, card string) idptest.Page {
	w.t.Helper()
	return w.phone.Get(w.h.Sign(w.t, w.challenge(matched), card))
}

// finish has the computer's user say that the folder is her own.
func (w *pair) finish() idptest.Page {
	w.t.Helper()
	return w.pc.Finish(w.pc.Post("/login/phone/end", url.Values{"tx": {w.tx}, "decision": {"yes"}}))
}

func (w *pair) tokens(card string) idptest.Answer {
	w.t.Helper()
	w.signed(card)
	p := w.finish()
	code := p.URL.Query().Get("code")
	if code == "" {
		w.t.Fatalf("no code: %d %s %s", p.Status, p.URL, p.Error())
	}
	return w.h.Redeem(w.t, code, w.r)
}

// nothing checks that neither browser is signed in.
func (w *pair) nothing() {
	w.t.Helper()
	for who, b := range map[string]*idptest.Browser{"computer": w.pc, "phone": w.phone} {
		if p := b.Get("/account"); p.URL.Path != "/login" {
			w.t.Errorf("the %s is signed in: %s", who, p.URL)
		}
	}
}

// TestLoginThroughAPhone: the whole way. The computer is signed in at the level that the card signed, the phone to nothing.
func TestLoginThroughAPhone(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	w := newPair(t, h)
	shown := w.scan()
	for _, want := range []string{"試験サービス", "app.example", `id="phone-number"`, "このスマートフォンではログインしません"} {
		if !strings.Contains(shown.Body, want) {
			t.Errorf("the phone does not show %s", want)
		}
	}
	if again := w.phone.Get(shown.URL.String()); again.Body != shown.Body && again.Status != http.StatusOK {
		t.Errorf("reload on the phone: %d", again.Status)
	}
	number := w.shownNumber()
	if strings.Contains(shown.Body, ">"+number+"<") || strings.Contains(w.phone.Get(shown.URL.String()).Body, `value="`+number) {
		t.Error("the phone knows the number")
	}
	matched := w.number(shown, number)
	if !strings.Contains(w.computer().Body, `data-pairing="matched"`) {
		t.Error("the computer does not hear that the number was right")
	}
	challenge := w.challenge(matched)
	if claims := part(t, h.Fetch(t, challenge), 1); claims["acr"] != remoteACR || claims["client_id"] != idptest.ClientID || claims["redirect_host"] != "app.example" {
		t.Errorf("the card is asked to sign %v", claims)
	}
	done := w.phone.Get(h.Sign(t, challenge, "taro"))
	if !strings.Contains(done.Body, `id="phone-done"`) {
		t.Errorf("the phone is at %s %s", done.URL, done.Error())
	}
	if p := w.computer(); !strings.Contains(p.Body, `id="phone-next"`) || !strings.Contains(p.Body, `id="phone-not-mine"`) {
		t.Errorf("the computer does not ask whose folder it is: %s", p.Body)
	}
	code := w.finish().URL.Query().Get("code")
	id := idClaims(t, h.Redeem(t, code, w.r).Text("id_token"))
	if id["acr"] != remoteACR || !slices.Equal(texts(id["amr"]), []string{"sc", "pin", "hwk", "mfa"}) {
		t.Errorf("acr %v, amr %v", id["acr"], id["amr"])
	}
	if p := w.phone.Get("/account"); p.URL.Path != "/login" {
		t.Error("the phone is signed in")
	}
	if p := w.phone.Get("/phone"); !strings.Contains(p.Body, "終わりました") {
		t.Error("the phone does not hear how it ended")
	}
	if p := w.pc.Get("/account"); !strings.Contains(p.Body, "スマートフォンで読み取ったカード") {
		t.Errorf("the account page does not say how: %s", p.Body)
	}
	if p := w.computer(); p.Error() != "" && p.Status >= 500 {
		t.Errorf("back on the computer: %d", p.Status)
	}
}

// texts is a list of a token as texts.
func texts(v any) []string {
	var out []string
	list, _ := v.([]any)
	for _, s := range list {
		text, _ := s.(string)
		out = append(out, text)
	}
	return out
}

// TestPhoneCertificate: where the phone is the device that signs in, its own certificate is as good as a card; through a phone it is not. It
// is no smart card either way.
func TestPhoneCertificate(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b, r := h.Browser(t), idptest.NewRequest()
	id := idClaims(t, h.Redeem(t, h.Code(t, b, r, "phone"), r).Text("id_token"))
	if id["acr"] != "phrh" || !slices.Equal(texts(id["amr"]), []string{"pin", "hwk", "mfa"}) {
		t.Errorf("on the phone: acr %v, amr %v", id["acr"], id["amr"])
	}
	if p := b.Get("/account"); !strings.Contains(p.Body, "スマートフォンの利用者証明用電子証明書") {
		t.Error("the account page does not say what kind of certificate")
	}
	w := newPair(t, h)
	id = idClaims(t, w.tokens("phone").Text("id_token"))
	if id["acr"] != remoteACR || !slices.Equal(texts(id["amr"]), []string{"pin", "hwk", "mfa"}) {
		t.Errorf("through the phone: acr %v, amr %v", id["acr"], id["amr"])
	}
}

// TestForwardedQRIsRefused: a picture that was sent on is opened too late, and a page or an address of the phone that scanned is nothing
// in another browser.
func TestForwardedQRIsRefused(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	w := newPair(t, h)
	sent := w.frame()
	c.advance(16 * time.Second)
	victim := h.Browser(t)
	if p := victim.Get(sent); p.Error() != "qr_expired" || p.Status != http.StatusGone {
		t.Errorf("%d %s", p.Status, p.Error())
	}
	if !strings.Contains(w.computer().Body, `data-pairing="shown"`) {
		t.Error("the late reading counted")
	}
	phone := w.scan()
	for _, address := range []string{phone.URL.String(), "/phone/refused?reason=cert_expired&pairing=" + w.id(phone).Get("pairing")} {
		if p := victim.Get(address); p.Error() != "other_browser" || p.Status != http.StatusForbidden {
			t.Errorf("%s: %d %s", address, p.Status, p.Error())
		}
	}
	form := w.id(phone)
	form.Set("number", w.shownNumber())
	for _, path := range []string{"/phone/number", "/phone/card", "/phone/stop"} {
		if p := victim.Post(path, form); p.Error() != "other_browser" {
			t.Errorf("%s: %d %s", path, p.Status, p.Error())
		}
	}
	w.nothing()
}

// TestOldFrameIsRefused: every look at the page is another picture; the one before dies seconds later, whatever became of the newest.
func TestOldFrameIsRefused(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	w := newPair(t, h)
	old := w.frame()
	c.advance(10 * time.Second)
	young := w.frame()
	if old == young {
		t.Fatal("the QR code does not turn")
	}
	c.advance(6 * time.Second)
	if p := w.phone.Get(old); p.Error() != "qr_expired" {
		t.Errorf("old: %d %s", p.Status, p.Error())
	}
	if p := w.phone.Get(young); p.Error() != "" || p.URL.Path != "/phone" {
		t.Errorf("young: %d %s", p.Status, p.Error())
	}
	if p := h.Browser(t).Get(old); p.Error() != "qr_expired" { // after the scan, too
		t.Errorf("old after the scan: %d %s", p.Status, p.Error())
	}
}

// TestForgedFrameIsRefused: a count that was not drawn, a MAC of another pairing, a pairing that never was.
func TestForgedFrameIsRefused(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	w, other := newPair(t, h), newPair(t, h)
	parts := strings.Split(strings.TrimPrefix(w.frame(), h.Issuer+"/phone/"), ".")
	foreign := strings.Split(strings.TrimPrefix(other.frame(), h.Issuer+"/phone/"), ".")
	flipped := []byte(parts[2])
	flipped[3] ^= 1
	for name, frame := range map[string]string{
		"another count":   parts[0] + ".119." + parts[2],
		"another pairing": foreign[0] + "." + parts[1] + "." + parts[2],
		"another MAC":     parts[0] + "." + parts[1] + "." + foreign[2],
		"a bit":           parts[0] + "." + parts[1] + "." + string(flipped),
		"no pairing":      strings.Repeat("A", 22) + "." + parts[1] + "." + parts[2],
		"two spellings":   parts[0] + ".0" + parts[1] + "." + parts[2],
		"no frame":        "x",
		"no MAC":          parts[0] + "." + parts[1] + ".",
	} {
		if p := w.phone.Get("/phone/" + frame); p.Error() != "qr_expired" || p.Status != http.StatusGone {
			t.Errorf("%s: %d %s", name, p.Status, p.Error())
		}
	}
	if p := w.phone.Get("/phone/" + strings.Join(parts, ".")); p.Error() != "" {
		t.Errorf("the genuine one: %s", p.Error())
	}
}

// TestSecondScanIsRefused: told on both sides; the first phone goes on.
func TestSecondScanIsRefused(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	w := newPair(t, h)
	first := w.scan()
	second := h.Browser(t).Get(w.scannedURL)
	if second.Error() != "qr_used" || second.Status != http.StatusGone {
		t.Errorf("second phone: %d %s", second.Status, second.Error())
	}
	if p := w.computer(); !strings.Contains(p.Body, "ほかの機器もQRコードを読み取りました") {
		t.Error("the computer is not told")
	}
	if p := w.phone.Get(w.scannedURL); p.Error() != "" || p.URL.Path != "/phone" {
		t.Errorf("the first phone, reading again: %s", p.Error())
	}
	if p := w.number(first, w.shownNumber()); !strings.Contains(p.Body, `id="phone-card"`) {
		t.Errorf("the first phone does not go on: %s", p.Error())
	}
}

// TestWrongNumberEndsThePairing: one try. The right number after it is of no use, nor is a card.
func TestWrongNumberEndsThePairing(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	w := newPair(t, h)
	phone := w.scan()
	right := w.shownNumber()
	wrong := "10"
	if right == wrong {
		wrong = "11"
	}
	if p := w.number(phone, "1"); p.Status != http.StatusUnprocessableEntity || p.Error() != "number_malformed" {
		t.Errorf("a slip: %d %s", p.Status, p.Error())
	}
	for _, text := range []string{wrong, right} {
		if p := w.number(phone, text); p.Error() != "number_wrong" {
			t.Errorf("%s: %d %s", text, p.Status, p.Error())
		}
	}
	if p := w.computer(); p.Error() != "number_wrong" {
		t.Errorf("computer: %s", p.Error())
	}
	if p := w.phone.Post("/phone/card", w.id(phone)); p.Error() != "number_wrong" {
		t.Errorf("the card may be asked: %s", p.URL)
	}
	w.nothing()
}

// TestCardIsNotAskedBeforeTheNumber: the scan alone leads to no challenge.
func TestCardIsNotAskedBeforeTheNumber(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	w := newPair(t, h)
	phone := w.scan()
	if p := w.phone.Post("/phone/card", w.id(phone)); p.URL.Path != "/phone" || !strings.Contains(p.Body, `id="phone-number"`) {
		t.Errorf("%s %s", p.URL, p.Error())
	}
	if p := w.pc.Post("/login/phone/end", url.Values{"tx": {w.tx}, "decision": {"yes"}}); p.URL.Path != "/login/phone" {
		t.Errorf("the computer went on to %s", p.URL)
	}
	w.nothing()
}

// TestLuredIntoAPhonesChallenge: the attacker has a computer and a phone of his own, and sends a citizen his phone's challenge. What she
// signs comes back to her browser, which is not that phone: his computer hears of nothing.
func TestLuredIntoAPhonesChallenge(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	w := newPair(t, h)
	back := h.Sign(t, w.challenge(w.match()), "hanako")
	victim := h.Browser(t)
	if p := victim.Get(back); p.Error() != "other_browser" {
		t.Errorf("%d %s", p.Status, p.Error())
	}
	if p := w.phone.Get(back); p.Error() != "return_used" {
		t.Errorf("the code works later: %d %s", p.Status, p.Error())
	}
	if !strings.Contains(w.computer().Body, `data-pairing="matched"`) {
		t.Error("the attacker's computer went on")
	}
	w.nothing()
}

// TestStolenPhoneReturnCode: the code that the phone's card app brings is nothing at the computer's address, in the attacker's browser, and
// the second time.
func TestStolenPhoneReturnCode(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	for name, steal := range map[string]func(w *pair, back string) idptest.Page{
		"computer's address": func(w *pair, back string) idptest.Page {
			return w.pc.Get(strings.Replace(back, "/phone/return", "/login/return", 1))
		},
		"computer's browser": func(w *pair, back string) idptest.Page { return w.pc.Get(back) },
		"another browser":    func(_ *pair, back string) idptest.Page { return h.Browser(t).Get(back) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newPair(t, h)
			back := h.Sign(t, w.challenge(w.match()), "taro")
			if p := steal(w, back); p.Error() != "other_browser" && p.Error() != "return_unknown" {
				t.Errorf("%d %s %s", p.Status, p.URL, p.Error())
			}
			w.nothing()
		})
	}
	w := newPair(t, h) // and the other way: a code of this device at the phone's address
	back := w.pc.CardLogin(w.pc.Get(idptest.NewRequest().Path()), "taro")
	if p := w.pc.Get(strings.Replace(back, "/login/return", "/phone/return", 1)); p.Error() != "return_unknown" {
		t.Errorf("%d %s", p.Status, p.Error())
	}
}

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

// TestHubStopsBetweenPairingAndLogin: the pairing is spent and the login does not know it. Nobody is signed in, the computer is back at the
// ways to sign in, and each of them works.
func TestHubStopsBetweenPairingAndLogin(t *testing.T) {
	ephemeraltest.Each(t, func(t *testing.T, store ephemeral.Store) {
		dying := &dyingStore{Store: store}
		h := idptest.Start(t, idptest.Options{Transient: dying})
		h.Code(t, h.Browser(t), idptest.NewRequest(), "taro")
		w := newPair(t, h)
		w.signed("taro")
		dying.prefix.Store("tx:1:")
		if p := w.finish(); p.Status != http.StatusInternalServerError {
			t.Fatalf("%d %s", p.Status, p.URL)
		}
		dying.prefix.Store("")
		p := w.computer()
		if p.URL.Path != "/login" || !strings.Contains(p.Body, `id="phone-login"`) {
			t.Fatalf("%d %s %s", p.Status, p.URL, p.Error())
		}
		if p := w.pc.Post("/login/phone/end", url.Values{"tx": {w.tx}, "decision": {"yes"}}); p.URL.Path != "/login" {
			t.Errorf("the spent pairing signs in: %s", p.URL)
		}
		w.nothing()
		w.phone = h.Browser(t)
		w.show(p)
		w.signed("taro")
		if w.finish().URL.Query().Get("code") == "" {
			t.Error("a second pairing does not sign in")
		}
	})
}

// dyingStore fails to change the records of one kind.
type dyingStore struct {
	ephemeral.Store
	prefix atomic.Value
}

func (d *dyingStore) Swap(ctx context.Context, key string, old ephemeral.Version, value []byte, ttl time.Duration) error {
	if prefix, _ := d.prefix.Load().(string); prefix != "" && strings.HasPrefix(key, prefix) {
		return errUnplugged
	}
	return d.Store.Swap(ctx, key, old, value, ttl)
}

// TestBothRolesInOneBrowser: a browser does not read its own QR code; the level would say that two devices took part.
func TestBothRolesInOneBrowser(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	w := newPair(t, h)
	if p := w.pc.Get(w.frame()); p.Error() != "qr_same_device" || p.Status != http.StatusForbidden {
		t.Errorf("%d %s", p.Status, p.Error())
	}
	if p := w.scan(); p.Error() != "" {
		t.Errorf("the phone: %s", p.Error())
	}
}

// TestPairingStops: by either side, by another way to sign in, by a new code, by time; both sides hear of it and the card is not asked.
func TestPairingStops(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	for name, tt := range map[string]struct {
		stop            func(w *pair, phone idptest.Page)
		phone, computer string
	}{
		"phone": {func(w *pair, phone idptest.Page) { w.phone.Post("/phone/stop", w.id(phone)) }, "stopped_by_phone", "stopped_by_phone"},
		"computer": {func(w *pair, _ idptest.Page) {
			w.pc.Post("/login/phone/end", url.Values{"tx": {w.tx}, "decision": {"stop"}})
		}, "stopped_by_computer", "stopped_by_computer"},
		"card on the computer": {func(w *pair, _ idptest.Page) { w.pc.Post("/login/card", url.Values{"tx": {w.tx}}) }, "stopped_by_computer", ""},
		"login cancelled":      {func(w *pair, _ idptest.Page) { w.pc.Post("/login/cancel", url.Values{"tx": {w.tx}}) }, "stopped_by_computer", ""},
		"new code":             {func(w *pair, _ idptest.Page) { w.pc.Post("/login/phone", url.Values{"tx": {w.tx}}) }, "pairing_replaced", ""},
		"time":                 {func(*pair, idptest.Page) { c.advance(2 * time.Minute) }, "pairing_expired", "pairing_expired"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newPair(t, h)
			phone := w.match()
			tt.stop(w, phone)
			if p := w.phone.Get(phone.URL.String()); p.Error() != tt.phone {
				t.Errorf("phone: %q", p.Error())
			}
			if p := w.computer(); tt.computer != "" && p.Error() != tt.computer {
				t.Errorf("computer: %q", p.Error())
			}
			if p := w.phone.Post("/phone/card", w.id(phone)); p.URL.Path != "/phone" && p.Error() == "" {
				t.Errorf("the card is asked: %s", p.URL)
			}
			w.nothing()
		})
	}
}

// TestRefusedCardOnThePhone: the phone says why, and may try another; the computer waits.
func TestRefusedCardOnThePhone(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	w := newPair(t, h)
	matched := w.match()
	challenge := w.challenge(matched)
	leaf := issueExpired(t, h)
	a := h.Submit(t, challenge, idptest.Respond(t, h.Fetch(t, challenge), leaf).Compact(t))
	if !strings.HasPrefix(a.Text("return_uri"), h.Issuer+"/phone/return?code=") {
		t.Fatalf("%d %s", a.Status, a.Raw)
	}
	p := w.phone.Get(a.Text("return_uri"))
	if p.Error() != "cert_expired" || !strings.Contains(p.Body, `id="phone-card"`) {
		t.Errorf("%d %s %s", p.Status, p.URL, p.Error())
	}
	if !strings.Contains(w.computer().Body, `data-pairing="matched"`) {
		t.Error("the computer does not wait")
	}
	w.phone.Get(h.Sign(t, w.challenge(matched), "taro"))
	if w.finish().URL.Query().Get("code") == "" {
		t.Error("the second card does not sign in")
	}
}

func issueExpired(t *testing.T, h *idptest.Hub) *cardtest.Leaf {
	t.Helper()
	born := time.Date(1980, 2, 17, 0, 0, 0, 0, time.UTC)
	leaf, err := h.PKI.Auth().IssueAuth(cardtest.Profile{
		Person:    cardtest.Person{Birth: born, Place: cardtest.Place{Prefecture: "Tokyo-to", City: "Chiyoda-ku", Code: "13101"}},
		NotBefore: h.Now().Add(-3000 * time.Hour), NotAfter: h.Now().Add(-time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// TestServiceRefusesPhones: registered so, or by the level it wants: the page says so in place of the button, pressing it all the same leads
// back, and whoever is signed in through a phone reads the card on her own device.
func TestServiceRefusesPhones(t *testing.T) {
	const strictID, strictURI = "strict", "https://strict.example/callback"
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{{
		"client_id": strictID, "client_name": "カードだけのサービス", "operator": "試験の運営者", "redirect_uris": []string{strictURI}, "scope": "openid",
		"token_endpoint_auth_method": "none", "refuse_remote_card": true,
	}}})
	strict := []string{"client_id", strictID, "redirect_uri", strictURI, "scope", "openid"}
	for name, changes := range map[string][]string{
		"registered": strict, "acr_values": {"acr_values", "phrh"}, "passkey or better": {"acr_values", "phr"},
		"essential": {"claims", `{"id_token":{"acr":{"essential":true,"values":["phrh"]}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			b := h.Browser(t)
			login := b.Get(idptest.NewRequest(changes...).Path())
			if !strings.Contains(login.Body, `id="phone-refused"`) || strings.Contains(login.Body, `id="phone-login"`) || !strings.Contains(login.Body, `id="card-login"`) {
				t.Error("the page offers the phone")
			}
			if p := b.Post("/login/phone", url.Values{"tx": {login.Tx()}}); p.URL.Path != "/login" || !strings.Contains(p.Body, `id="phone-refused"`) {
				t.Errorf("pressed all the same: %s", p.URL)
			}
		})
	}
	w := newPair(t, h)
	w.tokens("taro")
	for name, changes := range map[string][]string{"registered": strict, "acr_values": {"acr_values", "phrh"}} {
		none := idptest.NewRequest(append(slices.Clone(changes), "prompt", "none")...)
		if p := w.pc.Get(none.Path()); p.URL.Query().Get("error") != "login_required" {
			t.Errorf("%s, prompt=none: %s", name, p.URL)
		}
		if p := w.pc.Get(idptest.NewRequest(changes...).Path()); !strings.Contains(p.Body, `id="phone-refused"`) {
			t.Errorf("%s: no step-up: %s", name, p.URL)
		}
	}
	r := idptest.NewRequest("acr_values", "phrh")
	if id := idClaims(t, h.Redeem(t, h.Code(t, w.pc, r, "taro"), r).Text("id_token")); id["acr"] != "phrh" {
		t.Errorf("after the card on this device: %v", id["acr"])
	}
	if id := idClaims(t, newPair(t, h, "acr_values", remoteACR).tokens("taro").Text("id_token")); id["acr"] != remoteACR {
		t.Errorf("asked for by name: %v", id["acr"])
	}
}

// TestPhoneWithoutAName: a browser that says nothing of itself leaves no hole in a sentence.
func TestPhoneWithoutAName(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	w := newPair(t, h)
	phone := w.scan()
	scanned := w.computer().Body
	w.signedFrom(w.number(phone, w.shownNumber()), "taro")
	for state, body := range map[string]string{"scanned": scanned, "signed": w.computer().Body} {
		if !strings.Contains(body, "種類の分からない機器") {
			t.Errorf("%s: a phone without a name is not called unknown", state)
		}
	}
}

// TestPhoneSaysThatAThirdDeviceAsks: who signs for a computer that answers for a television is told of both.
func TestPhoneSaysThatAThirdDeviceAsks(t *testing.T) {
	h := startTelevision(t, idptest.Options{}).Hub
	w := &pair{t: t, h: h, pc: h.Browser(t), phone: h.Browser(t)}
	w.show(w.pc.OwnDevice(w.pc.EnterCode(h.Device(t, idptest.DeviceID, "").Text("user_code"), ""), "yes"))
	phone := w.scan()
	if !strings.Contains(phone.Body, `id="third-device"`) {
		t.Errorf("before the number: %s", phone.Body)
	}
	if p := w.number(phone, w.shownNumber()); !strings.Contains(p.Body, `id="third-device"`) {
		t.Error("before the card: nothing of the device")
	}
	plain := newPair(t, h)
	if p := plain.scan(); strings.Contains(p.Body, `id="third-device"`) {
		t.Error("there is no third device")
	}
}

// TestFetchedAheadIsNoScan: a browser that loads a page before anybody looks has read nothing.
func TestFetchedAheadIsNoScan(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	w := newPair(t, h)
	at := w.frame()
	req := w.phone.Request(http.MethodGet, at, nil)
	req.Header.Set("Sec-Purpose", "prefetch;prerender")
	if resp := send(t, req); resp.Status != http.StatusForbidden {
		t.Errorf("%d", resp.Status)
	}
	if p := w.phone.Get(at); p.Error() != "" {
		t.Errorf("%s", p.Error())
	}
}

// TestLinkIsNoScan: a page of another site that passes on the turning pictures of the attacker's computer, by link or by redirect, leads
// nobody into his pairing. A camera opens an address that comes from no page.
func TestLinkIsNoScan(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	w := newPair(t, h)
	for _, site := range []string{"cross-site", "same-site"} {
		req := w.phone.Request(http.MethodGet, w.frame(), nil)
		req.Header.Set("Sec-Fetch-Site", site)
		if resp := send(t, req); resp.Status != http.StatusForbidden || !strings.Contains(resp.Raw, `data-error="qr_linked"`) {
			t.Errorf("%s: %d", site, resp.Status)
		}
	}
	req := w.phone.Request(http.MethodGet, w.frame(), nil)
	req.Header.Set("Sec-Fetch-Site", "none")
	if resp := send(t, req); resp.Status != http.StatusSeeOther {
		t.Errorf("camera: %d", resp.Status)
	}
}

// TestOneWinnerOfAPairing: a hundred phones read one picture, a hundred numbers are typed, a hundred times the computer says yes: one of each
// counts, on every store.
func TestOneWinnerOfAPairing(t *testing.T) {
	ephemeraltest.Each(t, func(t *testing.T, store ephemeral.Store) {
		h := idptest.Start(t, idptest.Options{Transient: store})
		t.Run("scan", func(t *testing.T) {
			w := newPair(t, h)
			at := w.frame()
			got := volley(t, func(int) *http.Request { return h.Browser(t).Request(http.MethodGet, at, nil) })
			if got[http.StatusSeeOther] != 1 || got[http.StatusGone] != crowd-1 {
				t.Errorf("statuses %v", got)
			}
		})
		t.Run("number", func(t *testing.T) {
			w := newPair(t, h)
			phone := w.scan()
			right := w.shownNumber()
			form := w.id(phone)
			volley(t, func(i int) *http.Request {
				f := url.Values{"pairing": form["pairing"], "number": {string([]byte{'1' + byte(i%9), '0' + byte(i/9%10)})}}
				if f.Get("number") == right {
					f.Set("number", "99")
					if right == "99" {
						f.Set("number", "98")
					}
				}
				return w.phone.Request(http.MethodPost, h.Issuer+"/phone/number", f)
			})
			if p := w.number(phone, right); p.Error() != "number_wrong" {
				t.Errorf("after a hundred wrong ones: %s", p.Error())
			}
		})
		t.Run("yes", func(t *testing.T) {
			h.Code(t, h.Browser(t), idptest.NewRequest(), "taro")
			w := newPair(t, h)
			w.signed("taro")
			before := count(t, h, "login.succeeded")
			volley(t, func(int) *http.Request {
				return w.pc.Request(http.MethodPost, h.Issuer+"/login/phone/end", url.Values{"tx": {w.tx}, "decision": {"yes"}})
			})
			if n := count(t, h, "login.succeeded") - before; n != 1 {
				t.Errorf("%d logins", n)
			}
		})
		t.Run("return code", func(t *testing.T) {
			w := newPair(t, h)
			back := h.Sign(t, w.challenge(w.match()), "taro")
			got := volley(t, func(int) *http.Request { return w.phone.Request(http.MethodGet, back, nil) })
			if got[http.StatusSeeOther] != 1 || got[http.StatusGone] != crowd-1 {
				t.Errorf("statuses %v", got)
			}
		})
	})
}
