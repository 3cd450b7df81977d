package jpki_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

func password(t testing.TB, s string) jpki.Password {
	t.Helper()
	p, err := jpki.ParsePassword(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPasswordIsSixToSixteenLettersAndDigits(t *testing.T) {
	for _, good := range []string{"ABC123", "abc123", "ＡＢＣ１２３", "ａbc12３"} {
		virtual := newCard(t, nil)
		if err := open(t, virtual).UnlockSigning(t.Context(), password(t, good)); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "ABC12", "ABC 123", "ABC123\n", "ABC-123", "ABC１２é", "AB\xff123", strings.Repeat("A", 17), strings.Repeat("1", 1<<20), "［ABC123",
	} {
		_, err := jpki.ParsePassword(bad)
		wantError(t, err, jpki.PasswordMalformed)
		if bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("the error repeats %q", bad)
		}
	}
}

func TestPasswordCannotBePrinted(t *testing.T) {
	p := password(t, "QWERT98")
	text, err := p.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	out := string(text) + p.LogValue().String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		out += fmt.Sprintf(verb, p) + fmt.Sprintf(verb, struct{ p jpki.Password }{p})
	}
	if strings.Contains(out, "QWERT") || strings.Contains(out, "5157455254") || strings.Contains(out, "81 87") {
		t.Error(out)
	}
	p.Wipe()
	jpki.Password{}.Wipe()
	wantError(t, open(t, newCard(t, nil)).UnlockSigning(t.Context(), p), jpki.PasswordMalformed)
}

func TestSigningPasswordHasACounterOfItsOwn(t *testing.T) {
	card := open(t, newCard(t, nil))
	for left := jpki.Tries(4); left >= 1; left-- {
		if e := wantError(t, card.UnlockSigning(t.Context(), password(t, "WRONG1")), jpki.WrongPassword); e.Left != left {
			t.Errorf("left %d, want %d", e.Left, left)
		}
	}
	if e := wantError(t, card.UnlockSigning(t.Context(), password(t, "ABC123")), jpki.LastPasswordTry); e.Left != 1 {
		t.Errorf("left %d", e.Left)
	}
	if left, err := card.AuthPINTries(t.Context()); err != nil || left != 3 {
		t.Errorf("the PIN has %d tries, %v", left, err)
	}
	wantError(t, card.UnlockSigningLastTry(t.Context(), password(t, "WRONG1")), jpki.PasswordBlocked)
	if left, err := card.SigningTries(t.Context()); err != nil || left != 0 {
		t.Errorf("%d, %v", left, err)
	}
	wantError(t, card.UnlockSigningLastTry(t.Context(), password(t, "ABC123")), jpki.PasswordBlocked)
}

func TestChangedPINIsTheOnlyOneThatCounts(t *testing.T) {
	state := filepath.Join(t.TempDir(), "pins.json")
	again := func() *jpki.Card {
		return open(t, newCard(t, func(c *cardtest.Config) { c.State = state }))
	}
	card := again()
	if err := card.ChangePIN(t.Context(), jpki.PINChange{Old: pin(t, "1234"), New: pin(t, "8642")}); err != nil {
		t.Fatal(err)
	}
	if err := card.ChangePassword(t.Context(), jpki.PasswordChange{Old: password(t, "ABC123"), New: password(t, "new1pass")}); err != nil {
		t.Fatal(err)
	}
	card = again() // the card keeps it
	wantError(t, card.Unlock(t.Context(), pin(t, "1234")), jpki.WrongPIN)
	if err := card.Unlock(t.Context(), pin(t, "8642")); err != nil {
		t.Error(err)
	}
	if err := card.UnlockSigning(t.Context(), password(t, "NEW1PASS")); err != nil {
		t.Error(err)
	}
}

// What cannot be a new PIN or password is refused before anything is sent.
func TestChangeIsCheckedBeforeTheCardIsTouched(t *testing.T) {
	reader := &log{card: newCard(t, nil)}
	card := open(t, reader)
	before := len(reader.commands)
	for _, p := range []jpki.PINChange{
		{}, {Old: pin(t, "1234")}, {New: pin(t, "1234")}, {Old: pin(t, "1234"), New: pin(t, "1234")},
	} {
		wantError(t, card.ChangePIN(t.Context(), p), jpki.PINMalformed)
	}
	for _, p := range []jpki.PasswordChange{
		{}, {Old: password(t, "ABC123"), New: password(t, "abc123")}, {Old: password(t, "ABC123"), New: password(t, "ABCDEFG")},
		{Old: password(t, "ABC123"), New: password(t, "1234567")},
	} {
		wantError(t, card.ChangePassword(t.Context(), p), jpki.PasswordMalformed)
	}
	if len(reader.commands) != before {
		t.Errorf("sent %v", reader.commands[before:])
	}
}

