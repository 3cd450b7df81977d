package idp

import (
	"context"
	"errors"
	"net/http"
	"net/url"

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
