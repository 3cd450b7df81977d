package idp

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/mail"
	"github.com/tsunagu-id/tsunagu/internal/ratelimit"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// maxHook bounds the address of a webhook, in bytes.
const maxHook = 500

// What one citizen can cause: letters to addresses that nobody confirmed; and what one address can get, whoever enters it.
var (
	confirmRate = ratelimit.Rule{Name: "notice-confirm", Limit: 5, Window: time.Hour}
	addressRate = ratelimit.Rule{Name: "notice-address", Limit: 3, Window: time.Hour}
)

// noticesView is the data of notices.html.
type noticesView struct {
	Done   string
	List   []noticeView
	Unread int
	Until  int64 // newest of the list, Unix milliseconds
	Ways   []wayView
}

type noticeView struct {
	What   string
	Word   string
	When   time.Time
	Lines  []string
	Unread bool
	NotMe  string // path; empty: there is no session to end
	Over   bool   // she said that it was not her
}

// wayView is one way to be told, and where it stands.
type wayView struct {
	Via     string
	Live    string // the address in use; empty: none
	Waiting string // the one to be confirmed
	Failed  bool   // the last letter did not arrive
}

// getNotices shows what happened lately, and where the citizen is told of it.
func (p *Provider) getNotices(c echo.Context) error {
	s, err := p.ownPage(c, noticesPath)
	if err != nil || s == nil {
		return err
	}
	ctx := c.Request().Context()
	v := noticesView{}
	switch done := c.QueryParam("done"); done { // only these words become part of the page
	case "asked", "saved", "confirmed", "stopped", "read":
		v.Done = done
	}
	if v.Unread, err = p.news.unread(ctx, s.Account); err != nil {
		return err
	}
	list, err := p.news.latest(ctx, s.Account)
	if err != nil {
		return err
	}
	lang := p.site.Lang(c.Request())
	for i, one := range list {
		if i == 0 {
			v.Until = one.Created.UnixMilli()
		}
		n := noticeView{What: p.site.TextIn(lang, "notice.is."+one.Word), Word: one.Word, When: one.Created, Unread: !one.Seen, Over: !one.Disowned.IsZero()}
		if n.Lines, err = p.noticeFactLines(ctx, lang, one); err != nil {
			return err
		}
		if one.Linked && one.Session != s.ID {
			n.NotMe = notMePath + "/" + p.news.nameOf(one.ID)
		}
		v.List = append(v.List, n)
	}
	if v.Ways, err = p.ways(ctx, s.Account); err != nil {
		return err
	}
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: "notices", Title: "notices.title", SignedIn: true, Data: v})
	return nil
}

// offered says whether this hub has a way to tell anybody.
func (p *Provider) offered(v via) bool {
	return v == viaMail && p.mail != nil || v == viaWebhook && p.hooks != nil
}

func (p *Provider) ways(ctx context.Context, account federation.AccountID) (out []wayView, err error) {
	own, err := p.news.channels(ctx, account)
	if err != nil {
		return nil, err
	}
	for _, v := range []via{viaMail, viaWebhook} {
		w := wayView{Via: string(v)}
		for _, c := range own {
			switch {
			case c.Via != v:
			case !c.Live && p.now().Sub(c.Made) < confirmLife:
				w.Waiting = c.Address
			case c.Live:
				w.Live = c.Address
				state, err := p.news.delivery(ctx, c)
				if err != nil {
					return nil, err
				}
				w.Failed = state == "failed"
			}
		}
		if p.offered(v) || w.Live != "" { // what was set can be ended where it is offered no more
			out = append(out, w)
		}
	}
	return out, nil
}

// postNoticesRead notes that the citizen has read her list, up to what it showed.
func (p *Provider) postNoticesRead(c echo.Context) error {
	s, err := p.ownPage(c, noticesPath)
	if err != nil || s == nil {
		return err
	}
	until, err := strconv.ParseInt(c.FormValue("until"), 10, 64)
	if err != nil || until < 0 {
		return &Error{Reason: BadRequest, Detail: "until is no time"}
	}
	if err := p.news.read(c.Request().Context(), s.Account, until); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, noticesPath+"?done=read")
}

// noticeWayView is the data of notice-way.html.
type noticeWayView struct {
	Via      string
	Address  web.Field
	Kinds    []kindView
	Lang     web.Select
	Live     bool
	Problems []web.FieldError
}

