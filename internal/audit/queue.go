package audit

import (
	"errors"
	"sync"
)

// maxBatch bounds the events of one transaction.
const maxBatch = 64

// queue lets callers that append at the same time share a transaction: while one batch is being committed the next gathers, and
// its first member then commits it for all. With every commit waiting for the disk, and all of them for the one head row, this
// is the difference between a thousand events a second and many thousands.
//
// Nothing runs in between: a caller works for itself and those who wait with it, never for those who come later.
type queue struct {
	mu      sync.Mutex
	waiting []*waiter
	busy    bool // somebody commits, and will call the first of waiting when done
}

// errUnfinished is what the others of a batch get whose leader did not come back.
var errUnfinished = errors.New("audit: append was not finished")

// waiter is an event that waits to be committed.
type waiter struct {
	event stored
	lead  chan struct{} // receives when it is this waiter's turn to commit
	done  chan error    // receives when somebody else has committed the event
}

// join returns when the event was committed, or was not, by this call of commit or another's.
func (q *queue) join(event stored, commit func([]stored) error) error {
	w := &waiter{event: event, lead: make(chan struct{}, 1), done: make(chan error, 1)}
	q.mu.Lock()
	q.waiting = append(q.waiting, w)
	if !q.busy {
		q.busy = true
		w.lead <- struct{}{}
	}
	q.mu.Unlock()

	select {
	case err := <-w.done:
		return err
	case <-w.lead:
	}
	batch := q.take()
	events := make([]stored, len(batch))
	for i, b := range batch {
		events[i] = b.event
	}
	err := errUnfinished
	defer func() { // also when commit panics: the others must not wait for ever
		q.pass()
		for _, b := range batch {
			if b != w {
				b.done <- err
			}
		}
	}()
	err = commit(events)
	return err
}

// take removes the next batch. The leader is the first in it.
func (q *queue) take() []*waiter {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.waiting), maxBatch)
	batch := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	return batch
}

// pass calls the next leader, if anybody waits.
func (q *queue) pass() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.busy = false
		q.waiting = nil
		return
	}
	q.waiting[0].lead <- struct{}{}
}
