package agent

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

// problem is what a page says about a refusal: its word, which is also the key of its messages, and the ways on.
type problem struct {
	word   string
	status int
	ways   ways
	args   []string
}

// ways are the ways on that a page offers, the main one first.
type ways int

const (
	noWay        ways = iota // the page that asked may be deceiving: there is nothing to press
	toStart                  // to the card app's own start page
	toHub                    // to the hub's login page, where a new challenge is one press away
	againOrHub               // the same challenge once more
	otherOrHub               // the same challenge with another card, if there are several
	placedOrHub              // the same challenge, now that the card is there
	wrongPINWays             // again is on the page itself
)

// problemOf is the only place that turns errors into pages.
func problemOf(err error) problem {
	if own, ok := errors.AsType[*Error](err); ok {
		return ownProblem(own.Reason)
	}
	if card, ok := errors.AsType[*jpki.Error](err); ok {
		return cardProblem(card)
	}
	if hub, ok := errors.AsType[*Refusal](err); ok {
		return hubProblem(hub.Word)
	}
	return ownProblem(Internal)
}

func ownProblem(r Reason) problem {
	p := problem{word: r.String()}
	switch r {
	case RequestMalformed:
		p.status, p.ways = http.StatusBadRequest, toStart
	case IssuerUntrusted, ChallengeForged, RemoteRefused, ReturnRefused, Embedded:
		p.status, p.ways = http.StatusForbidden, noWay
	case AddressMalformed:
		p.status, p.ways = http.StatusBadRequest, noWay
	case ForeignHost:
		p.status, p.ways = http.StatusMisdirectedRequest, noWay
	case ChallengeExpired:
		p.status, p.ways = http.StatusGone, toHub
	case ClockWrong:
		p.status, p.ways = http.StatusConflict, toHub
	case HubUnreachable:
		p.status, p.ways = http.StatusServiceUnavailable, againOrHub
	case HubRefused:
		p.status, p.ways = http.StatusForbidden, toHub
	case PageSpent:
		p.status, p.ways = http.StatusConflict, againOrHub
	case ReaderMissing, CardMissing:
		p.status, p.ways = http.StatusServiceUnavailable, placedOrHub
	case ServiceMissing, ReaderBusy:
		p.status, p.ways = http.StatusServiceUnavailable, againOrHub
	case EntryMissing:
		p.status, p.ways = http.StatusServiceUnavailable, againOrHub
	case Cancelled:
		p.status, p.ways = http.StatusOK, againOrHub
	case NotFound:
		p.status, p.ways = http.StatusNotFound, toStart
	case Internal:
		p.status, p.ways = http.StatusInternalServerError, toStart
	}
	return p
}

func cardProblem(e *jpki.Error) problem {
	p := problem{
		word: e.Reason.String(), status: http.StatusUnprocessableEntity, ways: againOrHub,
		args: []string{"left", strconv.Itoa(int(e.Left))},
	}
	switch e.Reason {
	case jpki.PINBlocked, jpki.PasswordBlocked:
		p.status, p.ways = http.StatusForbidden, otherOrHub
	case jpki.NotJPKI, jpki.NoCertificate, jpki.NoSigningCertificate:
		p.ways = otherOrHub
	case jpki.WrongPIN, jpki.LastTry, jpki.PINMalformed, jpki.WrongPassword, jpki.LastPasswordTry, jpki.PasswordMalformed:
		p.ways = wrongPINWays
	case jpki.PINRequired:
		p.word = jpki.CardFault.String() // the PIN was given: a card that asks for it again is broken
	case jpki.CardRemoved, jpki.CardFault, jpki.ChangeUnknown:
	}
	return p
}

// hubProblem is for a refusal that came without an address to read about it at the hub.
func hubProblem(word string) problem {
	p := problem{word: word, status: http.StatusForbidden, ways: toHub}
	switch word {
	case "challenge_unknown", "challenge_expired", "challenge_spent":
		p.status = http.StatusGone
	case "status_unknown":
		p.status = http.StatusServiceUnavailable
	case "too_many":
		p.status = http.StatusTooManyRequests
	case "cert_expired", "cert_revoked":
		p.ways = otherOrHub
	}
	return p
}
