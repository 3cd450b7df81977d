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
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/keys"
)

const (
	// skew is how far a client's clock may be off.
	skew = 10 * time.Second
	// maxAssertionLife bounds exp from now, and with it what is kept of a jti.
	maxAssertionLife = 5 * time.Minute
	maxJTI           = 256 // bytes
)

// AssertionRules say what a client assertion must be meant for.
type AssertionRules struct {
	// Audiences are the endpoints' addresses that profile oidc accepts besides the
	// issuer (OpenID Connect Core §9).
	Audiences []string
	// Issuer is the hub's issuer identifier, the only audience of profile fapi2.
	Issuer string
	// Store remembers each jti until its assertion has expired.
	Store ephemeral.Store
}

// assertionClaims are the claims of RFC 7523 §3. Times are NumericDate, seconds
// that may have a fraction.
type assertionClaims struct {
	Issuer    string          `json:"iss"`
	Subject   string          `json:"sub"`
	Audience  json.RawMessage `json:"aud"`
	ID        string          `json:"jti"`
	Expires   *float64        `json:"exp"`
	NotBefore *float64        `json:"nbf"`
	IssuedAt  *float64        `json:"iat"`
}

// unverifiedIssuer reads the iss claim of an assertion that nobody checked yet.
func unverifiedIssuer(assertion string) (ID, error) {
	claims, err := unverifiedClaims(assertion)
	if err != nil {
		return "", err
	}
	return ParseID(claims.Issuer)
}

func unverifiedClaims(assertion string) (claims assertionClaims, err error) {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return claims, errNotObject
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return claims, err
	}
	err = json.Unmarshal(payload, &claims)
	return claims, err
}

// checkAssertion verifies a private_key_jwt assertion (RFC 7523 §3, OpenID Connect
// Core §9). The signature comes first and the jti last, so that only the client
// itself can spend one.
func (r *Registry) checkAssertion(ctx context.Context, c *Client, assertion string, rules AssertionRules) (Proof, error) {
	proof := Proof{Method: PrivateKeyJWT}
	if rules.Issuer == "" || rules.Store == nil || slices.Contains(rules.Audiences, "") {
		return proof, errors.New("clients: assertion rules are incomplete")
	}
	verified, err := r.verifyAssertion(ctx, c, assertion)
	if err != nil {
		return proof, err
	}
	proof.Alg, proof.Key = verified.Alg, verified.Thumbprint
	switch verified.Typ {
	case "", "jwt", "client-authentication+jwt":
	default: // RFC 8725 §3.11: a token made for something else
		return proof, bad(c, "typ is that of another kind of token")
	}
	if _, err := decodeObject(verified.Payload); err != nil {
		return proof, bad(c, "claims are not one JSON object")
	}
	var claims assertionClaims
	if err := json.Unmarshal(verified.Payload, &claims); err != nil {
		return proof, bad(c, "a claim has the wrong type")
	}
	now := r.d.Now()
	proof.Audience = claims.audience(rules)
	if err := claims.check(c, proof.Audience, now); err != nil {
		return proof, err
	}
	return proof, spend(ctx, rules.Store, c, claims, now)
}

func (r *Registry) verifyAssertion(ctx context.Context, c *Client, assertion string) (keys.Verified, error) {
	verified, err := r.verifySigned(ctx, c, assertion, c.m.assertionAlgs())
	return verified, because(c, BadAssertion, err)
}

// because gives the reason to what verifySigned found wrong with a token; that the
// keys cannot be had has one already.
func because(c *Client, reason Reason, err error) error {
	if _, told := errors.AsType[*Error](err); told || err == nil {
		return err
	}
	return &Error{Reason: reason, Client: c.ID(), Err: err}
}

// verifySigned checks a compact JWS with the client's registered keys. What is wrong
// with the token is a *keys.Error; that its keys cannot be had is an *Error.
func (r *Registry) verifySigned(ctx context.Context, c *Client, token string, algs []keys.Alg) (keys.Verified, error) {
	set := c.jwks
	remote := c.m.JWKSURI != ""
	if remote {
		var err error
		if set, err = r.d.Fetch.keys(ctx, c.m.JWKSURI); err != nil {
			return keys.Verified{}, &Error{Reason: KeysUnavailable, Client: c.ID(), Err: err}
		}
	}
	options := keys.VerifyOptions{Algs: algs}
	verified, err := set.Verify(token, options)
	if refused, ok := errors.AsType[*keys.Error](err); ok && refused.Reason == keys.KeyUnknown && remote {
		// The client may have rotated its keys since.
		if newer, refreshErr := r.d.Fetch.refresh(ctx, c.m.JWKSURI); refreshErr == nil {
			return newer.Verify(token, options)
		}
	}
	return verified, err
}

