package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/keys"
)

// registrationFile holds the token with which clients register at the demo's hub.
func (s *stack) registrationFile() string {
	return filepath.Join(s.dir, "demo", "registration-token")
}

// policies lets whoever can read the token's file register every kind of client: the demo is where kinds are tried out. A test client
// that cannot do PKCE, such as that of the OpenID Foundation's suite, does without.
func (s *stack) policies() ([]clients.Policy, error) {
	b, err := os.ReadFile(s.registrationFile())
	if errors.Is(err, fs.ErrNotExist) {
		b = append(keys.RandomSecret().Reveal(), '\n')
		err = os.WriteFile(s.registrationFile(), b, 0o600)
	}
	if err != nil {
		return nil, err
	}
	token, err := clients.PolicyToken(keys.NewSecret(bytes.TrimSpace(b)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.registrationFile(), err)
	}
	return []clients.Policy{{
		Name: "demo", Token: token, PKCEOptional: true, Loopback: true, MaxClients: 10_000, PerMinute: 600,
		Profiles: []clients.Profile{clients.OIDC, clients.FAPI2},
		Scopes: []string{
			clients.ScopeOpenID, clients.ScopeProfile, clients.ScopeEmail, clients.ScopeAddress, clients.ScopePhone, clients.ScopeOfflineAccess,
			clients.ScopeService,
		},
		GrantTypes: []string{
			clients.GrantAuthorizationCode, clients.GrantRefreshToken, clients.GrantClientCredentials, clients.GrantDeviceCode, clients.GrantTokenExchange,
		},
		Methods: []clients.Method{
			clients.SecretBasic, clients.SecretPost, clients.PrivateKeyJWT, clients.TLSClientAuth, clients.SelfSignedTLS, clients.None,
		},
	}}, nil
}
