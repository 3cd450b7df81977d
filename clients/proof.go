package clients

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"

	"github.com/tsunagu-id/tsunagu/keys"
)

// Audience says what a client assertion is meant for.
type Audience string

// The audiences, as far as rules tell them apart.
const (
	AudienceOther    Audience = ""         // not this hub
	AudienceIssuer   Audience = "issuer"   // the issuer, as a single string
	AudienceEndpoint Audience = "endpoint" // an endpoint's address, as a single string
	AudienceList     Audience = "list"     // a list with this hub in it
)

// Proof is by what a client, or a request object of it, was believed: what of it a
// registration decides about, and nothing that could be shown again. The zero Proof
// is no proof.
type Proof struct {
	Method Method   `json:"method,omitempty"` // empty for a request object
	Alg    keys.Alg `json:"alg,omitempty"`    // of the assertion, or of the request object
	// Key is the thumbprint of the client's key (RFC 7638).
	Key      string   `json:"key,omitempty"`
	Audience Audience `json:"audience,omitempty"`
	// Strict says that a request object has all that profile fapi2 demands of one.
	Strict bool `json:"strict,omitempty"`
	// Certificate is what the client showed in the TLS handshake, in DER.
	Certificate []byte `json:"certificate,omitempty"`
}

// takesMethod compares a method with the one that is registered.
func (c *Client) takesMethod(m Method) error {
	if m == c.AuthMethod() {
		return nil
	}
	return &Error{
		Reason: MethodMismatch, Client: c.ID(), Member: "token_endpoint_auth_method",
		Detail: "the client is registered for " + string(c.AuthMethod()) + ", the request uses " + string(m),
	}
}

// Believes judges a proof by which another version of the client was believed, with
// the rules of Authenticate: nil if this version would have been too, else an *Error
// that names the member it comes of. A client secret is no part of a version. Keys
// that the version publishes at an address are fetched.
func (r *Registry) Believes(ctx context.Context, c *Client, p Proof) error {
	if err := c.takesMethod(p.Method); err != nil {
		return err
	}
	switch p.Method {
	case None, SecretBasic, SecretPost:
		return nil
	case PrivateKeyJWT:
		if err := r.verifies(ctx, c, p, c.m.assertionAlgs(), BadAssertion, "token_endpoint_auth_signing_alg"); err != nil {
			return err
		}
		if !c.takesAudience(p.Audience) {
			return &Error{Reason: BadAssertion, Client: c.ID(), Member: "profile", Detail: "aud is not the issuer alone, as this profile demands"}
		}
		return nil
	case TLSClientAuth:
		cert, err := x509.ParseCertificate(p.Certificate)
		if err != nil || !c.TLSIdentity().Matches(cert) {
			return &Error{Reason: BadCertificate, Client: c.ID(), Member: c.m.TLS.member(), Detail: "the certificate names somebody else", Err: err}
		}
		return nil
	case SelfSignedTLS:
		cert, err := x509.ParseCertificate(p.Certificate)
		if err != nil {
			return badCertificate(c, "the certificate cannot be read", err)
		}
		err = r.checkSelfSigned(ctx, c, cert)
		return blame(err, c.m.keysMember())
	}
	return &Error{Reason: MethodMismatch, Client: c.ID(), Detail: "unknown method"}
}

// BelievesObject is Believes for a request object.
func (r *Registry) BelievesObject(ctx context.Context, c *Client, p Proof) error {
	if err := r.verifies(ctx, c, p, c.requestObjectAlgs(), BadRequestObject, "request_object_signing_alg"); err != nil {
		return err
	}
	if c.Profile() == FAPI2 && !p.Strict {
		return &Error{Reason: BadRequestObject, Client: c.ID(), Member: "profile", Detail: "iss, aud, exp or nbf is missing, or its life is longer than 60 minutes"}
	}
	return nil
}

// verifies reports whether the version has the key, and lets it sign with the
// algorithm.
func (r *Registry) verifies(ctx context.Context, c *Client, p Proof, algs []keys.Alg, reason Reason, member string) error {
	if !slices.Contains(algs, p.Alg) {
		if c.Profile() == FAPI2 && p.Alg == keys.RS256 {
			member = "profile"
		}
		return &Error{Reason: reason, Client: c.ID(), Member: member, Detail: "the algorithm " + string(p.Alg) + " is not one that this version may sign with"}
	}
	set := c.jwks
	if c.m.JWKSURI != "" {
		var err error
		if set, err = r.d.Fetch.keys(ctx, c.m.JWKSURI); err != nil {
			return &Error{Reason: KeysUnavailable, Client: c.ID(), Member: "jwks_uri", Detail: "the key set cannot be fetched", Err: err}
		}
	}
	if !set.Verifies(p.Key, p.Alg) {
		return &Error{Reason: reason, Client: c.ID(), Member: c.m.keysMember(), Detail: "the key that signed is not among the keys of this version"}
	}
	return nil
}

// keysMember is where the client's keys stand.
func (m *Metadata) keysMember() string {
	if m.JWKSURI != "" {
		return "jwks_uri"
	}
	return "jwks"
}

// member is the one that is given.
func (t *TLSIdentity) member() string {
	for _, n := range t.names() {
		if n.value != "" {
			return n.name
		}
	}
	return ""
}

// blame names the member that a refusal comes of.
func blame(err error, member string) error {
	if refused, ok := errors.AsType[*Error](err); ok {
		refused.Member = member
	}
	return err
}
