package idp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/idp/passkey"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// passkeyChallenge is what a challenge for an authenticator was given out for: exactly one of a login transaction and a session. The
// store has the challenge's digest only.
type passkeyChallenge struct {
	Tx      string               `json:"t,omitempty"` // a login
	Session string               `json:"s,omitempty"` // a new passkey, in this session
	Account federation.AccountID `json:"a,omitempty"` // and for this person
}

func passkeyKey(challenge string) string { return "passkey:1:" + digest(challenge) }

func (p *Provider) offerChallenge(ctx context.Context, challenge string, what passkeyChallenge) error {
	b, err := json.Marshal(what)
	if err != nil {
		return fmt.Errorf("encode passkey challenge: %w", err)
	}
	if err := p.store.Create(ctx, passkeyKey(challenge), b, passkey.Patience); err != nil {
		return fmt.Errorf("store passkey challenge: %w", err)
	}
	return nil
}

// spendChallenge takes the challenge away, for whatever becomes of the answer, and returns what it was for; or passkey.ChallengeSpent.
func (p *Provider) spendChallenge(ctx context.Context, challenge string) (what passkeyChallenge, err error) {
	if !isBase64URL(challenge, 43) {
		return what, &passkey.Error{Reason: passkey.ChallengeSpent, Detail: "no challenge of ours"}
	}
	b, err := p.store.Take(ctx, passkeyKey(challenge))
	if errors.Is(err, ephemeral.ErrNotFound) {
		return what, &passkey.Error{Reason: passkey.ChallengeSpent, Detail: "not given out, used or too old"}
	}
	if err != nil {
		return what, fmt.Errorf("take passkey challenge: %w", err)
	}
	if err := json.Unmarshal(b, &what); err != nil {
		return what, fmt.Errorf("decode passkey challenge: %w", err)
	}
	return what, nil
}

// passkeysOff is what the pages of passkeys are where the hub's address has no domain: nothing.
func (p *Provider) passkeysOff() error {
	if p.party == nil {
		return &Error{Reason: NotFound, Detail: "the issuer's host is no domain"}
	}
	return nil
}

// notePasskeyRefused logs a refusal and records it, and returns its reason; an error that is none is returned.
func (p *Provider) notePasskeyRefused(c echo.Context, err error, e audit.Event) (passkey.Reason, error) {
	ctx := c.Request().Context()
	var refused *passkey.Error
	if !errors.As(err, &refused) {
		return 0, err
	}
	p.log.InfoContext(ctx, "passkey refused", "reason", refused.Reason.String(), "why", int(refused.Reason), "detail", refused.Detail, "trace", web.Trace(ctx))
	e.Kind, e.Reason = eventPasskeyRefused, refused.Reason.String()
	return refused.Reason, p.recordStranger(ctx, e)
}
