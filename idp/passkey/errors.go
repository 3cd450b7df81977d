package passkey

import "fmt"

// Reason says why an answer of an authenticator is not accepted. Its text is the page's data-error.
type Reason int

// The closed set of reasons. The package gives all but the last five, which need what only the caller knows.
const (
	_ Reason = iota
	Malformed
	TypeMismatch      // made for the other ceremony: a registration is no login
	ChallengeMismatch // made for another challenge
	OriginMismatch    // made for another site, or inside a frame of one
	PartyMismatch     // made for another relying party id
	UserNotVerified   // the authenticator did not ask for PIN or fingerprint
	FlagsInvalid      // backed up and not eligible for backup (§6.1.3), or eligible now and not before (§7.2 step 19)
	KeyRefused        // no key of the algorithms that were asked for, or an attestation that was not
	SignatureInvalid
	OwnerMismatch // the user handle is another person's, or missing
	Cloned        // the signature counter went back: somebody may have a copy (§6.1.1)

	ChallengeSpent  // never given out, used before, too old, or given to another login
	Unknown         // no such passkey here: removed, or of another hub
	AlreadyThere    // the authenticator's credential is registered
	TooMany         // the account has as many as it may
	NoCard          // the account has no card that is still good
	CardRequired    // the service asks for the card itself
	CardUnconfirmed // whether the card is still good could not be found out
)

// String is the word that pages carry in data-error and messages use as key.
func (r Reason) String() string {
	switch r {
	case Malformed:
		return "passkey_malformed"
	case TypeMismatch, ChallengeMismatch, OriginMismatch, PartyMismatch, FlagsInvalid, SignatureInvalid, OwnerMismatch:
		return "passkey_invalid"
	case UserNotVerified:
		return "passkey_unverified"
	case KeyRefused:
		return "passkey_kind"
	case Cloned:
		return "passkey_cloned"
	case ChallengeSpent:
		return "passkey_expired"
	case Unknown:
		return "passkey_unknown"
	case AlreadyThere:
		return "passkey_known"
	case TooMany:
		return "passkey_many"
	case NoCard:
		return "passkey_no_card"
	case CardRequired:
		return "passkey_card_required"
	case CardUnconfirmed:
		return "passkey_card_unconfirmed"
	}
	return "passkey_invalid"
}

// ParseReason returns a reason of the word; several share one, and pages and tests know them by it.
func ParseReason(word string) (Reason, bool) {
	for r := Malformed; r <= CardUnconfirmed; r++ {
		if r.String() == word {
			return r, true
		}
	}
	return 0, false
}

// Error is a refusal. Detail is for operators and holds nothing that the authenticator sent.
type Error struct {
	Reason Reason
	Detail string
	Err    error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Reason, e.Detail, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Reason, e.Detail)
}

func (e *Error) Unwrap() error { return e.Err }

func refuse(r Reason, detail string) *Error { return &Error{Reason: r, Detail: detail} }
