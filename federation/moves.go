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

// wish is what a link is asked to be.
type wish struct {
	to  State
	by  Actor
	why Why

	tie     string // with Linked: the name of the tie; with Broken and Ended: the only one that is meant, empty: whichever stands
	present bool   // with Linked: the person is there
	only    func(Link) bool
}

// decide returns the state that a link moves to, or the one it is in if it is to stay. seen says whether the tie of the wish is one that
// the link had before.
//
// A tie that ended does not come back by itself: neither side can tell a service that remembers from one whose database was restored. So a
// service that speaks without the person may name a tie that never ended, and raise none after an end; the person's own visit makes a
// new tie.
func decide(l Link, w wish, seen bool) (State, error) {
	if w.only != nil && !w.only(l) {
		return l.State, nil
	}
	if w.to != Linked {
		if w.tie != "" && w.tie != l.Tie {
			return l.State, nil // of another tie than the one that stands
		}
		return next(l.State, w.to)
	}
	stands := (l.State == Linked || l.State == Broken) && l.Tie == w.tie
	named := w.tie != "" || !w.present // a service that names no ties is believed about them while the person is there
	switch {
	case l.State == Linked && stands:
		return Linked, nil
	case named && seen && !stands:
		return l.State, &Error{Reason: MoveForbidden, Detail: "this tie has ended"}
	case !w.present && l.State == Ended:
		return l.State, &Error{Reason: MoveForbidden, Detail: "from ended only while the person is there"}
	}
	return Linked, nil
}

// moved reports whether a link that was decided about changes: a tie in place of another is a change too.
func moved(l Link, to State, w wish) bool {
	return to != l.State || to == Linked && w.to == Linked && l.Tie != w.tie
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
	WhyNotKnown      Why = "not_known"      // the service went through its ties, and this one was not among them
	WhyNotAffirmed   Why = "not_affirmed"   // the service has not gone through its ties for long
)
