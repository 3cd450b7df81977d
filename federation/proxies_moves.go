package federation

import "github.com/tsunagu-id/tsunagu/internal/audit"

// MandateState is where a mandate stands.
type MandateState string

// The states of a mandate.
const (
	MandateNone     MandateState = "none"     // not stored
	MandateOffered  MandateState = "offered"  // the principal has the code, and nobody has accepted
	MandateAccepted MandateState = "accepted" // somebody did; the principal has not said that it was the right person
	MandateInForce  MandateState = "in_force"
	MandateEnded    MandateState = "ended"
)

// mandateMoves is the whole life of a mandate. One that has ended stays so: who wants it again gives another one.
var mandateMoves = map[MandateState][]MandateState{
	MandateNone:     {MandateOffered},
	MandateOffered:  {MandateAccepted, MandateEnded},
	MandateAccepted: {MandateInForce, MandateEnded},
	MandateInForce:  {MandateEnded},
	MandateEnded:    {},
}

// ByRepresentative is who acts in the principal's name; the other actors are those of links.
const ByRepresentative Actor = "representative"

// MandateWhy is the reason of a change, from a closed set.
type MandateWhy string

// The reasons.
const (
	MandateChosen     MandateWhy = "chosen"     // the principal offered it
	MandateTaken      MandateWhy = "taken"      // the representative accepted
	MandateConfirmed  MandateWhy = "confirmed"  // the principal had the right number
	MandateWithdrawn  MandateWhy = "withdrawn"  // the principal ended it
	MandateGivenUp    MandateWhy = "given_up"   // the representative ended it
	MandateOver       MandateWhy = "over"       // its period
	MandateUnanswered MandateWhy = "unanswered" // nobody accepted, or the principal did not confirm
	MandateMismatch   MandateWhy = "mismatch"   // the numbers were not the same
)

func mandateEvent(s MandateState) audit.Kind {
	switch s {
	case MandateOffered:
		return EventMandateOffered
	case MandateAccepted:
		return EventMandateAccepted
	case MandateInForce:
		return EventMandateInForce
	case MandateEnded:
		return EventMandateEnded
	case MandateNone: // no move leads there
	}
	return ""
}
