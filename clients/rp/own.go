package rp

import (
	"context"
	"net/url"
	"sync"
)

// owned are the tokens that speak for us alone, by scope.
type owned struct {
	mu  sync.Mutex
	all map[string]tokens
}

// CallOwn is Call on behalf of nobody but us, with a token of this scope (RFC 6749 §4.4). The token is kept for as long as it is good; one
// that the hub refuses, because it was restarted or restored, is got anew once.
func (p *Party) CallOwn(ctx context.Context, scope, method, path string, in, out any) error {
	access, err := p.ownToken(ctx, scope, "")
	if err != nil {
		return err
	}
	err = p.CallWith(ctx, access, method, path, in, out)
	if e, ok := asReason(err); ok && e.Reason == SignedOut {
		if access, err = p.ownToken(ctx, scope, access.Reveal()); err == nil {
			err = p.CallWith(ctx, access, method, path, in, out)
		}
	}
	return err
}

// ownToken returns a token of a scope that is not the one that was refused.
func (p *Party) ownToken(ctx context.Context, scope, refused string) (Secret, error) {
	p.owned.mu.Lock()
	t := p.owned.all[scope]
	p.owned.mu.Unlock()
	if p.usable(t, refused) {
		return NewSecret(t.Access), nil
	}
	hub, err := p.provider(ctx)
	if err != nil {
		return Secret{}, err
	}
	a, err := p.redeem(ctx, hub, url.Values{"grant_type": {"client_credentials"}, "scope": {scope}})
	if err != nil {
		return Secret{}, err
	}
	t = p.tokensOf(a)
	p.owned.mu.Lock()
	defer p.owned.mu.Unlock()
	if p.owned.all == nil {
		p.owned.all = map[string]tokens{}
	}
	p.owned.all[scope] = t
	return NewSecret(t.Access), nil
}
