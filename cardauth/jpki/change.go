package jpki

import (
	"bytes"
	"context"
)

// PINChange is a new user-authentication PIN in place of the old one.
type PINChange struct {
	Old, New PIN
	LastTry  bool // the citizen knows that a single try is left for the old one, and confirmed that it may be spent
}

// Check says what is wrong with the two before a card is touched: PINMalformed.
func (p PINChange) Check() error {
	switch before, after := p.Old.bytes(), p.New.bytes(); {
	case before == nil || after == nil:
		return &Error{Reason: PINMalformed}
	case bytes.Equal(before, after):
		return &Error{Reason: PINMalformed, Detail: "the new PIN is the old one"}
	}
	return nil
}

// ChangePIN gives the card the old PIN, as Unlock does, and then the new one. VERIFY and CHANGE REFERENCE DATA are each sent once at
// most. ChangeUnknown says that the card went away in between: nobody knows which of the two counts.
func (c *Card) ChangePIN(ctx context.Context, p PINChange) error {
	if err := p.Check(); err != nil {
		return err
	}
	return c.change(ctx, authPIN(), p.Old.bytes(), p.New.bytes(), p.LastTry)
}

// PasswordChange is a new signing password in place of the old one.
type PasswordChange struct {
	Old, New Password
	LastTry  bool // as in PINChange
}

// Check says what is wrong with the two before a card is touched: PasswordMalformed. A new password has a letter and a digit.
func (p PasswordChange) Check() error {
	switch before, after := p.Old.bytes(), p.New.bytes(); {
	case before == nil || after == nil:
		return &Error{Reason: PasswordMalformed}
	case bytes.Equal(before, after):
		return &Error{Reason: PasswordMalformed, Detail: "the new password is the old one"}
	case !p.New.mixed():
		return &Error{Reason: PasswordMalformed, Detail: "a new password needs a letter and a digit"}
	}
	return nil
}

// ChangePassword is ChangePIN for the signing password.
func (c *Card) ChangePassword(ctx context.Context, p PasswordChange) error {
	if err := p.Check(); err != nil {
		return err
	}
	return c.change(ctx, signingPassword(), p.Old.bytes(), p.New.bytes(), p.LastTry)
}

func (c *Card) change(ctx context.Context, s secret, before, after []byte, lastTry bool) error {
	need := Tries(2)
	if lastTry {
		need = 1
	}
	if err := c.unlock(ctx, s, before, need); err != nil {
		return err
	}
	// CHANGE REFERENCE DATA with the new value alone (ISO/IEC 7816-4 §7.5.7, P1=01): the old one was just verified, and its file is
	// still the current one.
	command := carrying([]byte{0x00, 0x24, 0x01, 0x80}, after)
	defer clear(command)
	if err := ctx.Err(); err != nil {
		return &Error{Reason: CardFault, Detail: "given up before the change", Err: err}
	}
	a, err := c.exchange(ctx, command)
	switch {
	case err != nil:
		return &Error{Reason: ChangeUnknown, Err: err}
	case a.sw == swOK:
		return nil
	}
	return &Error{Reason: CardFault, SW: a.sw, Detail: "change reference data"}
}
