package idp

import (
	"slices"
	"time"

	"github.com/tsunagu-id/tsunagu/federation"
)

// Step is what has to happen next in a login.
type Step int

// The steps of a login.
const (
	_ Step = iota
	StepLogin
	StepOpenFolder
	StepConsent
	StepComplete
	StepRefuse
	StepConfirmDevice
	StepSign
	StepChoose
)

// Why is the reason for a Step other than StepComplete.
type Why int

// The closed set of reasons.
const (
	Satisfied Why = iota
	NoSession
	PromptLogin
	MaxAgeExceeded
	ACRTooLow
	OtherPerson // id_token_hint names somebody else
	FolderMissing
	ConsentMissing
	PromptConsent
	AlreadyOver // the transaction is completed or refused
	DeviceUnconfirmed
	SelectAccount
	ACRUnmet         // the service insists on a level that cannot be reached, or was not
	SignatureMissing // a document is to be signed
	Unconfirmed      // the service insists on verified claims, and there is nothing that could be passed on
	CardUnsure       // nobody could say for too long whether the session's card still counts
	CardAlways       // the service, or the citizen for it, wants the card at each sign-in
	LimitReached     // the session has been unused for longer, or is older, than the service takes
	CapacityMissing  // she may act for others at the service, and has not said for whom
)

// situation is everything next looks at.
type situation struct {
	State        State
	Own          bool // one of the hub's own pages asked: nothing is handed to a service
	Prompt       promptSet
	MaxAge       *time.Duration
	ACR          []string      // requested, in order of preference
	ACREssential bool          // one of them must be met
	NoRemote     bool          // the service takes no card that a phone read for another device
	AlwaysCard   bool          // each sign-in needs a card that is read for it, on this device
	Idle         time.Duration // the service takes no session that was unused for as long; 0: any
	Absolute     time.Duration // nor one whose login is as old; 0: any
	Session      *sessionFacts
	HintAgree    bool                // no id_token_hint, or it names the session's person
	Covered      bool                // an earlier consent covers everything asked
	Decided      bool                // the citizen agreed on the consent page in this login
	Unconfirmed  bool                // verified claims are agreed to, and essential ones cannot be passed on, or were just confirmed
	Unsigned     bool                // a document is to be signed that is not yet
	Undecided    bool                // the citizen may act for others here, and has not said for whom
	Acting       *federation.Mandate // by which she acts for another
	Stranger     bool                // a device asked that the citizen has not called her own yet
}

// next decides, from stored facts alone, what must happen before the request may be answered. It reads no clock, no store and no
// request. With prompt=none the same reasons become the error the client is told (OIDC Core §3.1.2.6).
func next(s situation, now time.Time) (Step, Why) {
	step, why := interactive(s, now)
	if s.Prompt.has(promptNone) && step != StepComplete {
		return StepRefuse, why
	}
	return step, why
}

func interactive(s situation, now time.Time) (Step, Why) {
	if s.State == Completed || s.State == Refused {
		return StepRefuse, AlreadyOver
	}
	if s.Stranger {
		return StepConfirmDevice, DeviceUnconfirmed
	}
	if s.ACREssential && !attainable(s.ACR) {
		return StepRefuse, ACRUnmet
	}
	if s.State == Proven {
		return StepOpenFolder, FolderMissing
	}
	if why := loginNeeded(s, now); why != Satisfied {
		return StepLogin, why
	}
	if s.Own {
		return StepComplete, Satisfied
	}
	if s.NoRemote && s.Session.ACR == ACRRemote {
		return StepRefuse, ACRUnmet // the login was made here, and the service was changed meanwhile
	}
	if s.ACREssential && !acrSatisfied(s.ACR, s.Session.ACR) {
		return StepRefuse, ACRUnmet // the login was made here, and at a lower level
	}
	if s.Undecided {
		return StepChoose, CapacityMissing
	}
	if !s.HintAgree {
		return StepRefuse, OtherPerson // the right person had the chance to log in and somebody else did
	}
	if s.Prompt.has(promptConsent) && !s.Decided {
		return StepConsent, PromptConsent
	}
	if !s.Covered {
		return StepConsent, ConsentMissing
	}
	// Nobody has to confirm anything, so this is asked once in a login, and never of somebody who is not there to answer.
	if s.Unconfirmed && !s.Decided && !s.Prompt.has(promptNone) {
		return StepConsent, Unconfirmed
	}
	if s.Unsigned {
		return StepSign, SignatureMissing
	}
	return StepComplete, Satisfied
}

