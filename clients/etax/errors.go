package etax

import "time"

// Reason is why this service refused.
type Reason int

// The reasons.
const (
	_             Reason = iota
	InputMissing         // a field was empty or not of its form
	WrongPassword        // no such number, or another password; which of the two is not told
	NumberTaken          // the account is tied to somebody else
	AlreadyBound         // the person is tied to another account
	TooMany              // too many tries
	Busy                 // too many passwords are being checked
	PersonChanged        // the form was shown to somebody else than is signed in now

	ReturnUnknown    // there is no such return of this account
	SignatureInvalid // a signature that is not one, or is for something else
	SignerUntrusted  // the certificate is not of an authority for signatures
	SignerExpired    // the certificate was not valid when it signed
	DocumentOther    // what was signed is not the document that is here now
	SignatureGone    // the hub has no signature to give

	OnlyHerself // nobody can do it for the taxpayer
)

// String is the word for data-error.
func (r Reason) String() string {
	switch r {
	case InputMissing:
		return "input_missing"
	case WrongPassword:
		return "wrong_password"
	case NumberTaken:
		return "number_taken"
	case AlreadyBound:
		return "already_bound"
	case TooMany:
		return "too_many"
	case Busy:
		return "busy"
	case PersonChanged:
		return "person_changed"
	case ReturnUnknown:
		return "return_unknown"
	case SignatureInvalid:
		return "signature_invalid"
	case SignerUntrusted:
		return "signer_untrusted"
	case SignerExpired:
		return "signer_expired"
	case DocumentOther:
		return "document_other"
	case SignatureGone:
		return "signature_gone"
	case OnlyHerself:
		return "only_herself"
	}
	return "unknown"
}

// Error is every refusal of this package.
type Error struct {
	Reason Reason
	Wait   time.Duration // TooMany: until the next try
	Err    error
}

// Error is for logs.
func (e *Error) Error() string {
	if e.Err != nil {
		return "etax: " + e.Reason.String() + ": " + e.Err.Error()
	}
	return "etax: " + e.Reason.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
