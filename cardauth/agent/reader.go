package agent

import (
	"context"

	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

// Reader is what holds the cards: a drawer of virtual ones, or the readers of a computer.
type Reader interface {
	// Cards lists the cards that can be used now, the one to offer first at the front. No reader at all is an
	// *Error with ReaderMissing, and with ServiceMissing where the system cannot even be asked; readers without a card
	// are an empty list.
	Cards(ctx context.Context) ([]CardChoice, error)
	// Connect takes a card, which other programs then cannot use, until release is called; release also takes the
	// power from it, so that no PIN stays given. The card app itself connects to a card once at a time. A name that
	// Cards does not list is an *Error with CardMissing, a card that another program keeps one with ReaderBusy.
	Connect(ctx context.Context, name string) (card jpki.Transmitter, release func(), err error)
}

// CardChoice is one card a citizen can choose.
type CardChoice struct {
	Name    string // what the form sends
	LabelJA string
	LabelEN string
	// Stay is another number if the card was taken out meanwhile, for readers whose names do not tell.
	Stay int
}