// loginNeeded says why the session, if any, does not do. A login made in this very transaction satisfies prompt and max_age
// whatever the clock says: one second later max_age=0 would otherwise ask for ever.
func loginNeeded(s situation, now time.Time) Why {
	switch {
	case s.Session == nil:
		return NoSession
	case !s.Session.Here && s.Session.Unsure:
		return CardUnsure
	case s.AlwaysCard && (!s.Session.Here || acrRank[s.Session.ACR] < acrRank[ACRCard]): // whose rule it is may be known only after a login
		return CardAlways
	case !s.Session.Here && s.outlived(now):
		return LimitReached
	case !s.Session.Here && s.Prompt.has(promptSelectAccount): // the card chooses
		return SelectAccount
	case !s.Session.Here && s.Prompt.has(promptLogin):
		return PromptLogin
	case !s.Session.Here && s.MaxAge != nil && (*s.MaxAge == 0 || now.Sub(s.Session.AuthTime) > *s.MaxAge):
		return MaxAgeExceeded
	case !s.Session.Here && s.NoRemote && s.Session.ACR == ACRRemote:
		return ACRTooLow
	case !s.Session.Here && !acrSatisfied(s.ACR, s.Session.ACR) && attainable(s.ACR):
		return ACRTooLow
	case !s.Session.Here && !s.HintAgree:
		return OtherPerson
	}
	return Satisfied
}

// outlived: the session is good for the hub, and not for the service.
func (s situation) outlived(now time.Time) bool {
	return s.Idle > 0 && now.Sub(s.Session.Last) >= s.Idle || s.Absolute > 0 && now.Sub(s.Session.AuthTime) >= s.Absolute
}

// The levels of a sign-in.
const (
	// ACRCard is the level of a card read on this device (phishing-resistant hardware, OpenID EAP ACR Values 1.0 §4), and of a phone's
	// own certificate where the phone is this device.
	ACRCard = "phrh"
	// ACRRemote is the level of a card read by a phone for a sign-in on another device: whoever shows a citizen another's QR code in the
	// moment it is made can have her sign for a browser that is not hers, so it stands below everything that no page can relay.
	ACRRemote = "urn:tsunagu:acr:card-remote"
)

// ACRPasskey is the level of a passkey: phishing-resistant, and nobody vouches for the hardware (OpenID EAP ACR Values 1.0 §4).
const ACRPasskey = "phr"

// acrRank orders the levels the hub can give; a higher one satisfies a request for a lower one.
var acrRank = map[string]int{ACRRemote: 1, ACRPasskey: 2, ACRCard: 3}

// acrSatisfied: acr_values is a voluntary claim (OIDC Core §5.5.1.1); any one value that is met will do.
func acrSatisfied(wanted []string, have string) bool {
	if len(wanted) == 0 {
		return true
	}
	return slices.ContainsFunc(wanted, func(w string) bool {
		return w == have || (acrRank[w] > 0 && acrRank[have] >= acrRank[w])
	})
}

// answeredACR is the level the service is told. Who insists on some levels is told one of those, of which the one reached may be a better
// (OIDC Core §5.5.1.1).
func (r *authzRequest) answeredACR(have string) string {
	if !r.ACREssential || slices.Contains(r.ACR, have) {
		return have
	}
	for _, w := range r.ACR {
		if acrRank[have] >= acrRank[w] {
			return w
		}
	}
	return have
}

// passkeyServes says whether a login by passkey would meet the request, so that it may be offered. Whoever asks for the card gets the card,
// though the claim be voluntary (OIDC Core §5.5.1.1): the citizen has one in any case.
func passkeyServes(s situation) bool {
	return !s.AlwaysCard && (acrSatisfied(s.ACR, ACRPasskey) || !attainable(s.ACR))
}

// attainable says whether a new login could meet one of the wanted levels; asking again would otherwise change nothing.
func attainable(wanted []string) bool {
	return slices.ContainsFunc(wanted, func(w string) bool { return acrRank[w] > 0 && acrRank[w] <= acrRank[ACRCard] })
}
