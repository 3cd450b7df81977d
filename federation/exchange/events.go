package exchange

import "github.com/tsunagu-id/tsunagu/internal/audit"

// Kinds of audit events. Account is the citizen (empty if the name is nobody's), Actor the client of the office that acted, Client the
// other office's client. Facts name the exchange, and for auditors basis, version, purpose and item; "nondisclosure" is "1" or "2" where
// the citizen must not read the content. What tells the citizen of an event must not repeat its parties and codes: the provider may
// know a ground for non-disclosure, and says so last.
const (
	EventRequested audit.Kind = "exchange.requested" // Actor: the requester, Client: the provider
	EventRefused   audit.Kind = "exchange.refused"   // as above; Reason: why. Client may be empty
	EventProvided  audit.Kind = "exchange.provided"  // Actor: the provider, Client: the requester; Reason: what it said: provided, none, declined

	EventProtected   audit.Kind = "exchange.protected"   // Actor: the office; facts: nondisclosure, until
	EventUnprotected audit.Kind = "exchange.unprotected" // Actor: the office, whose protection it was

	EventBasesProposed audit.Kind = "bases.proposed" // Actor: the person; facts: version, rows, digest
	EventBasesApproved audit.Kind = "bases.approved" // Actor: the person; facts: version, from, until
)
