package idp

import (
	"net/url"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
)

// ServiceView is what pages say of the service that asks. The zero value means that no service does.
type ServiceView struct {
	Name, Operator, Domain string
	Verified               bool
	Home                   string
}

func serviceView(c *clients.Client, lang string) ServiceView {
	if c == nil {
		return ServiceView{}
	}
	return ServiceView{Name: c.Name(lang), Operator: c.Operator(), Domain: c.Domain(), Verified: c.Verified(), Home: c.Home()}
}

// LoginView is the data of login.html.
type LoginView struct {
	Tx           string
	Service      ServiceView
	Why          string // "", "again" or "stepup"
	AgentMissing bool   // the browser came back without the card app having asked for the challenge
	Demo         bool
}

// RefusedView is the data of card-refused.html.
type RefusedView struct {
	Tx      string // empty: there is no login to go on with
	Reason  string
	Service ServiceView
	Final   bool // trying again with the same card cannot help
}

// FolderView is the data of folder-open.html.
type FolderView struct {
	Tx      string
	Service ServiceView
}

// ConsentView is the data of consent.html.
type ConsentView struct {
	Tx      string
	Service ServiceView
	Items   []ConsentItem
	More    bool // it asks for more than before
	Offline bool
}

// ConsentItem is one thing a service is given.
type ConsentItem struct {
	Scope   string
	Label   string // message key
	Purpose string
	Added   bool
}

// AccountView is the data of account.html.
type AccountView struct {
	Opened   time.Time
	Card     CardView
	Sessions []SessionView
	Services []ConnectedView
}

// CardView is the card as its owner sees it.
type CardView struct {
	Kind         string
	NotAfter     time.Time
	ExpiringSoon bool
}

// SessionView is one signed-in browser.
type SessionView struct {
	Device   string
	Since    time.Time
	Last     time.Time
	ACR      string
	Current  bool
	Services []string
}

// ConnectedView is a service the citizen agreed to.
type ConnectedView struct {
	Name, Operator string
	Since          time.Time
	Scopes         []string
}

// EndSessionView is the data of end-session.html.
type EndSessionView struct {
	Service ServiceView
	Token   string
}

// SignedOutView is the data of signed-out.html.
type SignedOutView struct {
	Everywhere bool
	Return     string
	Service    ServiceView
	Receipts   []ReceiptView
	Again      string // reads the page once more; empty: nothing more will come in
}

// ReceiptView is what became of telling one service that the citizen signed out.
type ReceiptView struct {
	Client, Name string
	State        string // "pending", "confirmed", "failed" or "unsupported"
}

// hostOf returns the host of an address that has been parsed before.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}
