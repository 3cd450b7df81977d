//go:build pcsc && (cgo || windows)

package pcsc

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ebfe/scard"
)

const (
	listTimeout    = 3 * time.Second        // to look at every reader
	connectTimeout = 5 * time.Second        // to get a card, another program's transaction included
	commandTimeout = 10 * time.Second       // for one command; a signature takes a real card under a second
	closeTimeout   = 2 * time.Second        // to reset a card and let go of it
	graceTime      = 500 * time.Millisecond // for a call that was given up to return after all
	maxStartOvers  = 25                     // how often a card that others keep resetting is taken up again
	startOverPause = 10 * time.Millisecond
)

// Readers are the readers of this computer. It is safe for concurrent use.
type Readers struct {
	mu    sync.Mutex
	stuck map[string]*worker // by reader, "" for the list: calls that were given up
}

// Open returns the readers of this computer. Nothing is asked yet: a service that does not run is an error of Slots.
func Open() (*Readers, error) { return &Readers{stuck: map[string]*worker{}}, nil }

// Slots lists the readers. None at all is ReaderMissing.
func (r *Readers) Slots(ctx context.Context) ([]Slot, error) {
	if !r.isFree(ctx, "") {
		return nil, &Error{Reason: ServiceMissing, Detail: "an earlier question is still without an answer"}
	}
	limited, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	w := newWorker(func() {})
	defer w.finish()
	slots, err := do(limited, w, list)
	if errors.Is(err, errGivenUp) {
		r.giveUp("", w)
		return nil, &Error{Reason: ServiceMissing, Detail: "no answer in time", Err: err}
	}
	if err != nil {
		return nil, failure(err)
	}
	return slots, nil
}

// list asks with a context of its own: one that has seen the service end never works again.
func list() ([]Slot, error) {
	c, err := scard.EstablishContext()
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Release() }() // nothing hangs on it
	for range maxStartOvers {
		var names []string
		if names, err = c.ListReaders(); err != nil {
			return nil, err
		}
		if len(names) == 0 {
			return nil, scard.ErrNoReadersAvailable
		}
		states := make([]scard.ReaderState, len(names))
		for i, name := range names {
			states[i] = scard.ReaderState{Reader: name, CurrentState: scard.StateUnaware}
		}
		err = c.GetStatusChange(states, 0)
		if errors.Is(err, scard.ErrUnknownReader) {
			continue // it went between the two calls
		}
		if err != nil {
			return nil, err
		}
		slots := make([]Slot, len(names))
		for i, s := range states {
			// The upper half counts events: bits are tested, never the whole compared.
			slots[i] = Slot{
				Reader: s.Reader, Card: s.EventState&scard.StatePresent != 0,
				Insertion: uint16(uint32(s.EventState) >> 16), // the upper half
			}
		}
		return slots, nil
	}
	return nil, err
}

// Connect takes the card in a reader for one session. Close ends it. A program that has the card at this moment is
// waited for; one that does not let go is ReaderBusy.
func (r *Readers) Connect(ctx context.Context, reader string) (*Session, error) {
	if !r.isFree(ctx, reader) {
		return nil, &Error{Reason: ReaderBusy, Detail: "an earlier command is still without an answer"}
	}
	limited, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	h := &handle{}
	s := &Session{readers: r, reader: reader, handle: h, worker: newWorker(h.close)}
	_, err := do(limited, s.worker, func() (struct{}, error) { return struct{}{}, h.open(reader) })
	if err == nil {
		return s, nil
	}
	if errors.Is(err, errGivenUp) {
		s.lost = true
		r.giveUp(reader, s.worker)
		err = &Error{Reason: ReaderBusy, Detail: "another program does not let go of the card", Err: err}
	}
	s.Close()
	return nil, failure(err)
}

// giveUp remembers that a call of a worker hangs.
func (r *Readers) giveUp(key string, w *worker) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stuck[key] = w
}

// isFree says whether no call that was given up is still under way. It waits a moment for one: most were given up only
// because a browser had gone.
func (r *Readers) isFree(ctx context.Context, key string) bool {
	r.mu.Lock()
	w := r.stuck[key]
	r.mu.Unlock()
	if w == nil {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, graceTime)
	defer cancel()
	select {
	case <-w.ended:
	case <-ctx.Done():
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stuck[key] == w {
		delete(r.stuck, key)
	}
	return true
}
