package agent

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

// cardTimeout bounds one use of a card. The slowest part is the signature, under a second on a real one.
const cardTimeout = 20 * time.Second

// cards gives one caller at a time a card, and puts it away after each use.
type cards struct {
	reader Reader
	log    *slog.Logger

	mu    sync.Mutex
	locks map[string]lock // by card name; only names the reader listed
}

// seen is a card as the PIN page shows it.
type seen struct {
	CardChoice
	left jpki.Tries
	err  error // why the card could not be asked
}

// look asks every card for its tries, of the PIN or of the signing password. It costs none of them.
func (cs *cards) look(ctx context.Context, signing bool) ([]seen, error) {
	choices, err := cs.reader.Cards(ctx)
	if err != nil {
		return nil, err
	}
	if len(choices) == 0 {
		return nil, refuse(CardMissing, "no reader holds a card")
	}
	out := make([]seen, len(choices))
	for i, choice := range choices {
		out[i].CardChoice = choice
		out[i].err = cs.use(ctx, choice.Name, func(ctx context.Context, card *jpki.Card) (err error) {
			out[i].left, err = triesLeft(ctx, card, signing)
			return err
		})
	}
	return out, nil
}

// sign unlocks a card and has it sign what build makes of its certificate. lastTry allows the try that would lock the
// card. The PIN goes before the certificate: a phone's certificate can only be read behind it.
func (cs *cards) sign(ctx context.Context, name string, pin jpki.PIN, lastTry bool, build func(der []byte) (response, error)) (string, error) {
	var sealed string
	err := cs.use(ctx, name, func(ctx context.Context, card *jpki.Card) error {
		unlock := card.Unlock
		if lastTry {
			unlock = card.UnlockLastTry
		}
		if err := unlock(ctx, pin); err != nil {
			return err
		}
		der, err := card.AuthCertificate(ctx)
		if err != nil {
			return err
		}
		r, err := build(der)
		if err != nil {
			return err
		}
		signature, err := card.SignAuth(ctx, r.digest())
		if err != nil {
			return err
		}
		sealed = r.sealed(signature)
		return nil
	})
	return sealed, err
}

// use holds a card alone for the length of f, with the JPKI application selected.
func (cs *cards) use(ctx context.Context, name string, f func(context.Context, *jpki.Card) error) error {
	ctx, cancel := context.WithTimeout(ctx, cardTimeout)
	defer cancel()
	l, err := cs.lock(ctx, name)
	if err != nil {
		return err
	}
	if err := l.acquire(ctx); err != nil {
		return &Error{Reason: ReaderBusy, Detail: "another login has the card", Err: err}
	}
	defer l.release()
	reader, release, err := cs.reader.Connect(ctx, name)
	if err != nil {
		return err
	}
	defer release()
	card, err := jpki.Open(ctx, reader)
	if err != nil {
		return err
	}
	defer func() {
		// Leaving the application makes the card forget the PIN. If even that fails, release takes its power.
		// A card that is gone has forgotten.
		err := card.Close(context.WithoutCancel(ctx))
		if e, ok := errors.AsType[*jpki.Error](err); err != nil && (!ok || e.Reason != jpki.CardRemoved) {
			cs.log.WarnContext(ctx, "card not closed", "err", err)
		}
	}()
	return f(ctx, card)
}

// lock finds the lock of a card that is there. Names come from forms, so only those the reader lists get one.
func (cs *cards) lock(ctx context.Context, name string) (lock, error) {
	choices, err := cs.reader.Cards(ctx)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(choices, func(c CardChoice) bool { return c.Name == name }) {
		return nil, refuse(CardMissing, "no card of this name")
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.locks[name] == nil {
		cs.locks[name] = newLock()
	}
	return cs.locks[name], nil
}

// lock is a mutex whose waiting ends with the context.
type lock chan struct{}

func newLock() lock { return make(lock, 1) }

func (l lock) acquire(ctx context.Context) error {
	select {
	case l <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l lock) release() { <-l }
