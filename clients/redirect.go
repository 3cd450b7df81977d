package clients

import (
	"net/url"
	"slices"
)

// RedirectURI is an address that an answer may be sent to. Two of them are equal
// (==) if they are equal byte for byte. The zero value equals no registered one.
type RedirectURI struct{ a address }

// ParseRedirectURI accepts an absolute https URL, or an http one whose host is
// 127.0.0.1, [::1] or localhost, without fragment, user part, wildcard, dot
// segment or a parameter of the answer. What it accepts, String returns
// unchanged. Whether a client may register a loopback address is decided at
// registration.
func ParseRedirectURI(s string) (RedirectURI, error) {
	a, err := parseAddress(s)
	if err != nil {
		return RedirectURI{}, err
	}
	u, err := url.Parse(s)
	if err != nil {
		return RedirectURI{}, errAddressSyntax
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return RedirectURI{}, errAddressSyntax
	}
	for _, name := range answerParameters() {
		if query.Has(name) {
			return RedirectURI{}, errAddressAnswer
		}
	}
	return RedirectURI{a: a}, nil
}

// answerParameters are added by the hub (RFC 6749 §4.1.2, RFC 9207, OpenID
// Connect); registered ones would appear twice.
func answerParameters() []string {
	return []string{"code", "state", "iss", "error", "error_description", "error_uri", "response", "id_token", "access_token", "token_type", "session_state"}
}

// String returns the address as it was registered or requested.
func (u RedirectURI) String() string { return u.a.text }

// Host returns the host with its port, if it has one: what a person is shown.
func (u RedirectURI) Host() string { return u.a.authority() }

// Loopback reports whether the address is on the citizen's own computer.
func (u RedirectURI) Loopback() bool { return u.a.loopback }

// Allows reports whether the address was registered, byte for byte (RFC 9700
// §2.1).
func (c *Client) Allows(u RedirectURI) bool {
	return u.a.text != "" && slices.Contains(c.redirects, u)
}

// PostLogoutAllows reports whether the address was registered for the way back
// from a logout, byte for byte (OpenID Connect RP-Initiated Logout §3.1).
func (c *Client) PostLogoutAllows(s string) bool {
	return s != "" && slices.Contains(c.m.PostLogoutRedirectURIs, s)
}

// SignsOut reports whether the client takes part in signing out: it is told of
// logouts, may hear of them in a stream of security events, or sends citizens to
// the hub for one with a way back.
func (c *Client) SignsOut() bool {
	streams := slices.Contains(c.m.Scopes, ScopeSSFRead) || slices.Contains(c.m.Scopes, ScopeSSFManage)
	return streams || c.m.BackchannelLogoutURI != "" || c.m.FrontchannelLogoutURI != "" || len(c.m.PostLogoutRedirectURIs) > 0
}
