package snippets

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// Method is a way to prove who a service is, as token_endpoint_auth_method has it.
type Method string

// The methods that snippets know.
const (
	SecretBasic   Method = "client_secret_basic"
	SecretPost    Method = "client_secret_post"
	PrivateKeyJWT Method = "private_key_jwt"
	None          Method = "none"
)

// Values are what a snippet is about.
type Values struct {
	Issuer      string // of the hub
	ClientID    string // empty: the program takes it from its environment, as CLIENT_ID
	RedirectURI string // where a sign-in comes back to; not for a machine
	Scopes      []string
	Method      Method
	KeyAlg      string // of private_key_jwt: ES256, PS256, EdDSA or RS256; empty: ES256
	IDTokenAlg  string // as above
	Pushed      bool   // requests have to be pushed (RFC 9126)
	Bound       bool   // tokens are bound to a key (RFC 9449)
	Machine     bool   // no people: the client credentials grant
}

// Error says what keeps a snippet from being written.
type Error struct {
	Member string // of the client metadata
	Detail string
}

func (e *Error) Error() string { return fmt.Sprintf("snippets: %s: %s", e.Member, e.Detail) }

// scopesOfSignIn are what a program can send without further ado; the rest has chapters of its own in docs/integrating.md.
var scopesOfSignIn = []string{"openid", "profile", "email", "address", "phone", "offline_access"}

// FromMetadata reads the values out of a service's registered metadata (RFC 7591 §2, OpenID Connect Registration §2). Members left out have the
// hub's defaults.
func FromMetadata(issuer string, metadata json.RawMessage) (Values, error) {
	var m struct {
		ID         string   `json:"client_id"`
		Redirects  []string `json:"redirect_uris"`
		Scope      string   `json:"scope"`
		Grants     []string `json:"grant_types"`
		Method     Method   `json:"token_endpoint_auth_method"`
		KeyAlg     string   `json:"token_endpoint_auth_signing_alg"`
		IDTokenAlg string   `json:"id_token_signed_response_alg"`
		Profile    string   `json:"profile"`
		Pushed     bool     `json:"require_pushed_authorization_requests"`
		DPoP       bool     `json:"dpop_bound_access_tokens"`
		TLSBound   bool     `json:"tls_client_certificate_bound_access_tokens"`
		Signed     bool     `json:"require_signed_request_object"`
		Encrypted  string   `json:"id_token_encrypted_response_alg"`
	}
	if err := json.Unmarshal(metadata, &m); err != nil {
		return Values{}, &Error{"metadata", err.Error()}
	}
	switch {
	case m.TLSBound:
		return Values{}, &Error{"tls_client_certificate_bound_access_tokens", "certificates are set up where the program runs; see docs/integrating.md"}
	case m.Signed:
		return Values{}, &Error{"require_signed_request_object", "signed requests are described in docs/integrating.md"}
	case m.Encrypted != "":
		return Values{}, &Error{"id_token_encrypted_response_alg", "encrypted answers are described in docs/integrating.md"}
	}
	v := Values{
		Issuer: issuer, ClientID: m.ID, Method: m.Method, KeyAlg: m.KeyAlg, IDTokenAlg: m.IDTokenAlg,
		Pushed: m.Pushed || m.Profile == "fapi2", Bound: m.DPoP || m.Profile == "fapi2",
	}
	if m.Method == "" {
		v.Method = SecretBasic
	}
	own := len(m.Grants) > 0 && !slices.Contains(m.Grants, "authorization_code")
	v.Machine = own && slices.Contains(m.Grants, "client_credentials")
	if own && !v.Machine {
		return Values{}, &Error{"grant_types", "devices and exchanges are described in docs/integrating.md"}
	}
	for scope := range strings.FieldsSeq(m.Scope) {
		if v.Machine || slices.Contains(scopesOfSignIn, scope) {
			v.Scopes = append(v.Scopes, scope)
		}
	}
	if !v.Machine {
		if len(m.Redirects) == 0 {
			return Values{}, &Error{"redirect_uris", "there is none yet"}
		}
		v.RedirectURI = m.Redirects[0]
		if !slices.Contains(v.Scopes, "openid") {
			v.Scopes = append([]string{"openid"}, v.Scopes...)
		}
	}
	return v, v.check()
}

// check finds what no snippet can be written with. Whatever passes can stand in a program text.
func (v Values) check() error {
	for _, text := range append([]string{v.Issuer, v.ClientID, v.RedirectURI, v.KeyAlg, v.IDTokenAlg}, v.Scopes...) {
		if strings.ContainsFunc(text, func(r rune) bool {
			return unicode.IsControl(r) || r == unicode.ReplacementChar || unicode.In(r, unicode.Zl, unicode.Zp)
		}) {
			return &Error{"metadata", "a value has a character that cannot stand in a program"}
		}
	}
	if v.Issuer == "" {
		return &Error{"issuer", "missing"}
	}
	switch v.Method {
	case SecretBasic, SecretPost, PrivateKeyJWT:
	case None:
		if v.Machine {
			return &Error{"token_endpoint_auth_method", "a machine proves who it is"}
		}
	default:
		return &Error{"token_endpoint_auth_method", "certificates are set up where the program runs; see docs/integrating.md"}
	}
	for member, alg := range map[string]string{"token_endpoint_auth_signing_alg": v.KeyAlg, "id_token_signed_response_alg": v.IDTokenAlg} {
		if alg != "" && !slices.Contains([]string{"ES256", "PS256", "EdDSA", "RS256"}, alg) {
			return &Error{member, "no algorithm of the hub"}
		}
	}
	if len(v.Scopes) == 0 {
		return &Error{"scope", "there is none yet"}
	}
	if v.Machine {
		return nil
	}
	u, err := url.Parse(v.RedirectURI)
	if err != nil || u.Opaque != "" || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return &Error{"redirect_uris", "an app's own scheme has no server that could be shown"}
	}
	if strings.ContainsAny(u.Path, "{} ") {
		return &Error{"redirect_uris", "a path with these characters is no route in Go, Flask or Java"}
	}
	return nil
}

// redirect returns the redirect URI of values that check found good.
func (v Values) redirect() *url.URL {
	u, err := url.Parse(v.RedirectURI)
	if err != nil {
		return &url.URL{}
	}
	return u
}

// local reports whether the redirect URI is on the developer's own computer.
func (v Values) local() bool {
	host := v.redirect().Hostname()
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && ip.IsLoopback())
}
