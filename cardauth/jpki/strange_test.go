package jpki_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

// script is a card that gives prepared answers, whatever it is asked; after
// the last one the reader fails.
type script struct {
	answers  []string
	sent     [][]byte
	verifies int
}

var errReader = errors.New("reader: transaction failed")

func (s *script) Transmit(_ context.Context, apdu []byte) ([]byte, error) {
	s.sent = append(s.sent, bytes.Clone(apdu))
	if apdu[1] == 0x20 && len(apdu) > 5 {
		s.verifies++
	}
	if len(s.answers) == 0 {
		return nil, errReader
	}
	next := s.answers[0]
	s.answers = s.answers[1:]
	return hex.DecodeString(next)
}

// Whatever the card says to VERIFY, it hears it once.
func TestVerifyIsNeverRepeated(t *testing.T) {
	for answer, want := range map[string]jpki.Reason{
		"63C2": jpki.WrongPIN, "63C0": jpki.PINBlocked, "6983": jpki.PINBlocked, "6984": jpki.PINBlocked, "6300": jpki.WrongPIN,
		"6C04": jpki.CardFault, "6104": jpki.CardFault, "6700": jpki.CardFault, "6A86": jpki.CardFault, "6F00": jpki.CardFault,
		"": jpki.CardRemoved, "90": jpki.CardRemoved,
	} {
		t.Run(answer, func(t *testing.T) {
			s := &script{answers: []string{"9000", "9000", "63C3", answer, "9000", "9000"}}
			e := wantError(t, open(t, s).Unlock(t.Context(), pin(t, "1234")), want)
			if s.verifies != 1 || len(s.sent) != 4 {
				t.Errorf("%d VERIFY in %d commands", s.verifies, len(s.sent))
			}
			if want == jpki.WrongPIN && e.Left != 2 {
				t.Errorf("%d left", e.Left)
			}
		})
	}
	t.Run("reader fails", func(t *testing.T) {
		s := &script{answers: []string{"9000", "9000", "63C3"}}
		err := open(t, s).Unlock(t.Context(), pin(t, "1234"))
		wantError(t, err, jpki.CardRemoved)
		if s.verifies != 1 || !errors.Is(err, errReader) {
			t.Errorf("%d VERIFY, %v", s.verifies, err)
		}
	})
}

// A counter that cannot be read costs no try.
func TestNoVerifyWithoutACounter(t *testing.T) {
	for _, answer := range []string{"6A88", "6700", "6F00", "", "6982"} {
		s := &script{answers: []string{"9000", "9000", answer, answer}}
		if err := open(t, s).Unlock(t.Context(), pin(t, "1234")); err == nil {
			t.Errorf("%s: unlocked", answer)
		}
		if s.verifies != 0 {
			t.Errorf("%s: VERIFY sent", answer)
		}
	}
}

func TestTriesInEveryDialect(t *testing.T) {
	for _, c := range []struct {
		answers []string
		want    jpki.Tries
	}{
		{[]string{"63C3"}, 3}, {[]string{"63C1"}, 1}, {[]string{"63C0"}, 0},
		{[]string{"6983"}, 0}, {[]string{"6984"}, 0},
		{[]string{"9000"}, 3},         // verified already
		{[]string{"6700", "63C2"}, 2}, // wants a length byte
	} {
		s := &script{answers: append([]string{"9000", "9000"}, c.answers...)}
		if got, err := open(t, s).AuthPINTries(t.Context()); err != nil || got != c.want {
			t.Errorf("%v: %d, %v; want %d", c.answers, got, err, c.want)
		}
	}
}

func TestLastTryWithoutCounterBlocks(t *testing.T) {
	s := &script{answers: []string{"9000", "9000", "63C1", "6300"}}
	wantError(t, open(t, s).UnlockLastTry(t.Context(), pin(t, "1234")), jpki.PINBlocked)
}

