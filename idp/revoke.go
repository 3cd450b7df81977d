package idp

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

// postRevoke is the revocation endpoint (RFC 7009). Revoking any token of a grant ends the grant. token_type_hint is of no use: a token
// says what it is.
func (p *Provider) postRevoke(c echo.Context) error {
	ctx, r := c.Request().Context(), c.Request()
	allowAnyOrigin(c.Response().Header())
	form, err := readForm(r)
	if err != nil {
		return formError(err)
	}
	client, _, _, err := p.authenticateProbed(ctx, r, form)
	if err != nil {
		return err
	}
	if form.Get("token") == "" {
		return invalidRequest("token is required")
	}
	if err := p.revokeToken(ctx, client, form.Get("token")); err != nil {
		var own *oauthError
		if errors.As(err, &own) {
			return own
		}
		// RFC 7009 §2.2.1: the client must assume that the token still lives, and try again.
		c.Response().Header().Set("Retry-After", "5")
		return &oauthError{code: "temporarily_unavailable", description: "the token may still be good, try again", status: http.StatusServiceUnavailable, err: err}
	}
	return c.NoContent(http.StatusOK)
}

// revokeToken ends the grant of a client's token. A token that is unknown, or good no more, is revoked already (RFC 7009 §2.2).
func (p *Provider) revokeToken(ctx context.Context, client *clients.Client, token string) error {
	g, err := p.findAny(ctx, token)
	if errors.Is(err, errNoToken) {
		return nil
	}
	if err != nil {
		return err
	}
	if g.Client != client.ID() {
		return &oauthError{code: "invalid_grant", description: "the token was issued to another client"}
	}
	if ok, err := p.live(ctx, g); err != nil || !ok {
		return err
	}
	if err := p.grants.revoke(ctx, g.ID); err != nil {
		return err
	}
	if g.Probe != nil {
		return nil
	}
	return p.record(ctx, audit.Event{Kind: eventTokenRevoked, Account: string(g.Account), Client: string(client.ID()), Session: g.SID})
}

// findAny returns the grant of an access or refresh token. A refresh token that was rotated away will do: giving back what is worth
// nothing any more ends what it became.
func (p *Provider) findAny(ctx context.Context, token string) (*grant, error) {
	if !strings.HasPrefix(token, string(kindRefresh)) {
		t, err := p.findAccess(ctx, token)
		return t.g, err
	}
	g, _, err := p.findRefresh(ctx, token)
	return g, err
}

// findRefresh returns a refresh token's grant and record, or errNoToken if it is unknown or has expired.
func (p *Provider) findRefresh(ctx context.Context, token string) (*grant, *refreshRecord, error) {
	id := grantOf(kindRefresh, token)
	if id == "" {
		return nil, nil, errNoToken
	}
	g, _, err := p.grants.get(ctx, id)
	if errors.Is(err, ephemeral.ErrNotFound) {
		return nil, nil, errNoToken
	}
	if err != nil {
		return nil, nil, err
	}
	r := g.refresh(signatureOf(token))
	if r == nil || r.Exp <= p.now().Unix() {
		return nil, nil, errNoToken
	}
	return g, r, nil
}
