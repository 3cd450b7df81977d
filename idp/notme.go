package idp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/ratelimit"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// notMeRate bounds the visits to one notice's page. Nobody can guess a name; this is for robots that follow links in mail.
var notMeRate = ratelimit.Rule{Name: "not-me", Limit: 30, Window: time.Minute}

// noticeEvidence is what is kept of a session that was disowned, for whoever helps the citizen: sealed, for half a year. Known names the
// browser, all of whose sessions end with it.
type noticeEvidence struct {
	Live     bool              `json:"live"` // it was still open
	Device   string            `json:"d,omitempty"`
	ACR      string            `json:"c,omitempty"`
	AuthTime int64             `json:"t,omitempty"`
	Created  int64             `json:"cr,omitempty"` // Unix milliseconds
	Last     int64             `json:"l,omitempty"`
	Known    int64             `json:"kn,omitempty"`
	Passkey  string            `json:"pk,omitempty"`
	Card     cardRef           `json:"k,omitzero"`
	Services []evidenceService `json:"s,omitempty"`
}

type evidenceService struct {
	Client string `json:"i"`
	Since  int64  `json:"t"`
}

func evidenceOf(one notice, s *session) noticeEvidence {
	if s == nil {
		return noticeEvidence{Device: one.Facts.Device, ACR: one.Facts.ACR, Known: one.Facts.Known}
	}
	e := noticeEvidence{Live: true, Device: s.Device, ACR: s.ACR, AuthTime: s.AuthTime, Created: s.Created, Last: s.Last, Known: s.Known, Passkey: s.Passkey, Card: s.Card}
	for _, c := range s.Clients {
		e.Services = append(e.Services, evidenceService{string(c.ID), c.Since})
	}
	return e
}

// notMeView is the data of not-me.html. Before the button it says what the notice said, and nothing more.
type notMeView struct {
	Action string
	What   string
	When   time.Time
	Lines  []string
	Done   bool
	Live   bool // with Done: the session was still open
}

// noticeOfPage returns the notice that a page is about.
func (p *Provider) noticeOfPage(c echo.Context) (*notice, error) {
	ctx, name := c.Request().Context(), c.Param("name")
	if !isBase64URL(name, 43) {
		return nil, &Error{Reason: NotFound}
	}
	one, err := p.news.named(ctx, name)
	if err != nil {
		return nil, err
	}
	if one == nil {
		return nil, &Error{Reason: NotFound}
	}
	ok, _, err := p.limiter.Allow(ctx, notMeRate, one.ID) // after the look: names that are none leave no counters behind
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &Error{Reason: TooMany, Detail: "visits to one notice"}
	}
	return one, nil
}

// getNotMe asks whether a session is to be ended. It needs no login: whoever is told of a stranger's session may be anywhere. It changes
// nothing, so that programs that look at links in mail do no harm.
func (p *Provider) getNotMe(c echo.Context) error {
	one, err := p.noticeOfPage(c)
	if err != nil {
		return err
	}
	lang := p.site.Lang(c.Request())
	v := notMeView{Action: notMePath + "/" + c.Param("name"), What: p.site.TextIn(lang, "notice.is."+one.Word), When: one.Created, Done: !one.Disowned.IsZero()}
	v.Live = one.Evidence != nil && one.Evidence.Live
	if v.Lines, err = p.noticeFactLines(c.Request().Context(), lang, *one); err != nil {
		return err
	}
	title := "not_me.title"
	if v.Done {
		title = "not_me.done.title"
	}
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: "not-me", Title: title, Data: v})
	return nil
}

// postNotMe ends the session of a notice, keeps what is known of it, and says what to do next. A second press finds it done.
func (p *Provider) postNotMe(c echo.Context) error {
	one, err := p.noticeOfPage(c)
	if err != nil {
		return err
	}
	if err := p.disown(c.Request().Context(), *one); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, notMePath+"/"+c.Param("name"))
}

