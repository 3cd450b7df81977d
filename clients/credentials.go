package clients

import (
	"crypto/x509"
	"encoding/base64"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tsunagu-id/tsunagu/keys"
)

// Bounds of what is looked at, in bytes.
const (
	maxSecret    = 256
	maxBasic     = 2048
	maxAssertion = keys.MaxToken
)

// assertionType is the only client_assertion_type (RFC 7523 §2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Credentials are what a request says about the client that sent it. Nothing in
// them is believed; see Registry.Authenticate. They print without the secret.
type Credentials struct {
	id     ID
	method Method
	// proof is the secret or the assertion, which is as good as one until it expires.
	proof keys.Secret
	// chain is what the client showed in the TLS handshake, its own certificate first.
	chain []*x509.Certificate
}

// ClientID returns the id that the request claims; empty if it named none.
func (c Credentials) ClientID() string { return string(c.id) }

// Method returns how the request authenticates.
func (c Credentials) Method() Method { return c.method }

// IssuedAt returns what an assertion says of when it was made, unverified, and whether it says so.
func (c Credentials) IssuedAt() (time.Time, bool) {
	if c.method != PrivateKeyJWT {
		return time.Time{}, false
	}
	claims, err := unverifiedClaims(string(c.proof.Reveal()))
	if err != nil || claims.IssuedAt == nil || !(*claims.IssuedAt > 0 && *claims.IssuedAt < math.MaxInt32) {
		return time.Time{}, false
	}
	return time.Unix(int64(*claims.IssuedAt), 0), true
}

// ParseCredentials reads the Authorization header and the body parameters
// client_id, client_secret, client_assertion and client_assertion_type. It never
// looks at a query string: form must be that of the body (http.Request.PostForm).
// Exactly one method must be used (RFC 6749 §2.3), and every place that names the
// client must name the same one. An empty parameter counts as left out (RFC 6749
// §3.1). The error is an *Error.
func ParseCredentials(h http.Header, form url.Values) (Credentials, error) {
	for _, name := range []string{"client_id", "client_secret", "client_assertion", "client_assertion_type"} {
		if len(form[name]) > 1 {
			return Credentials{}, &Error{Reason: Malformed, Detail: name + " appears twice"}
		}
	}
	var found []Credentials
	if values := h.Values("Authorization"); len(values) > 0 {
		basic, err := parseBasic(values)
		if err != nil {
			return Credentials{}, err
		}
		found = append(found, basic)
	}
	if secret := form.Get("client_secret"); secret != "" {
		found = append(found, Credentials{method: SecretPost, proof: keys.NewSecret([]byte(secret))})
	}
	if form.Get("client_assertion") != "" || form.Get("client_assertion_type") != "" {
		assertion, err := parseAssertion(form)
		if err != nil {
			return Credentials{}, err
		}
		found = append(found, assertion)
	}
	if len(found) > 1 {
		return Credentials{}, &Error{Reason: MultipleMethods, Detail: "the request authenticates in two ways"}
	}
	out := Credentials{method: None}
	if len(found) == 1 {
		out = found[0]
	}
	return out.named(form.Get("client_id"))
}

// named joins the client_id of the body with the one the method carries.
func (c Credentials) named(body string) (Credentials, error) {
	switch {
	case c.id == "" && body == "":
		return Credentials{}, &Error{Reason: NoCredentials, Detail: "the request names no client"}
	case body == "":
		return c, nil
	}
	id, err := ParseID(body)
	if err != nil {
		return Credentials{}, &Error{Reason: Malformed, Detail: err.Error()}
	}
	if c.id != "" && c.id != id {
		return Credentials{}, &Error{Reason: ClientMismatch, Client: c.id, Detail: "client_id names another client than the credentials"}
	}
	c.id = id
	return c, nil
}

// parseBasic reads HTTP Basic as RFC 6749 §2.3.1 wants it: id and secret are
// form-encoded before they are joined.
func parseBasic(values []string) (Credentials, error) {
	malformed := func(detail string) (Credentials, error) {
		return Credentials{}, &Error{Reason: Malformed, Detail: detail}
	}
	if len(values) > 1 {
		return malformed("the Authorization header appears twice")
	}
	scheme, encoded, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Basic") {
		return malformed("the Authorization header is not Basic")
	}
	if len(encoded) > maxBasic {
		return malformed("the Authorization header is too long")
	}
	joined, err := base64.StdEncoding.Strict().DecodeString(strings.TrimLeft(encoded, " "))
	if err != nil || strings.ContainsAny(encoded, "\r\n") {
		return malformed("the Authorization header is not base64")
	}
	first, second, ok := strings.Cut(string(joined), ":")
	if !ok {
		return malformed("the Authorization header has no colon")
	}
	name, err := url.QueryUnescape(first)
	if err != nil {
		return malformed("the client id is not form-encoded")
	}
	secret, err := url.QueryUnescape(second)
	if err != nil || !utf8.ValidString(secret) {
		return malformed("the client secret is not form-encoded")
	}
	id, err := ParseID(name)
	if err != nil {
		return malformed(err.Error())
	}
	return Credentials{id: id, method: SecretBasic, proof: keys.NewSecret([]byte(secret))}, nil
}

// parseAssertion reads the parameters of RFC 7523 §2.2 and, unbelieved, the name
// of the client out of the assertion: client_id is optional beside it.
func parseAssertion(form url.Values) (Credentials, error) {
	if form.Get("client_assertion_type") != assertionType {
		return Credentials{}, &Error{Reason: Malformed, Detail: "client_assertion_type is not " + assertionType}
	}
	assertion := form.Get("client_assertion")
	if assertion == "" || len(assertion) > maxAssertion {
		return Credentials{}, &Error{Reason: Malformed, Detail: "client_assertion is missing or too long"}
	}
	id, err := unverifiedIssuer(assertion)
	if err != nil {
		return Credentials{}, &Error{Reason: Malformed, Detail: "client_assertion names no client"}
	}
	return Credentials{id: id, method: PrivateKeyJWT, proof: keys.NewSecret([]byte(assertion))}, nil
}
