package cardauth

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral/ephemeraltest"
)

// A hundred answers to one challenge arrive at once: one login. Everybody else
// hears that the challenge is spent, never that it did not exist.
func TestHundredAnswersOneLogin(t *testing.T) {
	ephemeraltest.Each(t, func(t *testing.T, store ephemeral.Store) {
		w := &world{now: noon}
		w.build(t, store, nil)
		id := w.challenge(t)
		body := w.honest(t, id, issue(t, nil)).compact(t)
		const answers = 100
		var errs [answers]error
		var start, group sync.WaitGroup
		start.Add(1)
		for i := range answers {
			group.Go(func() {
				start.Wait()
				_, errs[i] = w.submit(context.WithoutCancel(t.Context()), id, body)
			})
		}
		start.Done()
		group.Wait()
		accepted := 0
		for _, err := range errs {
			if err == nil {
				accepted++
				continue
			}
			if refusal, ok := errors.AsType[*Error](err); !ok || refusal.Reason != ChallengeSpent || refusal.Bound != bound {
				t.Errorf("got %v", err)
			}
		}
		if accepted != 1 {
			t.Errorf("%d of %d accepted, want 1", accepted, answers)
		}
	})
}

func TestChallengeLife(t *testing.T) {
	ephemeraltest.Each(t, func(t *testing.T, store ephemeral.Store) {
		w := &world{now: noon}
		w.build(t, store, nil)
		id := w.challenge(t)
		first, err := w.challenges.JWT(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := w.challenges.JWT(t.Context(), id); err != nil || again != first {
			t.Errorf("the challenge changed: %v", err)
		}
		if other := w.challenge(t); other == id {
			t.Error("one id twice")
		}
		rec, err := w.challenges.take(t.Context(), id)
		if err != nil || rec.JWT != first || rec.Bound != bound {
			t.Fatalf("%+v, %v", rec, err)
		}
		_, err = w.challenges.JWT(t.Context(), id)
		wantReason(t, err, ChallengeSpent)
		_, err = w.challenges.take(t.Context(), id)
		wantReason(t, err, ChallengeSpent)
	})
}
