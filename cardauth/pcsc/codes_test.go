//go:build pcsc && (cgo || windows)

package pcsc

import (
	"bytes"
	"errors"
	"testing"

	"github.com/ebfe/scard"

	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

func TestReasons(t *testing.T) {
	t.Parallel()
	for code, want := range map[scard.Error]Reason{
		scard.ErrNoService: ServiceMissing, scard.ErrNoReadersAvailable: ReaderMissing, scard.ErrUnknownReader: ReaderMissing,
		scard.ErrNoSmartcard: CardMissing, scard.ErrRemovedCard: CardMissing, scard.ErrSharingViolation: ReaderBusy,
		scard.ErrResetCard: ReaderBusy, scard.ErrUnresponsiveCard: CardMute, scard.ErrInternalError: Fault,
	} {
		if e, ok := errors.AsType[*Error](failure(code)); !ok || e.Reason != want || !errors.Is(e, code) {
			t.Errorf("%v: %v", code, e)
		}
	}
	if e, ok := errors.AsType[*Error](failure(errors.New("other"))); !ok || e.Reason != Fault {
		t.Error(e)
	}
}

// What PC/SC says when hand, cable or service take the card away in mid-command is one thing to the citizen; a card that is there and does
// not answer is another.
func TestInterruptions(t *testing.T) {
	t.Parallel()
	for code, want := range map[scard.Error]jpki.Reason{
		scard.ErrRemovedCard: jpki.CardRemoved, scard.ErrNoSmartcard: jpki.CardRemoved, scard.ErrReaderUnavailable: jpki.CardRemoved,
		scard.ErrUnknownReader: jpki.CardRemoved, scard.ErrNotTransacted: jpki.CardRemoved, scard.ErrNoService: jpki.CardRemoved,
		scard.ErrServiceStopped: jpki.CardRemoved, scard.ErrResetCard: jpki.CardRemoved, scard.ErrInvalidHandle: jpki.CardRemoved,
		scard.ErrUnresponsiveCard: jpki.CardFault, scard.ErrUnpoweredCard: jpki.CardFault, scard.ErrCommError: jpki.CardFault,
	} {
		if e := interruption(code); e.Reason != want || !errors.Is(e, code) {
			t.Errorf("%v: %v", code, e)
		}
	}
}

// T=0 has one length: of a command that brings data and expects some, Le is left away.
func TestCommandsForT0(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want []byte }{
		{[]byte{0, 0x20, 0, 0x80}, []byte{0, 0x20, 0, 0x80}},
		{[]byte{0, 0xB0, 0, 0, 0}, []byte{0, 0xB0, 0, 0, 0}},
		{[]byte{0, 0xA4, 2, 0x0C, 2, 0, 0x18}, []byte{0, 0xA4, 2, 0x0C, 2, 0, 0x18}},
		{[]byte{0x80, 0x2A, 0, 0x80, 2, 1, 2, 0}, []byte{0x80, 0x2A, 0, 0x80, 2, 1, 2}},
	} {
		if got := withoutLe(c.in); !bytes.Equal(got, c.want) {
			t.Errorf("% X: % X", c.in, got)
		}
	}
}
