package clients

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/keys"
)

// Policy says who may register clients at the registration endpoint, and as what.
// Empty lists allow what a citizen's service usually needs; see withDefaults.
type Policy struct {
	Name string // lower case letters, digits, "_" and "-"; stands in the audit log
	// Token is the SHA-256 of the initial access token (RFC 7591 §3). nil lets
	// everybody register.
	Token        []byte
	Profiles     []Profile
	Scopes       []string
	GrantTypes   []string
	Methods      []Method
	PKCEOptional bool      // confidential clients of profile oidc do without PKCE unless they ask for it
	Loopback     bool      // addresses on the citizen's own computer may be registered
	MaxClients   int64     // at one time; 0 means 100
	PerMinute    int64     // registrations and updates a minute, all together; 0 means 60
	Expires      time.Time // when the token ends; zero: never

	certificates bool            // set by NewRegistrar: clients can show theirs
	issued       bool            // is a token that an operator issued
	organisation string          // that owns what is registered; of a token that an operator issued
	statements   json.RawMessage // keys of software statements, without one of which nothing is registered; nil: none are taken
}

// The limits of a policy that sets none.
const (
	defaultMaxClients = 100
	defaultPerMinute  = 60
)

var policyName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)

// PolicyToken returns what a Policy holds of an initial access token. The token must
// be as long as a client secret.
func PolicyToken(token keys.Secret) ([]byte, error) {
	if _, err := digestSecret(token); err != nil {
		return nil, errors.New(`an initial access token has at least 43 letters, digits and "-", ".", "_", "~"`)
	}
	sum := sha256.Sum256(token.Reveal())
	return sum[:], nil
}

// withDefaults fills what may be left out: a service that signs citizens in.
func (p Policy) withDefaults() Policy {
	if p.Profiles == nil {
		p.Profiles = []Profile{OIDC}
	}
	if p.Scopes == nil {
		p.Scopes = []string{ScopeOpenID, ScopeProfile, ScopeEmail, ScopeAddress, ScopePhone, ScopeOfflineAccess}
	}
	if p.GrantTypes == nil {
		p.GrantTypes = []string{GrantAuthorizationCode, GrantRefreshToken}
	}
	if p.Methods == nil {
		p.Methods = []Method{SecretBasic, SecretPost, PrivateKeyJWT}
	}
	if p.MaxClients == 0 {
		p.MaxClients = defaultMaxClients
	}
	if p.PerMinute == 0 {
		p.PerMinute = defaultPerMinute
	}
	return p
}

// check refuses a policy that would not do what its author thought.
func (p Policy) check() error {
	bad := func(what string) error { return fmt.Errorf("clients: registration policy %q: %s", p.Name, what) }
	switch {
	case !policyName.MatchString(p.Name):
		return bad("the name is not lower case letters, digits, _ and -")
	case p.Token != nil && len(p.Token) != sha256.Size:
		return bad("the token is not a SHA-256 digest")
	case p.MaxClients < 0 || p.PerMinute < 0:
		return bad("a limit is negative")
	case unknown(p.Profiles, OIDC, FAPI2):
		return bad("a profile is unknown")
	case unknown(p.Scopes, append(citizenScopes(), OwnScopes()...)...):
		return bad("a scope is unknown")
	case unknown(p.GrantTypes, grants()...):
		return bad("a grant type is unknown")
	case p.Token == nil && slices.Contains(p.GrantTypes, GrantDeviceCode):
		// RFC 8628 §5.4: whoever may begin such a flow needs nothing but a citizen who types a code.
		return bad("everybody may register, so not for the device grant")
	case unknown(p.Methods, SecretBasic, SecretPost, PrivateKeyJWT, TLSClientAuth, SelfSignedTLS, None):
		return bad("a client authentication method is unknown")
	}
	return nil
}

func unknown[T comparable](values []T, known ...T) bool {
	return slices.ContainsFunc(values, func(v T) bool { return !slices.Contains(known, v) })
}

