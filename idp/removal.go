package idp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

const (
	removalPath = "/card/removals"
	// preferWatch is how a card app says, with the card's response, that it will stay and watch the reader (RFC 7240).
	preferWatch = "card-watch"
	// removalLease is how long whoever is ending the session may take before another try of the card app does it.
	removalLease = 10 * time.Second
)

// removal is what a card app's token is good for: to end the one session that the card's response led to. It lives under the digest of
// the token.
type removal struct {
	Session string               `json:"s,omitempty"` // empty: the browser is not back yet
	Account federation.AccountID `json:"a,omitempty"`
	Out     bool                 `json:"o,omitempty"` // the card was out before
	At      int64                `json:"t,omitempty"` // Unix milliseconds: somebody is at ending it
}

func removalKey(digest string) string { return "removal:1:" + digest }

// wantsRemoval: the card app will report that the card was taken out.
func wantsRemoval(r *http.Request) bool {
	return slices.ContainsFunc(strings.Split(r.Header.Get("Prefer"), ","), func(s string) bool { return strings.TrimSpace(s) == preferWatch })
}

// newRemoval returns a token for the card app, and its digest for the login.
func (p *Provider) newRemoval(ctx context.Context) (token, stored string, err error) {
	token = newSecret()
	stored = digest(token)
	if err := p.store.Create(ctx, removalKey(stored), []byte("{}"), p.sessions.rules.Absolute+transactionLife); err != nil {
		return "", "", fmt.Errorf("store removal: %w", err)
	}
	return token, stored, nil
}

func (p *Provider) removal(ctx context.Context, stored string) (r removal, v ephemeral.Version, err error) {
	rec, err := p.store.Get(ctx, removalKey(stored))
	if err != nil {
		return r, 0, fmt.Errorf("read removal: %w", err)
	}
	if err := json.Unmarshal(rec.Value, &r); err != nil {
		return r, 0, fmt.Errorf("decode removal: %w", err)
	}
	return r, rec.Version, nil
}

func (p *Provider) swapRemoval(ctx context.Context, stored string, v ephemeral.Version, r removal) error {
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode removal: %w", err)
	}
	if err := p.store.Swap(ctx, removalKey(stored), v, b, ephemeral.KeepLife); err != nil {
		return fmt.Errorf("store removal: %w", err)
	}
	return nil
}

// bindRemoval ties the card app's token to the session that its response has led to. If the card is out already, so is the citizen.
func (p *Provider) bindRemoval(ctx context.Context, s *session) error {
	if s.Removal == "" {
		return nil
	}
	for range 8 {
		r, v, err := p.removal(ctx, s.Removal)
		if errors.Is(err, ephemeral.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if r.Out {
			_, err := p.endSessions(ctx, s.Account, whatEnds{Session: s.ID}, federation.LogoutCardRemoved)
			return err
		}
		r.Session, r.Account = s.ID, s.Account
		if err := p.swapRemoval(ctx, s.Removal, v, r); !errors.Is(err, ephemeral.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("removal: %w", ephemeral.ErrConflict)
}

// postRemoval takes a card app's word that the card is out, as often as it likes. 204 says that there is nothing left to end, also for a
// token that means nothing here; anything else, to try again. It does nothing but end one session.
func (p *Provider) postRemoval(c echo.Context) error {
	ctx := context.WithoutCancel(c.Request().Context())
	form, err := readForm(c.Request())
	if err != nil {
		return formError(err)
	}
	token := form.Get("token")
	if !isBase64URL(token, 43) {
		return invalidRequest("token is missing or malformed")
	}
	done, err := p.removed(ctx, digest(token))
	if err != nil {
		return err
	}
	if !done {
		c.Response().Header().Set("Retry-After", "1")
		return &oauthError{code: "temporarily_unavailable", description: "the session is being ended, ask again", status: http.StatusConflict}
	}
	return c.NoContent(http.StatusNoContent)
}

// removed ends the session of a token. Of all who ask at once one does it; the others hear false until it is done. If that one is killed,
// another does it after the lease.
func (p *Provider) removed(ctx context.Context, stored string) (done bool, err error) {
	for range 8 {
		r, v, err := p.removal(ctx, stored)
		if errors.Is(err, ephemeral.ErrNotFound) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		now := p.now()
		switch {
		case r.Session == "" && r.Out:
			return true, nil
		case r.Session == "":
			r.Out = true
		default:
			s, err := p.sessions.get(ctx, r.Session)
			if err != nil {
				return false, err
			}
			if s == nil || s.Removal != stored { // over, or another login's by now
				return true, nil
			}
			if now.Sub(time.UnixMilli(r.At)) < removalLease {
				return false, nil
			}
			r.At = now.UnixMilli()
		}
		if err := p.swapRemoval(ctx, stored, v, r); errors.Is(err, ephemeral.ErrConflict) {
			continue
		} else if err != nil {
			return false, err
		}
		if r.Session == "" {
			return true, nil
		}
		_, err = p.endSessions(ctx, r.Account, whatEnds{Session: r.Session}, federation.LogoutCardRemoved)
		return err == nil, err
	}
	return false, nil
}
