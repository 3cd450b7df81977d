package jpki

import (
	"context"
)

// Files of the JPKI application.
const (
	fileSignCertificate = 0x0001
	fileTokenInfo       = 0x0006
	fileAuthCertificate = 0x000A
	fileAuthKey         = 0x0017
	fileAuthPIN         = 0x0018
	fileSignKey         = 0x001A
	fileSignPIN         = 0x001B
)

// The counters of a fresh or just verified user-authentication PIN and signing password.
const (
	maxTries        Tries = 3
	maxSigningTries Tries = 5
)

// Card is a My Number Card whose JPKI application is selected. It is used by
// one goroutine; nobody else may talk to the card between Open and Close.
type Card struct{ reader Transmitter }

// Open selects the JPKI application. A card that does not have it is NotJPKI.
// The ATR is not looked at: readers report several for the same card.
func Open(ctx context.Context, t Transmitter) (*Card, error) {
	c := &Card{reader: t}
	// SELECT by DF name, first occurrence, no answer data. The whole
	// identifier is sent: a shorter one would match other applications.
	a, err := c.exchange(ctx, []byte{0x00, 0xA4, 0x04, 0x0C, 0x0A,
		0xD3, 0x92, 0xF0, 0x00, 0x26, 0x01, 0x00, 0x00, 0x00, 0x01})
	if err != nil {
		return nil, err
	}
	if a.sw != swOK {
		return nil, &Error{Reason: NotJPKI, SW: a.sw}
	}
	return c, nil
}

// Close selects the card's issuer domain instead of the JPKI application,
// which makes the card forget that the PIN was given. Selecting JPKI again
// would not.
func (c *Card) Close(ctx context.Context) error {
	a, err := c.exchange(ctx, []byte{0x00, 0xA4, 0x04, 0x0C, 0x07,
		0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00})
	if err != nil {
		return err
	}
	if a.sw != swOK {
		return &Error{Reason: CardFault, SW: a.sw, Detail: "select issuer domain"}
	}
	return nil
}
