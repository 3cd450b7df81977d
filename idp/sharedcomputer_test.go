package idp_test

import (
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestSharedComputerWatchesUnasked: where the card app says that others use the computer too, taking the card out signs out whoever did not ask
// for it, and the card app says so before the PIN.
func TestSharedComputerWatchesUnasked(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Own: true, Shared: true})
	b, other := h.Browser(t), h.Browser(t)
	page := h.Browser(t)
	challenge := page.Challenge(page.Get(idptest.NewRequest().Path()))
	if p := page.Get(h.AgentURL + "/login?challenge=" + challenge); !strings.Contains(p.Body, "data-card-watch") {
		t.Errorf("the card app does not say that the card is watched: %d %s", p.Status, p.URL)
	}
	h.Code(t, b, idptest.NewRequest(), "taro")
	h.Code(t, other, idptest.NewRequest(), "hanako")
	if p := b.Get("/account"); !strings.Contains(p.Body, "data-card-watch") {
		t.Fatal("the account page does not say that the card is watched")
	}
	if err := h.Drawer.Eject("taro"); err != nil {
		t.Fatal(err)
	}
	within(t, soon, "signed out", func() bool { return !knownToHub(b) })
	if p := b.Get("/account"); !strings.Contains(p.Body, `data-notice="card-removed"`) {
		t.Errorf("the next page does not say why: %s", p.URL)
	}
	if !knownToHub(other) {
		t.Error("somebody was signed out whose card is in")
	}
}
