package agent

import (
	"context"
	"crypto/x509"
	"errors"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
	"github.com/tsunagu-id/tsunagu/internal/audit"
)

// Facts is what a card tells without its PIN. None of it names a person: no subject, no serial number.
type Facts struct {
	Token         jpki.Token
	Auth          bool      // there is a user-authentication certificate
	AuthNotAfter  time.Time // until when it is valid; zero: it can only be read behind the PIN, or not be understood
	Signing       bool      // there is a signature certificate; its end can only be read behind its password
	PINTries      jpki.Tries
	PasswordTries jpki.Tries
}

// Cards lists the cards that can be used now. The error is an *Error.
func (a *Agent) Cards(ctx context.Context) ([]CardChoice, error) { return a.cards.reader.Cards(ctx) }

// Inspect asks a card what it is. It costs no try. The error is an *Error or a *jpki.Error.
func (a *Agent) Inspect(ctx context.Context, name string) (Facts, error) {
	var f Facts
	err := a.cards.use(ctx, name, func(ctx context.Context, card *jpki.Card) (err error) {
		f, err = inspect(ctx, card)
		return err
	})
	return f, err
}

func inspect(ctx context.Context, card *jpki.Card) (f Facts, err error) {
	if f.Token, err = card.Token(ctx); err != nil {
		return f, err
	}
	if f.PINTries, err = card.AuthPINTries(ctx); err != nil {
		return f, err
	}
	if f.Signing, err = card.HasSigningCertificate(ctx); err != nil {
		return f, err
	}
	if f.Signing {
		if f.PasswordTries, err = card.SigningTries(ctx); err != nil {
			return f, err
		}
	}
	der, err := card.AuthCertificate(ctx)
	if hidden, ok := errors.AsType[*jpki.Error](err); ok {
		switch hidden.Reason { //nolint:exhaustive // two answers are facts, the others failures
		case jpki.NoCertificate:
			return f, nil
		case jpki.PINRequired:
			f.Auth = true
			return f, nil
		}
	}
	if err != nil {
		return f, err
	}
	f.Auth = true
	if leaf, err := x509.ParseCertificate(der); err == nil {
		f.AuthNotAfter = leaf.NotAfter
	}
	return f, nil
}

// ChangePIN gives a card a new user-authentication PIN. Nothing is repeated, whatever happens. The error is an *Error or a
// *jpki.Error.
func (a *Agent) ChangePIN(ctx context.Context, card string, change jpki.PINChange) error {
	if err := change.Check(); err != nil {
		return err
	}
	return a.change(ctx, card, kindPINChanged, func(ctx context.Context, c *jpki.Card) error { return c.ChangePIN(ctx, change) })
}

// ChangePassword gives a card a new signing password.
func (a *Agent) ChangePassword(ctx context.Context, card string, change jpki.PasswordChange) error {
	if err := change.Check(); err != nil {
		return err
	}
	return a.change(ctx, card, kindPasswordChanged, func(ctx context.Context, c *jpki.Card) error { return c.ChangePassword(ctx, change) })
}

func (a *Agent) change(ctx context.Context, card string, done audit.Kind, f func(context.Context, *jpki.Card) error) error {
	err := a.cards.use(ctx, card, f)
	if err != nil {
		a.failed(ctx, nil, err)
		return err
	}
	a.record(ctx, a.journal.write(ctx, audit.Event{Kind: done}))
	return nil
}

// HubState is how a hub answered.
type HubState struct {
	Origin, Name string
	Err          error         // HubUnreachable: why it cannot be used
	Skew         time.Duration // how far the hub's clock is ahead of this computer's, by its Date header; exact to about a second
	Dated        bool          // it sent a Date header
}

// Hubs asks every trusted hub for its keys.
func (a *Agent) Hubs(ctx context.Context) []HubState {
	out := make([]HubState, len(a.hubs))
	for i, h := range a.hubs {
		out[i] = HubState{Origin: h.origin, Name: h.name}
		_, out[i].Err = h.fetchKeys(ctx)
		if at := h.lastDate(); !at.IsZero() {
			out[i].Dated, out[i].Skew = true, at.Sub(h.now()).Round(time.Second)
		}
	}
	return out
}

// ClockTolerance is how far this computer's clock may be from the hub's.
const ClockTolerance = clockLeeway
