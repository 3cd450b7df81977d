package main

import (
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/conf"
	"github.com/tsunagu-id/tsunagu/keys"
)

// registration is a policy of the registration endpoint; see clients.Policy.
type registration struct {
	Name         string            `json:"name"`
	Token        conf.SecretFile   `json:"token"` // the initial access token
	Open         bool              `json:"open"`  // no token: everybody may register
	Profiles     []clients.Profile `json:"profiles"`
	Scopes       []string          `json:"scopes"`
	GrantTypes   []string          `json:"grant_types"`
	AuthMethods  []clients.Method  `json:"auth_methods"`
	PKCEOptional bool              `json:"pkce_optional"`
	Loopback     bool              `json:"loopback"`
	MaxClients   int64             `json:"max_clients"`
	PerMinute    int64             `json:"per_minute"`
	Expires      time.Time         `json:"expires"` // RFC 3339
}

// policies reads the tokens.
func (c config) policies() ([]clients.Policy, error) {
	var out []clients.Policy
	for _, r := range c.Registration {
		p := clients.Policy{
			Name: r.Name, Profiles: r.Profiles, Scopes: r.Scopes, GrantTypes: r.GrantTypes, Methods: r.AuthMethods,
			PKCEOptional: r.PKCEOptional, Loopback: r.Loopback, MaxClients: r.MaxClients, PerMinute: r.PerMinute, Expires: r.Expires,
		}
		if !r.Open {
			b, err := r.Token.Read()
			if err != nil {
				return nil, fmt.Errorf("registration.token: %w", err)
			}
			if p.Token, err = clients.PolicyToken(keys.NewSecret(b)); err != nil {
				return nil, fmt.Errorf("registration.token: %s: %w", r.Token.File, err)
			}
		}
		out = append(out, p)
	}
	if err := clients.CheckPolicies(out); err != nil {
		return nil, fmt.Errorf("registration: %w", err)
	}
	return out, nil
}
