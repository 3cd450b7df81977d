package idp

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tsunagu-id/tsunagu/clients"
)

// serviceToken is the client credentials grant (RFC 6749 §4.4). There is no citizen, no session and no refresh token: whoever can ask
// once can ask again. The grant is born whole, in one step.
func (p *Provider) serviceToken(ctx context.Context, req tokenRequest) (tokenAnswer, error) {
	if req.form.Get("authorization_details") != "" {
		return tokenAnswer{}, &oauthError{code: "invalid_authorization_details", description: "no type of authorization details is offered without a citizen"}
	}
	scopes, resources, err := p.serviceMay(req.client, req.form.Get("scope"), req.form["resource"])
	if err != nil {
		return tokenAnswer{}, err
	}
	now := p.now()
	g := &grant{
		ID: newID(), Client: req.client.ID(), Subject: string(req.client.ID()), Scopes: scopes, Resources: resources,
		Issued: now.UnixMilli(), Hard: now.Add(accessLife).Unix(),
	}
	return p.issueAlone(ctx, g, accessOrder{aud: resources, jkt: req.jkt, x5t: req.x5t, life: accessLife})
}

// serviceMay returns the scopes and resources that a client gets on its own behalf for those that it asks for.
func (p *Provider) serviceMay(c *clients.Client, scope string, resource []string) (scopes, resources []string, err error) {
	if c.Public() {
		return nil, nil, &oauthError{code: "unauthorized_client", description: "a public client has no credentials (RFC 6749 section 4.4)", member: "token_endpoint_auth_method"}
	}
	if scopes, err = serviceScope(c, scope); err != nil {
		return nil, nil, err
	}
	resources, err = p.ownResources(c, resource)
	return scopes, resources, err
}

// issueAlone stores a new grant that is one access token and nothing else.
func (p *Provider) issueAlone(ctx context.Context, g *grant, o accessOrder) (tokenAnswer, error) {
	token, rec, err := p.mintAccess(ctx, g, o)
	if err != nil {
		return tokenAnswer{}, err
	}
	g.Access = []accessRecord{rec}
	if err := p.grants.create(context.WithoutCancel(ctx), g); err != nil {
		return tokenAnswer{}, fmt.Errorf("store grant: %w", err)
	}
	return answerFor(g, token, rec), nil
}

// serviceScope returns the scopes granted: those asked for, or without any all that the client registered (RFC 6749 §3.3).
func serviceScope(c *clients.Client, asked string) ([]string, error) {
	registered := slices.DeleteFunc(c.Scopes(), func(s string) bool { return !slices.Contains(clients.OwnScopes(), s) && s != clients.ScopeAdmin })
	wanted := strings.Fields(asked)
	slices.Sort(wanted)
	wanted = slices.Compact(wanted)
	if len(wanted) == 0 {
		wanted = registered
	}
	if len(wanted) == 0 {
		return nil, &oauthError{code: "invalid_scope", description: "the client has no scope of its own", member: "scope"}
	}
	for _, s := range wanted {
		if !slices.Contains(registered, s) {
			return nil, &oauthError{code: "invalid_scope", description: "a scope is not one that this client has on its own behalf", member: "scope"}
		}
	}
	return wanted, nil
}
