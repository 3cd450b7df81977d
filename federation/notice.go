package federation

import (
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
)

// Notice is one service to be told that a person signed out.
type Notice struct {
	Account AccountID
	Client  clients.ID
	Session string // the hub's session that ended; empty: all of the person's
	SID     string // the name the client knows that session by; empty: all of the person's at that client
	Browser bool   // the person's browser is about to open the service's frontchannel_logout_uri
	// Nameless: the service's session is in the name of somebody whom the person represents there. SID alone names it.
	Nameless bool
}

// LogoutReason is why services are told, from a closed set.
type LogoutReason string

// The reasons.
const (
	LogoutSession        LogoutReason = "session"         // the person signed out in one browser
	LogoutEverywhere     LogoutReason = "everywhere"      // and here on all devices
	LogoutService        LogoutReason = "service"         // of this one service only
	LogoutOtherPerson    LogoutReason = "other_person"    // somebody else signed in in the same browser
	LogoutLinkEnded      LogoutReason = "link_ended"      // the person cut the link
	LogoutCardRevoked    LogoutReason = "card-revoked"    // the authority took the card's certificate back
	LogoutPasskeyRemoved LogoutReason = "passkey-removed" // the person removed the passkey that had signed in, or it was found to have a copy
	LogoutMandateEnded   LogoutReason = "mandate-ended"   // the person may no longer act in another's name
	LogoutCardRemoved    LogoutReason = "card-removed"    // the person took the card out of the reader, and had asked for it to mean this
	LogoutExpired        LogoutReason = "expired"         // the session was unused for too long, or too old
	LogoutTooMany        LogoutReason = "too-many"        // the person signed in so often that the oldest sign-in had to go
)

// DeliveryState is what became of a notice.
type DeliveryState string

// The states. A delivery begins as Pending, Unsupported, Asked, Looks or Collects. Pending becomes Confirmed, Failed or Unsupported, and
// Collects Confirmed or Failed.
const (
	Pending     DeliveryState = "pending"     // the service has not answered yet
	Confirmed   DeliveryState = "confirmed"   // the service said that it ended its sessions
	Failed      DeliveryState = "failed"      // the service did not say so for a whole day
	Unsupported DeliveryState = "unsupported" // the service cannot be told
	Collects    DeliveryState = "collects"    // the service is not told; it learns of it from its stream of security events, and has not said so yet
	Looks       DeliveryState = "looks"       // the service is not told; it looks at its status list by itself
	Asked       DeliveryState = "asked"       // only the person's browser could tell the service, and nothing says whether it did
)

// Delivery is the receipt of one notice.
type Delivery struct {
	ID      string
	Account AccountID
	Client  clients.ID
	Session string
	Reason  LogoutReason
	State   DeliveryState
	Tries   int
	Created time.Time
	Done    time.Time // zero while Pending
	Next    time.Time // of the next try, while Pending
	Answer  string    // of the service to the last try: a status of HTTP, or unreachable; empty before the first

	sub, sid string
}
