package clients

import (
	"slices"

	"github.com/tsunagu-id/tsunagu/keys"
)

// LogoURI returns the address of the service's picture, which no page of the hub
// shows; may be empty.
func (c *Client) LogoURI() string { return c.m.LogoURI }

// FrontchannelLogoutURI returns the address that the citizen's browser opens when
// the session ends (OpenID Connect Front-Channel Logout §2); may be empty.
func (c *Client) FrontchannelLogoutURI() string { return c.m.FrontchannelLogoutURI }

// FrontchannelLogoutSessionRequired reports whether the address has to be opened
// with iss and sid.
func (c *Client) FrontchannelLogoutSessionRequired() bool {
	return c.m.FrontchannelLogoutSessionRequired
}

// RequestObjectAlg returns the algorithm the client registered for its request
// objects; empty means any that the profile allows.
func (c *Client) RequestObjectAlg() keys.Alg { return c.m.RequestObjectSigningAlg }

// RequireSignedRequestObject reports whether every authorization request must be a
// signed request object (RFC 9101 §10.5).
func (c *Client) RequireSignedRequestObject() bool { return c.m.RequireSignedRequestObject }

// AuthorizationResponseAlg returns the algorithm of authorization responses that
// are JWTs (JARM §3): the registered one, or that of the ID token.
func (c *Client) AuthorizationResponseAlg() keys.Alg {
	if c.m.AuthorizationSignedResponseAlg != "" {
		return c.m.AuthorizationSignedResponseAlg
	}
	return c.m.IDTokenSignedResponseAlg
}

// IDTokenEncryption returns how ID tokens are encrypted, and whether they are.
func (c *Client) IDTokenEncryption() (Encryption, bool) {
	return c.m.IDTokenEncryption, c.m.IDTokenEncryption.Alg != ""
}

// UserinfoAlg returns the algorithm of signed userinfo answers; empty means plain
// JSON.
func (c *Client) UserinfoAlg() keys.Alg { return c.m.UserinfoSignedResponseAlg }

// UserinfoEncryption returns how userinfo answers are encrypted, and whether they
// are.
func (c *Client) UserinfoEncryption() (Encryption, bool) {
	return c.m.UserinfoEncryption, c.m.UserinfoEncryption.Alg != ""
}

// IntrospectionAlg returns the algorithm of signed introspection answers (RFC 9701
// §6); empty means plain JSON.
func (c *Client) IntrospectionAlg() keys.Alg { return c.m.IntrospectionSignedResponseAlg }

// CertificateBound reports whether the client's tokens are bound to its TLS
// certificate (RFC 8705 §3.4).
func (c *Client) CertificateBound() bool { return c.m.CertificateBound }

// DPoPBound reports whether the client's tokens are bound to a DPoP key (RFC 9449
// §5.2). Those of profile fapi2 always are, unless they are bound to a certificate
// (FAPI 2.0 Security Profile §5.3.2.1).
func (c *Client) DPoPBound() bool {
	return c.m.DPoPBound || c.m.Profile == FAPI2 && !c.m.CertificateBound
}

// TLSIdentity returns the name that the client's certificate bears, for
// tls_client_auth.
func (c *Client) TLSIdentity() TLSIdentity { return c.m.TLS }

// Resources returns the resource indicators the client may name (RFC 8707); may be
// empty.
func (c *Client) Resources() []string { return slices.Clone(c.m.Resources) }

// Serves returns the resource indicators the client is the resource server of; may be empty. No two clients serve
// the same.
func (c *Client) Serves() []string { return slices.Clone(c.m.Serves) }

// DetailTypes returns the types of authorization details the client may use (RFC
// 9396 §10); may be empty.
func (c *Client) DetailTypes() []string { return slices.Clone(c.m.DetailTypes) }
