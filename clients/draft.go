package clients

import (
	"encoding/json"
	"slices"
	"time"
)

// DraftState is where a draft stands.
type DraftState string

// The states of a draft.
const (
	DraftOpen      DraftState = "open"      // is being written
	DraftRequested DraftState = "requested" // waits for a second person
	DraftRejected  DraftState = "rejected"  // was handed back
)

// Draft is the next version of a client while it is written. There is one at a time. Its revision grows with every change, and never comes
// again: whoever decides about a draft names the revision that she saw.
type Draft struct {
	Revision    int64
	BaseVersion int64 // what was live when it was saved; 0: nothing
	State       DraftState
	Metadata    json.RawMessage // as Metadata is written
	Note        string          // why, in the author's words
	By          string          // who saved it last
	Authors     []string        // all who had a hand in it
	At          time.Time
	Answer      string // why it was handed back

	askedBy string // who requested it last
}

// with adds somebody who had a hand in the draft.
func (d *Draft) with(author string) {
	if !slices.Contains(d.Authors, author) {
		d.Authors = append(slices.Clone(d.Authors), author)
	}
}

// Writing is what a draft is to say.
type Writing struct {
	Revision int64  // the revision that was seen; 0: there was no draft
	Document []byte // client metadata, as ParseMetadata takes it; client_id may be left out
	Note     string // why; at most 500 characters
	By       string // operator
	// Partial keeps the draft although it has faults; it cannot be requested until it has none. What cannot be read as metadata at all
	// (unknown members, values of another type) is refused even so.
	Partial bool
}

// NewClient is a client that is to be drafted for the first time.
type NewClient struct {
	Organisation string // empty, or the id of one there is
	Kind         Kind   // empty: what the metadata looks like
	Writing             // its Revision is not looked at; an id is drawn if the document has none
}

// Saved is a draft that was stored.
type Saved struct {
	ID     ID
	Draft  Draft
	Faults []FieldError // with Partial: what has to be mended before it can be requested
}

// Bounds of what operators write, in characters.
const (
	maxNote      = 500
	minReason    = 3
	minException = 10
	maxException = 1000
)
