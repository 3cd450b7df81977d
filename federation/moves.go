package federation

import (
	"fmt"
	"slices"
)

// State is where a link stands.
type State string

// The states of a link.
const (
	None    State = "none"    // never offered; not stored
	Offered State = "offered" // the person chose the service; it has not answered yet
	Linked  State = "linked"  // the service tied the person to an account of its own
	Broken  State = "broken"  // the service can no longer use the account it tied
	Ended   State = "ended"   // one side ended it
)

// moves is the whole life of a link: from each state, the states it may enter.
var moves = map[State][]State{
	// A service that is visited first may tie the account without an offer.
	None:    {Offered, Linked},
	Offered: {Linked, Ended},
	Linked:  {Broken, Ended},
	Broken:  {Offered, Linked, Ended},
	Ended:   {Offered, Linked},
}

// next returns the state a link in state from is in after it was asked to be
// in state to. Asking for what is already so changes nothing, and neither does
// offering a link that stands.
func next(from, to State) (State, error) {
	if from == to || (from == Linked && to == Offered) {
		return from, nil
	}
	if slices.Contains(moves[from], to) {
		return to, nil
	}
	return from, &Error{Reason: MoveForbidden, Detail: fmt.Sprintf("from %s to %s", from, to)}
}

// Actor is who changed a link.
type Actor string

// The actors.
const (
	ByCitizen Actor = "citizen" // at the portal or on the hub's account pages
	ByService Actor = "service" // the service itself
	ByHub     Actor = "hub"     // the hub, because something else ended
)

// Why is the reason of a change, from a closed set so that it can be shown in
// every language.
type Why string

// The reasons.
const (
	WhyChosen        Why = "chosen"         // the person pressed the button
	WhyBound         Why = "bound"          // the service tied the account
	WhyUnbound       Why = "unbound"        // the person cut it at the service
	WhyAccountLost   Why = "account_lost"   // the service's account is closed or not usable
	WhyAccessRevoked Why = "access_revoked" // the person withdrew everything the service had
)
