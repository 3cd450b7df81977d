package idp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
)

// statusClaim says where the session of an ID token is looked up (draft-ietf-oauth-status-list-21 §6.2).
type statusClaim struct {
	List federation.StatusRef `json:"status_list"`
}

const statusLookEvery = 10 * time.Second

// statusOf returns the claim for a client that looks by itself, nil for any other, and for a token whose session is over: what a service
// goes on doing in the citizen's absence is no session.
func (p *Provider) statusOf(ctx context.Context, c *clients.Client, g *grant) (*statusClaim, error) {
	if !c.StatusListLogout() {
		return nil, nil
	}
	if ok, err := p.entered(ctx, g.SID, g.Client); err != nil || !ok {
		return nil, err
	}
	ref, err := p.deliveries.Status.Index(ctx, g.Account, g.Client, g.SID)
	if err != nil {
		return nil, fmt.Errorf("status list: %w", err)
	}
	// It may have ended meanwhile, before there was a position to mark. Whoever ends it from now on finds the position.
	ok, err := p.entered(ctx, g.SID, g.Client)
	if err == nil && ok {
		ok, err = p.mandateStands(ctx, g)
	}
	if err == nil && !ok {
		_, err = p.deliveries.Status.End(ctx, federation.Notice{Client: g.Client, Session: g.SID})
	}
	return &statusClaim{ref}, err
}

// entered reports whether a session stands and the service was entered in it.
func (p *Provider) entered(ctx context.Context, session string, id clients.ID) (bool, error) {
	s, err := p.sessions.get(ctx, session)
	if err != nil || s == nil || s.since(id) == 0 {
		return false, err
	}
	f, err := p.accounts.footing(ctx, s.Account, s.Card)
	if err != nil || f.over(s.Created) {
		return false, err
	}
	if s.Passkey != "" {
		return p.passkeys.stands(ctx, s.Passkey)
	}
	return true, nil
}

// statusEnded marks what a session may have been given after its end was promised and before its record was gone.
func (p *Provider) statusEnded(ctx context.Context, session string, ids ...clients.ID) error {
	for _, id := range ids {
		if _, err := p.deliveries.Status.End(ctx, federation.Notice{Client: id, Session: session}); err != nil {
			return err
		}
	}
	return nil
}

// WatchStatus shows sessions as ended in the status lists that ended without anybody saying so, until ctx ends.
func (p *Provider) WatchStatus(ctx context.Context) error {
	tick := time.NewTicker(statusLookEvery)
	defer tick.Stop()
	for {
		n, err := p.deliveries.Status.Look(ctx, p.entered)
		if err != nil && ctx.Err() == nil {
			p.log.ErrorContext(ctx, "status lists stand still", "err", err) // until the database is back
		}
		if err == nil && n > 0 {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// getStatusList serves a status list token (§8). It is public, like a key set: whoever has the address was given it in an ID token, and it
// says nothing to anybody who does not know whose position is whose.
func (p *Provider) getStatusList(c echo.Context) error {
	h := c.Response().Header()
	allowAnyOrigin(h)
	if c.Request().URL.Query().Has("time") { // §8.4: no list of yesterday is kept
		return c.NoContent(http.StatusNotImplemented)
	}
	t, err := p.deliveries.Status.Token(c.Request().Context(), c.Param("id"))
	if errors.Is(err, federation.ErrNoStatusList) {
		h.Set("Cache-Control", "no-store")
		return c.NoContent(http.StatusNotFound)
	}
	if err != nil {
		return err
	}
	h.Set("Cache-Control", "public, max-age="+strconv.Itoa(int((federation.StatusTTL-t.Age)/time.Second)))
	h.Set("ETag", t.ETag)
	if c.Request().Header.Get("If-None-Match") == t.ETag {
		return c.NoContent(http.StatusNotModified)
	}
	return c.Blob(http.StatusOK, "application/statuslist+jwt", []byte(t.JWT))
}
