package idp

import "time"

// passkeyLoginView is the data of passkey-login.html.
type passkeyLoginView struct {
	Tx        string
	Service   serviceView
	Device    bool   // another device asked
	Beside    bool   // a card has been read that opens no folder yet
	Challenge string // base64url
	Options   string // JSON for the page's script
}

// passkeyRefusedView is the data of passkey-refused.html and passkey-new-refused.html.
type passkeyRefusedView struct {
	Tx      string
	Reason  string
	Service serviceView
	Device  bool
	Again   bool // another try may help
}

// passkeyView is one passkey as its owner sees it.
type passkeyView struct {
	ID, Name         string
	Made             time.Time
	Used             time.Time // zero: never
	Synced, BackedUp bool
	Suspect, Ended   time.Time // zero: not
	Here             bool      // this session was made with it
}

// passkeysView is the data of passkeys.html.
type passkeysView struct {
	Live, Old []passkeyView
	Full      bool
	Shared    bool // signed in on a computer that others use too, where none is made
	Most      int
	Done      string // "", "added", "renamed" or "removed"
}

// passkeyNewView is the data of passkey-new.html.
type passkeyNewView struct {
	Name      string
	Most      int // characters of a name
	Challenge string
	Options   string
}

// passkeyNameView is the data of passkey-name.html.
type passkeyNameView struct {
	ID, Name string
	Most     int
	Problem  string // "", "empty", "long" or "plain"
}
