// Package drawer is the card app's reader in the demo: the virtual cards of a test PKI, each of them in place until it is taken out.
// It knows no page and no hub.
package drawer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/tsunagu-id/tsunagu/cardauth/agent"
	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

var _ agent.Reader = (*Drawer)(nil)

// Drawer offers virtual cards. It is safe for concurrent use.
type Drawer struct {
	cards *cardtest.Drawer

	mu      sync.Mutex
	choices []agent.CardChoice // in the drawer's order
	out     map[string]bool
}

var _ agent.Tray = (*Drawer)(nil)

// Open takes the named cards of a PKI out, all of them if none is named. Cards that do not exist yet are made, about
// half a second each, so that nobody has to wait for them at the PIN page. An unknown name is cardtest.ErrNoSuchCard.
func Open(pki *cardtest.PKI, names ...string) (*Drawer, error) {
	d := &Drawer{cards: pki.Drawer(), out: map[string]bool{}}
	entries := map[string]cardtest.Entry{}
	for _, e := range d.cards.Entries() {
		entries[e.Name] = e
		if len(names) == 0 {
			d.choices = append(d.choices, choice(e))
		}
	}
	for _, name := range names {
		e, ok := entries[name]
		if !ok {
			return nil, fmt.Errorf("drawer: %q: %w", name, cardtest.ErrNoSuchCard)
		}
		d.choices = append(d.choices, choice(e))
	}
	for _, c := range d.choices {
		if _, err := d.cards.Card(c.Name); err != nil {
			return nil, fmt.Errorf("drawer: %w", err)
		}
	}
	return d, nil
}

func choice(e cardtest.Entry) agent.CardChoice {
	return agent.CardChoice{Name: e.Name, LabelJA: e.LabelJA, LabelEN: e.LabelEN}
}

// Cards lists the cards that are in, in the drawer's order or in that of Open's names.
func (d *Drawer) Cards(context.Context) ([]agent.CardChoice, error) { return d.list(false), nil }

// Out lists the cards that are out.
func (d *Drawer) Out() []agent.CardChoice { return d.list(true) }

func (d *Drawer) list(out bool) []agent.CardChoice {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(d.choices), func(c agent.CardChoice) bool { return d.out[c.Name] != out })
}

// Eject takes a card out, which is no error if it is out.
func (d *Drawer) Eject(name string) error { return d.move(name, true) }

// Insert puts a card back in, which is no error if it is in.
func (d *Drawer) Insert(name string) error { return d.move(name, false) }

func (d *Drawer) move(name string, out bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.choices, func(c agent.CardChoice) bool { return c.Name == name })
	if i < 0 {
		return &agent.Error{Reason: agent.CardMissing, Detail: "no card of this name in the drawer"}
	}
	if out && !d.out[name] {
		d.choices[i].Stay++
	}
	d.out[name] = out
	return nil
}

// Connect gives a card power; release takes it.
func (d *Drawer) Connect(_ context.Context, name string) (jpki.Transmitter, func(), error) {
	d.mu.Lock()
	out := d.out[name]
	d.mu.Unlock()
	if out {
		return nil, nil, &agent.Error{Reason: agent.CardMissing, Detail: "the card was taken out"}
	}
	card, err := d.cards.Card(name)
	if errors.Is(err, cardtest.ErrNoSuchCard) {
		return nil, nil, &agent.Error{Reason: agent.CardMissing, Err: err}
	}
	if err != nil {
		return nil, nil, &jpki.Error{Reason: jpki.CardFault, Err: err}
	}
	card.Reset()
	return card, card.PowerOff, nil
}
