package idp

import (
	"errors"
	"net/http"
	"strings"

	"github.com/ory/fosite"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

// engineOAuthError turns an engine error into one of ours: an RFC code with a fixed description. The engine's own texts quote the
// request and are for the log only.
func engineOAuthError(err error) error {
	if errors.Is(err, errWrongKey) {
		return &oauthError{code: "invalid_dpop_proof", description: "the code or token is bound to another key", err: err}
	}
	var own *oauthError
	if errors.As(err, &own) { // of a handler or strategy of ours
		return own
	}
	var e *fosite.RFC6749Error
	if !errors.As(err, &e) {
		return err
	}
	out := &oauthError{err: err}
	switch e.ErrorField {
	case "invalid_request", "insufficient_entropy", "invalid_state":
		out.code, out.description = "invalid_request", "the request is malformed"
	case "invalid_grant", "token_inactive", "invalid_token", "not_found":
		out.code, out.description = "invalid_grant", "the code or refresh token is unknown, expired, used or not this client's"
	case "invalid_scope", "scope_not_granted":
		out.code, out.description = "invalid_scope", "a scope was not granted"
	case "invalid_client":
		out.code, out.description, out.status = "invalid_client", "client authentication failed", http.StatusUnauthorized
	case "unauthorized_client":
		out.code, out.description = "unauthorized_client", "the client is not registered for this grant"
	case "unsupported_response_type":
		out.code, out.description = "unsupported_response_type", "only response_type code is supported"
	case "login_required", "consent_required", "interaction_required":
		out.code, out.description = e.ErrorField, "the citizen must take part"
	case "temporarily_unavailable":
		out.code, out.description, out.status = "temporarily_unavailable", "try again later", http.StatusServiceUnavailable
	default:
		return err
	}
	return out
}

// storeOutcome maps what flush can return: somebody else was first.
func storeOutcome(err error) error {
	if errors.Is(err, errReplay) || errors.Is(err, ephemeral.ErrExists) {
		return &oauthError{code: "invalid_grant", description: "the code or refresh token was used already", err: err}
	}
	return err
}

func splitScope(s string) []string { return strings.Split(s, " ") }

func scopeText(scopes []string) string { return strings.Join(scopes, " ") }
