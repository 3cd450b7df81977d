package idp

import (
	"context"
	"slices"

	"github.com/ory/fosite"

	"github.com/tsunagu-id/tsunagu/clients"
)

// narrowing lets a token request ask for less than was granted: scopes at refresh (RFC 6749 §6), resources (RFC 8707 §2.2) and
// authorization details (RFC 9396 §6) always. The engine knows none of it. The refresh token keeps the whole grant.
type narrowing struct{ issuer string }

var _ fosite.TokenEndpointHandler = narrowing{}

// CanHandleTokenEndpointRequest is true for code, device code and refresh.
func (narrowing) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	types := r.GetGrantTypes()
	return types.ExactOne(clients.GrantRefreshToken) || types.ExactOne(clients.GrantAuthorizationCode) || types.ExactOne(clients.GrantDeviceCode)
}

// CanSkipClientAuth is false.
func (narrowing) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

// HandleTokenEndpointRequest narrows the access token.
func (n narrowing) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	u, err := unitOf(ctx)
	if err != nil {
		return err
	}
	form := r.GetRequestForm()
	// As the engine does with scopes: what was granted once is given for as long as the client is registered for it.
	resources, err := stillRegistered(u.client.c, n.issuer, u.g.Resources)
	if err != nil {
		return err
	}
	if u.aud, err = narrowResources(resources, form["resource"]); err != nil {
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

// stillRegistered returns those of the granted resources that the client is still registered for. None of several is an error.
func stillRegistered(c *clients.Client, issuer string, granted []string) ([]string, error) {
	known := append(c.Resources(), issuer)
	left := slices.DeleteFunc(slices.Clone(granted), func(s string) bool { return !slices.Contains(known, s) })
	if len(left) == 0 && len(granted) > 0 {
		return nil, invalidTarget("this client is no longer registered for any of the resources").of("resources")
	}
	return left, nil
}

// refreshable says whether a client may still refresh a grant, as the engine does: every scope that was granted has to be registered.
func refreshable(c *clients.Client, issuer string, scopes, resources []string) error {
	for _, s := range scopes {
		if !fosite.ExactScopeStrategy(c.Scopes(), s) {
			return &oauthError{code: "invalid_scope", description: "a scope that was granted is not registered any more", member: "scope"}
		}
	}
	_, err := stillRegistered(c, issuer, resources)
	return err
}

// PopulateTokenEndpointResponse has nothing to add.
func (narrowing) PopulateTokenEndpointResponse(context.Context, fosite.AccessRequester, fosite.AccessResponder) error {
	return fosite.ErrUnknownRequest
}