type kindView struct {
	Word    string
	Checked bool
}

func (p *Provider) wayOf(c echo.Context) (via, error) {
	v, ok := parseVia(c.Param("via"))
	if !ok {
		return "", &Error{Reason: NotFound}
	}
	return v, nil
}

// getNoticeWay shows the form for one way to be told.
func (p *Provider) getNoticeWay(c echo.Context) error {
	v, err := p.wayOf(c)
	if err != nil {
		return err
	}
	s, err := p.ownPage(c, noticesPath+"/"+string(v))
	if err != nil || s == nil {
		return err
	}
	own, err := p.news.channels(c.Request().Context(), s.Account)
	if err != nil {
		return err
	}
	now := channel{Via: v, Kinds: noticeKinds(), Lang: p.site.Lang(c.Request())}
	if i := slices.IndexFunc(own, func(o channel) bool { return o.Via == v && o.Live }); i >= 0 {
		now = own[i]
	}
	if !p.offered(v) && !now.Live {
		return &Error{Reason: NotFound}
	}
	p.showNoticeWay(c, http.StatusOK, now, "")
	return nil
}

// showNoticeWay shows the form as it was filled in; wrong is the message of what is wrong with the address.
func (p *Provider) showNoticeWay(c echo.Context, status int, now channel, wrong string) {
	say := func(key string) string { return p.site.Text(c.Request(), key) }
	v := noticeWayView{Via: string(now.Via), Live: now.Live, Address: web.Field{
		ID: "address", Label: say("notices." + string(now.Via) + ".address"), Hint: say("notices." + string(now.Via) + ".hint"), Value: now.Address, MaxLength: maxHook,
		Autocomplete: "email", Inputmode: "email",
	}, Lang: web.Select{ID: "lang", Label: say("notices.lang")}}
	if now.Via == viaWebhook {
		v.Address.Autocomplete, v.Address.Inputmode = "off", "url"
	}
	for _, l := range web.Languages() {
		v.Lang.Options = append(v.Lang.Options, web.Option{Value: l.Code, Label: l.Name, Selected: l.Code == now.Lang})
	}
	for _, k := range noticeKinds() {
		v.Kinds = append(v.Kinds, kindView{string(k), slices.Contains(now.Kinds, k)})
	}
	page := web.Page{Name: "notice-way", Title: "notices." + string(now.Via) + ".title", SignedIn: true, Data: &v}
	if wrong != "" {
		text := say(wrong)
		v.Address.Error, v.Problems, page.Error = text, []web.FieldError{{Field: "address", Text: text}}, "address_invalid"
	}
	p.site.Render(c.Response(), c.Request(), status, page)
}

// postNoticeWay takes an address to be told at. Nothing is told there before its owner has confirmed it.
func (p *Provider) postNoticeWay(c echo.Context) error {
	v, err := p.wayOf(c)
	if err != nil {
		return err
	}
	s, err := p.ownPage(c, noticesPath+"/"+string(v))
	if err != nil || s == nil {
		return err
	}
	if !p.offered(v) {
		return &Error{Reason: NotFound}
	}
	ctx := c.Request().Context()
	form, err := readForm(c.Request())
	if err != nil {
		return &Error{Reason: BadRequest, Detail: "notice form", Err: err}
	}
	want := channel{Account: s.Account, Via: v, Address: strings.TrimSpace(form.Get("address")), Kinds: kindsOfForm(form), Lang: web.Languages()[0].Code}
	if form.Get("lang") == web.Languages()[1].Code {
		want.Lang = web.Languages()[1].Code
	}
	if wrong := p.judgeAddress(&want); wrong != "" {
		p.showNoticeWay(c, http.StatusUnprocessableEntity, want, wrong)
		return nil
	}
	own, err := p.news.channels(ctx, s.Account)
	if err != nil {
		return err
	}
	done := "saved"
	if !slices.ContainsFunc(own, func(o channel) bool { return o.Via == v && o.Live && o.Address == want.Address }) {
		done = "asked"
		d := p.digest("notice address rate", []byte(strings.ToLower(want.Address)))
		for _, r := range []struct {
			rule ratelimit.Rule
			who  string
		}{{confirmRate, string(s.Account)}, {addressRate, digest(string(d[:]))}} {
			ok, _, err := p.limiter.Allow(ctx, r.rule, r.who)
			if err != nil {
				return err
			}
			if !ok {
				return &Error{Reason: TooMany, Detail: "letters to unconfirmed addresses"}
			}
		}
	}
	if err := p.news.propose(ctx, want, func(ctx context.Context) error {
		return p.record(ctx, audit.Event{Kind: eventNoticeChanged, Account: string(s.Account), Session: s.ID, Facts: map[string]string{"via": string(v)}})
	}); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, noticesPath+"?done="+done)
}

