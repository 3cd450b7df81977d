package idp

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
)

// AdminCaller is who holds an access token for the administration API.
type AdminCaller struct {
	Account federation.AccountID // the person; empty for a program's own token (RFC 6749 §4.4)
	Client  clients.ID           // the program that she uses, or that calls by itself
}

// Challenge is a request to the administration API without a token that is good for it: the status and the headers of the answer
// (RFC 6750 §3, RFC 9449 §7.1, RFC 9470 §3).
type Challenge struct {
	Status int    // 400, 401 or 403
	Code   string // of RFC 6750 §3.1 or RFC 9470 §3; empty: no token came
	Header http.Header
}

// Error returns the code.
func (c *Challenge) Error() string { return "challenge: " + c.Code }

// AdminAccess returns who sent a request that came to the administration API at base, as its access token proves: one with scope admin,
// and if it speaks for a person, made of a sign-in with the card on this device not longer ago than a session lives by default. A
// representative's does not do. The error is a *Challenge, or the store's.
func (p *Provider) AdminAccess(ctx context.Context, r *http.Request, base string) (AdminCaller, error) {
	held, err := p.bearerHeld(ctx, r, demand{scope: clients.ScopeAdmin, either: true, base: base})
	if err == nil && held.g.Account != "" {
		err = p.fresh(held.g, demand{acr: ACRCard, maxAge: freshLogin}, held.a.JKT != "")
	}
	if err == nil {
		err = p.stillAdmin(ctx, held.g.Client, held.a.JKT != "")
	}
	if e, ok := errors.AsType[*bearerError](err); ok {
		h := make(http.Header)
		p.bearerChallenge(h, e)
		return AdminCaller{}, &Challenge{Status: e.status, Code: e.code, Header: h}
	}
	if err != nil {
		return AdminCaller{}, err
	}
	return AdminCaller{Account: held.g.Account, Client: held.g.Client}, nil
}

// stillAdmin refuses the tokens of a client whose registration has lost the scope since.
func (p *Provider) stillAdmin(ctx context.Context, id clients.ID, bound bool) error {
	c, err := p.client(ctx, id)
	if err != nil {
		return err
	}
	if !slices.Contains(c.Scopes(), clients.ScopeAdmin) {
		return &bearerError{code: "insufficient_scope", status: http.StatusForbidden, scope: clients.ScopeAdmin, dpop: bound}
	}
	return nil
}
