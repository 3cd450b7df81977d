package jpki

import "context"

// secret is one of the two things a citizen knows, as the card keeps it: in a file of its own, with a counter of its own.
type secret struct {
	file                           uint16
	most                           Tries // of a fresh or just verified one
	wrong, blocked, last, mistyped Reason
}

func authPIN() secret {
	return secret{file: fileAuthPIN, most: maxTries, wrong: WrongPIN, blocked: PINBlocked, last: LastTry, mistyped: PINMalformed}
}

func signingPassword() secret {
	return secret{
		file: fileSignPIN, most: maxSigningTries,
		wrong: WrongPassword, blocked: PasswordBlocked, last: LastPasswordTry, mistyped: PasswordMalformed,
	}
}

// AuthPINTries asks how many tries the user-authentication PIN has left. It
// costs none. Zero means blocked.
func (c *Card) AuthPINTries(ctx context.Context) (Tries, error) { return c.tries(ctx, authPIN()) }

// SigningTries is AuthPINTries for the signing password.
func (c *Card) SigningTries(ctx context.Context) (Tries, error) {
	return c.tries(ctx, signingPassword())
}

func (c *Card) tries(ctx context.Context, s secret) (Tries, error) {
	if err := c.selectFile(ctx, s.file); err != nil {
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
		return s.most, nil
	}
	return 0, &Error{Reason: CardFault, SW: a.sw, Detail: "ask for tries left"}
}

// Unlock gives the card the user-authentication PIN. It refuses with LastTry,
// before anything is sent, when a wrong PIN would block the card; and it sends
// VERIFY once, whatever happens.
func (c *Card) Unlock(ctx context.Context, pin PIN) error {
	return c.unlock(ctx, authPIN(), pin.bytes(), 2)
}

// UnlockLastTry is Unlock for a citizen who was told that one try is left and
// confirmed that it may be spent.
func (c *Card) UnlockLastTry(ctx context.Context, pin PIN) error {
	return c.unlock(ctx, authPIN(), pin.bytes(), 1)
}

// UnlockSigning is Unlock for the signature key: LastPasswordTry refuses.
func (c *Card) UnlockSigning(ctx context.Context, password Password) error {
	return c.unlock(ctx, signingPassword(), password.bytes(), 2)
}

// UnlockSigningLastTry is UnlockLastTry for the signature key.
func (c *Card) UnlockSigningLastTry(ctx context.Context, password Password) error {
	return c.unlock(ctx, signingPassword(), password.bytes(), 1)
}

func (c *Card) unlock(ctx context.Context, s secret, value []byte, need Tries) error {
	if value == nil {
		return &Error{Reason: s.mistyped}
	}
	left, err := c.tries(ctx, s)
	switch {
	case err != nil:
		return err
	case left == 0:
		return &Error{Reason: s.blocked}
	case left < need:
		return &Error{Reason: s.last, Left: left}
	}
	command := carrying([]byte{0x00, 0x20, 0x00, 0x80}, value)
	defer clear(command)
	a, err := c.exchange(ctx, command)
	switch {
	case err != nil:
		return err
	case a.sw == swOK:
		return nil
	case a.sw == swCounter, a.sw == swBlocked, a.sw == swReferenceLost:
		return &Error{Reason: s.blocked, SW: a.sw}
	case a.sw&swCounterMask == swCounter:
		return &Error{Reason: s.wrong, Left: Tries(a.sw & 0x0F), SW: a.sw}
	case a.sw == swVerifyFailed && left == 1:
		return &Error{Reason: s.blocked, SW: a.sw}
	case a.sw == swVerifyFailed:
		return &Error{Reason: s.wrong, Left: left - 1, SW: a.sw}
	}
	return &Error{Reason: CardFault, SW: a.sw, Detail: "verify"}
}

// carrying is a command with a secret as its data, in one piece of memory that can be wiped.
func carrying(header, value []byte) []byte {
	command := append(make([]byte, 0, len(header)+1+len(value)), header...)
	command = append(command, byte(len(value))) //nolint:gosec // at most maxPassword
	return append(command, value...)
}
