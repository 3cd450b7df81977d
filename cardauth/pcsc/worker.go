//go:build pcsc && (cgo || windows)

package pcsc

import (
	"context"
	"errors"
	"fmt"
)

// errGivenUp says that a call was no longer waited for. It may still be under way.
var errGivenUp = errors.New("given up waiting")

// worker makes calls that nobody can cancel, one after the other, in a goroutine of its own.
type worker struct {
	jobs  chan func()
	ended chan struct{}
}

// newWorker starts a worker that calls last after its last job.
func newWorker(last func()) *worker {
	// One job fits in, so that handing it over never waits: whoever gave a job up gives no other.
	w := &worker{jobs: make(chan func(), 1), ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		for job := range w.jobs {
			job()
		}
		last()
	}()
	return w
}

// finish lets the worker end after what it has begun.
func (w *worker) finish() { close(w.jobs) }

// do has the worker call f and waits for it until ctx ends; then the error is errGivenUp.
func do[T any](ctx context.Context, w *worker, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	w.jobs <- func() {
		v, err := f()
		done <- result{v, err}
	}
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, fmt.Errorf("%w: %w", errGivenUp, context.Cause(ctx))
	}
}
