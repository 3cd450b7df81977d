package idp_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
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
