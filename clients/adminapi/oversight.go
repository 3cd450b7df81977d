package adminapi

import "time"

// AuditRow is one row of the log.
type AuditRow struct {
	Seq     int64             `json:"seq"`
	At      time.Time         `json:"at"`
	Kind    string            `json:"kind" example:"login.succeeded"`
	Account string            `json:"account,omitempty" doc:"Internal id of the person, never a name; a search has it, and session, only of the person it was for"`
	Client  string            `json:"client,omitempty"`
	Session string            `json:"session,omitempty"`
	Actor   string            `json:"actor,omitempty"`
	Reason  string            `json:"reason,omitempty"`
	Trace   string            `json:"trace,omitempty"`
	Facts   map[string]string `json:"facts,omitempty"`
	Hash    string            `json:"hash" doc:"SHA-256, hexadecimal"`
	Prev    string            `json:"prev"`
}

// AuditList is a page of rows, newest first.
type AuditList struct {
	Items []AuditRow `json:"items"`
	Next  string     `json:"next,omitempty"`
	More  bool       `json:"more" doc:"There are over ten thousand: narrow the period"`
}

// VerifyAudit asks for a walk over the whole log.
type VerifyAudit struct {
	Checkpoint string `json:"checkpoint,omitempty" maxLength:"2000" doc:"A checkpoint that you kept, compact JWS: the log is held against it as well"`
}

// AuditCheck is what a walk over the whole log came to.
type AuditCheck struct {
	Rows  int64  `json:"rows"`
	Whole bool   `json:"whole"`
	Seq   int64  `json:"seq,omitempty" doc:"The first row that is not what was written; with why checkpoint, the row of the first statement that does not hold: what was changed is between the one before and it"`
	Why   string `json:"why,omitempty" enum:"altered,missing,reordered,truncated,headless,checkpoint"`
	Hash  string `json:"hash,omitempty" doc:"Of the last row"`
}

// Checkpoint is a signed statement of where the log stood, for others to keep.
type Checkpoint struct {
	Seq  int64     `json:"seq"`
	At   time.Time `json:"at"`
	Hash string    `json:"hash"`
	JWS  string    `json:"jws" doc:"Compact, typ audit-checkpoint+jwt, by the hub's published keys"`
}

// CheckpointList is a page of checkpoints, newest first.
type CheckpointList struct {
	Items []Checkpoint `json:"items"`
	Next  string       `json:"next,omitempty"`
}

// Retention says how long what is kept.
type Retention struct {
	Days  int   `json:"days" doc:"Rows older than this are taken out, after a checkpoint"`
	First int64 `json:"first" doc:"The oldest row that is still there"`
}

// FindCitizen looks for a person: by the number on an error page, or by a service's name for her. Never by anything that others know her by.
type FindCitizen struct {
	Trouble  string `json:"trouble,omitempty" pattern:"^([0-9A-Fa-f]{4}-[0-9A-Fa-f]{4})?$"`
	ClientID string `json:"client_id,omitempty" maxLength:"128"`
	Subject  string `json:"sub,omitempty" maxLength:"255"`
	Reason   string `json:"reason" minLength:"3" maxLength:"500" doc:"Why you look; the citizen reads that you did"`
}

// Citizen is what an operator sees of a person: nothing that says who she is.
type Citizen struct {
	Case       string          `json:"case,omitempty" doc:"Names her for a quarter of an hour, to you alone; left out when the number is known and nobody was signed in: then there is nothing but troubles"`
	Since      time.Time       `json:"since,omitzero"`
	Logins     []CitizenLogin  `json:"logins" doc:"The last fifty"`
	Sessions   []CitizenDevice `json:"sessions"`
	Links      []CitizenLink   `json:"links"`
	Deliveries []Delivery      `json:"deliveries"`
	Troubles   []AuditRow      `json:"troubles" doc:"The rows of the number that was asked for"`
}

// CitizenLogin is a sign-in that worked, or did not.
type CitizenLogin struct {
	At     time.Time `json:"at"`
	Client string    `json:"client,omitempty"`
	ACR    string    `json:"acr,omitempty"`
	Reason string    `json:"reason,omitempty" doc:"Why it did not"`
	Trace  string    `json:"trace,omitempty"`
}

// CitizenDevice is a session at the hub.
type CitizenDevice struct {
	ID       string    `json:"id"`
	Since    time.Time `json:"since"`
	LastUse  time.Time `json:"last_use,omitzero"`
	ACR      string    `json:"acr,omitempty"`
	Services []string  `json:"services"`
}

// CitizenLink is a connection with a service.
type CitizenLink struct {
	Client string    `json:"client"`
	State  string    `json:"state" enum:"offered,linked,broken,ended"`
	Since  time.Time `json:"since"`
}

// SigningKey is one of the hub's keys.
type SigningKey struct {
	Kid   string    `json:"kid"`
	Alg   string    `json:"alg"`
	State string    `json:"state" enum:"next,current,verifying,ended"`
	From  time.Time `json:"from,omitzero"`
	To    time.Time `json:"to,omitzero"`
}

// KeyList lists all keys that still count.
type KeyList struct {
	Items []SigningKey `json:"items"`
}

// Rotate announces a successor of a key.
type Rotate struct {
	Alg    string `json:"alg" maxLength:"10" example:"ES256"`
	Reason string `json:"reason" minLength:"3" maxLength:"500"`
}

// Status is how the hub does.
type Status struct {
	Parts  []StatusPart     `json:"parts"`
	Counts map[string]int64 `json:"counts" doc:"Of the last day"`
}

// StatusPart is one thing that can fail.
type StatusPart struct {
	Name   string    `json:"name"`
	State  string    `json:"state" enum:"good,attention,down"`
	Since  time.Time `json:"since,omitzero"`
	Detail string    `json:"detail,omitempty"`
}
