// Package errorsx holds the names of github.com/ory/x/errorsx that fosite v0.49.0 uses.
package errorsx

import "errors"

// StatusCodeCarrier is an error with an HTTP status code.
type StatusCodeCarrier interface{ StatusCode() int }

// RequestIDCarrier is an error with a request id.
type RequestIDCarrier interface{ RequestID() string }

// ReasonCarrier is an error with a reason.
type ReasonCarrier interface{ Reason() string }

// DebugCarrier is an error with debug information.
type DebugCarrier interface{ Debug() string }

// StatusCarrier is an error with a status text.
type StatusCarrier interface{ Status() string }

// WithStack returns err itself. The original captures the call stack, several times in every successful token request; we map
// errors to outcomes in one place and never print a stack.
func WithStack(err error) error { return err }

// Cause returns the innermost error of the chain.
func Cause(err error) error {
	for err != nil {
		inner := errors.Unwrap(err)
		if inner == nil {
			if c, ok := err.(interface{ Cause() error }); ok && c.Cause() != nil {
				inner = c.Cause()
			}
		}
		if inner == nil {
			return err
		}
		err = inner
	}
	return nil
}
