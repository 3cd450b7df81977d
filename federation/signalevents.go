package federation

import (
	"slices"
	"strings"
	"time"
)

// EventType is the URI of a kind of security event.
type EventType string

// The event types: CAEP 1.0 §3, RISC 1.0 §2, SSF 1.0 §8.1.4 and §8.1.5, and one of our own.
const (
	EventSessionRevoked       EventType = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
	EventCredentialChange     EventType = "https://schemas.openid.net/secevent/caep/event-type/credential-change"
	EventAssuranceLevelChange EventType = "https://schemas.openid.net/secevent/caep/event-type/assurance-level-change"
	EventAccountDisabled      EventType = "https://schemas.openid.net/secevent/risc/event-type/account-disabled"
	EventAccountEnabled       EventType = "https://schemas.openid.net/secevent/risc/event-type/account-enabled"
	EventCredentialCompromise EventType = "https://schemas.openid.net/secevent/risc/event-type/credential-compromise"
	EventLinkEnded            EventType = "urn:tsunagu:event:link-ended"

	eventVerification  EventType = "https://schemas.openid.net/secevent/ssf/event-type/verification"
	eventStreamUpdated EventType = "https://schemas.openid.net/secevent/ssf/event-type/stream-updated"
)

// eventTypes are those that a stream may ask for. The last one is for services that have links.
func eventTypes(links bool) []EventType {
	all := []EventType{
		EventSessionRevoked, EventCredentialChange, EventAssuranceLevelChange, EventAccountDisabled, EventAccountEnabled, EventCredentialCompromise,
	}
	if links {
		all = append(all, EventLinkEnded)
	}
	return all
}

// Initiator says who caused an event (CAEP 1.0 §2).
type Initiator string

// The initiators that there are here.
const (
	InitiatedByUser   Initiator = "user"
	InitiatedByPolicy Initiator = "policy" // the hub, by its rules
	InitiatedBySystem Initiator = "system" // the card authority
)

// CredentialKind is what a credential is (CAEP 1.0 §3.3.1).
type CredentialKind string

// The kinds of credential there are here.
const (
	CredentialCard    CredentialKind = "x509" // the certificate of a card, or of a phone
	CredentialPasskey CredentialKind = "fido2-platform"
	CredentialRoaming CredentialKind = "fido2-roaming"
)

// CredentialChange is what became of a credential (CAEP 1.0 §3.3.1).
type CredentialChange string

// The changes.
const (
	CredentialCreated CredentialChange = "create"
	CredentialRevoked CredentialChange = "revoke" // it may be in wrong hands, or was taken back
	CredentialDeleted CredentialChange = "delete" // it went out of use
)

// Event is one security event, whomever it concerns.
type Event struct {
	Type    EventType
	Members map[string]any // beside the time
}

// SessionRevoked says that what a service derived from the hub's session, or from all of them, is over. why is a word of
// LogoutReason, for administrators.
func SessionRevoked(why LogoutReason) Event {
	by := InitiatedByUser
	switch why {
	case LogoutCardRevoked:
		by = InitiatedBySystem
	case LogoutOtherPerson, LogoutExpired, LogoutTooMany:
		by = InitiatedByPolicy
	case LogoutSession, LogoutEverywhere, LogoutService, LogoutLinkEnded, LogoutPasskeyRemoved, LogoutMandateEnded, LogoutCardRemoved:
	}
	return Event{EventSessionRevoked, map[string]any{"initiating_entity": string(by), "reason_admin": map[string]string{"en": string(why)}}}
}

// CredentialChanged says that a means to sign in came or went. It names no certificate and no device.
func CredentialChanged(kind CredentialKind, change CredentialChange, by Initiator) Event {
	return Event{EventCredentialChange, map[string]any{"credential_type": string(kind), "change_type": string(change), "initiating_entity": string(by)}}
}

// CredentialCompromised says that a credential may have been used by somebody else (RISC 1.0 §2.7).
func CredentialCompromised(kind CredentialKind) Event {
	return Event{EventCredentialCompromise, map[string]any{"credential_type": string(kind)}}
}

// AssuranceLevelChanged says that a session rests on another level now. Levels are acr values of the issuer (CAEP 1.0 §3.4).
func AssuranceLevelChanged(issuer, before, now string, increase bool) Event {
	direction := "decrease"
	if increase {
		direction = "increase"
	}
	return Event{EventAssuranceLevelChange, map[string]any{
		"namespace": issuer, "previous_level": before, "current_level": now, "change_direction": direction, "initiating_entity": string(InitiatedByUser),
	}}
}

// AccountDisabled says that nothing the person has opens the hub any more, and why is "hijacking" or empty (RISC 1.0 §2.3).
func AccountDisabled(why string) Event {
	e := Event{EventAccountDisabled, map[string]any{}}
	if why != "" {
		e.Members["reason"] = why
	}
	return e
}

// AccountEnabled says that the person can sign in again (RISC 1.0 §2.4).
func AccountEnabled() Event { return Event{EventAccountEnabled, map[string]any{}} }

// LinkEndedAtHub says that a link ended, and not by the service itself. Members: by and why, words of Actor and Why.
func LinkEndedAtHub(by Actor, why Why) Event {
	return Event{EventLinkEnded, map[string]any{"by": string(by), "why": string(why)}}
}

// at returns the members with the time of the event, where its specification has a place for it.
func (e Event) at(t time.Time) map[string]any {
	out := make(map[string]any, len(e.Members)+1)
	for k, v := range e.Members {
		out[k] = v
	}
	if strings.Contains(string(e.Type), "/caep/") {
		out["event_timestamp"] = t.Unix()
	}
	return out
}

func joinTypes(types []EventType) string {
	out := make([]string, len(types))
	for i, t := range types {
		out[i] = string(t)
	}
	return strings.Join(out, " ")
}

func splitTypes(s string) []EventType {
	out := []EventType{}
	for _, f := range strings.Fields(s) {
		out = append(out, EventType(f))
	}
	return out
}

// within returns the types that are in both lists, in the order of the first.
func within(known, asked []EventType) []EventType {
	return slices.DeleteFunc(slices.Clone(known), func(t EventType) bool { return !slices.Contains(asked, t) })
}