// kindsOfForm reads the boxes.
func kindsOfForm(form url.Values) (out []noticeKind) {
	for _, k := range noticeKinds() {
		if form.Get("kind-"+string(k)) == "yes" {
			out = append(out, k)
		}
	}
	return out
}

// judgeAddress parses what was entered, and returns the message of what is wrong with it.
func (p *Provider) judgeAddress(c *channel) (wrong string) {
	switch c.Via {
	case viaMail:
		a, err := mail.ParseAddress(half(c.Address))
		if err != nil {
			return "notices.mail.wrong"
		}
		c.Address = a.String()
	case viaWebhook:
		if len(c.Address) > maxHook || p.hooks.Check(c.Address) != nil {
			return "notices.webhook.wrong"
		}
	}
	return ""
}

// postNoticeStop forgets the addresses of one way.
func (p *Provider) postNoticeStop(c echo.Context) error {
	v, err := p.wayOf(c)
	if err != nil {
		return err
	}
	s, err := p.ownPage(c, noticesPath)
	if err != nil || s == nil {
		return err
	}
	err = p.news.stop(c.Request().Context(), s.Account, v, func(ctx context.Context) error {
		return p.record(ctx, audit.Event{Kind: eventNoticeStopped, Account: string(s.Account), Session: s.ID, Facts: map[string]string{"via": string(v)}})
	})
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, noticesPath+"?done=stopped")
}

// noticeConfirmView is the data of notice-confirm.html.
type noticeConfirmView struct {
	Via     string
	Address string
	Proof   string
	Over    bool // nothing waits for this
}

// getNoticeConfirm is where the link in a letter to an unconfirmed address leads. It asks, and does nothing. The link alone is of no use: the
// address is confirmed by whoever can read there and is signed in to the folder that named it.
func (p *Provider) getNoticeConfirm(c echo.Context) error {
	proof := c.QueryParam("proof")
	if !isBase64URL(proof, 43) {
		return &Error{Reason: NotFound}
	}
	s, err := p.ownPage(c, noticesPath+"/confirm?"+url.Values{"proof": {proof}}.Encode())
	if err != nil || s == nil {
		return err
	}
	v := noticeConfirmView{Proof: proof}
	waiting, err := p.news.waitingFor(c.Request().Context(), s.Account, proof)
	switch {
	case errors.Is(err, errNotWaiting):
		v.Over = true
	case err != nil:
		return err
	}
	v.Via, v.Address = string(waiting.Via), waiting.Address
	p.showNoticeConfirm(c, v)
	return nil
}

func (p *Provider) showNoticeConfirm(c echo.Context, v noticeConfirmView) {
	status, page := http.StatusOK, web.Page{Name: "notice-confirm", Title: "notices.confirm.title", SignedIn: true, Data: v}
	if v.Over {
		status, page.Error, page.Title = http.StatusGone, "address_not_waiting", "notices.confirm.over.title"
	}
	p.site.Render(c.Response(), c.Request(), status, page)
}

// postNoticeConfirm puts the address to use. Of presses at once one does.
func (p *Provider) postNoticeConfirm(c echo.Context) error {
	proof := c.FormValue("proof")
	if !isBase64URL(proof, 43) {
		return &Error{Reason: BadRequest, Detail: "proof"}
	}
	s, err := p.ownPage(c, noticesPath)
	if err != nil || s == nil {
		return err
	}
	err = p.news.confirm(c.Request().Context(), s.Account, proof, func(ctx context.Context, ch channel) error {
		return p.record(ctx, audit.Event{Kind: eventNoticeAddress, Account: string(s.Account), Session: s.ID, Facts: map[string]string{"via": string(ch.Via)}})
	})
	if errors.Is(err, errNotWaiting) {
		p.showNoticeConfirm(c, noticeConfirmView{Over: true})
		return nil
	}
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, noticesPath+"?done=confirmed")
}
