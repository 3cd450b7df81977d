package agent

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
	"github.com/tsunagu-id/tsunagu/internal/audit"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	s := d.open(d.hub.issue()).want(http.StatusOK, "")
	s.wantText("見本e-Tax", "etax.example", "つなぐ", strings.TrimPrefix(d.hub.URL, "http://"), "あと3回",
		`id="pin-submit"`, `id="pin-cancel"`, `name="pin"`, `type="password"`, `inputmode="numeric"`, `autocomplete="off"`)
	if csp := s.header.Get("Content-Security-Policy"); strings.Contains(csp, "form-action") {
		t.Errorf("the PIN page ends at the service, but its policy is %q", csp)
	}
	d.press(s, testPIN).wantRedirect(d.hub.returnURI())
	if n := len(d.hub.accepted()); n != 1 {
		t.Fatalf("the hub took %d responses", n)
	}
	signed := d.journalled(kindSigned)
	if len(signed) != 1 || signed[0].Client != "etax" || signed[0].Facts["hub"] != d.hub.URL || signed[0].Trace == "" {
		t.Errorf("journal: %+v", d.events)
	}
}

func TestFullWidthPIN(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	d.press(d.open(d.hub.issue()), "４９３８").wantRedirect(d.hub.returnURI())
}

func TestCardIsPutAwayAfterEachUse(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	var tr trace
	d.box.cards["own"].Behave(cardtest.Quirks{Trace: tr.add})
	selectISD := string([]byte{0x00, 0xA4, 0x04, 0x0C, 0x07, 0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00})
	last := func() string { return string(tr.commands[len(tr.commands)-1]) }
	s := d.open(d.hub.issue())
	if last() != selectISD {
		t.Errorf("after the page: last command %x", last())
	}
	d.press(s, "0000")
	if last() != selectISD {
		t.Errorf("after a wrong PIN: last command %x", last())
	}
	d.press(d.open(d.hub.issue()), testPIN)
	if last() != selectISD {
		t.Errorf("after the login: last command %x", last())
	}
}

func TestWrongPINCountsDownToTheLock(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	challenge := d.hub.issue()
	s := d.press(d.open(challenge), "1111").want(http.StatusUnprocessableEntity, "pin_wrong")
	s.wantText("<title>エラー：暗証番号が違います（あと2回）", `id="pin-submit"`)
	// The page asks again by itself.
	s = d.press(s, "2222").want(http.StatusUnprocessableEntity, "pin_wrong")
	s.wantText("暗証番号が違います（あと1回）", `<button class="button button-main" type="submit" formaction="/login/cancel" id="pin-cancel">`)
	if strings.Contains(s.body, `name="pin"`) {
		t.Error("the last try is offered without a question")
	}
	// A page opened anew asks the same question first.
	s = d.open(challenge).want(http.StatusOK, "").wantText("あと1回", `id="pin-anyway"`)
	s = d.do(http.MethodPost, "/login", url.Values{"page": {s.token()}, "card": {"own"}, "anyway": {"yes"}}, nil)
	s.want(http.StatusOK, "").wantText(`name="pin"`, "次に間違えるとカードがロックされます")
	s = d.press(s, "3333").want(http.StatusForbidden, "pin_locked")
	s.wantText("カードがロックされています", d.hub.URL+"/login")
	d.open(challenge).want(http.StatusForbidden, "pin_locked")
	if n := len(d.journalled(kindPINWrong)); n != 2 {
		t.Errorf("%d events pin_wrong, want 2", n)
	}
	if n := len(d.journalled(kindPINLocked)); n != 2 { // the try, and the page opened after it
		t.Errorf("%d events pin_locked, want 2", n)
	}
	if len(d.journalled(kindSigned)) != 0 || len(d.hub.accepted()) != 0 {
		t.Error("something was signed")
	}
}

