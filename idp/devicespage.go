package idp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

const (
	devicesPath  = "/account/devices"
	apartPath    = devicesPath + "/apart"
	servicesPath = "/account/services"

	devicesShown = 5  // on the account page
	devicesPage  = 10 // on a page of their own
)

// sessionView is one signed-in browser.
type sessionView struct {
	ID       string
	Device   string
	Since    time.Time
	Last     time.Time
	Ends     time.Time // if it is not used
	ACR      string
	Watched  bool      // it ends when the card is taken out
	Shared   bool      // on a computer that others use too
	Apart    bool      // of the private services that are kept apart
	Checked  time.Time // when the card was found good last; zero: it rests on no card of its own
	Current  bool
	Services []sessionServiceView
}

// sessionServiceView is a service that was entered in a session.
type sessionServiceView struct {
	Client, Name string
	Since        time.Time
}

// devicesView is the data of devices.html.
type devicesView struct {
	Sessions    []sessionView
	Page, Pages int
	Before      string // address of the page before; empty: none
	After       string
	Done        string // what has just happened: one of devicesDone, or empty
	Apart       bool   // the citizen keeps government and private services apart
	ApartHere   bool   // the hub does, for everybody
}

// devicesDone are the words that the pages know of.
var devicesDone = map[string]bool{"session": true, "service": true, "apart": true, "together": true, "always": true, "usual": true, "gone": true}

func doneOf(c echo.Context) string {
	if done := c.QueryParam("done"); devicesDone[done] {
		return done
	}
	return ""
}

// sessionViews returns a person's sessions, this browser's first and then the newest.
func (p *Provider) sessionViews(c echo.Context, current *session) ([]sessionView, error) {
	ctx, lang := c.Request().Context(), p.site.Lang(c.Request())
	all, err := p.sessions.of(ctx, current.Account)
	if err != nil {
		return nil, err
	}
	beside, err := p.besideOf(c, current)
	if err != nil {
		return nil, err
	}
	var out []sessionView
	for _, s := range all {
		stand, err := p.accounts.footing(ctx, s.Account, s.Card)
		if err != nil {
			return nil, fmt.Errorf("read account: %w", err)
		}
		if stand.over(s.Created) {
			continue
		}
		v := sessionView{
			ID: s.ID, Device: s.Device, Since: time.UnixMilli(s.Created), Last: time.Unix(s.Last, 0), Ends: p.sessions.rules.end(s), ACR: s.ACR,
			Watched: s.Removal != "", Shared: s.Shared, Apart: s.Apart, Current: s.ID == current.ID || beside != nil && s.ID == beside.ID,
		}
		if v.Device == "" {
			v.Device = p.site.Text(c.Request(), "account.devices.unknown")
		}
		if !s.Card.zero() && stand.Checked != 0 {
			v.Checked = time.UnixMilli(stand.Checked)
		}
		for _, cl := range s.Clients {
			name, _, err := p.displayName(ctx, cl.ID, lang)
			if err != nil {
				return nil, err
			}
			v.Services = append(v.Services, sessionServiceView{Client: string(cl.ID), Name: name, Since: time.UnixMilli(cl.Since)})
		}
		out = append(out, v)
	}
	slices.SortStableFunc(out, func(a, b sessionView) int {
		switch {
		case a.Current == b.Current:
			return b.Last.Compare(a.Last)
		case a.Current:
			return -1
		}
		return 1
	})
	return out, nil
}

// getDevices lists all of a person's sessions, page by page.
func (p *Provider) getDevices(c echo.Context) error {
	s, err := p.ownPage(c, devicesPath)
	if err != nil || s == nil {
		return err
	}
	all, err := p.sessionViews(c, s)
	if err != nil {
		return err
	}
	chosen, err := p.accounts.choicesFor(c.Request().Context(), s.Account, "")
	if err != nil {
		return err
	}
	v := devicesView{
		Pages: max(1, (len(all)+devicesPage-1)/devicesPage), Done: doneOf(c), Apart: chosen.Apart,
		ApartHere: p.sessions.rules.apart(clients.ClassGovernment, mayBeApart),
	}
	v.Page, _ = strconv.Atoi(c.QueryParam("page")) // 0 for anything that is no number
	v.Page = min(max(v.Page, 1), v.Pages)
	v.Sessions = all[min((v.Page-1)*devicesPage, len(all)):min(v.Page*devicesPage, len(all))]
	at := func(page int) string { return devicesPath + "?" + url.Values{"page": {strconv.Itoa(page)}}.Encode() }
	if v.Page > 1 {
		v.Before = at(v.Page - 1)
	}
	if v.Page < v.Pages {
		v.After = at(v.Page + 1)
	}
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: "devices", Title: "devices.title", SignedIn: true, OpenForm: true, Data: v})
	return nil
}

