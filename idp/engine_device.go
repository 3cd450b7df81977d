package idp

import (
	"context"
	"errors"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"

	"github.com/tsunagu-id/tsunagu/clients"
)

// deviceGrant lets the engine issue the tokens of an approved device code (RFC 8628 §3.5), which it does not know. The endpoint has
// judged the code; here it becomes tokens, by the same makers and in the same record as an authorization code does.
type deviceGrant struct {
	tokens   engineTokens
	store    engineStore
	issue    *oauth2.HandleHelper
	idTokens *openid.IDTokenHandleHelper
}

var _ fosite.TokenEndpointHandler = deviceGrant{}

// CanHandleTokenEndpointRequest is true for a device code.
func (deviceGrant) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	return r.GetGrantTypes().ExactOne(clients.GrantDeviceCode)
}

// CanSkipClientAuth is false.
func (deviceGrant) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

// HandleTokenEndpointRequest finds the grant that the citizen's approval made.
func (d deviceGrant) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	got, err := d.store.deviceSession(ctx, signatureOf(r.GetRequestForm().Get("device_code")), r.GetSession())
	if errors.Is(err, fosite.ErrNotFound) {
		return fosite.ErrInvalidGrant
	}
	if err != nil {
		return err
	}
	r.SetID(got.GetID())
	r.SetSession(got.GetSession())
	r.SetRequestedScopes(got.GetRequestedScopes())
	for _, scope := range got.GetGrantedScopes() {
		r.GrantScope(scope)
	}
	return nil
}

// PopulateTokenEndpointResponse stages the tokens.
func (d deviceGrant) PopulateTokenEndpointResponse(ctx context.Context, r fosite.AccessRequester, resp fosite.AccessResponder) error {
	if !d.CanHandleTokenEndpointRequest(ctx, r) {
		return fosite.ErrUnknownRequest
	}
	access, err := d.issue.IssueAccessToken(ctx, accessLife, r, resp)
	if err != nil {
		return err
	}
	if r.GetGrantedScopes().Has("offline_access") && r.GetClient().GetGrantTypes().Has(clients.GrantRefreshToken) {
		refresh, signature, err := d.tokens.GenerateRefreshToken(ctx, r)
		if err != nil {
			return err
		}
		if err := d.store.CreateRefreshTokenSession(ctx, signature, access, r); err != nil {
			return err
		}
		resp.SetExtra("refresh_token", refresh)
	}
	if r.GetGrantedScopes().Has("openid") {
		if err := d.idTokens.IssueExplicitIDToken(ctx, idTokenLife, r, resp); err != nil {
			return err
		}
	}
	return d.store.InvalidateAuthorizeCodeSession(ctx, "")
}

// deviceSession returns the request behind a device code that nobody has redeemed yet.
func (engineStore) deviceSession(ctx context.Context, signature string, session fosite.Session) (fosite.Requester, error) {
	u, err := unitOf(ctx)
	if err != nil {
		return nil, err
	}
	g, err := u.load(ctx, signatureGrant(kindDevice, signature))
	if err != nil {
		return nil, engineError(err)
	}
	switch {
	case !sameDigest(g.Code.Digest, signature), string(g.Client) != u.client.GetID(), g.Code.Spent:
		return nil, fosite.ErrNotFound
	case g.JKT != "" && g.JKT != u.jkt:
		return nil, errWrongKey
	}
	return u.requester(g, session), nil
}
