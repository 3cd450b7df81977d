package clients

import "time"

// SessionClass is a group of services that the hub or a citizen may keep apart from
// another: no session is used for services of both.
type SessionClass string

// The classes. A client without one has the class of its category.
const (
	ClassGovernment SessionClass = "government"
	ClassPrivate    SessionClass = "private"
)

// SessionClasses lists all of them.
func SessionClasses() []SessionClass { return []SessionClass{ClassGovernment, ClassPrivate} }

// Bounds of session_idle and session_absolute, in seconds. Below the lower one nobody
// could finish a form; beyond the upper one the hub's own limits are in force.
const (
	minSession = 60
	maxSession = 24 * 60 * 60
)

// checkSessions judges the rules of a client's sign-ins. They can only be stricter
// than the hub's, so that anybody may set them for itself.
func checkSessions(m *Metadata, faults *FieldErrors) {
	for _, limit := range []struct {
		name  string
		value *int64
	}{{"session_idle", m.SessionIdle}, {"session_absolute", m.SessionAbsolute}} {
		if limit.value != nil && (*limit.value < minSession || *limit.value > maxSession) {
			faults.add(limit.name, "is not between a minute and a day", "write 60 to 86400 seconds, or leave it out")
		}
	}
	if m.SessionIdle != nil && m.SessionAbsolute != nil && *m.SessionIdle > *m.SessionAbsolute {
		faults.add("session_idle", "is longer than session_absolute", "write a shorter time, or leave it out")
	}
	if m.SessionClass != "" {
		checkOneOf(faults, "session_class", string(m.SessionClass), string(ClassGovernment), string(ClassPrivate))
	}
	if (m.AlwaysCard || m.SessionIdle != nil || m.SessionAbsolute != nil) && !m.meetsCitizens() {
		faults.add("always_card", "or another rule of sign-ins stands in the registration of a client that signs nobody in", "leave it out")
	}
}

// AlwaysCard reports whether every sign-in to the client needs a card that is read
// for it, on the device that signs in.
func (c *Client) AlwaysCard() bool { return c.m.AlwaysCard }

// SessionIdle returns how long a session may be unused and still be good for a
// sign-in to the client, and how long a refresh token of it may be; zero: as long as
// the hub lets it.
func (c *Client) SessionIdle() time.Duration { return seconds(c.m.SessionIdle) }

// SessionAbsolute returns how old a login may be that a sign-in to the client rests
// on, and how old what the client got from it becomes; zero: as the hub lets it.
func (c *Client) SessionAbsolute() time.Duration { return seconds(c.m.SessionAbsolute) }

func seconds(n *int64) time.Duration {
	if n == nil {
		return 0
	}
	return time.Duration(*n) * time.Second
}

// SessionClass returns the group of services that the client belongs to.
func (c *Client) SessionClass() SessionClass {
	switch {
	case c.m.SessionClass != "":
		return c.m.SessionClass
	case c.m.Category == Government:
		return ClassGovernment
	}
	return ClassPrivate
}
