package jpki

import "fmt"

// Reason says why a card did not do what was asked. Its String is the word
// that pages carry in data-error.
type Reason int

// The reasons. There are no others.
const (
	_                    Reason = iota
	WrongPIN                    // the card compared and refused; Error.Left says how often it will compare again
	PINBlocked                  // no tries left; only a municipal counter can help
	LastTry                     // one try is left and the caller did not confirm that it may be spent; nothing was sent
	PINMalformed                // not four digits; nothing was sent
	PINRequired                 // the card wants the PIN before this
	NotJPKI                     // some other card
	NoCertificate               // a My Number Card without a user-authentication certificate
	CardRemoved                 // the card went away in the middle
	CardFault                   // the card answered something it never should
	WrongPassword               // as WrongPIN, for the signing password
	PasswordBlocked             // as PINBlocked
	LastPasswordTry             // as LastTry
	PasswordMalformed           // not 6 to 16 letters and digits, or none the card would take as a new one; nothing was sent
	NoSigningCertificate        // a card without a signature certificate, as children have
	ChangeUnknown               // the card went away while a new PIN or password was on its way: the old one or the new one counts
)

// String returns the word used in data-error and in the audit log.
func (r Reason) String() string {
	switch r {
	case WrongPIN:
		return "pin_wrong"
	case PINBlocked:
		return "pin_locked"
	case LastTry:
		return "pin_last_try"
	case PINMalformed:
		return "pin_malformed"
	case PINRequired:
		return "pin_required"
	case NotJPKI:
		return "not_myna"
	case NoCertificate:
		return "no_auth_cert"
	case CardRemoved:
		return "card_removed"
	case CardFault:
		return "card_fault"
	case WrongPassword:
		return "password_wrong"
	case PasswordBlocked:
		return "password_locked"
	case LastPasswordTry:
		return "password_last_try"
	case PasswordMalformed:
		return "password_malformed"
	case NoSigningCertificate:
		return "no_sign_cert"
	case ChangeUnknown:
		return "change_unknown"
	}
	return "card_fault"
}

// Tries is how many wrong PINs in a row the card will still compare. A My
// Number Card starts at three, and at five for the signing password.
type Tries int

// Error is every error this package returns.
type Error struct {
	Reason Reason
	Left   Tries  // tries left; meaningful for wrong, last-try and blocked (0)
	SW     uint16 // the card's status word; 0 if it did not come to that
	Detail string // for operators, never shown; holds no PIN and no certificate
	Err    error  // the reader's error, if there was one
}

// Error describes the failure for a log.
func (e *Error) Error() string {
	s := "card: " + e.Reason.String()
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.SW != 0 {
		s += fmt.Sprintf(" (status %04X)", e.SW)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the reader's error.
func (e *Error) Unwrap() error { return e.Err }
