package cardauth

import (
	"sync"
	"time"
)

const (
	breakAfter   = 5 // failures in a row open the circuit
	breakFor     = 10 * time.Second
	maxBreak     = 2 * time.Minute
	maxDoublings = 8
)

// circuitState says whether a responder is asked.
type circuitState int

const (
	circuitClosed   circuitState = iota // asked
	circuitHalfOpen                     // one question is allowed, to see
	circuitOpen                         // not asked: it did not answer lately
)

// circuit keeps logins from waiting for a responder that does not answer. It
// opens after failures in a row, for twice as long each time, then lets one
// question through: its outcome closes the circuit or opens it again.
type circuit struct {
	mu      sync.Mutex
	fails   int // in a row
	opened  int // times since the last answer
	until   time.Time
	probing bool
}

// allow reports whether a question may be asked. Whoever is allowed calls done.
func (c *circuit) allow(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.at(now) {
	case circuitClosed:
		return true
	case circuitHalfOpen:
		if c.probing {
			return false
		}
		c.probing = true
		return true
	case circuitOpen:
	}
	return false
}

// done tells the circuit what became of a question. Those that were under way
// when it opened open it no further.
func (c *circuit) done(now time.Time, answered bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state := c.at(now); {
	case answered:
		c.fails, c.opened, c.probing, c.until = 0, 0, false, time.Time{}
	case state == circuitOpen:
	default:
		if c.fails++; c.fails < breakAfter {
			return
		}
		c.until = now.Add(min(maxBreak, breakFor<<min(c.opened, maxDoublings)))
		c.opened++
		c.probing = false
	}
}

func (c *circuit) state(now time.Time) circuitState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at(now)
}

// at is state for those who hold the lock.
func (c *circuit) at(now time.Time) circuitState {
	switch {
	case c.until.IsZero():
		return circuitClosed
	case now.Before(c.until):
		return circuitOpen
	}
	return circuitHalfOpen
}