// disown ends a notice's session with everything that hangs on it. First the promise: one transaction notes the owner's word, keeps the
// evidence, cuts the grants and makes browsers new again. A crash after it costs nothing but the wait for settleDisowned.
func (p *Provider) disown(ctx context.Context, one notice) error {
	ctx = context.WithoutCancel(ctx) // a browser that hangs up does not cut it in half
	s, err := p.sessions.get(ctx, one.Session)
	if err != nil {
		return err
	}
	if s != nil && s.Account != one.Account {
		s = nil // not reached: ids are not used twice
	}
	evidence := evidenceOf(one, s)
	if err := p.news.disown(ctx, one, evidence, p.record); err != nil {
		return err
	}
	return p.settle(ctx, one, evidence.Known)
}

// settle ends the records of a session and of what its browser, known since that moment, began before or after, and tells the services.
func (p *Provider) settle(ctx context.Context, one notice, known int64) error {
	all, err := p.sessions.of(ctx, one.Account)
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.ID != one.Session && (known == 0 || s.Known != known) {
			continue
		}
		if _, err := p.endSessions(ctx, one.Account, whatEnds{Session: s.ID}, federation.LogoutSession); err != nil {
			return err
		}
	}
	return p.news.settled(ctx, one.ID)
}

// settleDisowned does for others what they were killed before they could.
func (p *Provider) settleDisowned(ctx context.Context) error {
	left, err := p.news.query(ctx, `WHERE n.settled = 0 ORDER BY n.disowned_at LIMIT 100`)
	if err != nil {
		return err
	}
	for _, one := range left {
		known := int64(0)
		if one.Evidence != nil {
			known = one.Evidence.Known
		}
		if err := p.settle(ctx, one, known); err != nil {
			return err
		}
	}
	return nil
}

// disown notes that a notice's session was not the owner's, once.
func (n notices) disown(ctx context.Context, one notice, e noticeEvidence, record func(context.Context, audit.Event) error) error {
	b, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode evidence: %w", err)
	}
	return n.db.Tx(ctx, func(ctx context.Context) error {
		now := n.now()
		count, err := n.db.Exec(ctx, `UPDATE notice SET disowned_at = $1, settled = 0, evidence = $2 WHERE id = $3 AND disowned_at IS NULL`,
			now.Unix(), n.seal.Seal(b, one.place("notice-evidence/1")), one.ID)
		if err != nil || count == 0 {
			return err
		}
		if _, err := n.db.Exec(ctx, `INSERT INTO session_disowned (session, at_ms) VALUES ($1, $2) ON CONFLICT (session) DO NOTHING`, one.Session, now.UnixMilli()); err != nil {
			return fmt.Errorf("cut grants: %w", err)
		}
		if e.Known != 0 {
			if _, err := n.db.Exec(ctx, `INSERT INTO browser_disowned (account, known_ms) VALUES ($1, $2) ON CONFLICT (account, known_ms) DO NOTHING`,
				string(one.Account), e.Known); err != nil {
				return fmt.Errorf("cut grants: %w", err)
			}
		}
		if _, err := n.db.Exec(ctx, `UPDATE account SET known_ms = $1 WHERE id = $2 AND known_ms < $1`, now.UnixMilli(), string(one.Account)); err != nil {
			return fmt.Errorf("forget browsers: %w", err)
		}
		means := "card"
		switch {
		case e.Passkey != "" || e.ACR == ACRPasskey:
			means = "passkey"
		case e.ACR == ACRRemote:
			means = "card-remote"
		}
		state := "over"
		if e.Live {
			state = "live"
		}
		return record(ctx, audit.Event{Kind: eventNoticeDisowned, Account: string(one.Account), Client: string(one.Client), Session: one.Session,
			Facts: map[string]string{"notice": one.ID, "means": means, "session": state}})
	})
}

// settled notes that nothing is left to do.
func (n notices) settled(ctx context.Context, id string) error {
	_, err := n.db.Exec(ctx, `UPDATE notice SET settled = 1 WHERE id = $1 AND settled = 0`, id)
	return err
}
