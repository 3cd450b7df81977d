package idp

import (
	"fmt"
	"net/http"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/idp/passkey"
)

// Reason says why something is shown to the citizen instead of being redirected. Its text is the page's data-error.
type Reason int

// The closed set of reasons.
const (
	_ Reason = iota
	UnknownClient
	RedirectMismatch
	RequestExpired // a request_uri that is unknown, expired or used up
	LoginExpired
	BadRequest
	OtherBrowser
	ReturnUsed
	ReturnUnknown
	CookiesOff
	TooMany
	QRExpired    // a QR code that is old, of a login that is over, or none of ours
	QRUsed       // a QR code that another phone read before
	QRLinked     // a QR code's address that another site's page led to
	QRSameDevice // a QR code read in the very browser that shows it
	CodeWrong    // a user code (RFC 8628) that no device shows
	CodeExpired  // a user code whose time is over
	CodeUsed     // a user code that was decided on, or typed in another browser
	LogoutInvalid
	NotFound
	MethodNotAllowed
	Internal
)

// String is the word that pages carry in data-error and messages use as key.
func (r Reason) String() string {
	switch r {
	case UnknownClient:
		return "unknown_client"
	case RedirectMismatch:
		return "redirect_uri_mismatch"
	case RequestExpired:
		return "request_expired"
	case LoginExpired:
		return "login_expired"
	case BadRequest:
		return "invalid_request"
	case OtherBrowser:
		return "other_browser"
	case ReturnUsed:
		return "return_used"
	case ReturnUnknown:
		return "return_unknown"
	case CookiesOff:
		return "cookies_off"
	case TooMany:
		return "too_many"
	case QRExpired:
		return "qr_expired"
	case QRUsed:
		return "qr_used"
	case QRLinked:
		return "qr_linked"
	case QRSameDevice:
		return "qr_same_device"
	case CodeWrong:
		return "code_wrong"
	case CodeExpired:
		return "code_expired"
	case CodeUsed:
		return "code_used"
	case LogoutInvalid:
		return "logout_invalid"
	case NotFound:
		return "not_found"
	case MethodNotAllowed:
		return "method_not_allowed"
	case Internal:
		return "internal"
	}
	return "internal"
}

// status is the HTTP status of the page.
func (r Reason) status() int {
	switch r {
	case UnknownClient, RedirectMismatch, RequestExpired, BadRequest, CookiesOff, LogoutInvalid:
		return http.StatusBadRequest
	case CodeWrong:
		return http.StatusUnprocessableEntity
	case LoginExpired, ReturnUsed, ReturnUnknown, QRExpired, QRUsed, CodeExpired, CodeUsed:
		return http.StatusGone
	case OtherBrowser, QRLinked, QRSameDevice:
		return http.StatusForbidden
	case TooMany:
		return http.StatusTooManyRequests
	case NotFound:
		return http.StatusNotFound
	case MethodNotAllowed:
		return http.StatusMethodNotAllowed
	case Internal:
		return http.StatusInternalServerError
	}
	return http.StatusInternalServerError
}

// Error is a refusal that is shown to the citizen: nothing may be redirected, or there is nobody to redirect to.
type Error struct {
	Reason Reason
	Detail string // operators only, never shown
	Client string
	Err    error
	Member string // of the client's metadata, that it comes of; mostly empty
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Reason, e.Detail, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Reason, e.Detail)
}

func (e *Error) Unwrap() error { return e.Err }

// oauthError is a refusal in the protocol's own words: JSON at machine endpoints, a redirect at the authorization endpoint.
type oauthError struct {
	code        string // RFC 6749 §4.1.2.1 and §5.2, OIDC Core §3.1.2.6
	description string // short English ASCII, for developers
	status      int    // 0: 400
	reason      string // a word of our own beside code, for an office whose exchange was refused; mostly empty
	exchange    string // the record that was written of it
	member      string // of the client's metadata, that it comes of: with another value there the request would be fine; mostly empty
	err         error  // for the log
}

func (e *oauthError) Error() string {
	if e.err != nil {
		return e.code + ": " + e.description + ": " + e.err.Error()
	}
	return e.code + ": " + e.description
}

func (e *oauthError) Unwrap() error { return e.err }

func (e *oauthError) httpStatus() int {
	if e.status == 0 {
		return http.StatusBadRequest
	}
	return e.status
}

// of names the member of the client's metadata that a refusal comes of.
func (e *oauthError) of(member string) *oauthError {
	e.member = member
	return e
}

func invalidRequest(description string) *oauthError {
	return &oauthError{code: "invalid_request", description: description}
}

