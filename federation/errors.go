package federation

// Reason is why a request about subjects or links was refused.
type Reason int

const (
	_ Reason = iota
	// SubjectUnknown: nobody in that sector has that name.
	SubjectUnknown
	// ServiceUnknown: no such service, or one that cannot be connected.
	ServiceUnknown
	// MoveForbidden: the link is in a state that does not allow the change.
	MoveForbidden
	// RequestMalformed: the body is not the JSON document it should be.
	RequestMalformed
	// MandateUnknown: no such mandate of this person, or the invitation is not, or no longer, to be had.
	MandateUnknown
	// MandateOwn: the one who would accept is the one who offered.
	MandateOwn
	// MandateNumber: the number is not the one that the representative was shown.
	MandateNumber
	// MandateTooMany: one of the two has as many as there may be.
	MandateTooMany
	// StreamUnknown: the client has no such stream.
	StreamUnknown
	// StreamExists: the client has a stream already.
	StreamExists
	// TooSoon: asked for again before it is time.
	TooSoon
	// CursorUnknown: the place in the history that the caller remembers is not in this history. One side was restored from a backup.
	CursorUnknown
)

// String returns the word used in API answers.
func (r Reason) String() string {
	switch r {
	case SubjectUnknown:
		return "subject_unknown"
	case ServiceUnknown:
		return "service_unknown"
	case MoveForbidden:
		return "link_state"
	case RequestMalformed:
		return "invalid_request"
	case MandateUnknown:
		return "mandate_unknown"
	case MandateOwn:
		return "mandate_own"
	case MandateNumber:
		return "mandate_number"
	case MandateTooMany:
		return "mandate_too_many"
	case StreamUnknown:
		return "stream_unknown"
	case StreamExists:
		return "stream_exists"
	case TooSoon:
		return "too_soon"
	case CursorUnknown:
		return "cursor_unknown"
	}
	return "unknown"
}

// Error is the one error type of this package. Everything else that comes out
// of it is a failure of the store.
type Error struct {
	Reason Reason
	Detail string // for developers; carries no personal data
}

func (e *Error) Error() string { return "federation: " + e.Reason.String() + ": " + e.Detail }
