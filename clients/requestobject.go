package clients

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/keys"
)

// maxRequestObjectAge bounds, in profile fapi2, how far nbf lies back and how far
// exp lies after it (FAPI 2.0 Message Signing §5.3.1).
const maxRequestObjectAge = 60 * time.Minute

// RequestObjectRules say what a request object must be meant for.
type RequestObjectRules struct {
	// Issuer is the hub's issuer identifier, the audience.
	Issuer string
	// Store, if not nil, remembers the jti of the object, if it has one, so that it
	// cannot be used again.
	Store ephemeral.Store
}

// requestObjectClaims are the claims of a request object that are no parameters of
// the request (RFC 9101 §4, RFC 7519 §4.1).
type requestObjectClaims struct {
	Issuer    *string         `json:"iss"`
	Subject   *string         `json:"sub"`
	ClientID  *string         `json:"client_id"`
	Audience  json.RawMessage `json:"aud"`
	ID        string          `json:"jti"`
	Expires   *float64        `json:"exp"`
	NotBefore *float64        `json:"nbf"`
	IssuedAt  *float64        `json:"iat"`
}

// VerifyRequestObject checks a signed request object (RFC 9101 §6, OpenID Connect
// Core §6.3) with the keys the client registered and returns its claims, one JSON
// object without a member twice, and by what they were believed. A *Error says what is wrong with it. Claims beside
// an *Error are those of an object that the client did sign, but that must not be
// acted on: good for telling the client so, and for nothing else.
func (r *Registry) VerifyRequestObject(ctx context.Context, c *Client, object string, rules RequestObjectRules) ([]byte, Proof, error) {
	var proof Proof
	if rules.Issuer == "" {
		return nil, proof, errors.New("clients: request object rules are incomplete")
	}
	verified, err := r.verifySigned(ctx, c, object, c.requestObjectAlgs())
	if err := because(c, BadRequestObject, err); err != nil {
		return nil, proof, err
	}
	proof.Alg, proof.Key = verified.Alg, verified.Thumbprint
	switch verified.Typ {
	case "", "jwt", "oauth-authz-req+jwt":
	default: // RFC 9101 §10.8, RFC 8725 §3.11: a token made for something else
		return nil, proof, badObject(c, "typ is that of another kind of token")
	}
	if _, err := decodeObject(verified.Payload); err != nil {
		return nil, proof, badObject(c, "claims are not one JSON object")
	}
	var claims requestObjectClaims
	if err := json.Unmarshal(verified.Payload, &claims); err != nil {
		return nil, proof, badObject(c, "a claim has the wrong type")
	}
	now := r.d.Now()
	if err := claims.check(c, c.Profile() == FAPI2, rules.Issuer, now); err != nil {
		return verified.Payload, proof, err
	}
	proof.Strict = claims.check(c, true, rules.Issuer, now) == nil
	if rules.Store != nil && claims.ID != "" {
		if err := claims.spend(ctx, rules.Store, c, now); err != nil {
			return verified.Payload, proof, err
		}
	}
	return verified.Payload, proof, nil
}

// requestObjectAlgs are the algorithms a client may sign request objects with: the
// one it registered, or else all that its profile allows.
func (c *Client) requestObjectAlgs() []keys.Alg {
	if alg := c.RequestObjectAlg(); alg != "" {
		return []keys.Alg{alg}
	}
	if c.Profile() == FAPI2 {
		return []keys.Alg{keys.ES256, keys.PS256, keys.EdDSA}
	}
	return keys.Algs()
}

// check judges the claims. Profile fapi2 is strict: it demands what the other may
// leave out.
func (o requestObjectClaims) check(c *Client, strict bool, issuer string, now time.Time) error {
	switch {
	case o.Issuer == nil && strict:
		return badObject(c, "iss is missing")
	case o.Issuer != nil && *o.Issuer != string(c.ID()):
		return badObject(c, "iss is not the client id")
	case o.ClientID != nil && *o.ClientID != string(c.ID()):
		return badObject(c, "client_id is another client's")
	case o.Subject != nil && *o.Subject == string(c.ID()): // RFC 9101 §10.8: it would pass for a client assertion
		return badObject(c, "sub is the client id")
	case o.Audience == nil && strict:
		return badObject(c, "aud is missing")
	case o.Audience != nil && !names(o.Audience, issuer):
		return badObject(c, "aud does not name this hub")
	case len(o.ID) > maxJTI:
		return badObject(c, "jti is longer than 256 bytes")
	case strict && (o.Expires == nil || o.NotBefore == nil):
		return badObject(c, "exp or nbf is missing")
	}
	for _, t := range []*float64{o.Expires, o.NotBefore, o.IssuedAt} {
		if t != nil && (*t < 0 || *t > 1<<40 || math.IsNaN(*t)) {
			return badObject(c, "a time is out of range")
		}
	}
	switch {
	case o.Expires != nil && !now.Before(at(*o.Expires).Add(skew)):
		return badObject(c, "exp has passed")
	case o.NotBefore != nil && at(*o.NotBefore).After(now.Add(skew)):
		return badObject(c, "nbf is in the future")
	case o.IssuedAt != nil && at(*o.IssuedAt).After(now.Add(skew)):
		return badObject(c, "iat is in the future")
	case strict && now.Sub(at(*o.NotBefore)) > maxRequestObjectAge:
		return badObject(c, "nbf is more than 60 minutes ago")
	case strict && at(*o.Expires).Sub(at(*o.NotBefore)) > maxRequestObjectAge:
		return badObject(c, "exp is more than 60 minutes after nbf")
	}
	return nil
}

// names reports whether an aud claim, a string or a list of strings, has the value.
func names(audience json.RawMessage, want string) bool {
	var one string
	if json.Unmarshal(audience, &one) == nil {
		return one == want
	}
	var list []string
	return json.Unmarshal(audience, &list) == nil && slices.Contains(list, want)
}

// spend uses up the jti for as long as the object is good, an hour at the most.
func (o requestObjectClaims) spend(ctx context.Context, store ephemeral.Store, c *Client, now time.Time) error {
	sum := sha256.Sum256([]byte(string(c.ID()) + "\x00" + o.ID))
	life := maxRequestObjectAge
	if o.Expires != nil {
		life = min(life, at(*o.Expires).Sub(now))
	}
	// Stores count in whole seconds at the least.
	err := store.Create(ctx, "requestobject:1:"+base64.RawURLEncoding.EncodeToString(sum[:]), []byte{1}, max(life, 0)+skew+time.Second)
	if errors.Is(err, ephemeral.ErrExists) {
		return &Error{Reason: RequestObjectReplayed, Client: c.ID(), Detail: "jti was used before"}
	}
	if err != nil {
		return fmt.Errorf("spend request object of client %s: %w", c.ID(), err)
	}
	return nil
}

func badObject(c *Client, detail string) error {
	return &Error{Reason: BadRequestObject, Client: c.ID(), Detail: detail}
}
