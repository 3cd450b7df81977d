package clients

import (
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/keys"
)

// maxStatement is the longest software statement that is looked at, in bytes.
const maxStatement = keys.MaxToken

// statementClaims are the claims of a software statement that are no client metadata (RFC 7591 §2.3, RFC 7519 §4.1).
type statementClaims struct {
	Issuer    string          `json:"iss"`
	Audience  json.RawMessage `json:"aud"`
	Expires   *float64        `json:"exp"`
	NotBefore *float64        `json:"nbf"`
}

// jwtClaims are the members of a statement that say something of the statement.
func jwtClaims() []string { return []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"} }

func badStatement(description string) error {
	return &registrationError{status: http.StatusBadRequest, code: codeStatement, description: description}
}

// withStatement returns the body of a registration with what its software statement says put in place of what it says itself (RFC 7591 §2.3), and
// the statement. A policy with keys of statements takes no request without one; any other takes none with one, so that nobody believes that what
// it says was registered.
func (p Policy) withStatement(body []byte, hub string, now time.Time) ([]byte, string, error) {
	o, err := decodeObject(body)
	if err != nil {
		return body, "", nil // told by parseRegistration
	}
	raw := o.values[memberStatement]
	var statement string
	if raw != nil && json.Unmarshal(raw, &statement) != nil {
		return body, "", nil
	}
	switch {
	case statement == "" && p.statements == nil:
		return body, "", nil
	case statement == "":
		return nil, "", badStatement("this token takes only requests with a software statement")
	case strings.Count(statement, ".") != statementLength-1 || len(statement) > maxStatement:
		return nil, "", badStatement("the software statement is not a signed token")
	case p.statements == nil:
		return nil, "", &registrationError{status: http.StatusBadRequest, code: codeUnapproved, description: "this token takes no software statements"}
	}
	set, err := keys.ReadPublicSet(p.statements)
	if err != nil {
		return nil, "", err
	}
	verified, err := set.Verify(statement, keys.VerifyOptions{Algs: keys.Algs()})
	if err != nil {
		return nil, "", &registrationError{status: http.StatusBadRequest, code: codeUnapproved, description: "the software statement is not signed by a key that this token trusts"}
	}
	said, err := decodeObject(verified.Payload)
	var claims statementClaims
	if err != nil || json.Unmarshal(verified.Payload, &claims) != nil {
		return nil, "", badStatement("the claims of the software statement are not one JSON object")
	}
	// RFC 8725 §3.11: a key that signs statements may sign other things, which say that they are.
	if verified.Typ != "" && verified.Typ != "jwt" {
		return nil, "", badStatement("the software statement is a token of another type")
	}
	if err := claims.check(hub, now); err != nil {
		return nil, "", err
	}
	o.overrule(said)
	merged := make(map[string]json.RawMessage, len(o.names))
	for _, name := range o.names {
		if value, there := o.values[name]; there {
			merged[name] = value
		}
	}
	out, err := json.Marshal(merged)
	return out, statement, err
}

// overrule puts what a statement says in place of what the request says, in whatever language either says it: of a name that the statement gives,
// no other language is the request's to add.
func (o *object) overrule(said object) {
	for _, name := range said.names {
		if slices.Contains(jwtClaims(), name) || name == memberStatement {
			continue
		}
		base, _, _ := strings.Cut(name, "#")
		for _, own := range o.names {
			if of, _, _ := strings.Cut(own, "#"); of == base && said.values[own] == nil {
				o.take(own)
			}
		}
		o.put(name, said.values[name])
	}
}

func (c statementClaims) check(hub string, now time.Time) error {
	if c.Issuer == "" {
		return badStatement("the software statement names no iss")
	}
	if !c.isFor(hub) {
		return badStatement("the software statement is for somebody else")
	}
	for _, t := range []*float64{c.Expires, c.NotBefore} {
		if t != nil && (*t < 0 || *t > 1<<40 || math.IsNaN(*t)) {
			return badStatement("a time of the software statement is out of range")
		}
	}
	if c.Expires != nil && !now.Before(at(*c.Expires).Add(skew)) || c.NotBefore != nil && at(*c.NotBefore).After(now.Add(skew)) {
		return badStatement("the software statement has expired, or is not valid yet")
	}
	return nil
}

// isFor says whether a statement names no audience, or the hub among others (RFC 7519 §4.1.3).
func (c statementClaims) isFor(hub string) bool {
	var one string
	var all []string
	switch {
	case c.Audience == nil:
		return true
	case json.Unmarshal(c.Audience, &one) == nil:
		return one == hub
	}
	return json.Unmarshal(c.Audience, &all) == nil && slices.Contains(all, hub)
}
