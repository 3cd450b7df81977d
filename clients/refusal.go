package clients

import (
	"errors"
	"strconv"
)

// ChangeReason says why a change of the registry was refused.
type ChangeReason int

// The reasons. Faults of what was written are not among them: they are *FieldErrors.
const (
	_          ChangeReason = iota
	NotFound                // no such client, draft, version, secret or organisation
	SamePerson              // whoever had a hand in a draft cannot decide about it
	Conflict                // somebody changed it meanwhile
	WrongState              // not possible in the state that it is in
)

// String returns the reason as one lower-case word.
func (r ChangeReason) String() string {
	switch r {
	case NotFound:
		return "not_found"
	case SamePerson:
		return "same_person"
	case Conflict:
		return "conflict"
	case WrongState:
		return "wrong_state"
	}
	return "reason_" + strconv.Itoa(int(r))
}

// ChangeError is a change of the registry that was refused; nothing was stored. Any other error but *FieldErrors is the hub's own trouble.
type ChangeError struct {
	Reason ChangeReason
	Detail string // English, for operators: why, and what to do next
	// Current is the draft as it is, with reason Conflict; nil if there is none any more.
	Current *Draft
}

// Error returns reason and detail.
func (e *ChangeError) Error() string { return e.Reason.String() + ": " + e.Detail }

func notFound(what string) error { return &ChangeError{Reason: NotFound, Detail: what} }

func wrongState(detail string) error { return &ChangeError{Reason: WrongState, Detail: detail} }

func isNotFound(err error) bool {
	e, ok := errors.AsType[*ChangeError](err)
	return ok && e.Reason == NotFound
}
