package idp

import (
	"context"
	"errors"
	"slices"

	"github.com/tsunagu-id/tsunagu/clients"
)

// maxResources bounds the resource indicators of one request.
const maxResources = 8

func invalidTarget(description string) *oauthError {
	return &oauthError{code: "invalid_target", description: description}
}

// narrowResources returns what a token is for: the resources asked for, which must have been granted, or all that were (RFC 8707 §2.2).
func narrowResources(granted, asked []string) ([]string, error) {
	asked = slices.Clone(asked)
	slices.Sort(asked)
	asked = slices.Compact(asked)
	if len(asked) == 0 {
		return granted, nil
	}
	if len(asked) > maxResources {
		return nil, invalidTarget("too many resources")
	}
	for _, r := range asked {
		if !slices.Contains(granted, r) {
			return nil, invalidTarget("a resource was not granted").of("resources")
		}
	}
	return asked, nil
}

// ownResources returns the resources a client may name on its own behalf: those it registered, and the hub itself.
func (p *Provider) ownResources(c *clients.Client, asked []string) ([]string, error) {
	if len(asked) == 0 {
		return nil, nil
	}
	return narrowResources(append(c.Resources(), p.issuer), asked)
}

// subjectAt returns the name by which the resources know whom the grant is about. A resource that a registered client serves knows the
// citizen by that client's pairwise name, and no other: two services that compare notes find nothing in common. A resource of nobody
// registered is told the name that the asking client knows already, and so is the hub itself. Resources that know the citizen by
// different names cannot share a token.
func (p *Provider) subjectAt(ctx context.Context, g *grant, resources []string) (string, error) {
	if g.Account == "" {
		return string(g.Client), nil // RFC 9068 §2.2
	}
	var sub string
	for _, r := range resources {
		name, err := p.subjectOf(ctx, g, r)
		if err != nil {
			return "", err
		}
		if sub != "" && name != sub {
			return "", invalidTarget("these resources know the citizen by different names: ask for one token each")
		}
		sub = name
	}
	return sub, nil
}

func (p *Provider) subjectOf(ctx context.Context, g *grant, resource string) (string, error) {
	if resource == p.issuer {
		return g.Subject, nil
	}
	server, err := p.clients.ServerOf(ctx, resource)
	switch {
	case errors.Is(err, clients.ErrUnknown):
		return g.Subject, nil
	case errors.Is(err, clients.ErrSuspended):
		return "", invalidTarget("the resource is not in service")
	case err != nil:
		return "", err
	}
	return p.subjects.For(ctx, g.Account, server.Sector())
}
