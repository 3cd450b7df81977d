//go:build !pcsc || (!cgo && !windows)

package pcsc

import (
	"context"

	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

var errNotBuilt = &Error{
	Reason: NotBuilt, Detail: "this program was built without card readers; `make agent` builds it with them",
}

// Readers cannot be had in a program that was built without PC/SC.
type Readers struct{}

// Open answers NotBuilt.
func Open() (*Readers, error) { return nil, errNotBuilt }

// Slots answers NotBuilt.
func (*Readers) Slots(context.Context) ([]Slot, error) { return nil, errNotBuilt }

// Connect answers NotBuilt.
func (*Readers) Connect(context.Context, string) (*Session, error) { return nil, errNotBuilt }

// Session cannot be had in a program that was built without PC/SC.
type Session struct{}

// Transmit answers that there is no card.
func (*Session) Transmit(context.Context, []byte) ([]byte, error) {
	return nil, &jpki.Error{Reason: jpki.CardFault, Err: errNotBuilt}
}

// Close does nothing.
func (*Session) Close() {}
