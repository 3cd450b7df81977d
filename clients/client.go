package clients

import (
	"fmt"
	"slices"
	"time"

	"github.com/tsunagu-id/tsunagu/keys"
)

// Client is one version of a registered client. Only a Registry makes one. It
// never changes; slices it returns are copies.
type Client struct {
	m         Metadata
	redirects []RedirectURI
	jwks      keys.PublicSet // by value; empty with jwks_uri
	version   int64
	suspended bool
	secrets   []Secret // those that were good when the client was read
}

// newClient builds a client from stored, checked metadata.
func newClient(m Metadata, version int64, suspended bool, secrets []Secret) (*Client, error) {
	c := &Client{m: m, version: version, suspended: suspended, secrets: secrets}
	for _, s := range m.RedirectURIs {
		u, err := ParseRedirectURI(s)
		if err != nil {
			return nil, fmt.Errorf("client %s: redirect_uris: %w", m.ClientID, err)
		}
		c.redirects = append(c.redirects, u)
	}
	if m.JWKS != nil {
		set, err := keys.ReadPublicSet(m.JWKS)
		if err != nil {
			return nil, fmt.Errorf("client %s: jwks: %w", m.ClientID, err)
		}
		c.jwks = set
	}
	return c, nil
}

// ID returns the client_id.
func (c *Client) ID() ID { return c.m.ClientID }

// Version counts the registrations of this client, from 1.
func (c *Client) Version() int64 { return c.version }

// Name returns the name that citizens read, in "ja" or "en".
func (c *Client) Name(lang string) string { return c.m.ClientName.In(lang) }

// Description returns a sentence about the service, in "ja" or "en"; may be empty.
func (c *Client) Description(lang string) string { return c.m.Description.In(lang) }

// Purpose returns why the service asks for a scope, in "ja" or "en"; may be empty.
func (c *Client) Purpose(scope, lang string) string { return c.m.Purposes[scope].In(lang) }

// Operator returns who runs the service.
func (c *Client) Operator() string { return c.m.Operator }

// Domain returns the host that citizens are sent to: that of the first redirect
// address, with its port if it has one. It is in its ASCII form, in which no two
// domains look alike. A client without redirect addresses sends citizens nowhere;
// its domain is that of its home if the hub's operator checked it, or else empty.
func (c *Client) Domain() string {
	if len(c.redirects) > 0 {
		return c.redirects[0].Host()
	}
	if a, err := parseAddress(c.m.ClientURI); err == nil && c.m.Verified {
		return a.authority()
	}
	return ""
}

// Home returns where citizens find the service; may be empty.
func (c *Client) Home() string { return c.m.ClientURI }

// PolicyURI returns the service's privacy policy; may be empty.
func (c *Client) PolicyURI() string { return c.m.PolicyURI }

// TOSURI returns the service's terms; may be empty.
func (c *Client) TOSURI() string { return c.m.TOSURI }

// Category says what kind of operator runs the service.
func (c *Client) Category() Category { return c.m.Category }

// Verified reports whether the hub's operator checked who runs the service.
func (c *Client) Verified() bool { return c.m.Verified }

// Listed reports whether the portal offers the service.
func (c *Client) Listed() bool { return c.m.Listed }

// FirstParty reports whether the hub's own operator runs the service.
func (c *Client) FirstParty() bool { return c.m.FirstParty }

// InitiateLoginURI returns the address that starts a sign-in (OpenID Connect Core
// §4); may be empty.
func (c *Client) InitiateLoginURI() string { return c.m.InitiateLoginURI }

// BackchannelLogoutURI returns the address that is told of sign-outs (OpenID
// Connect Back-Channel Logout §2.2); may be empty.
func (c *Client) BackchannelLogoutURI() string { return c.m.BackchannelLogoutURI }

// BackchannelLogoutSessionRequired reports whether the client can only end the
// session that a logout token names, not all of a citizen's.
func (c *Client) BackchannelLogoutSessionRequired() bool {
	return c.m.BackchannelLogoutSessionRequired
}

// StatusListLogout reports whether the client looks at a status list by itself to
// learn which sessions ended.
func (c *Client) StatusListLogout() bool { return c.m.StatusListLogout }

// RedirectURIs returns the registered addresses. There is at least one if the
// client has the grant type authorization_code.
func (c *Client) RedirectURIs() []RedirectURI { return slices.Clone(c.redirects) }

// GrantTypes returns the registered grant types.
func (c *Client) GrantTypes() []string { return slices.Clone(c.m.GrantTypes) }

// Scopes returns the registered scopes.
func (c *Client) Scopes() []string { return slices.Clone(c.m.Scopes) }

// ACRValues returns default_acr_values; may be empty.
func (c *Client) ACRValues() []string { return slices.Clone(c.m.DefaultACRValues) }

// AcceptsRepresentatives reports whether the client understands that somebody may sign in for somebody else: it reads the act claim
// (RFC 8693 §4.1). One that does not never gets a token with it.
func (c *Client) AcceptsRepresentatives() bool { return c.m.AcceptsProxies }

// RefusesRemoteCard reports whether the client takes no sign-in whose card was
// read by a phone, on another device than the one that signs in.
func (c *Client) RefusesRemoteCard() bool { return c.m.RefuseRemoteCard }

// DefaultMaxAge returns default_max_age, and whether there is one.
func (c *Client) DefaultMaxAge() (time.Duration, bool) {
	if c.m.DefaultMaxAge == nil {
		return 0, false
	}
	return time.Duration(*c.m.DefaultMaxAge) * time.Second, true
}

// IDTokenAlg returns the algorithm of the client's ID tokens.
func (c *Client) IDTokenAlg() keys.Alg { return c.m.IDTokenSignedResponseAlg }

// Sector returns what the client's pairwise subjects hang on; see the package
// comment.
func (c *Client) Sector() string { return c.m.sector() }

// Profile returns the rules the client lives by.
func (c *Client) Profile() Profile { return c.m.Profile }

// AuthMethod returns the one method the client authenticates with.
func (c *Client) AuthMethod() Method { return c.m.TokenEndpointAuthMethod }

// Public reports whether the client cannot authenticate.
func (c *Client) Public() bool { return c.m.TokenEndpointAuthMethod == None }

// RequirePAR reports whether authorization requests must be pushed (RFC 9126).
func (c *Client) RequirePAR() bool {
	return c.m.Profile == FAPI2 || c.m.RequirePAR != nil && *c.m.RequirePAR
}

// RequirePKCE reports whether authorization requests need a code_challenge. Only a
// confidential client of profile oidc, registered so in as many words, does
// without (RFC 9700 §2.1.1).
func (c *Client) RequirePKCE() bool {
	return c.m.RequirePKCE == nil || *c.m.RequirePKCE || c.Public() || c.m.Profile == FAPI2
}
