package federation

import (
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
)

// The delivery methods (SSF 1.0 §6.1): RFC 8935 and RFC 8936.
const (
	methodPush = "urn:ietf:rfc:8935"
	methodPoll = "urn:ietf:rfc:8936"
)

// streamStatus is SSF 1.0 §8.1.2.
type streamStatus string

// The states: events are told, kept for later, or neither.
const (
	streamEnabled  streamStatus = "enabled"
	streamPaused   streamStatus = "paused"
	streamDisabled streamStatus = "disabled"
)

// stream is one receiver's stream.
type stream struct {
	ID          string
	Client      clients.ID
	Method      string
	Endpoint    string // of the receiver; empty for poll
	credential  []byte // sealed
	Requested   []EventType
	Description string
	Status      streamStatus
	Reason      string
	Created     time.Time
	Seen        time.Time
	verified    int64 // Unix milliseconds
}

// queued is one event in a stream.
type queued struct {
	ID       string // the jti
	Stream   string
	Type     EventType
	Account  AccountID
	Delivery string
	Always   bool // also while the stream is not enabled
	Tries    int

	sealed        []byte
	created, next time.Time
}

// The states of a queued event.
const (
	eventPending = "pending"
	eventTold    = "told"
	eventRefused = "refused" // the receiver does not take it
	eventFailed  = "failed"  // the receiver was not there for too long
)

// Bounds of a stream.
const (
	// verifyEvery is the least time between two verifications of a stream.
	verifyEvery = 5 * time.Second
	// inactivity is how long a receiver may be silent before its stream is paused.
	inactivity = 30 * 24 * time.Hour
	// maxQueued is how many events wait in a stream before it is disabled: who does not take them has other worries.
	maxQueued = 10_000
	// keepQueued is how long an event waits for a receiver that collects, or has paused: longer than any session lives.
	keepQueued = 7 * 24 * time.Hour
)
