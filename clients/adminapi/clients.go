package adminapi

import (
	"encoding/json"
	"time"
)

// State is where a service stands.
type State string

// The states. A service with a live version keeps it while a draft of the next one goes its way.
const (
	StateDraft     State = "draft"     // never live; its draft is being written
	StateRequested State = "requested" // never live; its draft waits for a second person
	StateLive      State = "live"
	StateSuspended State = "suspended" // known, and refused; can be resumed
	StateRetired   State = "retired"   // ended for good; its client_id is not given again
)

// Kind is what sort of program a service is. It sets what the console asks, and nothing else: rules follow from the metadata.
type Kind string

// The kinds.
const (
	KindWeb        Kind = "web"        // a web site with a server
	KindBrowser    Kind = "browser"    // runs in the browser alone
	KindNative     Kind = "native"     // an app on a phone or computer
	KindMachine    Kind = "machine"    // no people
	KindGovernment Kind = "government" // profile fapi2
)

// Client is a service as the list shows it.
type Client struct {
	ClientID     string    `json:"client_id"`
	Name         string    `json:"name"`
	NameEN       string    `json:"name_en,omitempty"`
	Kind         Kind      `json:"kind"`
	RunBy        string    `json:"run_by,omitempty" doc:"Who runs the service, as a citizen reads it"`
	Organisation string    `json:"organisation,omitempty"`
	State        State     `json:"state"`
	Version      int64     `json:"version" doc:"Of what is live; 0: nothing was yet"`
	Draft        string    `json:"draft,omitempty" enum:"open,requested,rejected" doc:"The state of its draft, if there is one"`
	Changed      time.Time `json:"changed"`
	Warnings     []Warning `json:"warnings"`
	// How it came here: an operator's id, "seed", or "policy:NAME" for one that registered itself.
	By string `json:"by,omitempty"`
}

// Warning is something that an operator should do.
type Warning struct {
	Word   string    `json:"word" enum:"secret_ends,secret_ended,keys_unreachable,preflight_old" doc:"What, for programs"`
	Detail string    `json:"detail"`
	At     time.Time `json:"at,omitzero"`
}

// ClientList is a page of services.
type ClientList struct {
	Items []Client `json:"items"`
	Next  string   `json:"next,omitempty"`
	Total int64    `json:"total" doc:"How many there are in all that fit"`
}

// ClientDetail is a service with all that belongs to it.
type ClientDetail struct {
	Client
	Live     *Version `json:"live,omitempty" doc:"What is in force, or was when it was suspended or retired"`
	Draft    *Draft   `json:"draft_detail,omitempty"`
	Secrets  []Secret `json:"secrets"`
	Stopped  *Stop    `json:"stopped,omitempty" doc:"Why it is suspended or retired"`
	Logo     string   `json:"logo,omitempty" doc:"Address of the logo that citizens see"`
	Previous int64    `json:"previous,omitempty" doc:"The version that was live before: what one press goes back to"`
}

