//go:build pcsc && (cgo || windows)

package pcsc

import (
	"bytes"
	"errors"
	"time"

	"github.com/ebfe/scard"
)

// Bytes of commands that matter on the way (ISO/IEC 7816-4 §5.4).
const (
	insVerify       = 0x20
	insChange       = 0x24
	insSelect       = 0xA4
	selectByName    = 0x04
	swOK            = 0x9000
	shortHeader     = 5 // header and Lc
	statusWordBytes = 2
)

// handle is a connected card. Every method may block for good, so only a worker calls them.
type handle struct {
	context *scard.Context
	card    *scard.Card
	held    bool     // a transaction has begun
	pinSent bool     // from now on nothing is repeated
	path    [][]byte // the selections that lead to where the card is: application, file
}

// open connects to a card and begins the transaction.
func (h *handle) open(reader string) (err error) {
	// Each session has a context of its own: a call that hangs blocks every other call of its context.
	if h.context, err = scard.EstablishContext(); err != nil {
		return err
	}
	for range maxStartOvers {
		// Shared, because an exclusive connection fails at once where a transaction waits its turn.
		h.card, err = h.context.Connect(reader, scard.ShareShared, scard.ProtocolAny)
		if !wasReset(err) {
			break
		}
		time.Sleep(startOverPause)
	}
	if err != nil {
		return err
	}
	if p := h.card.ActiveProtocol(); p != scard.ProtocolT0 && p != scard.ProtocolT1 {
		return scard.ErrProtoMismatch // no card behind it; transmitting would panic
	}
	if err = h.card.BeginTransaction(); wasReset(err) {
		err = h.again()
	}
	h.held = err == nil
	return err
}

// again takes up a card that another program has reset between two of our calls, and begins a new transaction.
func (h *handle) again() (err error) {
	for range maxStartOvers {
		if err = h.card.Reconnect(scard.ShareShared, scard.ProtocolAny, scard.LeaveCard); err == nil {
			err = h.card.BeginTransaction()
		}
		if !wasReset(err) {
			return err
		}
		time.Sleep(startOverPause)
	}
	return err
}

// transmit sends a command. If the card was reset before a PIN was sent, the selections are repeated and the command
// after them; nothing but selections and questions was sent until then.
func (h *handle) transmit(command []byte) (answer []byte, err error) {
	if len(command) > shortHeader && (command[1] == insVerify || command[1] == insChange) {
		h.pinSent = true
	}
	for range maxStartOvers {
		if h.held { // never to a card that another program may be using
			if answer, err = h.send(command); !wasReset(err) || h.pinSent {
				break
			}
		}
		if err = h.startOver(); err != nil && !wasReset(err) {
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	h.note(command, answer)
	return answer, nil
}

// startOver brings a card that was reset back to where it was.
func (h *handle) startOver() error {
	h.held = false
	if err := h.again(); err != nil {
		return err
	}
	h.held = true
	for _, command := range h.path {
		answer, err := h.send(command)
		if err != nil {
			return err
		}
		if !succeeded(answer) {
			return errors.New("card was reset and is another one now")
		}
	}
	return nil
}

// send is one command and its answer.
func (h *handle) send(command []byte) ([]byte, error) {
	if h.card.ActiveProtocol() == scard.ProtocolT0 {
		command = withoutLe(command)
	}
	return h.card.Transmit(command)
}

// withoutLe drops the Le of a command that also carries data: T=0 has room for one length only, and the card then
// offers its answer with 61xx (ISO/IEC 7816-3 §12.1.3).
func withoutLe(command []byte) []byte {
	if len(command) > shortHeader && command[4] != 0 && len(command) == shortHeader+int(command[4])+1 {
		return command[:len(command)-1]
	}
	return command
}

// note remembers a selection that succeeded.
func (h *handle) note(command, answer []byte) {
	if command[1] != insSelect || !succeeded(answer) {
		return
	}
	own := bytes.Clone(command)
	if command[2] == selectByName {
		h.path = [][]byte{own}
		return
	}
	h.path = append(h.path[:min(len(h.path), 1)], own)
}

func succeeded(answer []byte) bool {
	n := len(answer)
	return n >= statusWordBytes && int(answer[n-2])<<8|int(answer[n-1]) == swOK
}

// close makes the card forget everything and lets go of it. Nobody is left to hear what goes wrong here: a card that
// is gone has forgotten, too.
func (h *handle) close() {
	if h.card != nil {
		leave := scard.LeaveCard
		if h.pinSent {
			leave = scard.ResetCard // the second chance, should the transaction not end
		}
		if h.held && h.card.EndTransaction(scard.ResetCard) == nil {
			leave = scard.LeaveCard
		}
		_ = h.card.Disconnect(leave)
	}
	if h.context != nil {
		_ = h.context.Release()
	}
}