func TestAnswersInPieces(t *testing.T) {
	half := fmt.Sprintf("%0256x", 1) // 128 bytes
	for name, answers := range map[string][]string{
		"whole":        {half + half + "9000"},
		"more to come": {half + "6180", half + "9000"},
		"wrong length": {"6C00", half + half + "9000"},
		"both":         {"6C00", half + "6180", half + "9000"},
	} {
		s := &script{answers: append([]string{"9000", "9000"}, answers...)}
		got, err := open(t, s).SignAuth(t.Context(), [32]byte{})
		if err != nil || len(got) != 256 {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

func TestMoreThanWasAskedForIsAFault(t *testing.T) {
	for _, answers := range [][]string{
		{"3082000401" + "9000"},
		{"30820004" + "9000", "308200040102030405" + "9000"},
	} {
		s := &script{answers: append([]string{"9000", "9000"}, answers...)}
		_, err := open(t, s).AuthCertificate(t.Context())
		wantError(t, err, jpki.CardFault)
	}
}

// dribble is a card that says 9000 to everything, with the same data.
type dribble struct {
	data []byte
	sent int
}

func (d *dribble) Transmit(_ context.Context, apdu []byte) ([]byte, error) {
	d.sent++
	if apdu[1] == 0xA4 {
		return []byte{0x90, 0x00}, nil
	}
	return d.data, nil
}

func TestEndlessCardsEnd(t *testing.T) {
	for name, data := range map[string][]byte{
		"more and more":  {0x00, 0x61, 0x01},
		"nothing, more":  {0x61, 0x00},
		"byte by byte":   {0x30, 0x90, 0x00},
		"wrong length":   {0x6C, 0x01},
		"empty":          {0x90, 0x00},
		"too much":       append(make([]byte, 300), 0x90, 0x00),
		"far too much":   append(make([]byte, 1<<16), 0x90, 0x00),
		"length of 65 k": {0x30, 0x82, 0xFF, 0xFF, 0x90, 0x00},
		"four at a time": {0x30, 0x82, 0x10, 0x00, 0x90, 0x00},
	} {
		t.Run(name, func(t *testing.T) {
			d := &dribble{data: data}
			if _, err := open(t, d).AuthCertificate(t.Context()); err == nil {
				t.Error("a certificate")
			}
			d2 := &dribble{data: data}
			if _, err := open(t, d2).SignAuth(t.Context(), [32]byte{}); err == nil {
				t.Error("a signature")
			}
			if d.sent > 200 || d2.sent > 200 {
				t.Errorf("%d and %d commands", d.sent, d2.sent)
			}
		})
	}
}

// FuzzCard lets an arbitrary card answer a login: the first byte of each piece
// is the length of the rest. However it answers, the login ends soon, in
// success or with one of our reasons, and VERIFY is sent at most once.
func FuzzCard(f *testing.F) {
	seed := func(answers ...string) {
		var b []byte
		for _, a := range answers {
			raw, err := hex.DecodeString(a)
			if err != nil {
				f.Fatal(err)
			}
			b = append(append(b, byte(len(raw))), raw...)
		}
		f.Add(b)
	}
	cert := "30820004" + "9000"
	signature := fmt.Sprintf("%0504x", 7)
	seed("6A82")
	seed("9000", "9000", "63C3", "9000", "63C3", "63C2")
	seed("9000", "9000", "63C3", "9000", "63C1")
	seed("9000", "9000", "63C3", "9000", "63C3", "9000", "9000", cert, "3082000401020304"+"9000", "9000", signature+"6104", "00000000"+"9000", "9000")
	seed("9000", "9000", "6700", "63C3", "9000", "9000", "6984")
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &script{}
		for len(b) > 0 {
			n := min(int(b[0]), len(b)-1)
			s.answers = append(s.answers, hex.EncodeToString(b[1:1+n]))
			b = b[1+n:]
		}
		err := login(t.Context(), s, pin(t, "1234"))
		if _, ok := errors.AsType[*jpki.Error](err); err != nil && !ok {
			t.Fatalf("an error that is not ours: %v", err)
		}
		if s.verifies > 1 {
			t.Fatalf("%d VERIFY", s.verifies)
		}
		if len(s.sent) > 256 {
			t.Fatalf("%d commands", len(s.sent))
		}
	})
}