func (a assertionClaims) check(c *Client, meant Audience, now time.Time) error {
	switch {
	case a.Issuer != string(c.ID()) || a.Subject != string(c.ID()):
		return bad(c, "iss and sub are not both the client id")
	case !c.takesAudience(meant):
		return bad(c, "aud does not name this hub")
	case a.ID == "" || len(a.ID) > maxJTI:
		return bad(c, "jti is missing or longer than 256 bytes")
	case a.Expires == nil:
		return bad(c, "exp is missing")
	}
	for _, t := range []*float64{a.Expires, a.NotBefore, a.IssuedAt} {
		if t != nil && (*t < 0 || *t > 1<<40 || math.IsNaN(*t)) {
			return bad(c, "a time is out of range")
		}
	}
	expires := at(*a.Expires)
	switch {
	case !now.Before(expires.Add(skew)):
		return &Error{Reason: AssertionExpired, Client: c.ID(), Detail: "exp has passed"}
	case expires.After(now.Add(maxAssertionLife + skew)):
		return bad(c, "exp is more than 5 minutes ahead")
	case a.NotBefore != nil && at(*a.NotBefore).After(now.Add(skew)):
		return &Error{Reason: AssertionExpired, Client: c.ID(), Detail: "nbf is in the future"}
	case a.IssuedAt != nil && at(*a.IssuedAt).After(now.Add(skew)):
		return &Error{Reason: AssertionExpired, Client: c.ID(), Detail: "iat is in the future"}
	}
	return nil
}

// audience says what the assertion is meant for, as far as it is this hub.
func (a assertionClaims) audience(rules AssertionRules) Audience {
	var one string
	if json.Unmarshal(a.Audience, &one) == nil && string(a.Audience) != "null" {
		switch {
		case one == rules.Issuer:
			return AudienceIssuer
		case slices.Contains(rules.Audiences, one):
			return AudienceEndpoint
		}
		return AudienceOther
	}
	var list []string
	if json.Unmarshal(a.Audience, &list) != nil {
		return AudienceOther
	}
	if slices.ContainsFunc(list, func(s string) bool { return s == rules.Issuer || slices.Contains(rules.Audiences, s) }) {
		return AudienceList
	}
	return AudienceOther
}

// takesAudience reports whether an audience will do. Profile fapi2 accepts the issuer
// as a single string and nothing else (FAPI 2.0 Security Profile §5.3.2.1): an
// audience that several servers would accept lets one of them replay to another.
func (c *Client) takesAudience(a Audience) bool {
	return a == AudienceIssuer || a != AudienceOther && c.Profile() != FAPI2
}

// spend uses up the jti. The key is a digest, so that neither its length nor its
// letters are the client's choice; it outlives the assertion.
func spend(ctx context.Context, store ephemeral.Store, c *Client, a assertionClaims, now time.Time) error {
	sum := sha256.Sum256([]byte(string(c.ID()) + "\x00" + a.ID))
	life := at(*a.Expires).Add(skew).Sub(now) + time.Second // stores count in whole seconds at the least
	err := store.Create(ctx, "assertion:1:"+base64.RawURLEncoding.EncodeToString(sum[:]), []byte{1}, life)
	if errors.Is(err, ephemeral.ErrExists) {
		return &Error{Reason: AssertionReplayed, Client: c.ID(), Detail: "jti was used before"}
	}
	if err != nil {
		return fmt.Errorf("spend assertion of client %s: %w", c.ID(), err)
	}
	return nil
}

// at converts a NumericDate that was found in range.
func at(seconds float64) time.Time {
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9))
}

func bad(c *Client, detail string) error {
	return &Error{Reason: BadAssertion, Client: c.ID(), Detail: detail}
}
