package rp

import "net/http"

// Reason is why a login or a call did not succeed.
type Reason int

// The reasons. Their words stand in data-error on the page.
const (
	_                 Reason = iota
	HubUnreachable           // no answer, or the hub says that it cannot just now
	HubRefused               // an answer that says we asked for something wrong
	AccessDenied             // the person stopped, or shared nothing
	FlowExpired              // no login in progress has this state: too late, or used already
	OtherBrowser             // started in another browser
	ResponseMalformed        // a callback that no hub sends
	IssuerMismatch           // answered by another hub (RFC 9207)
	TokenInvalid             // the ID token does not prove what it must
	IssuerForeign            // asked to start a login at a hub that is not ours
	TargetForeign            // asked to end a login at an address that is not ours
	SignedOut                // no session, or its tokens are no longer good
)

// String is the word for data-error.
func (r Reason) String() string {
	switch r {
	case HubUnreachable:
		return "hub_unreachable"
	case HubRefused:
		return "hub_refused"
	case AccessDenied:
		return "access_denied"
	case FlowExpired:
		return "login_expired"
	case OtherBrowser:
		return "other_browser"
	case ResponseMalformed:
		return "response_malformed"
	case IssuerMismatch:
		return "issuer_mismatch"
	case TokenInvalid:
		return "token_invalid"
	case IssuerForeign:
		return "issuer_foreign"
	case TargetForeign:
		return "target_foreign"
	case SignedOut:
		return "signed_out"
	}
	return "unknown"
}

func (r Reason) status() int {
	switch r {
	case HubUnreachable:
		return http.StatusServiceUnavailable
	case HubRefused, TokenInvalid, IssuerMismatch:
		return http.StatusBadGateway
	case AccessDenied, OtherBrowser, IssuerForeign, TargetForeign:
		return http.StatusForbidden
	case FlowExpired, ResponseMalformed:
		return http.StatusBadRequest
	case SignedOut:
		return http.StatusUnauthorized
	}
	return http.StatusInternalServerError
}

// Error is every refusal of this package.
type Error struct {
	Reason Reason
	Code   string // what the hub called it: an OAuth error code or one of its API
	Word   string // why, in a word of the hub's own, where the code says too little; may be empty
	Detail string // operators only
	Err    error
}

// Error is for logs; it holds no token and nothing personal.
func (e *Error) Error() string {
	text := "rp: " + e.Reason.String()
	if e.Code != "" {
		text += " (" + e.Code + ")"
	}
	if e.Word != "" {
		text += " " + e.Word
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