func TestConfirmedLastTryMayBeRight(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	challenge := d.hub.issue()
	s := d.press(d.press(d.open(challenge), "1111"), "2222")
	confirmed := d.do(http.MethodPost, "/login", url.Values{"page": {s.token()}, "card": {"own"}, "anyway": {"yes"}}, nil)
	// A slip of the keyboard does not lose the confirmation.
	confirmed = d.press(confirmed, "12").want(http.StatusUnprocessableEntity, "pin_malformed")
	d.press(confirmed, testPIN).wantRedirect(d.hub.returnURI())
	d.open(d.hub.issue()).wantText("あと3回")
}

// Two cards in the drawer: the confirmation for one is none for the other, and a form cannot bring it along.
func TestLastTryIsConfirmedPerCard(t *testing.T) {
	t.Parallel()
	var tr trace
	d := newDesk(t, func(d *desk, c *Config) { c.Demo = true; d.box.add("other").Behave(cardtest.Quirks{Trace: tr.add}) })
	challenge := d.hub.issue()
	post := func(s shown, form url.Values) shown {
		form.Set("page", s.token())
		return d.do(http.MethodPost, "/login", form, nil)
	}
	s := d.open(challenge).wantText(`<select id="card" name="card"`, "otherのカード：あと3回")
	s = post(s, url.Values{"card": {"other"}, "pin": {"1111"}}).want(http.StatusUnprocessableEntity, "pin_wrong")
	post(s, url.Values{"card": {"other"}, "pin": {"1112"}}).want(http.StatusUnprocessableEntity, "pin_wrong")
	// The page of the first card, then the other one chosen.
	s = d.do(http.MethodGet, "/login?card=own&challenge="+url.QueryEscape(challenge), nil, nil).wantText("otherのカード：あと1回")
	before := tr.count(insVerify)
	s = post(s, url.Values{"card": {"other"}, "pin": {"1113"}, "lastTry": {"other"}}).want(http.StatusOK, "")
	s.wantText(`id="pin-anyway"`, "otherのカード")
	if after := tr.count(insVerify); after != before {
		t.Error("a try was spent without a confirmation")
	}
	// Confirmed for "own", used for "other".
	s = post(s, url.Values{"card": {"own"}, "anyway": {"yes"}}).want(http.StatusOK, "")
	post(s, url.Values{"card": {"other"}, "pin": {"1114"}}).want(http.StatusOK, "").wantText(`id="pin-anyway"`)
	if after := tr.count(insVerify); after != before {
		t.Error("a confirmation for one card opened another")
	}
}

func TestMalformedPINDoesNotReachTheCard(t *testing.T) {
	t.Parallel()
	var tr trace
	d := newDesk(t, nil)
	d.box.cards["own"].Behave(cardtest.Quirks{Trace: tr.add})
	s := d.open(d.hub.issue())
	for _, pin := range []string{"", "123", "12345", "abcd", "12 4", "１２３", "1234\n", "ABC123", "-123"} {
		s = d.press(s, pin).want(http.StatusUnprocessableEntity, "pin_malformed")
		s.wantText("data-error-summary", `href="#pin"`, `aria-invalid="true"`)
	}
	if n := tr.count(insVerify); n != 0 {
		t.Errorf("VERIFY was sent %d times", n)
	}
}

func TestChallengeEndsBeforeThePINIsTyped(t *testing.T) {
	t.Parallel()
	var tr trace
	d := newDesk(t, nil)
	d.box.cards["own"].Behave(cardtest.Quirks{Trace: tr.add})
	s := d.open(d.hub.issue())
	d.clock.advance(2*time.Minute + clockLeeway)
	d.press(s, testPIN).want(http.StatusGone, "challenge_expired").wantText(d.hub.URL + "/login")
	if n := tr.count(insVerify); n != 0 {
		t.Errorf("VERIFY was sent %d times", n)
	}
}

