package idp

import (
	"errors"
	"slices"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
)

// SessionRules says how long sessions live, and which are kept apart. The zero value stands for the hub's own.
type SessionRules struct {
	// Idle is how long a session may be unused; zero means 30 minutes.
	Idle time.Duration
	// Absolute is how old a session gets, used or not; zero means twelve hours.
	Absolute time.Duration
	// SharedIdle is Idle for a session on a computer that others use too; zero means ten minutes.
	SharedIdle time.Duration
	// Warn is how long before the end of a session its pages lead to the warning; zero means two minutes. At most half of the time it warns of.
	Warn time.Duration
	// Tell is how often a process looks for sessions that ended by themselves, so that their services are told; zero means 15 seconds.
	Tell time.Duration
	// Separate are pairs of classes: no session is used for services of both.
	Separate [][2]clients.SessionClass
}

// minWarn is what WCAG 2.2 §2.2.1 leaves a person to press one button.
const minWarn = 20 * time.Second

func (r *SessionRules) fill() {
	for _, f := range []struct {
		of *time.Duration
		to time.Duration
	}{{&r.Idle, 30 * time.Minute}, {&r.Absolute, 12 * time.Hour}, {&r.SharedIdle, 10 * time.Minute}, {&r.Warn, 2 * time.Minute}, {&r.Tell, 15 * time.Second}} {
		if *f.of == 0 {
			*f.of = f.to
		}
	}
	r.Idle = min(r.Idle, r.Absolute)
	r.SharedIdle = min(r.SharedIdle, r.Idle)
}

// Check judges rules before anything is filled in.
func (r SessionRules) Check() error {
	for _, d := range []time.Duration{r.Idle, r.Absolute, r.SharedIdle} {
		if d != 0 && d < 2*minWarn {
			return errors.New("sessions: idle, absolute and shared_idle are 40 seconds at least, or 0 for the hub's own")
		}
	}
	switch {
	case r.Absolute > 30*24*time.Hour:
		return errors.New("sessions: absolute is 30 days at most")
	case r.Warn != 0 && r.Warn < minWarn:
		return errors.New("sessions: warn is 20 seconds at least, so that a person can react (WCAG 2.2, 2.2.1)")
	case r.Tell < 0 || r.Tell > time.Hour:
		return errors.New("sessions: tell is an hour at most")
	}
	for _, pair := range r.Separate {
		known := clients.SessionClasses()
		if pair[0] == pair[1] || !slices.Contains(known, pair[0]) || !slices.Contains(known, pair[1]) {
			return errors.New(`sessions: separate lists pairs of two different classes, such as ["government", "private"]`)
		}
	}
	return nil
}

// apart says whether the hub keeps services of two classes out of one session.
func (r SessionRules) apart(a, b clients.SessionClass) bool {
	return slices.ContainsFunc(r.Separate, func(pair [2]clients.SessionClass) bool {
		return pair == [2]clients.SessionClass{a, b} || pair == [2]clients.SessionClass{b, a}
	})
}

func (r SessionRules) idleOf(s *session) time.Duration {
	if s.Shared {
		return r.SharedIdle
	}
	return r.Idle
}

// end is when a session ends if it is not used from now on.
func (r SessionRules) end(s *session) time.Time {
	end := time.Unix(s.Last, 0).Add(r.idleOf(s))
	if last := time.UnixMilli(s.Created).Add(r.Absolute); last.Before(end) {
		return last
	}
	return end
}

// extends says whether using a session now would put off its end by enough to speak of.
func (r SessionRules) extends(s *session, now time.Time) bool {
	return time.UnixMilli(s.Created).Add(r.Absolute).Sub(now) > max(r.warn(s), time.Minute)
}

func (r SessionRules) warn(s *session) time.Duration { return min(r.Warn, r.idleOf(s)/2) }

// touch is how stale the last-used time may get before it is written.
func (r SessionRules) touch(s *session) time.Duration { return min(time.Minute, r.idleOf(s)/20) }