// Stop says who suspended or retired a service, and why.
type Stop struct {
	By     string    `json:"by"`
	ByName string    `json:"by_name,omitempty"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

// Draft is the next version of a service while it is written. There is one at a time. Its revision counts the changes: whoever saves names the
// revision that she saw, and gets a conflict with what is there if somebody else was faster.
type Draft struct {
	Revision    int64           `json:"revision"`
	BaseVersion int64           `json:"base_version" doc:"What was live when it was begun; 0: nothing"`
	State       string          `json:"state" enum:"open,requested,rejected"`
	Metadata    json.RawMessage `json:"metadata" type:"object" doc:"Client metadata (RFC 7591 §2, OpenID Connect Registration §2, and members of our own)"`
	Note        string          `json:"note,omitempty" doc:"Why, in the author's words"`
	By          string          `json:"by" doc:"Operator who saved it last"`
	ByName      string          `json:"by_name,omitempty"`
	Authors     []string        `json:"authors" doc:"All who had a hand in it: none of them can approve it"`
	At          time.Time       `json:"at"`
	Answer      string          `json:"answer,omitempty" doc:"Why it was handed back"`
}

// Version is a registration that was live, or is. It never changes.
type Version struct {
	Version        int64           `json:"version"`
	Metadata       json.RawMessage `json:"metadata,omitempty" type:"object" doc:"Left out in lists"`
	Note           string          `json:"note,omitempty"`
	By             string          `json:"by" doc:"Operator who asked for it, seed, or policy:NAME"`
	ByName         string          `json:"by_name,omitempty"`
	ApprovedBy     string          `json:"approved_by,omitempty"`
	ApprovedByName string          `json:"approved_by_name,omitempty"`
	Exception      string          `json:"exception,omitempty" doc:"Why it went live without a green pre-flight"`
	Preflight      string          `json:"preflight,omitempty" doc:"The report it went live by"`
	Of             int64           `json:"of,omitempty" doc:"The version that it brought back"`
	At             time.Time       `json:"at"`
}

// VersionList is a page of versions, newest first.
type VersionList struct {
	Items []Version `json:"items"`
	Next  string    `json:"next,omitempty"`
}

// Diff is what differs between two versions.
type Diff struct {
	From    string   `json:"from"`
	To      string   `json:"to"`
	Changes []Change `json:"changes"`
}

// Change is one member of the metadata that differs. A value that is absent is null.
type Change struct {
	Member string          `json:"member"`
	From   json.RawMessage `json:"from"`
	To     json.RawMessage `json:"to"`
}

// NewClient begins a service.
type NewClient struct {
	Organisation string          `json:"organisation,omitempty" maxLength:"64"`
	Kind         Kind            `json:"kind,omitempty" enum:"web,browser,native,machine,government" doc:"Left out: what the metadata looks like"`
	Metadata     json.RawMessage `json:"metadata" type:"object" doc:"With client_id, or without: then one is drawn"`
	Note         string          `json:"note,omitempty" maxLength:"500"`
	// Partial is for what is written step by step: faults are answered, and the draft is kept all the same.
	Partial bool `json:"partial,omitempty" doc:"Keep the draft although it has faults; it cannot be asked for until it has none"`
}

// SaveDraft writes the draft of a service.
type SaveDraft struct {
	Revision int64           `json:"revision" minimum:"0" doc:"The revision that was seen; 0: there was no draft"`
	Metadata json.RawMessage `json:"metadata" type:"object"`
	Note     string          `json:"note,omitempty" maxLength:"500"`
	Partial  bool            `json:"partial,omitempty"`
}

// Saved is a draft with what is still wrong with it.
type Saved struct {
	Client ClientDetail `json:"client"`
	Errors []FieldError `json:"errors,omitempty" doc:"With partial: what has to be mended before it can be asked for"`
}

// Apply makes a service be what a file says: nothing happens if it is so already, live or as a draft.
type Apply struct {
	Organisation string          `json:"organisation,omitempty" maxLength:"64"`
	Metadata     json.RawMessage `json:"metadata" type:"object"`
	Note         string          `json:"note,omitempty" maxLength:"500"`
	Request      bool            `json:"request,omitempty" doc:"Ask for approval at once"`
}

// Applied says what came of it.
type Applied struct {
	Outcome string       `json:"outcome" enum:"unchanged,drafted,requested" doc:"unchanged: live as it is; drafted, requested: waits to be asked for, or approved"`
	Client  ClientDetail `json:"client"`
}

// At names the revision of a draft that a decision is about.
type At struct {
	Revision int64 `json:"revision" minimum:"1"`
}

// Approve makes a draft live.
type Approve struct {
	Revision  int64  `json:"revision" minimum:"1"`
	Exception string `json:"exception,omitempty" maxLength:"1000" doc:"Why it may go live without a green pre-flight of this revision; ten characters at least"`
}

// Reject hands a draft back.
type Reject struct {
	Revision int64  `json:"revision" minimum:"1"`
	Reason   string `json:"reason" minLength:"3" maxLength:"500"`
}

// Because is an act that needs a reason and nothing else.
type Because struct {
	Reason string `json:"reason" minLength:"3" maxLength:"500"`
}

// Retire ends a service for good.
type Retire struct {
	Reason  string `json:"reason" minLength:"3" maxLength:"500"`
	Confirm string `json:"confirm" maxLength:"128" doc:"The client_id once more"`
}

// GoBack makes an earlier version live again, at once.
type GoBack struct {
	Version int64  `json:"version" minimum:"1"`
	Reason  string `json:"reason" minLength:"3" maxLength:"500"`
}

// Secret is a client secret, without the secret.
type Secret struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	By      string    `json:"by"`
	ByName  string    `json:"by_name,omitempty"`
	Ends    time.Time `json:"ends,omitzero" doc:"Absent: when a next one replaces it"`
	Used    time.Time `json:"used,omitzero" doc:"When it was good for something last, to the hour"`
	State   string    `json:"state" enum:"current,ending,ended"`
}

// NewSecret makes a next secret.
type NewSecret struct {
	OverlapHours int `json:"overlap_hours" minimum:"0" maximum:"168" doc:"How long the old ones stay good; 0: they end now"`
	LivesDays    int `json:"lives_days,omitempty" minimum:"0" maximum:"730" doc:"How long the new one is good; 0: a year"`
}

// MadeSecret is the one time that a secret is shown.
type MadeSecret struct {
	Secret
	Value string `json:"client_secret" doc:"256 random bits; never shown again"`
}

// RegistrationToken lets a program register services of its own (RFC 7591 §3), as far as its policy goes.
type RegistrationToken struct {
	ID           string    `json:"id"`
	Name         string    `json:"name" doc:"The name of the policy, which stands in versions as policy:NAME"`
	Organisation string    `json:"organisation,omitempty"`
	Scopes       []string  `json:"scopes"`
	GrantTypes   []string  `json:"grant_types"`
	Profiles     []string  `json:"profiles"`
	MaxClients   int64     `json:"max_clients"`
	Clients      int64     `json:"clients" doc:"How many there are now"`
	Until        time.Time `json:"until"`
	By           string    `json:"by"`
	Ended        bool      `json:"ended"`
	Statement    bool      `json:"software_statement" doc:"Takes only requests with a software statement by the organisation's key"`
}

// NewRegistrationToken asks for one.
type NewRegistrationToken struct {
	Name         string          `json:"name" pattern:"^[a-z][a-z0-9_-]{0,63}$"`
	Organisation string          `json:"organisation,omitempty" maxLength:"64"`
	Scopes       []string        `json:"scopes,omitempty" maxItems:"20" doc:"Left out: openid, profile and offline_access"`
	GrantTypes   []string        `json:"grant_types,omitempty" maxItems:"5"`
	Profiles     []string        `json:"profiles,omitempty" maxItems:"2" enum:"oidc,fapi2"`
	MaxClients   int64           `json:"max_clients,omitempty" minimum:"0" maximum:"10000"`
	Days         int             `json:"days" minimum:"1" maximum:"365"`
	StatementKey json.RawMessage `json:"statement_jwks,omitempty" type:"object" doc:"Public keys of software statements (RFC 7591 §2.3): then every request needs one"`
}

// MadeRegistrationToken is the one time that a token is shown.
type MadeRegistrationToken struct {
	RegistrationToken
	Token string `json:"token"`
}

// RegistrationTokenList is a page of tokens.
type RegistrationTokenList struct {
	Items []RegistrationToken `json:"items"`
	Next  string              `json:"next,omitempty"`
}