func TestChooseFromTheDrawer(t *testing.T) {
	t.Parallel()
	var own, other trace
	d := newDesk(t, func(d *desk, c *Config) {
		c.Demo = true
		d.box.cards["own"].Behave(cardtest.Quirks{Trace: own.add})
		d.box.add("other").Behave(cardtest.Quirks{Trace: other.add})
	})
	s := d.open(d.hub.issue())
	d.do(http.MethodPost, "/login", url.Values{"page": {s.token()}, "card": {"other"}, "pin": {testPIN}}, nil).
		wantRedirect(d.hub.returnURI())
	if own.count(insVerify) != 0 || other.count(insCompute) != 1 {
		t.Errorf("own: %d VERIFY, other: %d signatures", own.count(insVerify), other.count(insCompute))
	}
	s = d.open(d.hub.issue())
	d.do(http.MethodPost, "/login", url.Values{"page": {s.token()}, "card": {"stranger"}, "pin": {testPIN}}, nil).
		want(http.StatusServiceUnavailable, "card_missing")
	if n := len(d.agent.cards.locks); n != 2 { // names from forms take no memory
		t.Errorf("%d locks for two cards", n)
	}
}

func TestCardProblems(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		spoil  func(*box)
		opens  string // data-error of the page
		status int
	}{
		{"no reader", func(b *box) { b.err = &Error{Reason: ReaderMissing} }, "reader_missing", http.StatusServiceUnavailable},
		{"no service", func(b *box) { b.err = &Error{Reason: ServiceMissing} }, "reader_service", http.StatusServiceUnavailable},
		{"in use", func(b *box) { b.err = &Error{Reason: ReaderBusy} }, "reader_busy", http.StatusServiceUnavailable},
		{"no card", func(b *box) { b.choices = nil }, "card_missing", http.StatusServiceUnavailable},
		{"pulled out", func(b *box) { b.cards["own"].Pull() }, "card_removed", http.StatusUnprocessableEntity},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, nil)
			challenge := d.hub.issue()
			c.spoil(d.box)
			d.open(challenge).want(c.status, c.opens).wantText("/login?challenge=", d.hub.URL+"/login")
			if len(d.journalled(kindCardFailed)) != 1 {
				t.Errorf("journal: %+v", d.events)
			}
		})
	}
}

func TestCardPulledOutWhileItSigns(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	s := d.open(d.hub.issue())
	d.box.cards["own"].Behave(cardtest.Quirks{FailAfter: 8})
	d.press(s, testPIN).want(http.StatusUnprocessableEntity, "card_removed")
	if len(d.hub.accepted()) != 0 {
		t.Error("the hub took a response")
	}
}

// unplugged is a reader whose cable is pulled out while the card computes: the command has no answer, and from then on there is no reader.
type unplugged struct {
	*box
	in bool
}

func (u *unplugged) Cards(ctx context.Context) ([]CardChoice, error) {
	if !u.in {
		return nil, &Error{Reason: ReaderMissing}
	}
	return u.box.Cards(ctx)
}

func (u *unplugged) Connect(ctx context.Context, name string) (jpki.Transmitter, func(), error) {
	card, release, err := u.box.Connect(ctx, name)
	return cable{card, u}, release, err
}

type cable struct {
	jpki.Transmitter
	reader *unplugged
}

func (c cable) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	answer, err := c.Transmitter.Transmit(ctx, command)
	if command[1] == insCompute {
		c.reader.in = false
	}
	if !c.reader.in {
		return nil, &jpki.Error{Reason: jpki.CardRemoved, Err: errors.New("reader unavailable")}
	}
	return answer, err
}

func TestReaderUnpluggedWhileTheCardSigns(t *testing.T) {
	t.Parallel()
	reader, seen := &unplugged{in: true}, &trace{}
	d := newDesk(t, func(d *desk, c *Config) {
		reader.box = d.box
		c.Reader = reader
	})
	card := d.box.cards["own"]
	card.Behave(cardtest.Quirks{Trace: seen.add})
	s := d.open(d.hub.issue())
	d.press(s, testPIN).want(http.StatusUnprocessableEntity, "card_removed")
	if n := len(d.hub.accepted()); n != 0 || seen.count(insCompute) != 1 || seen.count(insVerify) != 1 {
		t.Errorf("%d responses, %d signatures, %d PINs", n, seen.count(insCompute), seen.count(insVerify))
	}
	d.open(d.hub.issue()).want(http.StatusServiceUnavailable, "reader_missing")
	reader.in = true
	if _, err := card.Transmit(t.Context(), []byte{0x80, insCompute, 0, 0x80, 1, 1, 0}); err != nil {
		t.Error(err)
	}
	d.press(s, testPIN).want(http.StatusUnprocessableEntity, "card_removed") // the same press
	if seen.count(insVerify) != 1 {
		t.Error("the PIN was given once more")
	}
	d.open(d.hub.issue()).want(http.StatusOK, "").wantText("あと3回")
	d.box.mu.Lock()
	defer d.box.mu.Unlock()
	if d.box.held["own"] {
		t.Error("the card was not let go of")
	}
}

