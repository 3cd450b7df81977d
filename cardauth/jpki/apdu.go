package jpki

import (
	"context"
	"errors"
)

// Transmitter carries one command to a card and brings back its answer, status
// word included. It neither repeats nor interprets. An error that is a *Error
// is passed on as it is; any other means that the card went away.
type Transmitter interface {
	Transmit(ctx context.Context, apdu []byte) ([]byte, error)
}

// Status words (ISO/IEC 7816-4 §5.6 and what My Number Cards were seen to answer).
const (
	swOK             = 0x9000
	swEndOfFile      = 0x6282
	swVerifyFailed   = 0x6300 // no counter
	swSecurity       = 0x6982
	swBlocked        = 0x6983
	swReferenceLost  = 0x6984 // what a My Number Card says for a blocked PIN
	swWrongLength    = 0x6700
	swFileNotFound   = 0x6A82
	swOutsideFile    = 0x6B00
	swCounterMask    = 0xFFF0
	swCounter        = 0x63C0
	swMoreData       = 0x61
	swCorrectLe      = 0x6C
	maxContinuations = 64 // GET RESPONSE rounds for one answer
	maxAnswer        = 1 << 15
)

// answer is what a card said to one command.
type answer struct {
	data []byte
	sw   uint16
}

// exchange sends one command once. Everything that can cost a PIN try goes
// through here and nowhere else.
func (c *Card) exchange(ctx context.Context, command []byte) (answer, error) {
	if err := ctx.Err(); err != nil {
		return answer{}, &Error{Reason: CardFault, Detail: "given up before the command", Err: err}
	}
	raw, err := c.reader.Transmit(ctx, command)
	if err != nil {
		if card, ok := errors.AsType[*Error](err); ok {
			return answer{}, card
		}
		return answer{}, &Error{Reason: CardRemoved, Err: err}
	}
	// A card pulled out in mid-command is a success with no bytes to pcscd.
	if len(raw) < 2 {
		return answer{}, &Error{Reason: CardRemoved, Detail: "answer without a status word"}
	}
	if len(raw) > maxAnswer {
		return answer{}, &Error{Reason: CardFault, Detail: "answer too long"}
	}
	n := len(raw) - 2
	return answer{data: raw[:n:n], sw: uint16(raw[n])<<8 | uint16(raw[n+1])}, nil
}

// ask sends a command that changes nothing on the card and fetches the whole
// answer: 61xx is continued with GET RESPONSE, 6Cxx is asked again with the
// right length, once (ISO/IEC 7816-3 §12.2.1). The command must end in Le.
func (c *Card) ask(ctx context.Context, command []byte) (answer, error) {
	a, err := c.exchange(ctx, command)
	if err != nil {
		return answer{}, err
	}
	if a.sw>>8 == swCorrectLe {
		again := append([]byte(nil), command...)
		again[len(again)-1] = byte(a.sw & 0xFF)
		if a, err = c.exchange(ctx, again); err != nil {
			return answer{}, err
		}
	}
	data := a.data
	for range maxContinuations {
		if a.sw>>8 != swMoreData {
			return answer{data: data, sw: a.sw}, nil
		}
		if a, err = c.exchange(ctx, []byte{0x00, 0xC0, 0x00, 0x00, byte(a.sw & 0xFF)}); err != nil {
			return answer{}, err
		}
		if len(data)+len(a.data) > maxAnswer {
			return answer{}, &Error{Reason: CardFault, Detail: "answer too long"}
		}
		data = append(data, a.data...)
	}
	return answer{}, &Error{Reason: CardFault, Detail: "answer does not end"}
}

// selectFile makes an elementary file of the selected application current:
// a certificate, a PIN or a key.
func (c *Card) selectFile(ctx context.Context, id uint16) error {
	a, err := c.exchange(ctx, []byte{0x00, 0xA4, 0x02, 0x0C, 0x02, byte(id >> 8), byte(id & 0xFF)})
	switch {
	case err != nil:
		return err
	case a.sw == swOK:
		return nil
	case a.sw == swFileNotFound:
		return &Error{Reason: NoCertificate, SW: a.sw, Detail: "file is absent"}
	}
	return &Error{Reason: CardFault, SW: a.sw, Detail: "select file"}
}
