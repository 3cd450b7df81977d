package clients

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
	TLSClientAuth Method = "tls_client_auth"             // a certificate of an authority (RFC 8705 §2.1)
	SelfSignedTLS Method = "self_signed_tls_client_auth" // a certificate of the client's key set (RFC 8705 §2.2)
	None          Method = "none"                        // public client
)

// usesSecret reports whether the client and the hub share a secret.
func (m Method) usesSecret() bool { return m == SecretBasic || m == SecretPost }

// usesTLS reports whether the client proves itself with its TLS certificate.
func (m Method) usesTLS() bool { return m == TLSClientAuth || m == SelfSignedTLS }

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
	GrantClientCredentials = "client_credentials"
	GrantDeviceCode        = "urn:ietf:params:oauth:grant-type:device_code"    // RFC 8628
	GrantTokenExchange     = "urn:ietf:params:oauth:grant-type:token-exchange" // RFC 8693
)

// grants lists all of them.
func grants() []string {
	return []string{GrantAuthorizationCode, GrantRefreshToken, GrantClientCredentials, GrantDeviceCode, GrantTokenExchange}
}

// The scopes a client may register.
const (
	ScopeOpenID        = "openid"
	ScopeOfflineAccess = "offline_access" // a refresh token (OpenID Connect Core §11)
	ScopeProfile       = "profile"        // OpenID Connect Core §5.4, as the next three
	ScopeEmail         = "email"
	ScopeAddress       = "address"
	ScopePhone         = "phone"
	ScopeLinks         = "links"      // the citizen's connected services, for the portal
	ScopeLink          = "link"       // the client's own connection with the citizen
	ScopeService       = "service"    // the client's own standing, without a citizen
	ScopeLinksOwn      = "links.own"  // all connections of the client itself, without a citizen
	ScopeSSFRead       = "ssf.read"   // the client's stream of security events (CAEP Interoperability Profile 1.0 §2.7)
	ScopeSSFManage     = "ssf.manage" // and to make, change and end it
	ScopeExchanges     = "exchanges"  // which offices exchanged what about the citizen, for the portal

	ScopeExchangeProvide = "exchange.provide" // an office says what it provided, without a citizen
	ScopeExchangeProtect = "exchange.protect" // an office has all that is asked about a citizen withheld from her page, without her

	// ScopeAdmin opens the administration API to an operator, whether a person or a program. It is for programs of the hub's own operator
	// (first_party) and for machines, and no policy of registration may name it.
	ScopeAdmin = "admin"
)

// The scopes of what the card's signature certificate says of a citizen, one for each attribute. A client registers them and asks with
// the claims parameter (OpenID Connect for Identity Assurance 1.0 §6): sent as a scope they are unknown.
const (
	verifiedPrefix = "verified:"

	ScopeVerifiedName      = "verified:name"
	ScopeVerifiedAddress   = "verified:address"
	ScopeVerifiedBirthdate = "verified:birthdate"
	ScopeVerifiedGender    = "verified:gender"
)

// OwnScopes are what a client may be given on its own behalf, by the client credentials grant (RFC 6749 §4.4).
func OwnScopes() []string {
	return []string{ScopeService, ScopeLinksOwn, ScopeSSFRead, ScopeSSFManage, ScopeExchangeProvide, ScopeExchangeProtect}
}

// citizenScopes are those that speak of a citizen.
func citizenScopes() []string {
	return []string{ScopeOpenID, ScopeOfflineAccess, ScopeProfile, ScopeEmail, ScopeAddress, ScopePhone, ScopeLinks, ScopeLink, ScopeExchanges,
		ScopeVerifiedName, ScopeVerifiedAddress, ScopeVerifiedBirthdate, ScopeVerifiedGender}
}
