package jlis

import "errors"

// Reason says why a question has no answer.
type Reason int

// The closed set of reasons.
const (
	_           Reason = iota
	Unavailable        // the authority did not answer, or failed: ask later
	None               // the authority knows of none
	Refused            // the authority will not tell us
	Untrusted          // what came is not an answer to this question
)

// String returns the reason's word, for logs and metrics.
func (r Reason) String() string {
	switch r {
	case Unavailable:
		return "unavailable"
	case None:
		return "none"
	case Refused:
		return "refused"
	case Untrusted:
		return "untrusted"
	}
	return "unknown"
}

// Error is a question without an answer. It names no certificate and no person.
type Error struct {
	Reason Reason
	Detail string // for operators
	Err    error
}

// Error describes the failure for a log.
func (e *Error) Error() string {
	s := "linkage: " + e.Reason.String()
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether err is a question without an answer for this reason.
func Is(err error, r Reason) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Reason == r
}
