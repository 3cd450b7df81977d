//go:build pcsc && (cgo || windows)

package pcsc

import (
	"errors"
	"runtime"

	"github.com/ebfe/scard"

	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

// wasReset says that the card is there but has lost its state. Two programs that connect and reset at once are now
// and then told of a protocol mismatch instead.
func wasReset(err error) bool {
	return errors.Is(err, scard.ErrResetCard) || errors.Is(err, scard.ErrProtoMismatch)
}

// failure is an error before a card was connected.
func failure(err error) error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	code, ok := errors.AsType[scard.Error](err)
	if !ok {
		return &Error{Reason: Fault, Err: err}
	}
	return &Error{Reason: reasonOf(code), Err: err}
}

func reasonOf(code scard.Error) Reason {
	switch code { //nolint:exhaustive // the library lists every code of Windows; the others are Fault
	case scard.ErrNoService, scard.ErrServiceStopped:
		if runtime.GOOS == "windows" {
			return ReaderMissing // the service there ends with the last reader
		}
		return ServiceMissing
	case scard.ErrNoReadersAvailable, scard.ErrUnknownReader, scard.ErrReaderUnavailable:
		return ReaderMissing
	case scard.ErrNoSmartcard, scard.ErrRemovedCard:
		return CardMissing
	case scard.ErrSharingViolation, scard.ErrResetCard, scard.ErrProtoMismatch, scard.ErrServerTooBusy:
		return ReaderBusy
	case scard.ErrUnresponsiveCard, scard.ErrUnpoweredCard, scard.ErrUnsupportedCard, scard.ErrCardUnsupported, scard.ErrInvalidAtr,
		scard.ErrCommError:
		return CardMute
	}
	return Fault
}

// interruption is an error between two commands or during one. Whatever took the card from us — a hand, the reader's
// cable, the service, a reset after the PIN — the citizen has to place it again; only a card that is there and does not
// answer is broken.
func interruption(err error) *jpki.Error {
	reason := jpki.CardRemoved
	if code, ok := errors.AsType[scard.Error](err); ok && reasonOf(code) == CardMute {
		reason = jpki.CardFault
	}
	return &jpki.Error{Reason: reason, Err: err}
}
