package agent

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

// Every word has a code, no two the same; the codes are what helplines have in their lists.
func TestEveryWordHasATroubleCode(t *testing.T) {
	t.Parallel()
	var words []string
	for r := RequestMalformed; r <= Internal; r++ {
		words = append(words, r.String())
	}
	for r := jpki.WrongPIN; r <= jpki.ChangeUnknown; r++ {
		words = append(words, r.String())
	}
	words = append(words, refusalWords()...)
	codes, seen, form := troubleCodes(), map[string]string{}, regexp.MustCompile(`^T-[1-9]\d\d$`)
	for _, w := range words {
		if codes[w] == "" {
			t.Errorf("%s has no code", w)
		}
	}
	for word, code := range codes {
		if other := seen[code]; other != "" || !form.MatchString(code) {
			t.Errorf("%s and %q share %s", word, other, code)
		}
		seen[code] = word
	}
	for err, want := range map[error]string{
		refuse(CardMissing, ""): "T-204", &jpki.Error{Reason: jpki.WrongPIN}: "T-301", &Refusal{Word: "cert_revoked"}: "T-508", errors.New("x"): "T-901",
	} {
		if got := TroubleCode(err); got != want {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
	}
}

func TestDocsListEveryTroubleCode(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../docs/card-login.md")
	if err != nil {
		t.Fatal(err)
	}
	for word, code := range troubleCodes() {
		if !strings.Contains(string(b), "| "+code+" | `"+word+"` |") {
			t.Errorf("docs/card-login.md does not list %s %s", code, word)
		}
	}
}

func TestTroublesAreRememberedWithoutPersonalData(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state", "troubles.json")
	var ts *Troubles
	d := newDesk(t, func(d *desk, c *Config) {
		ts = NewTroubles(path, d.clock.now)
		c.Troubles = ts
	})
	for range 25 {
		d.clock.advance(10 * time.Second)
		d.press(d.open(d.hub.issue()), "0001")
		d.box.cards["own"] = nil
		delete(d.box.cards, "own")
		d.box.choices = nil
		d.box.add("own")
	}
	d.press(d.open(d.hub.issue()), "0001")
	d.press(d.open(d.hub.issue()), "0002") // within the second: not written again
	all := NewTroubles(path, d.clock.now).Last()
	if len(all) != maxTroubles || all[0].Code != "T-301" || all[0].Word != "pin_wrong" || all[0].At.IsZero() {
		t.Errorf("%d: %+v", len(all), all)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, leak := range []string{"0001", "own", "etax", "hub"} {
		if strings.Contains(string(b), leak) {
			t.Errorf("%q is in %s", leak, b)
		}
	}
	if err := os.WriteFile(path, []byte("{half"), 0o600); err != nil { // what a full disk leaves
		t.Fatal(err)
	}
	if ts.Last() != nil {
		t.Error("nonsense was read")
	}
	if err := ts.Add(refuse(CardMissing, "")); err != nil || len(ts.Last()) != 1 {
		t.Errorf("%v, %+v", err, ts.Last())
	}
}

// A page that causes two troubles in turn writes no more than one of each a second, and pushes out no more of the others.
func TestStrangersTroublesInTurnDoNotPushOutTheOthers(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 4, 1, 9, 0, 0, 0, time.UTC)
	ts := NewTroubles(filepath.Join(t.TempDir(), "troubles.json"), func() time.Time { return at })
	if err := ts.Add(refuse(ReaderMissing, "")); err != nil {
		t.Fatal(err)
	}
	for range maxTroubles {
		for _, r := range []Reason{Embedded, ForeignHost} {
			if err := ts.Add(refuse(r, "")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if all := ts.Last(); len(all) != 3 || all[0].Word != ReaderMissing.String() {
		t.Errorf("%+v", all)
	}
	at = at.Add(-time.Hour) // the clock was put right
	if err := ts.Add(refuse(Embedded, "")); err != nil || len(ts.Last()) != 4 {
		t.Errorf("%v: %+v", err, ts.Last())
	}
}

func TestErrorPagesShowTheTroubleCode(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	d.press(d.open(d.hub.issue()), "0001").want(http.StatusUnprocessableEntity, "pin_wrong").wantText("T-301")
	d.open("http://stranger.example/card/challenges/"+someID).want(http.StatusForbidden, "issuer_untrusted").wantText("T-102")
	d.press(d.open(d.hub.issue()), "0001").want(http.StatusUnprocessableEntity, "pin_wrong").wantText("T-301") // the last try
}

func TestInspectCostsNoTryAndNamesNobody(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	var tr trace
	d.box.cards["own"].Behave(cardtest.Quirks{Trace: tr.add})
	f, err := d.agent.Inspect(t.Context(), "own")
	if err != nil {
		t.Fatal(err)
	}
	l, err := leaf()
	if err != nil {
		t.Fatal(err)
	}
	want := Facts{Token: jpki.PlasticCard, Auth: true, AuthNotAfter: l.Certificate.NotAfter, PINTries: 3}
	if f != want || tr.count(insVerify) != 0 {
		t.Errorf("%+v, want %+v; %d VERIFY", f, want, tr.count(insVerify))
	}
	phone, err := cardtest.NewCard(cardtest.Config{Auth: l, Sign: l, Phone: true})
	if err != nil {
		t.Fatal(err)
	}
	d.box.cards["own"] = phone
	if f, err = d.agent.Inspect(t.Context(), "own"); err != nil || f != (Facts{Token: jpki.Phone, Auth: true, Signing: true, PINTries: 3, PasswordTries: 5}) {
		t.Errorf("%+v, %v", f, err)
	}
	empty, err := cardtest.NewCard(cardtest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	d.box.cards["own"] = empty
	if f, err = d.agent.Inspect(t.Context(), "own"); err != nil || f.Auth || f.Signing {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err = d.agent.Inspect(t.Context(), "another"); Word(err) != "card_missing" {
		t.Error(err)
	}
}

func TestHubsSayWhetherTheyAnswerAndWhatTimeItIs(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	d.hub.on("GET /jwks", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", d.clock.now().Add(90*time.Second).Format(http.TimeFormat))
		d.hub.jwks(w, r)
	})
	hubs := d.agent.Hubs(t.Context())
	if len(hubs) != 1 || hubs[0].Err != nil || !hubs[0].Dated || hubs[0].Skew != 90*time.Second || hubs[0].Origin != d.hub.URL {
		t.Errorf("%+v", hubs)
	}
	d.hub.on("GET /jwks", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	if hubs = d.agent.Hubs(t.Context()); Word(hubs[0].Err) != "hub_unreachable" {
		t.Errorf("%+v", hubs)
	}
}

func TestChangedPINLogsIn(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	parse := func(s string) jpki.PIN {
		p, err := jpki.ParsePIN(s)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if err := d.agent.ChangePIN(t.Context(), "own", jpki.PINChange{Old: parse("0001"), New: parse("8642")}); Word(err) != "pin_wrong" {
		t.Fatal(err)
	}
	if err := d.agent.ChangePIN(t.Context(), "own", jpki.PINChange{Old: parse(testPIN), New: parse("8642")}); err != nil {
		t.Fatal(err)
	}
	d.press(d.open(d.hub.issue()), "8642").wantRedirect(d.hub.returnURI())
	if len(d.journalled(kindPINChanged)) != 1 || len(d.journalled(kindPINWrong)) != 1 {
		t.Errorf("%+v", d.events)
	}
}

// clerk answers questions as a window would.
type clerk struct {
	typed string
	err   error
	asked []Question
}

func (c *clerk) Ask(_ context.Context, q Question) (string, error) {
	c.asked = append(c.asked, q)
	return c.typed, c.err
}

func TestPINIsTakenOutsideThePage(t *testing.T) {
	t.Parallel()
	c := &clerk{typed: testPIN}
	d := newDesk(t, func(_ *desk, conf *Config) { conf.PIN = c })
	s := d.open(d.hub.issue()).want(http.StatusOK, "").wantText("別に開く小さな窓")
	if strings.Contains(s.body, `name="pin"`) {
		t.Error("the page takes the PIN, too")
	}
	d.press(s, "").wantRedirect(d.hub.returnURI())
	if len(c.asked) != 1 || !strings.Contains(c.asked[0].Text, "見本e-Tax") || !strings.Contains(c.asked[0].Text, "あと3回") {
		t.Errorf("%+v", c.asked)
	}
	c.typed = "12"
	d.press(d.open(d.hub.issue()), "").want(http.StatusUnprocessableEntity, "pin_malformed")
	c.typed = "0001"
	d.press(d.open(d.hub.issue()), testPIN).want(http.StatusUnprocessableEntity, "pin_wrong") // what a form says does not count
	c.err = refuse(Cancelled, "")
	d.press(d.open(d.hub.issue()), "").want(http.StatusOK, "cancelled")
	c.err = errors.New("no display")
	d.press(d.open(d.hub.issue()), "").want(http.StatusServiceUnavailable, "pin_entry").wantText("T-311")
}

// A PIN that would not be given to the card is not asked for.
func TestPINThatWouldNotBeSentIsNotAskedFor(t *testing.T) {
	t.Parallel()
	c := &clerk{typed: "0001"}
	d := newDesk(t, func(_ *desk, conf *Config) { conf.PIN = c })
	for i, step := range []struct {
		lastTry bool
		word    string
		asked   int
	}{{false, "pin_wrong", 1}, {false, "pin_wrong", 2}, {false, "pin_last_try", 2}, {true, "pin_locked", 3}, {true, "pin_locked", 3}} {
		_, err := d.agent.LoginAsking(t.Context(), Ask{Challenge: d.hub.issue(), Card: "own", Lang: "en", LastTry: step.lastTry})
		if Word(err) != step.word || len(c.asked) != step.asked {
			t.Errorf("%d: %v, asked %d times; want %s, %d", i, err, len(c.asked), step.word, step.asked)
		}
	}
}

func TestStartPageShowsTheNextStepAndLooksAgain(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(_ *desk, c *Config) { c.Version = "1.2" })
	home := func(target string) shown { return d.do(http.MethodGet, target, nil, nil).want(http.StatusOK, "") }
	if s := home("/").wantText("準備ができました", "/?still=1"); s.header.Get("Refresh") != refreshSeconds {
		t.Errorf("Refresh: %q", s.header.Get("Refresh"))
	}
	if s := home("/?still=1").wantText("自動では新しくなりません"); s.header.Get("Refresh") != "" {
		t.Error("it is renewed although it was told not to")
	}
	d.box.choices = nil
	home("/").wantText("カードリーダーに置いてください")
	home("/?lang=en").wantText("Place the card")
	d.box.err = &Error{Reason: ReaderMissing}
	home("/").wantText("つないでください")
	d.box.err = &Error{Reason: ServiceMissing}
	home("/").wantText("再起動")
	if s := home("/version"); s.body != "tsunagu-cardagent 1.2\n" {
		t.Errorf("%q", s.body)
	}
}

// FuzzTroubles: whatever stands in the file, what is read from it is something this program says.
func FuzzTroubles(f *testing.F) {
	f.Add([]byte(`[{"at":"2026-11-23T03:00:00Z","code":"T-204","error":"card_missing"}]`))
	f.Add([]byte(`[{"code":"T-204","error":"<b>"}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		all := parseTroubles(b)
		for _, tr := range all {
			if troubleCodes()[tr.Word] != tr.Code {
				t.Fatalf("%+v", tr)
			}
		}
		if len(all) > maxTroubles {
			t.Fatal(len(all))
		}
	})
}
