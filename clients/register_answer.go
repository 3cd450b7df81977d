package clients

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/keys"
)

// registrationError is a refusal of the registration endpoints (RFC 7591 §3.2.2, RFC
// 6750 §3). The description is ours, ASCII, and repeats nothing of the request.
type registrationError struct {
	status      int
	code        string
	description string
	challenge   bool          // with WWW-Authenticate
	after       time.Duration // with Retry-After, if not zero
}

func (e *registrationError) Error() string {
	return "registration: " + e.code + ": " + e.description
}

// unauthorized is RFC 6750 §3.1: no code for a request without a token.
func unauthorized(given bool) error {
	e := &registrationError{status: http.StatusUnauthorized, challenge: true}
	if given {
		e.code, e.description = "invalid_token", "the token is unknown, expired or not for this client"
	}
	return e
}

// The error codes of RFC 7591 §3.2.2.
const (
	codeRedirect    = "invalid_redirect_uri"
	codeMetadata    = "invalid_client_metadata"
	codeStatement   = "invalid_software_statement"
	codeUnapproved  = "unapproved_software_statement"
	statementLength = 3 // parts of a JWS
)

// asFaults returns the faults behind an error.
func asFaults(err error) (*FieldErrors, bool) { return errors.AsType[*FieldErrors](err) }

// refusedMetadata turns faults of a request, and what became of it meanwhile, into
// an answer. Any other error stays what it is.
func refusedMetadata(m *Metadata, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, errRegistrationGone) {
		return unauthorized(true)
	}
	if errors.Is(err, errTooMany) {
		return &registrationError{status: http.StatusForbidden, code: "access_denied", description: "as many clients are registered as this token may register"}
	}
	faults, ok := asFaults(err)
	if !ok {
		return err
	}
	code := codeMetadata
	if m.redirectsRefused() && strings.Contains(faults.fieldNames(), "redirect_uris") {
		code = codeRedirect
	}
	return &registrationError{status: http.StatusBadRequest, code: code, description: "refused: " + faults.fieldNames()}
}

// readRegistration reads a request body.
func (g *Registrar) readRegistration(r *http.Request, p Policy) (registrationRequest, error) {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return registrationRequest{}, &registrationError{status: http.StatusBadRequest, code: codeMetadata, description: "the body is not application/json"}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxMetadata+1))
	if err != nil || len(body) > MaxMetadata {
		return registrationRequest{}, &registrationError{status: http.StatusRequestEntityTooLarge, code: codeMetadata, description: "the body is larger than 64 KiB"}
	}
	body, statement, err := p.withStatement(body, g.d.Issuer, g.d.Registry.d.Now())
	if err != nil {
		return registrationRequest{}, err
	}
	request, err := parseRegistration(body)
	if err != nil {
		return registrationRequest{}, refusedMetadata(&request.m, err)
	}
	request.statement = statement
	return request, nil
}

// answering writes what h returns.
func (g *Registrar) answering(h echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		header := c.Response().Header()
		allowAnyOrigin(header)
		header.Set("Cache-Control", "no-store")
		header.Set("Pragma", "no-cache")
		err := h(c)
		refused, ok := errors.AsType[*registrationError](err)
		if err != nil && !ok {
			g.d.Refuse(c.Response(), c.Request(), err)
			return nil
		}
		if ok {
			refused.write(c)
		}
		return nil
	}
}

// write ignores that the caller may have gone.
func (e *registrationError) write(c echo.Context) {
	header := c.Response().Header()
	if e.challenge {
		value := `Bearer realm="tsunagu"`
		if e.code != "" {
			value += `, error="` + e.code + `"`
		}
		header.Set("WWW-Authenticate", value)
	}
	if e.after > 0 {
		header.Set("Retry-After", strconv.FormatInt(int64(math.Ceil(e.after.Seconds())), 10))
	}
	body := map[string]string{}
	if e.code != "" {
		body["error"], body["error_description"] = e.code, e.description
	}
	writeJSON(c, e.status, body)
}

// answer writes the client information response (RFC 7591 §3.2.1, RFC 7592 §3). The
// registration access token is the one the client has: it is drawn once and never
// changes. The secret is known only at the moment it is drawn, and when the client
// just sent it.
func (g *Registrar) answer(c echo.Context, status int, client *Client, row registrationRow, token keys.Secret, secret *keys.Secret) error {
	out := registered(client)
	out["client_id_issued_at"] = row.created.Unix()
	out["registration_access_token"] = string(token.Reveal())
	if row.statement != "" { // unmodified (RFC 7591 §3.2.1)
		out[memberStatement] = row.statement
	}
	out["registration_client_uri"] = g.d.Issuer + "/register/" + string(client.ID())
	if secret != nil {
		out[memberSecret] = string(secret.Reveal())
		out["client_secret_expires_at"] = 0 // never
	}
	writeJSON(c, status, out)
	return nil
}

func writeJSON(c echo.Context, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil { // a bug: every value is made of strings, numbers and checked JSON
		status, b = http.StatusInternalServerError, []byte(`{"error":"server_error"}`)
	}
	_ = c.Blob(status, "application/json", b)
}
