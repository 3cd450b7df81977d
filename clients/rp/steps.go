package rp

import (
	"context"
	"net/url"
)

// Started is a login that the caller keeps in progress by itself. All three are secrets of the browser that began.
type Started struct{ State, Nonce, Verifier string }

// Identity is whom an ID token is about.
type Identity struct{ Subject, SID string }

// Authorization returns where to send a browser for a login that the caller keeps in progress, in place of Begin. Whoever uses it has to see
// to all that Finish does at the callback: that the state is that of the same browser, that it comes once, and that iss is the hub's.
func (p *Party) Authorization(ctx context.Context, s Started, lang string) (string, error) {
	hub, err := p.provider(ctx)
	if err != nil {
		return "", err
	}
	return p.authorization(ctx, hub, flow{Nonce: s.Nonce, Verifier: s.Verifier}, s.State, lang)
}

// Redeem trades the code of such a login for an ID token, and verifies that.
func (p *Party) Redeem(ctx context.Context, s Started, code string) (Identity, error) {
	hub, err := p.provider(ctx)
	if err != nil {
		return Identity{}, err
	}
	answer, err := p.redeem(ctx, hub, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {p.base + PathCallback}, "code_verifier": {s.Verifier},
	})
	if err != nil {
		return Identity{}, err
	}
	who, err := p.verify(ctx, hub, answer, s.Nonce)
	return Identity{Subject: who.sub, SID: who.sid}, err
}
