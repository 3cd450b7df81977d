package clients

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/tsunagu-id/tsunagu/keys"
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
// 7591 §2, OpenID Connect Registration §2, Back-Channel Logout §2.2, Front-Channel
// Logout §2, RFC 8705 §2.1.2 and §3.4, RFC 9101 §10.5, RFC 9126 §6, RFC 9396 §10,
// RFC 9449 §5.2, RFC 9701 §6 and JARM §3, and names of our own: profile, operator,
// description, category, purposes, verified, listed, first_party, development,
// require_pkce, refuse_remote_card, accepts_representatives, always_card,
// session_idle, session_absolute, session_class, resources, serves, agency, logo.
//
// A text takes two members: "client_name" is the Japanese one and "client_name#en"
// the English one (RFC 7591 §2.2).
type Metadata struct {
	ClientID        ID
	ClientName      Text
	ClientURI       string // where a citizen finds the service
	PolicyURI       string
	LogoURI         string // kept for its owner; no page loads pictures from elsewhere
	Logo            string // SHA-256 of the PNG that operators uploaded, in hexadecimal digits; pages show this one
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
	SoftwareID      string          // the software that every installation shares
	SoftwareVersion string
	Profile         Profile

	RedirectURIs           []string
	PostLogoutRedirectURIs []string
	InitiateLoginURI       string // third-party-initiated login (OpenID Connect Core §4)

	// OpenID Connect Back-Channel Logout §2.2.
	BackchannelLogoutURI             string
	BackchannelLogoutSessionRequired bool // a logout token without sid is of no use to the client

	// OpenID Connect Front-Channel Logout §2.
	FrontchannelLogoutURI             string
	FrontchannelLogoutSessionRequired bool

	StatusListLogout bool // looks at a status list by itself: its ID tokens say where (draft-ietf-oauth-status-list)

	GrantTypes    []string
	ResponseTypes []string
	Scopes        []string // one string, separated by spaces, in JSON
	Resources     []string // the resource indicators it may name (RFC 8707 §2)
	Serves        []string // the resource indicators it is the resource server of, set by the hub's operator
	DetailTypes   []string // the types of authorization details it uses (RFC 9396 §10)

	Agency *Agency // the office it is, as far as offices exchange information; set by the hub's operator

	TokenEndpointAuthMethod     Method
	TokenEndpointAuthSigningAlg keys.Alg // empty: any that the profile allows
	JWKS                        json.RawMessage
	JWKSURI                     string
	TLS                         TLSIdentity // of tls_client_auth
	CertificateBound            bool        // access tokens are bound to the certificate
	DPoPBound                   bool        // access tokens are bound to a DPoP key

	RequestObjectSigningAlg    keys.Alg // empty: any that the profile allows
	RequireSignedRequestObject bool
	RequestURIs                []string // kept for their owner; the hub fetches no request object

	IDTokenSignedResponseAlg       keys.Alg
	IDTokenEncryption              Encryption
	UserinfoSignedResponseAlg      keys.Alg // empty: plain JSON
	UserinfoEncryption             Encryption
	AuthorizationSignedResponseAlg keys.Alg // empty: that of the ID token
	IntrospectionSignedResponseAlg keys.Alg // empty: plain JSON

	SubjectType         string // always "pairwise"
	SectorIdentifierURI string
	DefaultMaxAge       *int64 // seconds
	DefaultACRValues    []string
	RequirePAR          *bool // nil means what the profile says
	RequirePKCE         *bool // nil means true
	AcceptsProxies      bool  // understands act (RFC 8693 §4.1): somebody may sign in for somebody else
	RefuseRemoteCard    bool  // no sign-in whose card was read by a phone, on another device than the one that signs in

	// Rules of sessions, see session.go.
	AlwaysCard      bool         // every sign-in needs a card that is read for it, on the device that signs in
	SessionIdle     *int64       // seconds; nil: what the hub says
	SessionAbsolute *int64       // seconds; nil: what the hub says
	SessionClass    SessionClass // empty: that of the category; set by the hub's operator
}

// Encryption says how something is encrypted to the client, with one of its own
// keys. The zero Encryption means not at all.
type Encryption struct {
	Alg keys.KeyAlg
	Enc keys.ContentEnc
}

// fill adds the default content encryption (OpenID Connect Registration §2).
func (e *Encryption) fill() {
	if e.Alg != "" && e.Enc == "" {
		e.Enc = keys.A128CBCHS256
	}
}

// has reports whether the grant type is registered.
func (m *Metadata) has(grant string) bool { return slices.Contains(m.GrantTypes, grant) }

// meetsCitizens reports whether a grant of the client stands for a citizen.
func (m *Metadata) meetsCitizens() bool {
	return m.has(GrantAuthorizationCode) || m.has(GrantDeviceCode) || m.has(GrantTokenExchange)
}

// withDefaults fills what may be left out.
func (m Metadata) withDefaults() Metadata {
	for _, list := range []*[]string{&m.Contacts, &m.RedirectURIs, &m.PostLogoutRedirectURIs, &m.RequestURIs, &m.Resources, &m.Serves, &m.DetailTypes, &m.DefaultACRValues} {
		if len(*list) == 0 {
			*list = nil // says the same as none at all, and is stored in one way
		}
	}
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
	if m.ResponseTypes == nil && m.has(GrantAuthorizationCode) {
		m.ResponseTypes = []string{"code"}
	}
	if m.Scopes == nil && m.meetsCitizens() {
		m.Scopes = []string{ScopeOpenID}
	}
	if m.Scopes == nil && m.has(GrantClientCredentials) {
		m.Scopes = []string{ScopeService}
	}
	m.IDTokenEncryption.fill()
	m.UserinfoEncryption.fill()
	return m
}

// maxDefaultMaxAge bounds default_max_age; a longer one would mean nothing.
const maxDefaultMaxAge = 365 * 24 * time.Hour
