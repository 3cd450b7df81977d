package rp

import (
	"context"
	"net/url"
)

// CallOwn is Call on behalf of nobody but us, with a token of this scope got for the purpose (RFC 6749 §4.4).
func (p *Party) CallOwn(ctx context.Context, scope, method, path string, in, out any) error {
	access, err := p.ownToken(ctx, scope)
	if err != nil {
		return err
	}
	return p.CallWith(ctx, access, method, path, in, out)
}

func (p *Party) ownToken(ctx context.Context, scope string) (Secret, error) {
	hub, err := p.provider(ctx)
	if err != nil {
		return Secret{}, err
	}
	a, err := p.redeem(ctx, hub, url.Values{"grant_type": {"client_credentials"}, "scope": {scope}})
	return NewSecret(a.Access), err
}