// ownSession returns the session of this browser, and the session of the same person that the address names; nil if that is over.
func (p *Provider) ownSession(c echo.Context) (s, named *session, err error) {
	s, err = p.ownPage(c, devicesPath)
	if err != nil || s == nil {
		return nil, nil, err
	}
	named, err = p.sessions.get(c.Request().Context(), c.Param("id"))
	if err != nil || named == nil || named.Account != s.Account {
		return s, nil, err
	}
	return s, named, nil
}

// getDeviceSession is the page of one session: what was entered in it, and how to end it or a part of it.
func (p *Provider) getDeviceSession(c echo.Context) error {
	s, named, err := p.ownSession(c)
	if err != nil || s == nil {
		return err
	}
	if named == nil {
		return c.Redirect(http.StatusSeeOther, devicesPath+"?done=gone")
	}
	all, err := p.sessionViews(c, s)
	if err != nil {
		return err
	}
	for _, v := range all {
		if v.ID == named.ID {
			p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{
				Name: "device-session", Title: "devices.one.title", TitleArgs: []string{"device", v.Device}, SignedIn: true, OpenForm: true, Data: v,
			})
			return nil
		}
	}
	return c.Redirect(http.StatusSeeOther, devicesPath+"?done=gone")
}

// postDeviceSession ends a session, or one service in it.
func (p *Provider) postDeviceSession(c echo.Context) error {
	s, named, err := p.ownSession(c)
	if err != nil || s == nil {
		return err
	}
	if named == nil { // another press, or another browser, was first
		return c.Redirect(http.StatusSeeOther, devicesPath+"?done=gone")
	}
	ctx := c.Request().Context()
	switch c.FormValue("end") {
	case "service":
		id := clients.ID(c.FormValue("client"))
		if named.since(id) == 0 {
			return c.Redirect(http.StatusSeeOther, devicesPath+"/"+named.ID)
		}
		one := *named
		one.Clients = slices.DeleteFunc(slices.Clone(named.Clients), func(cl sessionClient) bool { return cl.ID != id })
		if _, err := p.leave(ctx, &one, id, s.ID, federation.LogoutService, nil); err != nil {
			return err
		}
		return c.Redirect(http.StatusSeeOther, devicesPath+"?done=service")
	case "session":
		for _, at := range []slot{slotMain, slotApart} {
			here, err := p.sessionIn(c, at)
			if err != nil {
				return err
			}
			if here != nil && here.ID == named.ID {
				end, err := p.endSession(c, here, nil)
				if err != nil {
					return err
				}
				return p.signedOut(c, logoutRequest{}, end)
			}
		}
		if _, err := p.endSessions(ctx, s.Account, whatEnds{Session: named.ID}, federation.LogoutSession); err != nil {
			return err
		}
		return c.Redirect(http.StatusSeeOther, devicesPath+"?done=session")
	}
	return &Error{Reason: BadRequest, Detail: "end is neither service nor session"}
}

// serviceRulesView is the data of service-rules.html.
type serviceRulesView struct {
	Client, Name, Operator string
	Always                 bool   // the citizen wants her card asked for at each sign-in
	Insists                bool   // so does the service
	Done                   string // one of devicesDone, or empty
}

