package idp

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/ory/fosite"
	"github.com/ory/fosite/token/jwt"
)

// Parts of the engine that must never run are given implementations that refuse. The fetcher of client keys has no such part, because
// its type is of go-jose v3, which stays inside the engine; nothing that is wired asks for it.

var errClosed = errors.New("this part of the engine is closed")

// authenticatedClient returns the client that the endpoint authenticated before it called the engine.
func authenticatedClient(ctx context.Context, _ *http.Request, _ url.Values) (fosite.Client, error) {
	u, err := unitOf(ctx)
	if err != nil || u.client.c == nil {
		return nil, fosite.ErrInvalidClient
	}
	return u.client, nil
}

// registeredRedirect accepts: only byte-exact registered addresses get this far, and the registry judged them.
func registeredRedirect(context.Context, *url.URL) bool { return true }

type closedHasher struct{}

func (closedHasher) Compare(context.Context, []byte, []byte) error { return errClosed }
func (closedHasher) Hash(context.Context, []byte) ([]byte, error)  { return nil, errClosed }

type closedTransport struct{}

func (closedTransport) RoundTrip(*http.Request) (*http.Response, error) { return nil, errClosed }

// closedSigner stands where the engine would read an id_token_hint; ours are read before it is called.
type closedSigner struct{}

func (closedSigner) Generate(context.Context, jwt.MapClaims, jwt.Mapper) (string, string, error) {
	return "", "", errClosed
}
func (closedSigner) Validate(context.Context, string) (string, error)     { return "", errClosed }
func (closedSigner) Hash(context.Context, []byte) ([]byte, error)         { return nil, errClosed }
func (closedSigner) Decode(context.Context, string) (*jwt.Token, error)   { return nil, errClosed }
func (closedSigner) GetSignature(context.Context, string) (string, error) { return "", errClosed }
func (closedSigner) GetSigningMethodLength(context.Context) int           { return 0 }

// narrowing lets a refresh ask for fewer scopes than were granted (RFC 6749 §6), which the engine does not know.
type narrowing struct{}

var _ fosite.TokenEndpointHandler = narrowing{}

// CanHandleTokenEndpointRequest is true for refresh.
func (narrowing) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	return r.GetGrantTypes().ExactOne("refresh_token")
}

// CanSkipClientAuth is false.
func (narrowing) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

// HandleTokenEndpointRequest narrows the access token; the refresh token keeps the whole grant.
func (narrowing) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	u, err := unitOf(ctx)
	if err != nil {
		return err
	}
	wanted := fosite.RemoveEmpty(splitScope(r.GetRequestForm().Get("scope")))
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