// A browser that is told to press again hangs up on the first answer. The login goes on, and the second press gets it.
func TestSecondPressAfterHangingUp(t *testing.T) {
	t.Parallel()
	var tr trace
	d := newDesk(t, nil)
	s := d.open(d.hub.issue())
	d.box.cards["own"].Behave(cardtest.Quirks{Trace: tr.add, Delay: 20 * time.Millisecond})
	form := url.Values{"page": {s.token()}, "card": {"own"}, "pin": {testPIN}}
	ctx, hangUp := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.server.URL+"/login", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	time.AfterFunc(60*time.Millisecond, hangUp)
	if _, err := d.send(r); !errors.Is(err, context.Canceled) {
		t.Fatalf("the first press was answered before it was given up: %v", err)
	}
	d.do(http.MethodPost, "/login", form, nil).wantRedirect(d.hub.returnURI())
	if n := tr.count(insCompute); n != 1 {
		t.Errorf("%d signatures", n)
	}
}

func TestHundredPressesAreOneSignature(t *testing.T) {
	t.Parallel()
	var tr trace
	d := newDesk(t, nil)
	s := d.open(d.hub.issue())
	d.box.cards["own"].Behave(cardtest.Quirks{Trace: tr.add})
	form := url.Values{"page": {s.token()}, "card": {"own"}, "pin": {testPIN}}
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if got := d.do(http.MethodPost, "/login", form, nil); got.status != http.StatusSeeOther {
				t.Errorf("status %d, data-error %q", got.status, got.reason())
			}
		})
	}
	all.Wait()
	if v, c := tr.count(insVerify), tr.count(insCompute); v != 1 || c != 1 {
		t.Errorf("%d VERIFY, %d signatures", v, c)
	}
	if n := d.hub.count("POST " + challengePath); n != 1 {
		t.Errorf("the hub was posted to %d times", n)
	}
}

func TestWrongPINTwiceInOnePressIsOneTry(t *testing.T) {
	t.Parallel()
	var tr trace
	d := newDesk(t, nil)
	s := d.open(d.hub.issue())
	d.box.cards["own"].Behave(cardtest.Quirks{Trace: tr.add})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if got := d.press(s, "1111"); got.reason() != "pin_wrong" {
				t.Errorf("data-error %q", got.reason())
			}
		})
	}
	all.Wait()
	if n := tr.count(insVerify); n != 1 {
		t.Errorf("VERIFY was sent %d times", n)
	}
}

// Two logins at once share a card, one after the other (box complains otherwise).
func TestTwoLoginsTakeTurns(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	first, second := d.open(d.hub.issue()), d.open(d.hub.issue())
	d.box.cards["own"].Behave(cardtest.Quirks{Delay: time.Millisecond})
	var both sync.WaitGroup
	for _, s := range []shown{first, second} {
		both.Go(func() {
			if got := d.press(s, testPIN); got.status != http.StatusSeeOther {
				t.Errorf("status %d, data-error %q", got.status, got.reason())
			}
		})
	}
	both.Wait()
	if n := len(d.hub.accepted()); n != 2 {
		t.Errorf("the hub took %d responses", n)
	}
}

