package idp

import (
	"net/http"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/ratelimit"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// eventTrouble is a page that told of an error: its reference number is the row's trace. Reason is the error's word; facts: page; account and
// session if somebody was signed in.
const eventTrouble audit.Kind = "page.trouble"

// noteTrouble records that a page told of an error, so that whoever reads its number out can be helped. It never fails the page. Pages that are
// not there are recorded for people who are signed in alone: programs ask for such pages all day.
func (p *Provider) noteTrouble(r *http.Request, page web.Page) {
	ctx := r.Context()
	e := audit.Event{Kind: eventTrouble, Reason: page.Error, Facts: map[string]string{"page": page.Name}}
	for _, at := range []slot{slotMain, slotApart} {
		cookie, ok := p.site.Cookie(r, string(at))
		if !ok || e.Account != "" {
			continue
		}
		if s, err := p.sessions.byCookie(ctx, cookie); err == nil && s != nil {
			e.Account, e.Session = string(s.Account), s.ID
		}
	}
	var err error
	if e.Account != "" {
		var room bool
		if room, _, err = p.limiter.Allow(ctx, ratelimit.Rule{Name: "trouble", Limit: 30, Window: p.strangers.Window}, e.Account); err == nil && room {
			err = p.record(ctx, e)
		}
	} else if page.Error != NotFound.String() {
		err = p.recordStranger(ctx, e)
	}
	if err != nil {
		p.log.WarnContext(ctx, "page of an error not recorded", "err", err, "trace", web.Trace(ctx))
	}
}