// CheckPolicies judges a table of policies.
func CheckPolicies(policies []Policy) error {
	for i, p := range policies {
		if err := p.check(); err != nil {
			return err
		}
		for _, other := range policies[:i] {
			if p.Name == other.Name || slices.Equal(p.Token, other.Token) {
				return fmt.Errorf("clients: registration policies %q and %q have one name or one token", other.Name, p.Name)
			}
		}
	}
	return nil
}

// complete fills in what a request left out, as the policy allows it. Omitted scopes
// are all that the policy and the grant types have: whoever does not name any wants
// to choose later (RFC 7591 §2 leaves the set to the server). What the card says of
// a citizen is never among them: it is for who names it.
func (p Policy) complete(m *Metadata) {
	if m.Profile == "" {
		m.Profile = p.Profiles[0]
	}
	if m.IDTokenSignedResponseAlg == "" && m.Profile == OIDC {
		m.IDTokenSignedResponseAlg = keys.RS256 // OpenID Connect Registration §2
	}
	if m.GrantTypes == nil {
		m.GrantTypes = []string{GrantAuthorizationCode}
	}
	if m.Scopes == nil {
		for _, s := range p.Scopes {
			own := slices.Contains(OwnScopes(), s)
			if s == ScopeOfflineAccess && !m.has(GrantRefreshToken) || own && !m.has(GrantClientCredentials) || !own && !m.meetsCitizens() ||
				strings.HasPrefix(s, verifiedPrefix) {
				continue
			}
			m.Scopes = append(m.Scopes, s)
		}
	}
	if m.RequirePKCE == nil && p.PKCEOptional && m.Profile == OIDC && m.TokenEndpointAuthMethod != None {
		optional := false
		m.RequirePKCE = &optional
	}
	m.Development = p.Loopback
}

// allows notes what the policy does not.
func (p Policy) allows(m *Metadata, faults *FieldErrors) {
	const problem, remedy = "is not allowed to clients that register themselves with this token", "leave it out, or ask the hub's operator"
	for _, c := range []struct {
		name    string
		refused bool
	}{
		{"profile", !slices.Contains(p.Profiles, m.Profile)},
		{"scope", unknown(m.Scopes, p.Scopes...)},
		{"grant_types", unknown(m.GrantTypes, p.GrantTypes...)},
		{"token_endpoint_auth_method", !slices.Contains(p.Methods, m.TokenEndpointAuthMethod)},
		{"require_pkce", m.RequirePKCE != nil && !*m.RequirePKCE && !p.PKCEOptional},
		{"tls_client_certificate_bound_access_tokens", m.CertificateBound && !p.certificates},
		{"application_type", m.ApplicationType == "native" && !p.Loopback && m.loopback()},
		{"backchannel_logout_uri", m.BackchannelLogoutURI != "" && !m.ownHost(m.BackchannelLogoutURI)},
	} {
		if c.refused {
			faults.add(c.name, problem, remedy)
		}
	}
}

// loopback reports whether a citizen would be sent to her own computer, with an
// answer or by a link.
func (m *Metadata) loopback() bool {
	addresses := slices.Concat(m.RedirectURIs, m.PostLogoutRedirectURIs, []string{m.ClientURI, m.PolicyURI, m.TOSURI, m.LogoURI, m.InitiateLoginURI})
	return slices.ContainsFunc(addresses, func(s string) bool {
		a, err := parseAddress(s)
		return err == nil && a.loopback
	})
}

// ownHost reports whether an address has the host of a redirect address. Whoever
// registers itself is told of citizens only where it proved to be by receiving
// codes: logout tokens carry the subject of the sector that the redirect addresses
// make.
func (m *Metadata) ownHost(address string) bool {
	a, err := parseAddress(address)
	return err == nil && slices.ContainsFunc(m.RedirectURIs, func(s string) bool {
		r, err := parseAddress(s)
		return err == nil && r.host == a.host
	})
}

// origin is what versions say that a policy let in; the registrar records them itself.
func (p Policy) origin() origin { return origin{by: "policy:" + p.Name} }
