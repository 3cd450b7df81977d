package clients

import (
	"context"
	"errors"

	"github.com/tsunagu-id/tsunagu/keys"
)

// Encrypt encrypts a payload to the client, with a key of its jwks or jwks_uri (OpenID Connect Core §10.2). A set that was fetched before
// is asked for again if it has no such key: the client may have rotated. The error is an *Error with KeysUnavailable, or a *keys.Error
// with KeyUnknown if the client publishes no key for the algorithm.
func (r *Registry) Encrypt(ctx context.Context, c *Client, payload []byte, cty string, how Encryption) (string, error) {
	set := c.jwks
	remote := c.m.JWKSURI != ""
	if remote {
		var err error
		if set, err = r.d.Fetch.keys(ctx, c.m.JWKSURI); err != nil {
			return "", &Error{Reason: KeysUnavailable, Client: c.ID(), Err: err}
		}
	}
	token, err := keys.Encrypt(payload, cty, set, how.Alg, how.Enc)
	if refused, ok := errors.AsType[*keys.Error](err); ok && refused.Reason == keys.KeyUnknown && remote {
		if set, err = r.d.Fetch.refresh(ctx, c.m.JWKSURI); err != nil {
			return "", &Error{Reason: KeysUnavailable, Client: c.ID(), Err: err}
		}
		token, err = keys.Encrypt(payload, cty, set, how.Alg, how.Enc)
	}
	return token, err
}
