package jlis

import (
	"sync"
	"time"
)

const (
	breakAfter = 3               // failures in a row
	breakFor   = 5 * time.Second // then one question is let through
)

// breaker counts failures in a row. When there were too many it opens, and lets
// one question through each breakFor to see whether the service is back.
type breaker struct {
	mu       sync.Mutex
	failures int
	next     time.Time // when the next question may be posed while open
}

func (b *breaker) allows(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < breakAfter {
		return true
	}
	if now.Before(b.next) {
		return false
	}
	b.next = now.Add(breakFor)
	return true
}

func (b *breaker) note(good bool, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if good {
		b.failures = 0
		return
	}
	b.failures++
	b.next = now.Add(breakFor)
}
