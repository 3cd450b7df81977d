package agent

import (
	"errors"
	"slices"

	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

// Reason says why the card app did not do what was asked. What the card itself said is a *jpki.Error, what the hub
// said is a *Refusal.
type Reason int

// The reasons. There are no others.
const (
	_                Reason = iota
	RequestMalformed        // the browser sent something no page of ours sends
	IssuerUntrusted         // the challenge's address belongs to no configured hub
	AddressMalformed        // the address is at a configured hub but not that of a challenge
	ChallengeForged         // what the hub's address answered is not a challenge signed by that hub
	ChallengeExpired        // the challenge's time is over; the card was not touched
	RemoteRefused           // a login on another device, and this card app is no phone's
	ClockWrong              // the challenge comes from the future: this computer's clock is behind
	HubUnreachable          // the hub did not answer, or not in time
	HubRefused              // the hub said no in a word we do not know
	ReturnRefused           // the hub's answer leads somewhere else than to the hub
	PageSpent               // the page was used before, or is too old
	ReaderMissing           // no card reader is connected
	ServiceMissing          // the system's service for card readers does not run
	ReaderBusy              // another program has the card and does not let go
	CardMissing             // the card that was chosen is not there, or there is none at all
	ForeignHost             // asked for under a name that is not ours
	Embedded                // asked for as a part of another page, or ahead of time
	Cancelled               // the citizen stopped
	NotFound                // no such page
	EntryMissing            // the window or terminal for the PIN cannot be used
	Internal                // our fault
)

// String is the word that pages carry in data-error and messages use as key.
func (r Reason) String() string {
	switch r {
	case RequestMalformed:
		return "invalid_request"
	case IssuerUntrusted:
		return "issuer_untrusted"
	case AddressMalformed:
		return "challenge_address"
	case ChallengeForged:
		return "challenge_forged"
	case ChallengeExpired:
		return "challenge_expired"
	case RemoteRefused:
		return "remote_refused"
	case ClockWrong:
		return "clock_wrong"
	case HubUnreachable:
		return "hub_unreachable"
	case HubRefused:
		return "hub_refused"
	case ReturnRefused:
		return "return_refused"
	case PageSpent:
		return "page_spent"
	case ReaderMissing:
		return "reader_missing"
	case ServiceMissing:
		return "reader_service"
	case ReaderBusy:
		return "reader_busy"
	case CardMissing:
		return "card_missing"
	case ForeignHost:
		return "foreign_host"
	case Embedded:
		return "embedded"
	case Cancelled:
		return "cancelled"
	case NotFound:
		return "not_found"
	case EntryMissing:
		return "pin_entry"
	case Internal:
		return "internal"
	}
	return "internal"
}

// Error is every refusal of this package's own. Its text holds no PIN and repeats nothing that came from outside.
type Error struct {
	Reason Reason
	Detail string // for developers and the log
	Err    error  // cause, may be nil
}

// Error returns the reason, the detail and the cause.
func (e *Error) Error() string {
	text := "card app: " + e.Reason.String()
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

// Refusal is the hub's no to a challenge or a response.
type Refusal struct {
	Word      string // one of refusalWords
	ReturnURI string // on the hub's origin, where the citizen reads more; may be empty
}

// Error returns the hub's word.
func (r *Refusal) Error() string { return "hub: " + r.Word }

// refusalWords is the closed list of what a hub says about a challenge or a response. Another word is HubRefused: it
// would have no message, and what a hub sends is not for the page to repeat.
func refusalWords() []string {
	return []string{
		"response_malformed", "challenge_unknown", "challenge_expired", "challenge_spent", "challenge_mismatch",
		"claim_mismatch", "signature_invalid", "cert_malformed", "cert_is_ca", "cert_signing", "cert_profile",
		"cert_login", "document_mismatch", "cert_untrusted", "cert_not_yet_valid", "cert_expired", "cert_revoked", "status_unknown", "too_many",
	}
}

// Word is the word for an error of Login, the one that pages carry in data-error.
func Word(err error) string {
	if own, ok := errors.AsType[*Error](err); ok {
		return own.Reason.String()
	}
	if card, ok := errors.AsType[*jpki.Error](err); ok {
		return card.Reason.String()
	}
	if hub, ok := errors.AsType[*Refusal](err); ok && slices.Contains(refusalWords(), hub.Word) {
		return hub.Word
	}
	return Internal.String()
}
