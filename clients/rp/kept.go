package rp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

const (
	cookieKept = "kept"
	// keptLife is how long what was typed waits for its author to sign in again.
	keptLife = 30 * time.Minute
	// maxKept bounds what all browsers together can have put aside in that time, in bytes: nobody who sends it is known.
	maxKept = 8 << 20
)

var errKeptFull = errors.New("rp: no room for another form")

func keptKey(id string) string { return "kept:1:" + digest("kept", id) }

// Keep puts aside what somebody sent whose sign-in had run out, for this browser to get back with Kept. It is sealed under a key made from the
// browser's cookie. Whoever shows it again has to see that it is shown to its author.
func (p *Party) Keep(w http.ResponseWriter, r *http.Request, sent []byte) error {
	id := newID()
	ctx := context.WithoutCancel(r.Context())
	slot := "kept-bytes:1:" + strconv.FormatInt(p.now().Unix()/int64(keptLife/time.Second), 10)
	if total, err := p.store.Increment(ctx, slot, int64(len(sent)), keptLife); err != nil || total > maxKept {
		return errors.Join(errKeptFull, err)
	}
	if err := p.store.Create(ctx, keptKey(id), seal(id, sent), keptLife); err != nil {
		return fmt.Errorf("keep form: %w", err)
	}
	p.site.SetCookie(w, web.Cookie{Name: cookieKept, Value: id, MaxAge: keptLife})
	return nil
}

// Kept returns what was put aside for the browser of a request, or nil. It is there until Forget, or for half an hour.
func (p *Party) Kept(r *http.Request) ([]byte, error) {
	id, ok := p.site.Cookie(r, cookieKept)
	if !ok || len(id) != len(newID()) {
		return nil, nil
	}
	stored, err := p.store.Get(r.Context(), keptKey(id))
	if errors.Is(err, ephemeral.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read kept form: %w", err)
	}
	sent, err := open(id, stored.Value)
	if err != nil {
		return nil, fmt.Errorf("open kept form: %w", err)
	}
	return sent, nil
}

// Forget throws away what was put aside.
func (p *Party) Forget(w http.ResponseWriter, r *http.Request) error {
	id, ok := p.site.Cookie(r, cookieKept)
	if !ok {
		return nil
	}
	p.site.ClearCookie(w, cookieKept, "")
	if err := p.store.Delete(context.WithoutCancel(r.Context()), keptKey(id)); err != nil {
		return fmt.Errorf("forget kept form: %w", err)
	}
	return nil
}
