package keys

import "strconv"

// Reason says why a token, a key or a sealed value was refused.
type Reason int

// The reasons for a refusal.
const (
	_                Reason = iota
	Malformed               // not a compact JWS, not a JWK set, or too large
	AlgRefused              // the header names an algorithm the caller did not allow
	TypRefused              // the header names another kind of token
	KeyUnknown              // no key has the id the header names
	KeyRefused              // a key that must not be trusted: weak, private, symmetric, off its curve
	SignatureInvalid        // the signature is not by that key over those bytes
	SealBroken              // sealed under another key, for another purpose, or altered
)

// String returns the reason as one lower-case word.
func (r Reason) String() string {
	switch r {
	case Malformed:
		return "malformed"
	case AlgRefused:
		return "alg_refused"
	case TypRefused:
		return "typ_refused"
	case KeyUnknown:
		return "key_unknown"
	case KeyRefused:
		return "key_refused"
	case SignatureInvalid:
		return "signature_invalid"
	case SealBroken:
		return "seal_broken"
	}
	return "reason_" + strconv.Itoa(int(r))
}

// Error is every refusal of this package. Its text never repeats input.
type Error struct {
	Reason Reason
	Detail string // for operators and developers
	Err    error  // cause, may be nil
}

// Error returns the reason and the detail.
func (e *Error) Error() string {
	text := e.Reason.String()
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

func refuse(r Reason, detail string) *Error { return &Error{Reason: r, Detail: detail} }