// ownService returns the session and a service that the person agreed to, or has answered.
func (p *Provider) ownService(c echo.Context) (*session, *serviceRulesView, error) {
	s, err := p.ownPage(c, c.Request().URL.Path)
	if err != nil || s == nil {
		return nil, nil, err
	}
	ctx, id := c.Request().Context(), clients.ID(c.Param("client"))
	con, err := p.accounts.consentFor(ctx, s.Account, id)
	if err != nil {
		return nil, nil, fmt.Errorf("read consent: %w", err)
	}
	chosen, err := p.accounts.choicesFor(ctx, s.Account, id)
	if err != nil {
		return nil, nil, err
	}
	if con.ID == 0 && !chosen.AlwaysCard {
		return nil, nil, &Error{Reason: NotFound, Detail: "no service of this person"}
	}
	v := &serviceRulesView{Client: string(id), Always: chosen.AlwaysCard}
	if v.Name, v.Operator, err = p.displayName(ctx, id, p.site.Lang(c.Request())); err != nil {
		return nil, nil, err
	}
	client, err := p.clients.Get(ctx, id)
	if err != nil && !errors.Is(err, clients.ErrUnknown) && !errors.Is(err, clients.ErrSuspended) {
		return nil, nil, fmt.Errorf("read client: %w", err)
	}
	v.Insists = client != nil && client.AlwaysCard()
	return s, v, nil
}

// getServiceRules shows what the citizen chose for a service.
func (p *Provider) getServiceRules(c echo.Context) error {
	s, v, err := p.ownService(c)
	if err != nil || s == nil {
		return err
	}
	v.Done = doneOf(c)
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{
		Name: "service-rules", Title: "rules.title", TitleArgs: []string{"service", v.Name}, SignedIn: true, OpenForm: true, Data: *v,
	})
	return nil
}

// postServiceRules takes the citizen's choice. Becoming stricter is done at once; less strict is only who has the card in her hand.
func (p *Provider) postServiceRules(c echo.Context) error {
	s, v, err := p.ownService(c)
	if err != nil || s == nil {
		return err
	}
	path := servicesPath + "/" + v.Client
	return p.chooseRule(c, s, clients.ID(v.Client), choiceAlwaysCard, "always_card", path, [2]string{"always", "usual"}, nil)
}

// postApart takes the choice to keep government and private services apart. Sessions that served both serve one of them from then on.
func (p *Provider) postApart(c echo.Context) error {
	s, err := p.ownPage(c, devicesPath)
	if err != nil || s == nil {
		return err
	}
	return p.chooseRule(c, s, "", choiceApart, "apart", devicesPath, [2]string{"apart", "together"}, func(ctx context.Context) error { return p.setApart(ctx, s) })
}

// chooseRule writes the choice that a form made in a field, yes or no, and goes to a path with the word for it. After runs when it is yes,
// and may run again.
func (p *Provider) chooseRule(c echo.Context, s *session, client clients.ID, rule choice, field, path string, done [2]string, after func(context.Context) error) error {
	ctx := c.Request().Context()
	yes, word := c.FormValue(field) == "yes", done[0]
	if !yes {
		if word = done[1]; c.FormValue(field) != "no" {
			return &Error{Reason: BadRequest, Detail: field + " is neither yes nor no"}
		}
		if !p.byFreshCard(s, freshCard) {
			return p.advance(c, &transaction{State: Received, Return: path, Card: true, StartedAt: p.now().Unix()})
		}
	}
	err := p.accounts.choose(ctx, s.Account, client, rule, yes, func(ctx context.Context) error {
		return p.record(ctx, audit.Event{Kind: eventSessionRule, Account: string(s.Account), Client: string(client), Session: s.ID,
			Facts: map[string]string{"rule": string(rule), "chosen": c.FormValue(field)}})
	})
	if err != nil {
		return err
	}
	if yes && after != nil {
		if err := after(context.WithoutCancel(ctx)); err != nil {
			return err
		}
	}
	return c.Redirect(http.StatusSeeOther, path+"?done="+word)
}

// setApart leaves, in all sessions, the services of the other class than the session's. One in the second cookie has the government's too
// if the classes were together meanwhile.
func (p *Provider) setApart(ctx context.Context, in *session) error {
	all, err := p.sessions.of(ctx, in.Account)
	if err != nil {
		return err
	}
	for _, s := range all {
		for _, cl := range s.Clients {
			client, err := p.clients.Get(ctx, cl.ID)
			if err != nil && !errors.Is(err, clients.ErrSuspended) && !errors.Is(err, clients.ErrUnknown) {
				return fmt.Errorf("read client: %w", err)
			}
			if client == nil || (client.SessionClass() == mayBeApart) == s.Apart {
				continue
			}
			one := *s
			one.Clients = []sessionClient{cl}
			if _, err := p.leave(ctx, &one, cl.ID, in.ID, federation.LogoutService, nil); err != nil {
				return err
			}
		}
	}
	return nil
}
