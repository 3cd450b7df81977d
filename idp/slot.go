package idp

import (
	"cmp"
	"context"
	"fmt"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
)

// slot is where a browser keeps a session: the name of its cookie. A browser has one session; where private services are kept apart from
// the government's, by the hub or by the citizen, they have another, with its own secret, id and services. A browser has one person: who
// signs in in one place ends another's session in the other.
type slot string

const (
	slotMain  slot = cookieSession // the hub's own pages, and every service that is not kept apart
	slotApart slot = "apart"       // private services that are
)

// mayBeApart: the only class that ever has a place of its own.
const mayBeApart = clients.ClassPrivate

func (p slot) other() slot {
	if p == slotMain {
		return slotApart
	}
	return slotMain
}

// keptApart says whether a person's private services have a session of their own.
func (p *Provider) keptApart(ctx context.Context, id federation.AccountID) (bool, error) {
	if p.sessions.rules.apart(clients.ClassGovernment, mayBeApart) {
		return true, nil
	}
	c, err := p.accounts.choicesFor(ctx, id, "")
	return c.Apart, err
}

// slotFor is where a person's session for a service is; nil stands for the hub's own pages.
func (p *Provider) slotFor(ctx context.Context, id federation.AccountID, client *clients.Client) (slot, error) {
	if client == nil || client.SessionClass() != mayBeApart {
		return slotMain, nil
	}
	kept, err := p.keptApart(ctx, id)
	if err != nil || !kept {
		return slotMain, err
	}
	return slotApart, nil
}

// sessionIn returns the browser's live session in a place, or nil.
func (p *Provider) sessionIn(c echo.Context, at slot) (*session, error) {
	cookie, ok := p.site.Cookie(c.Request(), string(at))
	if !ok {
		return nil, nil
	}
	ctx := c.Request().Context()
	s, err := p.sessions.byCookie(ctx, cookie)
	if err != nil || s == nil {
		return nil, err
	}
	stand, err := p.accounts.footing(ctx, s.Account, s.Card)
	if err != nil {
		return nil, fmt.Errorf("account of session: %w", err)
	}
	if stand.over(s.Created) {
		return nil, nil
	}
	if s.Passkey != "" {
		if ok, err := p.passkeys.stands(ctx, s.Passkey); err != nil || !ok {
			return nil, err
		}
	}
	s.footing, s.slot = stand, at
	return s, nil
}

// currentSession returns the browser's live session for the hub's own pages, or nil. They are of the person, whichever services she uses.
func (p *Provider) currentSession(c echo.Context) (*session, error) {
	s, err := p.sessionIn(c, slotMain)
	if err != nil || s != nil {
		return s, err
	}
	return p.sessionIn(c, slotApart)
}

// sessionAt returns the browser's live session that a service may rest on, or nil: one in the place that is the service's.
func (p *Provider) sessionAt(c echo.Context, client *clients.Client) (*session, error) {
	at := slotMain
	if client.SessionClass() == mayBeApart {
		at = slotApart
	}
	for _, at := range []slot{at, at.other()} {
		s, err := p.sessionIn(c, at)
		if err != nil {
			return nil, err
		}
		if s == nil {
			continue
		}
		right, err := p.slotFor(c.Request().Context(), s.Account, client)
		if err != nil {
			return nil, err
		}
		if kept, err := p.keptApart(c.Request().Context(), s.Account); err != nil {
			return nil, err
		} else if kept && right != at {
			continue
		}
		return s, nil
	}
	return nil, nil
}

// sessionFor returns the browser's live session that a login may rest on, or nil. Once the login has made a session, or the consent page was
// shown to one, it is that one.
func (p *Provider) sessionFor(c echo.Context, tx *transaction) (*session, error) {
	if bound := cmp.Or(tx.SID, tx.Shown); bound != "" {
		for _, at := range []slot{slotMain, slotApart} {
			s, err := p.sessionIn(c, at)
			if err != nil {
				return nil, err
			}
			if s != nil && s.ID == bound {
				return s, nil
			}
		}
		return nil, nil
	}
	if tx.Request == nil {
		return p.currentSession(c)
	}
	client, err := p.client(c.Request().Context(), tx.Request.Client)
	if err != nil {
		return nil, err
	}
	return p.sessionAt(c, client)
}
