//go:build pcsc && (cgo || windows)

package pcsc

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

var _ jpki.Transmitter = (*Session)(nil)

// minCommand is the length of a command's header. PC/SC would take less for something else, or crash.
const minCommand = 4

// Session is a card that nobody else talks to. It is used by one goroutine.
type Session struct {
	readers *Readers
	reader  string
	handle  *handle // of the worker alone
	worker  *worker
	lost    bool // a call was given up: there is nothing left to talk to
	once    sync.Once
}

// Transmit sends one command. Its errors are *jpki.Error.
func (s *Session) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	switch {
	case s.lost:
		return nil, &jpki.Error{Reason: jpki.CardFault, Detail: "given up after a command without an answer"}
	case len(command) < minCommand:
		return nil, &jpki.Error{Reason: jpki.CardFault, Detail: "not a command"}
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	// A copy: the caller wipes its own, perhaps while this one is still on its way.
	own := bytes.Clone(command)
	answer, err := do(ctx, s.worker, func() ([]byte, error) {
		defer clear(own)
		return s.handle.transmit(own)
	})
	if errors.Is(err, errGivenUp) {
		s.lost = true
		s.readers.giveUp(s.reader, s.worker)
		return nil, &jpki.Error{Reason: jpki.CardFault, Detail: "no answer in time", Err: err}
	}
	if err != nil {
		return nil, interruption(err)
	}
	return answer, nil
}

// Close resets the card, ends the transaction with it and lets go of the reader. A call that hangs is not waited for;
// the same happens when it returns.
func (s *Session) Close() {
	s.once.Do(func() {
		s.worker.finish()
		if s.lost {
			return
		}
		limit := time.NewTimer(closeTimeout)
		defer limit.Stop()
		select {
		case <-s.worker.ended:
		case <-limit.C:
			s.lost = true
			s.readers.giveUp(s.reader, s.worker)
		}
	})
}
