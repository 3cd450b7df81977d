package exchange

// Reason is why something was refused.
type Reason int

// The closed set of reasons. Those from NoBasis to UnknownSubject are what Judge says of a request, in the order in which it looks.
const (
	_               Reason = iota
	NoBasis                // the requester has no basis of that name
	BasisNotInForce        // not yet approved, or not yet in force
	BasisExpired           // the approval of the set or the basis itself has ended, or a newer set is without it
	WrongPurpose           // the basis is for another procedure
	WrongProvider          // the basis names another office than the one that serves the resource, or nobody serves it
	WrongItem              // the basis is for another item
	UnknownSubject         // nobody has that name at the requester's

	Malformed       // of what came from outside
	UnknownExchange // no such exchange, or not the caller's
	Settled         // the provider said something else before

	NotAnOffice // the client is not registered as an office

	UnknownSet   // no set has that version
	SamePerson   // who proposed a set does not approve it
	SetApproved  // it was approved before
	PeriodBad    // ends before it begins, is over, or is longer than two years
	OperatorName // not a name for a person in this register
)

// String is the word that answers and records carry.
func (r Reason) String() string {
	switch r {
	case NoBasis:
		return "no_basis"
	case BasisNotInForce:
		return "basis_not_in_force"
	case BasisExpired:
		return "basis_expired"
	case WrongPurpose:
		return "wrong_purpose"
	case WrongProvider:
		return "wrong_provider"
	case WrongItem:
		return "wrong_item"
	case UnknownSubject:
		return "unknown_subject"
	case Malformed:
		return "invalid_request"
	case UnknownExchange:
		return "exchange_unknown"
	case Settled:
		return "exchange_settled"
	case NotAnOffice:
		return "not_an_agency"
	case UnknownSet:
		return "set_unknown"
	case SamePerson:
		return "same_person"
	case SetApproved:
		return "set_approved"
	case PeriodBad:
		return "period_invalid"
	case OperatorName:
		return "name_invalid"
	}
	return "unknown"
}

// Error is the one error type of this package beside *FileError. Everything else that comes out of it is a failure of the store.
type Error struct {
	Reason Reason
	Detail string // for developers and operators; carries no personal data
	ID     string // of the record that was written of a refusal, or empty
}

func (e *Error) Error() string { return "exchange: " + e.Reason.String() + ": " + e.Detail }

func malformed(detail string) error { return &Error{Reason: Malformed, Detail: detail} }