// codeOf is the error a client is told when prompt=none cannot be satisfied, or the login ended without success.
func codeOf(w Why) *oauthError {
	switch w {
	case NoSession, PromptLogin, MaxAgeExceeded, ACRTooLow, OtherPerson, DeviceUnconfirmed, CardUnsure, CardAlways, LimitReached:
		return &oauthError{code: "login_required", description: "the citizen must sign in"}
	case CapacityMissing:
		return &oauthError{code: "interaction_required", description: "the citizen must say for whom she acts"}
	case SignatureMissing:
		return &oauthError{code: "interaction_required", description: "the citizen must sign first"}
	case FolderMissing:
		return &oauthError{code: "interaction_required", description: "the citizen must open a folder first"}
	case ConsentMissing, PromptConsent, Unconfirmed:
		return &oauthError{code: "consent_required", description: "the citizen must agree first"}
	case SelectAccount: // prompt=none cannot be combined with it
		return &oauthError{code: "account_selection_required", description: "the citizen must choose a card"}
	case ACRUnmet: // OpenID Connect Core Error Code unmet_authentication_requirements 1.0 §2
		return &oauthError{code: "unmet_authentication_requirements", description: "the acr that was asked for cannot be reached"}
	case AlreadyOver:
		return &oauthError{code: "access_denied", description: "the sign-in was ended"}
	case Satisfied:
	}
	return &oauthError{code: "server_error", description: "unexpected state"}
}

// cardStatus is the HTTP status of a refused card response.
func cardStatus(r cardauth.Reason) int {
	switch r {
	case cardauth.Malformed:
		return http.StatusBadRequest
	case cardauth.ChallengeUnknown, cardauth.ChallengeExpired, cardauth.ChallengeSpent:
		return http.StatusGone
	case cardauth.RevocationUnavailable:
		return http.StatusServiceUnavailable
	case cardauth.ChallengeMismatch, cardauth.ClaimMismatch, cardauth.DocumentMismatch, cardauth.SignatureInvalid, cardauth.CertificateMalformed,
		cardauth.CertificateIsCA, cardauth.CertificateForSigning, cardauth.CertificateForLogin, cardauth.CertificateProfile, cardauth.CertificateUntrusted,
		cardauth.CertificateNotYetValid, cardauth.CertificateExpired, cardauth.CertificateRevoked:
		return http.StatusForbidden
	}
	return http.StatusForbidden
}

// passkeyStatus is the HTTP status of a refused passkey.
func passkeyStatus(r passkey.Reason) int {
	switch r {
	case passkey.Malformed:
		return http.StatusBadRequest
	case passkey.ChallengeSpent:
		return http.StatusGone
	case passkey.AlreadyThere, passkey.TooMany:
		return http.StatusConflict
	case passkey.CardUnconfirmed:
		return http.StatusServiceUnavailable
	case passkey.TypeMismatch, passkey.ChallengeMismatch, passkey.OriginMismatch, passkey.PartyMismatch, passkey.UserNotVerified,
		passkey.FlagsInvalid, passkey.KeyRefused, passkey.SignatureInvalid, passkey.OwnerMismatch, passkey.Cloned, passkey.Unknown,
		passkey.NoCard, passkey.CardRequired:
		return http.StatusForbidden
	}
	return http.StatusForbidden
}

// passkeyAgain says whether the same passkey may do at another try.
func passkeyAgain(r passkey.Reason) bool {
	switch r {
	case passkey.Malformed, passkey.ChallengeSpent, passkey.UserNotVerified, passkey.CardUnconfirmed, passkey.Unknown:
		return true
	case passkey.TypeMismatch, passkey.ChallengeMismatch, passkey.OriginMismatch, passkey.PartyMismatch, passkey.FlagsInvalid,
		passkey.KeyRefused, passkey.SignatureInvalid, passkey.OwnerMismatch, passkey.Cloned, passkey.AlreadyThere, passkey.TooMany, passkey.NoCard, passkey.CardRequired:
	}
	return false
}

// passkeyAtLogin says whether a passkey can be refused for the reason at a login; every other is of registering one.
func passkeyAtLogin(r passkey.Reason) bool {
	switch r {
	case passkey.KeyRefused, passkey.AlreadyThere, passkey.TooMany:
		return false
	case passkey.Malformed, passkey.TypeMismatch, passkey.ChallengeMismatch, passkey.OriginMismatch, passkey.PartyMismatch,
		passkey.UserNotVerified, passkey.FlagsInvalid, passkey.SignatureInvalid, passkey.OwnerMismatch, passkey.Cloned,
		passkey.ChallengeSpent, passkey.Unknown, passkey.NoCard, passkey.CardRequired, passkey.CardUnconfirmed:
	}
	return true
}

// passkeyAtRegistration is the same of registering.
func passkeyAtRegistration(r passkey.Reason) bool {
	switch r {
	case passkey.Cloned, passkey.Unknown, passkey.NoCard, passkey.CardRequired, passkey.CardUnconfirmed:
		return false
	case passkey.Malformed, passkey.TypeMismatch, passkey.ChallengeMismatch, passkey.OriginMismatch, passkey.PartyMismatch,
		passkey.UserNotVerified, passkey.FlagsInvalid, passkey.KeyRefused, passkey.SignatureInvalid, passkey.OwnerMismatch,
		passkey.ChallengeSpent, passkey.AlreadyThere, passkey.TooMany:
	}
	return true
}
