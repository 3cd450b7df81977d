package idp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

// endedSession lets the browser whose session was ended for its card's sake hear why on its next page.
type endedSession struct {
	Secret string `json:"s"` // digest, as the session had it
	Word   string `json:"w"`
}

func endedKey(id string) string { return "ended:1:" + id }

// endWord is what the login page says of a session that ended without its citizen having asked for it there; empty: nothing.
func endWord(reason federation.LogoutReason, revoked string) string {
	switch reason {
	case federation.LogoutCardRemoved:
		return "card-removed"
	case federation.LogoutCardRevoked:
		switch revoked {
		case cardauth.Superseded.String():
			return "card-replaced"
		case revokedExpired:
			return "card-expired"
		}
		return "card-revoked"
	case federation.LogoutSession, federation.LogoutEverywhere, federation.LogoutService, federation.LogoutOtherPerson, federation.LogoutLinkEnded,
		federation.LogoutPasskeyRemoved, federation.LogoutExpired, federation.LogoutMandateEnded:
	case federation.LogoutTooMany:
		return "too-many"
	}
	return ""
}

// explain keeps why a session ends, for as long as its browser could have used it.
func (s sessions) explain(ctx context.Context, n *session, word string) error {
	if word == "" {
		return nil
	}
	b, err := json.Marshal(endedSession{Secret: n.Secret, Word: word})
	if err != nil {
		return fmt.Errorf("encode end of session: %w", err)
	}
	if err := s.store.Create(ctx, endedKey(n.ID), b, s.rules.Absolute); err != nil && !errors.Is(err, ephemeral.ErrExists) {
		return fmt.Errorf("store end of session: %w", err)
	}
	return nil
}

// wordOver is for a session of which nothing is left that says why: most were not used for long.
const wordOver = "over"

// whyEnded returns the word for the session that this browser had last, or "".
func (p *Provider) whyEnded(c echo.Context) (string, error) {
	for _, at := range []slot{slotMain, slotApart} {
		cookie, ok := p.site.Cookie(c.Request(), string(at))
		if !ok || len(cookie) != sessionCookie || cookie[22] != '.' || !wellFormedID(cookie[:22]) {
			continue
		}
		if word, err := p.whyOver(c.Request().Context(), cookie); err != nil || word != "" {
			return word, err
		}
	}
	return "", nil
}

func (p *Provider) whyOver(ctx context.Context, cookie string) (string, error) {
	rec, err := p.store.Get(ctx, endedKey(cookie[:22]))
	if err == nil {
		var e endedSession
		if err := json.Unmarshal(rec.Value, &e); err != nil {
			return "", fmt.Errorf("decode end of session: %w", err)
		}
		if !sameDigest(e.Secret, digest(cookie[23:])) {
			return "", nil
		}
		return e.Word, nil
	}
	if !errors.Is(err, ephemeral.ErrNotFound) {
		return "", fmt.Errorf("read end of session: %w", err)
	}
	// Whoever ended it was cut off before it could say so: the card still can.
	s, err := p.sessions.byCookie(ctx, cookie)
	if err != nil {
		return "", err
	}
	if s == nil {
		live, err := p.sessions.get(ctx, cookie[:22])
		if err != nil || live != nil { // another login has it
			return "", err
		}
		return wordOver, nil
	}
	if s.Card.zero() {
		return "", nil
	}
	foot, err := p.accounts.footing(ctx, s.Account, s.Card)
	if err != nil || foot.Revoked == "" {
		return "", err
	}
	return endWord(federation.LogoutCardRevoked, foot.Revoked), nil
}
