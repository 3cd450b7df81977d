package clients

import (
	"errors"
	"strconv"
)

// ErrUnknown means that no client has the id.
var ErrUnknown = errors.New("client is not registered")

// ErrSuspended means that the client is registered but may not ask for anything.
var ErrSuspended = errors.New("client is suspended")

// Reason says why a client was not believed.
type Reason int

// The reasons for a refusal. To the client those of a request object are
// invalid_request_object (RFC 9101 §7), all others invalid_client (RFC 6749 §5.2).
const (
	_                     Reason = iota
	Malformed                    // the credentials cannot be read
	NoCredentials                // the request names no client
	MultipleMethods              // more than one method in one request (RFC 6749 §2.3)
	ClientMismatch               // two places of the request name different clients
	UnknownClient                // not registered
	SuspendedClient              // registered, but suspended
	MethodMismatch               // not the method the client registered
	BadSecret                    // not the client's secret
	BadAssertion                 // signature, key, algorithm or a claim of the assertion
	AssertionExpired             // expired, or not yet valid
	AssertionReplayed            // its jti was used before
	BadCertificate               // not the client's certificate, or one that is no longer or not yet good
	KeysUnavailable              // the client's jwks_uri does not answer with usable keys
	BadRequestObject             // signature, key, algorithm or a claim of a request object
	RequestObjectReplayed        // its jti was pushed before
)

// String returns the reason as one lower-case word.
func (r Reason) String() string {
	switch r {
	case Malformed:
		return "credentials_malformed"
	case NoCredentials:
		return "credentials_missing"
	case MultipleMethods:
		return "multiple_methods"
	case ClientMismatch:
		return "client_mismatch"
	case UnknownClient:
		return "client_unknown"
	case SuspendedClient:
		return "client_suspended"
	case MethodMismatch:
		return "method_mismatch"
	case BadSecret:
		return "secret_wrong"
	case BadAssertion:
		return "assertion_invalid"
	case AssertionExpired:
		return "assertion_expired"
	case AssertionReplayed:
		return "assertion_replayed"
	case BadCertificate:
		return "certificate_invalid"
	case KeysUnavailable:
		return "keys_unavailable"
	case BadRequestObject:
		return "request_object_invalid"
	case RequestObjectReplayed:
		return "request_object_replayed"
	}
	return "reason_" + strconv.Itoa(int(r))
}

// Error is a client that was not believed. Any other error of ParseCredentials
// and Authenticate is the hub's own trouble.
type Error struct {
	Reason Reason
	Client ID     // as claimed; empty if the request named none that can be an id
	Detail string // for operators and developers; never a secret
	Err    error  // cause, may be nil
	Member string // of the metadata, that it comes of; empty where it comes of none, or of several
}

// Error returns reason, client and detail.
func (e *Error) Error() string {
	text := e.Reason.String()
	if e.Registered() {
		text += " (client " + string(e.Client) + ")"
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Registered reports whether Client is the id of a client there is. Any other may be a secret that was put into the wrong field, and
// must not be written down.
func (e *Error) Registered() bool {
	switch e.Reason {
	case SuspendedClient, MethodMismatch, BadSecret, BadAssertion, AssertionExpired, AssertionReplayed, KeysUnavailable, BadCertificate,
		BadRequestObject, RequestObjectReplayed:
		return e.Client != ""
	case Malformed, NoCredentials, MultipleMethods, ClientMismatch, UnknownClient:
	}
	return false
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
