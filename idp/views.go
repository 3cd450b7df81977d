package idp

import (
	"net/url"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// serviceView is what pages say of the service that asks. The zero value means that no service does.
type serviceView struct {
	Name, Operator, Domain string
	Verified               bool
	Home                   string
	Policy, Terms          string // the service's own pages; empty: none that may be linked to
	Logo                   string // path of what the hub serves; empty: none
}

func viewOfService(c *clients.Client, lang string) serviceView {
	if c == nil {
		return serviceView{}
	}
	return serviceView{
		Name: c.Name(lang), Operator: c.Operator(), Domain: c.Domain(), Verified: c.Verified(), Home: c.Home(),
		Policy: linkable(c, c.PolicyURI()), Terms: linkable(c, c.TOSURI()), Logo: c.Logo(),
	}
}

// linkable returns the address if pages may link to it as the service's own: https, and of a client that nobody checked only at the host
// that its answers go to (OpenID Connect Registration §9.1, RFC 7591 §5).
func linkable(c *clients.Client, address string) string {
	if !strings.HasPrefix(address, "https://") || !c.Verified() && hostOf(address) != c.Domain() {
		return ""
	}
	return address
}

// loginView is the data of login.html.
type loginView struct {
	Tx           string
	Service      serviceView
	Why          string // "", one of whyWord, or of endWord
	AgentMissing bool   // the browser came back without the card app having asked for the challenge
	Demo         bool
	Shared       bool   // somebody wanted the card to be watched here
	Public       bool   // others use this computer too, somebody said
	NoPhone      bool   // the service takes no card that a phone reads
	Device       bool   // another device asked
	Passkey      string // see passkeyWay
}

// refusedView is the data of card-refused.html.
type refusedView struct {
	Tx      string // empty: there is no login to go on with
	Reason  string
	Service serviceView
	Final   bool // trying again with the same card cannot help
	Device  bool // another device asked
}

// folderView is the data of folder-open.html.
type folderView struct {
	Tx      string
	Service serviceView
	Device  bool // another device asked
	Asked   bool // the citizen has said that there is no folder yet
}

// againView is the data of folder-again.html.
type againView struct {
	Tx       string
	Service  serviceView
	Device   bool   // another device asked
	Silent   bool   // the authority could not be asked whose card it is
	Conflict bool   // it named cards of two folders
	Sign     bool   // a signature may show whose it is
	Session  bool   // somebody is signed in in this browser since a moment ago
	ByPhone  bool   // a phone read the card: none of the ways is open to it
	Passkey  bool   // the hub takes passkeys
	Note     string // what did not work: one of againNotes, or empty
	Refused  string // why a signature was refused: see signMessage
}

// prepareView is the data of prepare.html.
type prepareView struct {
	Card  bool      // signed in with a card
	Since time.Time // when the person signed; zero: never
	Note  string    // what came of it: one of prepareNotes, or empty

	Refused string // why the signature was refused: see signMessage
}

// joinView is the data of folder-join.html.
type joinView struct {
	Tx       string
	Service  serviceView
	Device   bool
	Kind     string   // of the card
	Way      string   // how the folder's owner showed herself
	Services []string // of the folder
}

// consentView is the data of consent.html.
type consentView struct {
	Tx       string
	Service  serviceView
	Items    []consentItem
	Details  []detailView
	More     bool // it asks for more than before
	Offline  bool
	Device   bool // what is shared goes to another device
	Personal bool // some of it is what the citizen wrote of herself
	Verified *verifiedView
}

// verifiedView is what the card says, of what a service is about to be given.
type verifiedView struct {
	Items       []consentItem
	Standing    validity // only what is good is given
	Since       time.Time
	Substitutes bool // characters in it stand for others
	Note        string
}

// confirmedView is the data of confirmed.html.
type confirmedView struct {
	Standing    validity
	Since       time.Time // when it was confirmed
	Facts       []confirmedFact
	Differs     bool // the citizen wrote something else of herself
	Substitutes bool
	Note        string // what came of it: one of confirmedNotes, or empty
	Refused     bool   // the note is why a signature was refused
}

// confirmedFact is one thing that the certificate says, and what the citizen wrote of it; empty: nothing.
type confirmedFact struct {
	Label, Card, Own string
	Differs          bool
}

// deviceView is the data of device.html.
type deviceView struct {
	Request string // the request that a link named; empty: the whole code is asked for
	Head    string // the half of its code that the link gives away
	Value   string // what was typed, kept
	Error   string // a Reason, or ""
	Minutes int    // how long to wait after too many tries
}

// deviceConfirmView is the data of device-confirm.html.
type deviceConfirmView struct {
	Tx      string
	Service serviceView
	Code    string
	Minutes int // since the device asked
}

// deviceDoneView is the data of device-done.html.
type deviceDoneView struct {
	Service  serviceView
	Approved bool
}

// signView is the data of sign.html.
type signView struct {
	Tx      string
	Service serviceView
	Facts   []web.Description // the document
	Reason  string            // why there is no signature yet, as message key; empty: none was tried
}

// consentItem is one thing a service is given.
type consentItem struct {
	Scope   string
	Label   string // message key
	Purpose string
	Added   bool

	Personal bool              // what the citizen wrote of herself
	Details  []web.Description // the very values
}

// accountView is the data of account.html.
type accountView struct {
	Accepted bool // somebody accepted to represent the person, and waits for her word
	Opened   time.Time
	Card     cardView   // that lasts longest; zero: none
	NewCard  cardView   // that was added of late and can be taken back; zero: none
	Cards    []cardView // with those that ended, the newest first
	Sessions []sessionView
	More     int // sessions that are not among those; 0 or less: none
	Services []connectedView
	Told     []receiptView // what services answered to the latest sign-outs

	Looks []lookView // of operators, the newest first

	Exchanges []exchangeView // the latest that offices asked about her

	Passkeys    []passkeyView
	HasPasskeys bool // the hub offers them

	HasSignatures bool // something can be signed here
	Unread        int  // notices
}

// cardView is a card as its owner sees it.
type cardView struct {
	Kind         string
	NotAfter     time.Time
	Since        time.Time
	Evidence     string    // what its tie to the folder rests on
	Opens        time.Time // when it opens the folder; zero: it does, or never will
	Ended        time.Time
	Why          string // it ended: superseded, revoked, expired or undone
	Current      bool   // signed in with it
	Live         bool   // opens the folder
	ExpiringSoon bool
	Proved       bool   // by proofs given here, or by replacing a card that is
	Undo         string // names it, or the one that it replaced, to who takes it back; empty: not possible with the card that is signed in
}

// undoView is the data of card-undo.html.
type undoView struct {
	Card  string
	Kind  string
	Since time.Time
}

// connectedView is a service the citizen agreed to.
type connectedView struct {
	Client         string
	Name, Operator string
	Launch         string // the address that makes it begin a sign-in; empty: it has none
	Since          time.Time
	Scopes         []string
	Always         bool // the citizen wants her card asked for at each sign-in

	Broken bool      // the service does not know the person any more
	Down   time.Time // since when it does not answer; zero: it does, or nobody knows
}

// endSessionView is the data of end-session.html.
type endSessionView struct {
	Service serviceView
	Token   string
}

// signedOutView is the data of signed-out.html.
type signedOutView struct {
	Everywhere bool
	Only       string // the name of the one service that was left
	Return     string // where the service that asked wants the citizen
	Back       string // its name
	Receipts   []receiptView
	Again      string   // reads the page once more; empty: nothing more will come in
	Live       bool     // the page goes on by itself, and shows the receipts after its main part
	Frames     []string // addresses that the browser opens out of sight, to tell the services
}

// receiptView is what became of telling one service that the citizen signed out.
type receiptView struct {
	Client, Name string
	State        string // "pending", "confirmed", "failed", "unsupported" or "asked"
	Reason       string // a federation.LogoutReason
	At           time.Time
	Browser      bool // the browser tells it as well
}

// hostOf returns the host of an address that has been parsed before.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}
