package agent

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"
)

// Bounds of the pages that are open at once.
const (
	pageLife     = 15 * time.Minute // longer than any challenge, so that its end can be told
	maxPages     = 512
	repeatWindow = 10 * time.Second // in which a second press of a button is the same act
)

// page is a page with a form, from when it is shown until its life ends. It holds on this side what the form must not
// be trusted with: the challenge, and which card's last try was confirmed.
type page struct {
	request *request
	lastTry string // name of the card whose last try may be spent
	expires time.Time

	taken    bool // guarded by pages.mu
	done     chan struct{}
	result   result // these two are readable once done is closed
	finished time.Time
}

// result is what a post of a page came to.
type result struct {
	returnURI string
	err       error
	card      string // the card the citizen had chosen
	lastTry   string // the card whose last try is confirmed from now on
}

// pages is a bounded store of pages, by the digest of their tokens. The newest stay.
type pages struct {
	now func() time.Time

	mu    sync.Mutex
	byKey map[[sha256.Size]byte]*page
	order [][sha256.Size]byte // oldest first
}

func newPages(now func() time.Time) *pages {
	return &pages{now: now, byKey: map[[sha256.Size]byte]*page{}}
}

// open remembers a page that is about to be shown and returns the token for its forms.
func (s *pages) open(req *request, lastTry string) (token string) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // cannot fail since Go 1.24
	token = base64.RawURLEncoding.EncodeToString(b[:])
	key := sha256.Sum256([]byte(token))
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for len(s.order) > 0 && (len(s.order) >= maxPages || !now.Before(s.byKey[s.order[0]].expires)) {
		delete(s.byKey, s.order[0])
		s.order = s.order[1:]
	}
	s.byKey[key] = &page{request: req, lastTry: lastTry, expires: now.Add(pageLife), done: make(chan struct{})}
	s.order = append(s.order, key)
	return token
}

// take finds a page by its token; nil if there is none. first is true for one caller only, who has to finish it.
func (s *pages) take(token string) (p *page, first bool) {
	key := sha256.Sum256([]byte(token))
	s.mu.Lock()
	defer s.mu.Unlock()
	p = s.byKey[key]
	if p == nil || !s.now().Before(p.expires) {
		return nil, false
	}
	first = !p.taken
	p.taken = true
	return p, first
}

// finish makes the result known to whoever pressed the button a second time.
func (p *page) finish(r result, now time.Time) {
	p.result, p.finished = r, now
	close(p.done)
}

// repeat waits for the first post of the page and returns its result: a browser shows only the answer to the last
// press. Long after, it is not a second press but a step back in the browser, and there is no result to show.
func (p *page) repeat(ctx context.Context, now func() time.Time) (result, bool) {
	select {
	case <-p.done:
	case <-ctx.Done():
		return result{}, false
	}
	return p.result, now().Sub(p.finished) <= repeatWindow
}
