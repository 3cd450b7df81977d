package adminapi

import (
	"encoding/json"
	"time"
)

// Verdict is what a probe came to.
type Verdict string

// The verdicts. A report is as its worst finding.
const (
	Green   Verdict = "green"
	Yellow  Verdict = "yellow" // works, and should be better; no obstacle
	Red     Verdict = "red"    // has to be mended, or excepted in writing
	Skipped Verdict = "skipped"
)

// Preflight is a dated report about a service and one revision of its metadata.
type Preflight struct {
	ID       string    `json:"id"`
	ClientID string    `json:"client_id"`
	Revision int64     `json:"revision,omitempty" doc:"Of the draft that was tried; 0: the live version"`
	Version  int64     `json:"version,omitempty" doc:"The live version that was tried; 0: a draft"`
	State    string    `json:"state" enum:"running,done,broken" doc:"broken: the hub could not finish it; try again"`
	Verdict  Verdict   `json:"verdict,omitempty" enum:"green,yellow,red" doc:"When it is done"`
	By       string    `json:"by" doc:"An operator's id"`
	ByName   string    `json:"by_name,omitempty"`
	Began    time.Time `json:"began"`
	Ended    time.Time `json:"ended,omitzero"`
	Findings []Finding `json:"findings" doc:"So far"`
	Planned  int       `json:"planned" doc:"How many findings there will be"`
}

// Finding is one probe with what came of it, in both languages.
type Finding struct {
	Probe      string  `json:"probe" example:"state" doc:"Which, for programs"`
	Title      string  `json:"title"`
	TitleEN    string  `json:"title_en"`
	Verdict    Verdict `json:"verdict" enum:"green,yellow,red,skipped"`
	Did        string  `json:"did" doc:"What the hub did"`
	DidEN      string  `json:"did_en"`
	Expected   string  `json:"expected"`
	ExpectedEN string  `json:"expected_en"`
	Got        string  `json:"got"`
	GotEN      string  `json:"got_en"`
	Remedy     string  `json:"remedy,omitempty" doc:"What to change; empty: nothing"`
	RemedyEN   string  `json:"remedy_en,omitempty"`
}

// NewPreflight asks for a report.
type NewPreflight struct {
	Revision int64 `json:"revision" minimum:"0" doc:"Of the draft; 0: the live version"`
}

// PreflightList is a page of reports, newest first, without findings.
type PreflightList struct {
	Items []Preflight `json:"items"`
	Next  string      `json:"next,omitempty"`
}

// Impact says what a version would have done to the requests of the last day, as far as they were let pass.
type Impact struct {
	Requests int64          `json:"requests" doc:"How many there were"`
	Refused  int64          `json:"refused" doc:"How many would have been refused that were not"`
	Untried  int64          `json:"untried" doc:"How many of them were too various to be kept, and could not be tried"`
	Since    time.Time      `json:"since"`
	Reasons  []ImpactReason `json:"reasons"`
	Sector   bool           `json:"sector" doc:"Every citizen would come back as a stranger"`
}

// ImpactReason is one kind of refusal.
type ImpactReason struct {
	Word    string          `json:"word" doc:"The reason as the hub's errors have it"`
	Member  string          `json:"member,omitempty" doc:"The member of the metadata that it comes of"`
	Detail  string          `json:"detail"`
	Count   int64           `json:"count"`
	Example json.RawMessage `json:"example" doc:"One such request, without anything of a person"`
}

// Figures are the last day of a service.
type Figures struct {
	Since    time.Time        `json:"since"`
	Logins   int64            `json:"logins"`
	Failures map[string]int64 `json:"failures" doc:"By reason"`
	Sessions int64            `json:"sessions" doc:"Alive now"`
	Linked   int64            `json:"linked" doc:"People whose folder is connected with it"`
	Waiting  int64            `json:"waiting" doc:"Sign-outs it has not heard of yet"`
	Checks   map[string]bool  `json:"checks" doc:"What was seen to work in that day: request, login, token, logout"`
}

// Delivery is one sign-out that a service is told of.
type Delivery struct {
	ID      string    `json:"id"`
	State   string    `json:"state" enum:"pending,confirmed,given_up,unsupported,collects,looks,asked" doc:"collects: it fetches it from its stream; looks: at its status list; asked: only the browser could tell it"`
	Tries   int       `json:"tries"`
	Created time.Time `json:"created"`
	Next    time.Time `json:"next,omitzero"`
	Done    time.Time `json:"done,omitzero"`
	Answer  string    `json:"answer,omitempty" doc:"What the service said last: a status of HTTP, or unreachable"`
}

// DeliveryList is a page of deliveries, newest first.
type DeliveryList struct {
	Items []Delivery `json:"items"`
	Next  string     `json:"next,omitempty"`
}

// Session is a sign-in to a service that is alive; of whom is not said.
type Session struct {
	ID    string    `json:"id"`
	Since time.Time `json:"since"`
	Until time.Time `json:"until,omitzero"`
}

// SessionList is a page of sessions, newest first.
type SessionList struct {
	Items []Session `json:"items"`
	Next  string    `json:"next,omitempty"`
}

// TestSignIn is a twin of a service for an hour: the same settings, but its answers come to the console and its subjects are nobody else's.
type TestSignIn struct {
	ClientID    string          `json:"client_id" doc:"Of the twin"`
	RedirectURI string          `json:"redirect_uri"`
	Metadata    json.RawMessage `json:"metadata" type:"object" doc:"As the twin is registered"`
	Until       time.Time       `json:"until"`
}

// NewTestSignIn asks for a twin of a draft or of the live version.
type NewTestSignIn struct {
	Revision    int64           `json:"revision,omitempty" minimum:"0" doc:"Of the draft; 0: the live version"`
	RedirectURI string          `json:"redirect_uri" maxLength:"2000" doc:"At the console's own address"`
	JWKS        json.RawMessage `json:"jwks" type:"object" doc:"The public key that the caller will prove itself with, in place of the service's own"`
}
