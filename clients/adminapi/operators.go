package adminapi

import "time"

// Role is what an operator may do. One may have several.
type Role string

// The roles. Everybody who is an operator may look at services; the rest takes the role.
const (
	Viewer   Role = "viewer"   // looks, and changes nothing
	Editor   Role = "editor"   // drafts, secrets, logos, pre-flights, test sign-ins
	Approver Role = "approver" // makes a draft of somebody else live, or hands it back; goes back to an earlier version
	Security Role = "security" // suspends, retires, keys, operators, organisations, citizens' calls, audit log
)

// Roles lists all of them.
func Roles() []Role { return []Role{Viewer, Editor, Approver, Security} }

// Operator is a person, or a program of theirs, who works here.
type Operator struct {
	ID           string    `json:"id"`
	Name         string    `json:"name" minLength:"2" maxLength:"64"`
	Roles        []Role    `json:"roles" enum:"viewer,editor,approver,security"`
	Organisation string    `json:"organisation,omitempty" doc:"The organisation whose services are all that this operator sees; empty: all"`
	Client       string    `json:"client,omitempty" doc:"A program's client_id; empty for a person. Programs neither approve nor have the role security"`
	Suspended    bool      `json:"suspended"`
	Since        time.Time `json:"since"`
	LastSeen     time.Time `json:"last_seen,omitzero" doc:"To the hour"`
	InvitedUntil time.Time `json:"invited_until,omitzero" doc:"Nobody has taken up the invitation yet; until when it is good"`
}

// Me is who asks.
type Me struct {
	Operator Operator `json:"operator"`
	Issuer   string   `json:"issuer" doc:"The hub that services sign people in at"`
	Sample   bool     `json:"sample" doc:"A demonstration: cards and people are made up"`
}

// NewOperator invites somebody, or makes a program an operator.
type NewOperator struct {
	Name         string `json:"name" minLength:"2" maxLength:"64"`
	Roles        []Role `json:"roles" minItems:"1" maxItems:"4" uniqueItems:"true" enum:"viewer,editor,approver,security"`
	Organisation string `json:"organisation,omitempty" maxLength:"64"`
	Client       string `json:"client,omitempty" maxLength:"128" doc:"A registered client that gets tokens of its own with scope admin: it becomes an operator at once, without an invitation"`
}

// Invitation makes the person who types its code an operator.
type Invitation struct {
	Operator Operator  `json:"operator"`
	Code     string    `json:"code,omitempty" doc:"Typed at the console after signing in, once; shown now and never again. Empty for a program"`
	Until    time.Time `json:"until,omitzero"`
}

// Join takes up an invitation.
type Join struct {
	Code string `json:"code" minLength:"8" maxLength:"64"`
}

// OperatorChange replaces what is given.
type OperatorChange struct {
	Roles     []Role `json:"roles,omitempty" minItems:"1" maxItems:"4" uniqueItems:"true" enum:"viewer,editor,approver,security"`
	Suspended *bool  `json:"suspended,omitempty"`
	Reason    string `json:"reason" minLength:"3" maxLength:"500"`
}

// OperatorList is a page of operators.
type OperatorList struct {
	Items []Operator `json:"items"`
	Next  string     `json:"next,omitempty"`
}

// Organisation owns services.
type Organisation struct {
	ID       string    `json:"id" pattern:"^[a-z][a-z0-9-]{1,62}$"`
	Name     string    `json:"name" minLength:"2" maxLength:"100"`
	Contacts []string  `json:"contacts,omitempty" maxItems:"10" doc:"E-mail addresses: who hears of secrets that end"`
	Since    time.Time `json:"since,omitzero" readOnly:"true"`
}

// OrganisationList is a page of organisations.
type OrganisationList struct {
	Items []Organisation `json:"items"`
	Next  string         `json:"next,omitempty"`
}
