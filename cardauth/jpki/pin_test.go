package jpki_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

func TestPINIsFourDigits(t *testing.T) {
	for _, good := range []string{"1234", "0000", "１２３４", "1２3４"} {
		p, err := jpki.ParsePIN(good)
		if err != nil {
			t.Fatalf("%s: %v", good, err)
		}
		virtual := newCard(t, nil)
		err = open(t, virtual).Unlock(t.Context(), p)
		if want := good != "0000"; (err == nil) != want {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "123", "12345", "12 34", " 1234", "1234\n", "12a4", "١٢٣٤", "②③④⑤", "-123", "1234\x00", "12\xff4", "ABC123", strings.Repeat("1", 1<<20),
	} {
		_, err := jpki.ParsePIN(bad)
		wantError(t, err, jpki.PINMalformed)
		if bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("the error repeats %q", bad)
		}
	}
}

func TestPINCannotBePrinted(t *testing.T) {
	p := pin(t, "7319")
	type form struct{ pin jpki.PIN }
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "pin", p, "form", form{p})
	marshalled, err := json.Marshal(map[string]any{"pin": p})
	if err != nil {
		t.Fatal(err)
	}
	out := logged.String() + string(marshalled)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%c"} {
		out += fmt.Sprintf(verb, p) + fmt.Sprintf(verb, &p) + fmt.Sprintf(verb, form{p}) + fmt.Sprintf(verb, []jpki.PIN{p})
	}
	for _, leak := range []string{"7319", "37333139", "55 51 49 57", "[55"} {
		if strings.Contains(out, leak) {
			t.Errorf("%q is in %s", leak, out)
		}
	}
}

func TestWipedPINIsNotSent(t *testing.T) {
	reader := &log{card: newCard(t, nil)}
	card := open(t, reader)
	p := pin(t, "1234")
	p.Wipe()
	wantError(t, card.Unlock(t.Context(), p), jpki.PINMalformed)
	wantError(t, card.Unlock(t.Context(), jpki.PIN{}), jpki.PINMalformed)
	jpki.PIN{}.Wipe()
	if reader.verifies != 0 {
		t.Error("VERIFY sent")
	}
}

// The command that carried the PIN is wiped once the card has answered.
func TestCommandWithThePINIsWiped(t *testing.T) {
	k := &keeper{script: script{answers: []string{"9000", "9000", "63C3", "9000"}}}
	if err := open(t, k).Unlock(t.Context(), pin(t, "1234")); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(k.last, []byte("1234")) {
		t.Error("the PIN is still in memory")
	}
}

func TestEveryReasonHasItsWord(t *testing.T) {
	seen := map[string]bool{}
	for r := jpki.WrongPIN; r <= jpki.ChangeUnknown; r++ {
		if w := r.String(); w == "" || seen[w] {
			t.Errorf("reason %d: %q", r, w)
		} else {
			seen[w] = true
		}
	}
}

// keeper holds on to the buffer of the last command, as a careless reader
// might.
type keeper struct {
	script
	last []byte
}

func (k *keeper) Transmit(ctx context.Context, apdu []byte) ([]byte, error) {
	k.last = apdu
	return k.script.Transmit(ctx, apdu)
}
