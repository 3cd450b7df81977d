package idp

import (
	"context"
	"slices"

	"github.com/ory/fosite"

	"github.com/tsunagu-id/tsunagu/clients"
)

// narrowing lets a token request ask for less than was granted: scopes at refresh (RFC 6749 §6), resources (RFC 8707 §2.2) and
// authorization details (RFC 9396 §6) always. The engine knows none of it. The refresh token keeps the whole grant.
type narrowing struct{}

var _ fosite.TokenEndpointHandler = narrowing{}

// CanHandleTokenEndpointRequest is true for code, device code and refresh.
func (narrowing) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	types := r.GetGrantTypes()
	return types.ExactOne(clients.GrantRefreshToken) || types.ExactOne(clients.GrantAuthorizationCode) || types.ExactOne(clients.GrantDeviceCode)
}

// CanSkipClientAuth is false.
func (narrowing) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

// HandleTokenEndpointRequest narrows the access token.
func (narrowing) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	u, err := unitOf(ctx)
	if err != nil {
		return err
	}
	form := r.GetRequestForm()
	if u.aud, err = narrowResources(u.g.Resources, form["resource"]); err != nil {
		return err
	}
	if u.details, err = narrowDetails(u.g.Details, form.Get("authorization_details")); err != nil {
		return err
	}
	if !r.GetGrantTypes().ExactOne("refresh_token") {
		return nil // scope is no parameter of the code grant's token request (RFC 6749 §4.1.3)
	}
	wanted := fosite.RemoveEmpty(splitScope(form.Get("scope")))
	slices.Sort(wanted)
	wanted = slices.Compact(wanted)
	if len(wanted) == 0 {
		return nil
	}
	ar, ok := r.(*fosite.AccessRequest)
	if !ok {
		return errClosed
	}
	for _, s := range wanted {
		if !fosite.ExactScopeStrategy(u.g.Scopes, s) {
			return fosite.ErrInvalidScope
		}
	}
	ar.GrantedScope, u.narrow = wanted, wanted
	return nil
}

// PopulateTokenEndpointResponse has nothing to add.
func (narrowing) PopulateTokenEndpointResponse(context.Context, fosite.AccessRequester, fosite.AccessResponder) error {
	return fosite.ErrUnknownRequest
}
