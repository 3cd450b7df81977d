package idp

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// Bounds of pages that go on while services are being told.
const (
	liveFor        = 15 * time.Minute // longer than the longest pause between two tries, with room to spare
	livePerBrowser = 3
	liveAtAll      = 500
	liveLook       = time.Second // between two looks, at first
	liveLookSlow   = 5 * time.Second
	livePulse      = 20 * time.Second // how long nothing may be sent: proxies give up after a minute
)

// livePages counts the pages that are going on in this process. They cost a connection and a look at the database now and then; beyond the
// bounds the page ends at once, with a link to look again.
type livePages struct {
	mu     sync.Mutex
	all    int
	of     map[string]int // by digest of the browser's cookie
	closed chan struct{}
	once   sync.Once
}

func newLivePages() *livePages {
	return &livePages{of: map[string]int{}, closed: make(chan struct{})}
}

func (l *livePages) enter(browser string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= liveAtAll || l.of[browser] >= livePerBrowser {
		return false
	}
	l.all++
	l.of[browser]++
	return true
}

func (l *livePages) leave(browser string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.of[browser]--; l.of[browser] == 0 {
		delete(l.of, browser)
	}
}

// EndLivePages lets every page that is going on come to its end when ctx does, so that a program that is told to stop need not wait for
// them.
func (p *Provider) EndLivePages(ctx context.Context) error {
	<-ctx.Done()
	p.livePages.once.Do(func() { close(p.livePages.closed) })
	return ctx.Err()
}

// goesOn says whether a page is read by somebody who sees it grow: a browser says that it wants a document. Other programs get a whole
// page.
func goesOn(r *http.Request) bool {
	return r.Method == http.MethodGet && r.ProtoAtLeast(1, 1) && r.Header.Get("Sec-Fetch-Dest") == "document"
}

func undecided(state string) bool {
	return state == string(federation.Pending) || state == string(federation.Collects)
}

// liveSignedOut sends the page and then, each time a service answers, what is known by then, until all have or the time is over. It reports
// false, and has sent nothing, where a page ends at once.
func (p *Provider) liveSignedOut(c echo.Context, page web.Page, batch string, r *receipt, v signedOutView) bool {
	if v.Again == "" || !goesOn(c.Request()) || v.Return != "" && len(v.Frames) > 0 || !p.livePages.enter(r.Browser) {
		return false
	}
	defer p.livePages.leave(r.Browser)
	v.Live = true
	page.Data = v
	begun := p.now()
	sent := begun
	shown := v.Receipts
	p.site.Live(c.Response(), c.Request(), page, "snapshot", func() (any, bool) {
		for undecidedAny(shown) {
			lasted := p.now().Sub(begun)
			if lasted > liveFor || !p.liveWait(c.Request().Context(), min(max(liveLook, lasted/20), liveLookSlow)) {
				return nil, false
			}
			now, err := p.receipts(c, batch, r, 0)
			if err != nil && !errors.Is(err, context.Canceled) {
				// The database may be back by the next look.
				p.log.WarnContext(c.Request().Context(), "receipts not read", "err", err, "trace", web.Trace(c.Request().Context()))
			}
			if err == nil && changed(shown, now) {
				shown, sent = now, p.now()
				return signedOutView{Receipts: now}, true
			}
			if at := p.now(); at.Sub(sent) >= livePulse {
				sent = at
				return nil, true
			}
		}
		return nil, false
	})
	return true
}

func (p *Provider) liveWait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-p.livePages.closed:
		return false
	case <-time.After(d):
		return true
	}
}

func undecidedAny(all []receiptView) bool {
	for _, r := range all {
		if undecided(r.State) {
			return true
		}
	}
	return false
}

func changed(before, now []receiptView) bool {
	if len(before) != len(now) {
		return len(now) > 0
	}
	for i := range now {
		if now[i].Client != before[i].Client || now[i].State != before[i].State {
			return true
		}
	}
	return false
}

// Confirmed is how many services said that they signed the citizen out.
func (v signedOutView) Confirmed() (n int) {
	for _, r := range v.Receipts {
		if r.State == string(federation.Confirmed) {
			n++
		}
	}
	return n
}
