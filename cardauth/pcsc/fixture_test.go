//go:build pcsc && linux

package pcsc

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

// pki is one authority for the whole test binary: making RSA keys is slow.
var pki *cardtest.PKI

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "tsunagu-pki-")
	if err == nil {
		pki, err = cardtest.LoadOrCreatePKI(dir, time.Now, "http://127.0.0.1:1/ocsp")
	}
	if err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// newCard is a card of the drawer, put back in order. Its counters are those the last test left.
func newCard(t testing.TB, name string) *cardtest.Card {
	t.Helper()
	card, err := pki.Drawer().Card(name)
	if err != nil {
		t.Fatal(err)
	}
	card.Put()
	card.Behave(cardtest.Quirks{})
	return card
}

func plug(t testing.TB, card *cardtest.Card, address string) *cardtest.Plugged {
	t.Helper()
	p, err := cardtest.Plug(t.Context(), card, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Pull)
	return p
}

func open(t testing.TB) *Readers {
	t.Helper()
	r, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// until waits for what pcscd notices at its next poll.
func until(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !f(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// untilPresent waits until a reader holds a card, or does not.
func untilPresent(t testing.TB, r *Readers, reader string, want bool) {
	t.Helper()
	until(t, reader, func() bool {
		slots, err := r.Slots(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range slots {
			if s.Reader == reader {
				return s.Card == want
			}
		}
		return false
	})
}

// session opens the JPKI application of the card in a reader.
func session(t testing.TB, r *Readers, reader string) (*Session, *jpki.Card) {
	t.Helper()
	s, err := r.Connect(t.Context(), reader)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	card, err := jpki.Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return s, card
}

func pin(t testing.TB, digits string) jpki.PIN {
	t.Helper()
	p, err := jpki.ParsePIN(digits)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// login is what the card app does with a card: PIN, certificate, signature.
func login(ctx context.Context, r *Readers, reader string, pin jpki.PIN, digest [32]byte) (der, signature []byte, err error) {
	s, err := r.Connect(ctx, reader)
	if err != nil {
		return nil, nil, err
	}
	defer s.Close()
	card, err := jpki.Open(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	if err = card.Unlock(ctx, pin); err != nil {
		return nil, nil, err
	}
	if der, err = card.AuthCertificate(ctx); err != nil {
		return nil, nil, err
	}
	signature, err = card.SignAuth(ctx, digest)
	return der, signature, err
}

func wantReader(t testing.TB, err error, want Reason) {
	t.Helper()
	if e, ok := errors.AsType[*Error](err); !ok || e.Reason != want {
		t.Errorf("got %v, want %v", err, want)
	}
}

func wantCard(t testing.TB, err error, want jpki.Reason) {
	t.Helper()
	if e, ok := errors.AsType[*jpki.Error](err); !ok || e.Reason != want {
		t.Errorf("got %v, want %v", err, want)
	}
}
