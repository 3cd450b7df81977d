package rp

import (
	"sync"
	"time"
)

// seldomEvery is how often something that strangers can cause is logged.
const seldomEvery = 10 * time.Second

// seldom lets one line through in a while and counts the others.
type seldom struct {
	mu   sync.Mutex
	last time.Time
	left int
}

// due reports whether a line may be written now, and how many were left off before it.
func (s *seldom) due(now time.Time) (left int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.last.IsZero() && now.Sub(s.last) < seldomEvery {
		s.left++
		return 0, false
	}
	left, s.left, s.last = s.left, 0, now
	return left, true
}