func TestPageIsSpent(t *testing.T) {
	t.Parallel()
	var tr trace
	d := newDesk(t, nil)
	challenge := d.hub.issue()
	s := d.open(challenge)
	d.box.cards["own"].Behave(cardtest.Quirks{Trace: tr.add})
	d.press(s, testPIN).wantRedirect(d.hub.returnURI())
	d.clock.advance(repeatWindow + time.Second)
	d.press(s, testPIN).want(http.StatusConflict, "page_spent").wantText(url.QueryEscape(challenge), d.hub.URL+"/login")
	if n := tr.count(insVerify); n != 1 {
		t.Errorf("VERIFY was sent %d times", n)
	}
	// A token that was never given out.
	d.do(http.MethodPost, "/login", url.Values{"page": {"made-up"}, "card": {"own"}, "pin": {testPIN}}, nil).
		want(http.StatusConflict, "page_spent").wantText(d.hub.URL + "/login")
	// One that is too old.
	s = d.open(d.hub.issue())
	d.clock.advance(pageLife)
	d.press(s, testPIN).want(http.StatusConflict, "page_spent")
}

func TestCancel(t *testing.T) {
	t.Parallel()
	var tr trace
	d := newDesk(t, nil)
	challenge := d.hub.issue()
	s := d.open(challenge)
	d.box.cards["own"].Behave(cardtest.Quirks{Trace: tr.add})
	d.do(http.MethodPost, "/login/cancel", url.Values{"page": {s.token()}}, nil).want(http.StatusOK, "cancelled").
		wantText("読み取りをやめました", d.hub.URL+"/login", url.QueryEscape(challenge))
	d.press(s, testPIN).want(http.StatusOK, "cancelled")
	if n := tr.count(insVerify); n != 0 {
		t.Errorf("VERIFY was sent %d times", n)
	}
	if len(d.journalled(kindCancelled)) != 1 {
		t.Errorf("journal: %+v", d.events)
	}
	// The challenge can still be answered.
	s = d.open(challenge)
	d.press(s, testPIN).wantRedirect(d.hub.returnURI())
	// Too late to stop: the citizen is not told that nothing was sent.
	d.do(http.MethodPost, "/login/cancel", url.Values{"page": {s.token()}}, nil).wantRedirect(d.hub.returnURI())
}

func TestLoginWithoutBrowser(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	pin := func(s string) jpki.PIN {
		p, err := jpki.ParsePIN(s)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	to, err := d.agent.Login(t.Context(), d.hub.issue(), "own", pin(testPIN))
	if err != nil || to != d.hub.returnURI() {
		t.Fatalf("%q, %v", to, err)
	}
	for _, want := range []struct {
		err  string
		left jpki.Tries
	}{{"pin_wrong", 2}, {"pin_wrong", 1}, {"pin_last_try", 1}} {
		_, err := d.agent.Login(t.Context(), d.hub.issue(), "own", pin("0001"))
		card, ok := errors.AsType[*jpki.Error](err)
		if !ok || Word(err) != want.err || card.Left != want.left {
			t.Fatalf("%v, want %+v", err, want)
		}
	}
	if _, err := d.agent.LoginLastTry(t.Context(), d.hub.issue(), "own", pin("0001")); Word(err) != "pin_locked" {
		t.Errorf("after the last try: %v", err)
	}
	if _, err := d.agent.Login(t.Context(), d.hub.issue(), "nobody's", pin(testPIN)); Word(err) != "card_missing" {
		t.Errorf("no such card: %v", err)
	}
	if _, err := d.agent.Login(t.Context(), "http://stranger.example/card/challenges/0123456789abcdef", "own", pin(testPIN)); Word(err) != "issuer_untrusted" {
		t.Errorf("stranger: %v", err)
	}
}

// A signature that cannot be recorded does not leave the computer.
func TestNoSignatureWithoutJournal(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(d *desk, c *Config) {
		c.Journal = func(_ context.Context, e audit.Event) error {
			if e.Kind == kindSigned {
				return errors.New("disk full")
			}
			return nil
		}
	})
	d.press(d.open(d.hub.issue()), testPIN).want(http.StatusInternalServerError, "internal")
	if n := d.hub.count("POST " + challengePath); n != 0 {
		t.Errorf("the hub was posted to %d times", n)
	}
}
