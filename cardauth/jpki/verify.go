package jpki

import "context"

// AuthPINTries asks how many tries the user-authentication PIN has left. It
// costs none. Zero means blocked.
func (c *Card) AuthPINTries(ctx context.Context) (Tries, error) {
	if err := c.selectFile(ctx, fileAuthPIN); err != nil {
		return 0, err
	}
	// VERIFY without a body is a question (ISO/IEC 7816-4 §7.5.6). Some T=0
	// readers need the length byte; it is still a question.
	a, err := c.exchange(ctx, []byte{0x00, 0x20, 0x00, 0x80})
	if err == nil && a.sw == swWrongLength {
		a, err = c.exchange(ctx, []byte{0x00, 0x20, 0x00, 0x80, 0x00})
	}
	switch {
	case err != nil:
		return 0, err
	case a.sw&swCounterMask == swCounter:
		return Tries(a.sw & 0x0F), nil
	case a.sw == swBlocked, a.sw == swReferenceLost:
		return 0, nil
	case a.sw == swOK:
		// Verified already, which put the counter back to its maximum.
		return maxTries, nil
	}
	return 0, &Error{Reason: CardFault, SW: a.sw, Detail: "ask for tries left"}
}

// Unlock gives the card the user-authentication PIN. It refuses with LastTry,
// before anything is sent, when a wrong PIN would block the card; and it sends
// VERIFY once, whatever happens.
func (c *Card) Unlock(ctx context.Context, pin PIN) error { return c.unlock(ctx, pin, 2) }

// UnlockLastTry is Unlock for a citizen who was told that one try is left and
// confirmed that it may be spent.
func (c *Card) UnlockLastTry(ctx context.Context, pin PIN) error { return c.unlock(ctx, pin, 1) }

func (c *Card) unlock(ctx context.Context, pin PIN, need Tries) error {
	digits := pin.bytes()
	if digits == nil {
		return &Error{Reason: PINMalformed}
	}
	left, err := c.AuthPINTries(ctx)
	switch {
	case err != nil:
		return err
	case left == 0:
		return &Error{Reason: PINBlocked}
	case left < need:
		return &Error{Reason: LastTry, Left: left}
	}
	command := append(make([]byte, 0, 5+pinDigits), 0x00, 0x20, 0x00, 0x80, pinDigits)
	command = append(command, digits...)
	defer clear(command)
	a, err := c.exchange(ctx, command)
	switch {
	case err != nil:
		return err
	case a.sw == swOK:
		return nil
	case a.sw == swCounter, a.sw == swBlocked, a.sw == swReferenceLost:
		return &Error{Reason: PINBlocked, SW: a.sw}
	case a.sw&swCounterMask == swCounter:
		return &Error{Reason: WrongPIN, Left: Tries(a.sw & 0x0F), SW: a.sw}
	case a.sw == swVerifyFailed && left == 1:
		return &Error{Reason: PINBlocked, SW: a.sw}
	case a.sw == swVerifyFailed:
		return &Error{Reason: WrongPIN, Left: left - 1, SW: a.sw}
	}
	return &Error{Reason: CardFault, SW: a.sw, Detail: "verify"}
}
