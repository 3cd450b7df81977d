package drawer

import (
	"errors"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/agent"
	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

func TestDrawer(t *testing.T) {
	t.Parallel()
	pki, err := cardtest.LoadOrCreatePKI(t.TempDir(), time.Now, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(pki, "taro", "nobody"); !errors.Is(err, cardtest.ErrNoSuchCard) {
		t.Errorf("unknown card: %v", err)
	}
	d, err := Open(pki, "blocked", "taro")
	if err != nil {
		t.Fatal(err)
	}
	choices, err := d.Cards(t.Context())
	if err != nil || len(choices) != 2 || choices[0].Name != "blocked" || choices[1].LabelJA == "" || choices[1].LabelEN == "" {
		t.Fatalf("%+v, %v", choices, err)
	}
	if _, _, err := d.Connect(t.Context(), "nobody"); agent.Word(err) != "card_missing" {
		t.Errorf("unknown card: %v", err)
	}
	// A PIN given in one connection does not count in the next, whatever the first one left behind.
	pin, err := jpki.ParsePIN(cardtest.DemoPIN)
	if err != nil {
		t.Fatal(err)
	}
	reader, release, err := d.Connect(t.Context(), "taro")
	if err != nil {
		t.Fatal(err)
	}
	card, err := jpki.Open(t.Context(), reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := card.Unlock(t.Context(), pin); err != nil {
		t.Fatal(err)
	}
	if _, err := card.SignAuth(t.Context(), [32]byte{}); err != nil {
		t.Fatal(err)
	}
	release()
	reader, release, err = d.Connect(t.Context(), "taro")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if card, err = jpki.Open(t.Context(), reader); err != nil {
		t.Fatal(err)
	}
	if _, err := card.SignAuth(t.Context(), [32]byte{}); err == nil || agent.Word(err) != "pin_required" {
		t.Errorf("signed without a PIN: %v", err)
	}
}

// Without names the whole drawer is there, and made.
func TestWholeDrawer(t *testing.T) {
	t.Parallel()
	pki, err := cardtest.LoadOrCreatePKI(t.TempDir(), time.Now, "")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	d, err := Open(pki)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("made in %v", time.Since(began))
	choices, err := d.Cards(t.Context())
	if err != nil || len(choices) != len(pki.Drawer().Entries()) || choices[0].Name != "taro" {
		t.Errorf("%+v, %v", choices, err)
	}
}
