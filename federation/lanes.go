package federation

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

const (
	maxLanes   = 64 // receivers told at once by this process, by one outbox
	breakAfter = 3  // failures in a row
	maxBreak   = time.Minute
)

// lane is what this process knows of one receiver: whether it is at work for it, and how the last tries went. A receiver that
// failed several times in a row is left alone for a while, and then asked with one row only, however many are due.
type lane struct {
	busy     bool
	failures int
	until    time.Time // left alone
	turn     uint64    // the latest to end was its own when so many had; 0: it had none
}

// lanes keep an outbox from being held up by one of its receivers.
type lanes struct {
	now  func() time.Time
	free int // how many may be busy at once

	mu    sync.Mutex
	of    map[string]*lane
	turns uint64
}

func newLanes(now func() time.Time) *lanes {
	return &lanes{now: now, free: maxLanes, of: make(map[string]*lane)}
}

// enter takes the lane of a receiver and returns how many rows it may take, 0 if not now.
func (l *lanes) enter(id string) (limit int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	busy := 0
	for _, other := range l.of {
		if other.busy {
			busy++
		}
	}
	own := l.of[id]
	if own == nil {
		own = &lane{}
		l.of[id] = own
	}
	if own.busy || busy >= l.free || l.now().Before(own.until) {
		return 0
	}
	own.busy = true
	if own.failures >= breakAfter {
		return 1
	}
	return laneBatch
}

func (l *lanes) leave(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turns++
	l.of[id].busy, l.of[id].turn = false, l.turns
}

// inTurn puts first whoever had no turn for the longest time: receivers that answer slowly and always have something due do not share the
// lanes among themselves.
func inTurn[ID ~string](l *lanes, ids []ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	turn := func(id ID) uint64 {
		if own := l.of[string(id)]; own != nil {
			return own.turn
		}
		return 0
	}
	slices.SortStableFunc(ids, func(a, b ID) int { return cmp.Compare(turn(a), turn(b)) })
}

// saw notes how a try went.
func (l *lanes) saw(id string, answered bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	own := l.of[id]
	if own == nil {
		return
	}
	if answered {
		own.failures, own.until = 0, time.Time{}
		return
	}
	own.failures++
	if own.failures >= breakAfter {
		own.until = l.now().Add(min(pause(own.failures-breakAfter+1), maxBreak))
	}
}

// alone reports whether a receiver is to be left alone now.
func (l *lanes) alone(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	own := l.of[id]
	return own != nil && l.now().Before(own.until)
}
