package agency

import (
	"net/http"
	"time"
)

// Reason is why an office refused.
type Reason int

// The reasons.
const (
	_             Reason = iota
	InputMissing         // a field was empty or not of its form
	RecordUnknown        // no such number, or another birth date; which of the two is not told
	NumberTaken          // the record is somebody else's already
	AlreadyTied          // the person has another record
	TooMany              // too many tries
	PersonChanged        // the form was shown to somebody else than is signed in now
	CaseUnknown          // there is no such application, or nothing of the kind to ask about it
	NotStaff             // the desk is for staff
	CodeWrong            // an invitation that is not good, or not any more
	OwnCase              // nobody works on an application of her own
)

// String is the word for data-error.
func (r Reason) String() string {
	switch r {
	case InputMissing:
		return "input_missing"
	case RecordUnknown:
		return "record_unknown"
	case NumberTaken:
		return "number_taken"
	case AlreadyTied:
		return "already_tied"
	case TooMany:
		return "too_many"
	case PersonChanged:
		return "person_changed"
	case CaseUnknown:
		return "case_unknown"
	case NotStaff:
		return "not_staff"
	case CodeWrong:
		return "code_wrong"
	case OwnCase:
		return "own_case"
	}
	return "unknown"
}

func (r Reason) status() int {
	switch r {
	case TooMany:
		return http.StatusTooManyRequests
	case CaseUnknown:
		return http.StatusNotFound
	case NotStaff, OwnCase:
		return http.StatusForbidden
	case InputMissing, RecordUnknown, NumberTaken, AlreadyTied, PersonChanged, CodeWrong:
		return http.StatusUnprocessableEntity
	}
	return http.StatusInternalServerError
}

// Error is every refusal of this package.
type Error struct {
	Reason Reason
	Wait   time.Duration // TooMany: until the next try
}

// Error is for logs.
func (e *Error) Error() string { return "agency: " + e.Reason.String() }
