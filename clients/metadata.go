package clients

import (
	"encoding/json"
	"time"

	"github.com/tsunagu-id/tsunagu/keys"
)

// Profile is the set of protocol rules a client lives by.
type Profile string

// The profiles.
const (
	OIDC  Profile = "oidc"  // code flow with PKCE, any standard library
	FAPI2 Profile = "fapi2" // FAPI 2.0 Security Profile
)

// Method is a way to authenticate at the token endpoint (OpenID Connect Core §9).
type Method string

// The methods.
const (
	SecretBasic   Method = "client_secret_basic"
	SecretPost    Method = "client_secret_post"
	PrivateKeyJWT Method = "private_key_jwt"
	None          Method = "none" // public client
)

// usesSecret reports whether the client and the hub share a secret.
func (m Method) usesSecret() bool { return m == SecretBasic || m == SecretPost }

// Category says what kind of operator stands behind a client.
type Category string

// The categories.
const (
	Government Category = "government"
	Private    Category = "private"
)

// The grant types a client may register.
const (
	GrantAuthorizationCode = "authorization_code"
	GrantRefreshToken      = "refresh_token"
)

// The scopes a client may register.
const (
	ScopeOpenID        = "openid"
	ScopeOfflineAccess = "offline_access" // a refresh token (OpenID Connect Core §11)
	ScopeLinks         = "links"          // the citizen's connected services, for the portal
	ScopeLink          = "link"           // the client's own connection with the citizen
)

// Text is something a person reads, in Japanese and in English.
type Text struct{ JA, EN string }

// In returns the text in a language ("en" or "ja"), or the other one if it has
// only that.
func (t Text) In(lang string) string {
	if lang == "en" && t.EN != "" || t.JA == "" {
		return t.EN
	}
	return t.JA
}

// Metadata is what is registered about a client. Its JSON uses the names of RFC
// 7591 §2, OpenID Connect Registration §2, Back-Channel Logout §2.2 and RFC 9126
// §6, and names of our own: profile, operator, description, category, purposes,
// verified, listed, first_party, development, require_pkce.
//
// A text takes two members: "client_name" is the Japanese one and "client_name#en"
// the English one (RFC 7591 §2.2).
type Metadata struct {
	ClientID        ID
	ClientName      Text
	ClientURI       string // where a citizen finds the service
	PolicyURI       string
	TOSURI          string
	Contacts        []string // e-mail addresses of the operator
	Operator        string   // who runs the service, as a citizen knows it
	Description     Text
	Category        Category
	Purposes        map[string]Text // scope → why the service asks for it, at most 60 characters
	Verified        bool            // an operator of the hub checked who runs the service
	Listed          bool            // offered in the portal's list of services
	FirstParty      bool            // run by the hub's own operator
	Development     bool            // may use loopback addresses
	ApplicationType string          // "web" or "native"
	Profile         Profile

	RedirectURIs           []string
	PostLogoutRedirectURIs []string
	InitiateLoginURI       string // third-party-initiated login (OpenID Connect Core §4)

	// OpenID Connect Back-Channel Logout §2.2.
	BackchannelLogoutURI             string
	BackchannelLogoutSessionRequired bool // a logout token without sid is of no use to the client

	GrantTypes    []string
	ResponseTypes []string
	Scopes        []string // one string, separated by spaces, in JSON

	TokenEndpointAuthMethod     Method
	TokenEndpointAuthSigningAlg keys.Alg // empty: any that the profile allows
	JWKS                        json.RawMessage
	JWKSURI                     string
	IDTokenSignedResponseAlg    keys.Alg

	SubjectType         string // always "pairwise"
	SectorIdentifierURI string
	DefaultMaxAge       *int64 // seconds
	DefaultACRValues    []string
	RequirePAR          *bool // nil means what the profile says
	RequirePKCE         *bool // nil means true
}

// withDefaults fills what may be left out.
func (m Metadata) withDefaults() Metadata {
	fill := func(s *string, value string) {
		if *s == "" {
			*s = value
		}
	}
	fill((*string)(&m.Profile), string(OIDC))
	fill((*string)(&m.Category), string(Private))
	fill(&m.ApplicationType, "web")
	fill(&m.SubjectType, "pairwise")
	fill((*string)(&m.TokenEndpointAuthMethod), string(SecretBasic)) // RFC 7591 §2
	fill((*string)(&m.IDTokenSignedResponseAlg), string(keys.ES256))
	if m.GrantTypes == nil {
		m.GrantTypes = []string{GrantAuthorizationCode}
	}
	if m.ResponseTypes == nil {
		m.ResponseTypes = []string{"code"}
	}
	if m.Scopes == nil {
		m.Scopes = []string{ScopeOpenID}
	}
	return m
}

// maxDefaultMaxAge bounds default_max_age; a longer one would mean nothing.
const maxDefaultMaxAge = 365 * 24 * time.Hour