// Whatever the card says to VERIFY or CHANGE, it hears each once, and a wrong old PIN never leads to a CHANGE.
func TestChangeIsNeverRepeated(t *testing.T) {
	for name, c := range map[string]struct {
		answers []string
		want    jpki.Reason
		sent    int
	}{
		"wrong old PIN":    {[]string{"9000", "9000", "63C3", "63C2", "9000"}, jpki.WrongPIN, 4},
		"last try":         {[]string{"9000", "9000", "63C1", "9000", "9000"}, jpki.LastTry, 3},
		"blocked":          {[]string{"9000", "9000", "63C0", "9000", "9000"}, jpki.PINBlocked, 3},
		"card refuses":     {[]string{"9000", "9000", "63C3", "9000", "6A80", "9000"}, jpki.CardFault, 5},
		"asks for more":    {[]string{"9000", "9000", "63C3", "9000", "6C04", "9000"}, jpki.CardFault, 5},
		"gone in mid-way":  {[]string{"9000", "9000", "63C3", "9000"}, jpki.ChangeUnknown, 5},
		"half an answer":   {[]string{"9000", "9000", "63C3", "9000", "90"}, jpki.ChangeUnknown, 5},
		"gone at VERIFY":   {[]string{"9000", "9000", "63C3"}, jpki.CardRemoved, 4},
		"without counters": {[]string{"9000", "9000", "6F00"}, jpki.CardFault, 3},
	} {
		t.Run(name, func(t *testing.T) {
			s := &script{answers: c.answers}
			wantError(t, open(t, s).ChangePIN(t.Context(), jpki.PINChange{Old: pin(t, "1234"), New: pin(t, "8642")}), c.want)
			if s.verifies > 1 || len(s.sent) != c.sent {
				t.Errorf("%d VERIFY in %d commands, want %d", s.verifies, len(s.sent), c.sent)
			}
		})
	}
}

func TestCommandWithTheNewPINIsWiped(t *testing.T) {
	k := &keeper{script: script{answers: []string{"9000", "9000", "63C3", "9000", "9000"}}}
	if err := open(t, k).ChangePIN(t.Context(), jpki.PINChange{Old: pin(t, "1234"), New: pin(t, "8642")}); err != nil {
		t.Fatal(err)
	}
	if len(k.last) != 9 || bytes.Contains(k.last, []byte("8642")) {
		t.Errorf("% X", k.last)
	}
}

func TestTokenSaysWhatItIs(t *testing.T) {
	for want, adjust := range map[jpki.Token]func(*cardtest.Config){
		jpki.PlasticCard:  nil,
		jpki.Phone:        func(c *cardtest.Config) { c.Phone = true },
		jpki.UnknownToken: func(c *cardtest.Config) { c.Label = "SOMETHINGELSE" },
	} {
		card := open(t, newCard(t, adjust))
		if got, err := card.Token(t.Context()); err != nil || got != want {
			t.Errorf("%v, %v; want %v", got, err, want)
		}
		if has, err := card.HasSigningCertificate(t.Context()); err != nil || has {
			t.Errorf("a signature certificate: %v, %v", has, err)
		}
	}
	with := open(t, newCard(t, func(c *cardtest.Config) { c.Sign = c.Auth }))
	if has, err := with.HasSigningCertificate(t.Context()); err != nil || !has {
		t.Errorf("no signature certificate: %v, %v", has, err)
	}
}

// FuzzPassword: what is accepted is what a card keeps, and nothing else.
func FuzzPassword(f *testing.F) {
	for _, s := range []string{"ABC123", "abc123", "ＡＢＣ１２３", "ABC 123", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := jpki.ParsePassword(s)
		if err != nil {
			wantError(t, err, jpki.PasswordMalformed)
			return
		}
		k := &script{answers: []string{"9000", "9000", "63C5", "9000"}}
		if err := open(t, k).UnlockSigning(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		sent := k.sent[3][5:]
		if len(sent) < 6 || len(sent) > 16 || len(bytes.Trim(sent, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")) != 0 {
			t.Fatalf("% X", sent)
		}
	})
}
