package connect

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// serviceView is what service.html and end.html show.
type serviceView struct {
	ID, Name, Description, Operator, Domain, Kind string
	Verified, Linked, Started                     bool
	State                                         string // in words; empty if never connected
	Since, Down                                   time.Time
	Broken                                        bool
	Button                                        web.Button
	Points                                        []string // what ending the link does
	For                                           string   // whom end.html is shown to
	Changed                                       bool     // it was sent from a page that was shown to somebody else
}

// toEnd is the purpose of the form that ends a link, with the service it is about.
func toEnd(s service) string { return "portal end " + s.ClientID }

// named finds the session and the service that a path names.
func (c *Connect) named(e echo.Context) (*rp.Session, service, error) {
	session, err := c.party.Session(e.Request())
	if err != nil {
		return nil, service{}, err
	}
	one, err := c.find(e.Request().Context(), session, e.Param("client"))
	return session, one, err
}

func (c *Connect) view(r *http.Request, s service) serviceView {
	lang := c.web.Lang(r)
	v := serviceView{
		ID: s.ClientID, Name: s.name(lang), Description: s.description(lang), Operator: s.Operator, Domain: s.Domain,
		Kind: c.kind(r, s), Verified: s.Verified, Linked: s.linked(), Started: s.started(), Since: s.Since, Button: c.action(r, s), Down: s.down(), Broken: s.State == "broken",
	}
	v.State, _ = c.chip(r, s)
	v.Button.Kind, v.Button.Context = "main", ""
	return v
}

// getService tells about one service before it is connected, and since when it is.
func (c *Connect) getService(e echo.Context) error {
	_, one, err := c.named(e)
	if err != nil {
		return err
	}
	view := c.view(e.Request(), one)
	c.web.Render(e.Response(), e.Request(), http.StatusOK, web.Page{
		Name: "service", Title: "service.title", TitleArgs: []string{"service", view.Name}, SignedIn: true, OpenForm: true, Data: view,
		Crumbs: []web.Crumb{
			{Key: "crumb.home", Href: "/"}, {Key: "connect.title", Href: "/connect"},
			{Key: "service.title", Args: []string{"service", view.Name}},
		},
	})
	return nil
}

// postLink tells the hub that the person chose the service, and sends them there.
func (c *Connect) postLink(e echo.Context) error {
	session, one, err := c.named(e)
	if err != nil {
		return err
	}
	var answer struct {
		LaunchURI string `json:"launch_uri"`
	}
	err = c.party.Call(e.Request().Context(), session, http.MethodPost, "/api/account/links",
		map[string]string{"client_id": one.ClientID}, &answer)
	if err != nil {
		return err
	}
	if !launchable(answer.LaunchURI) {
		return &rp.Error{Reason: rp.HubRefused, Detail: "launch_uri is no address to go to"}
	}
	return c.enter(e, session, one.ClientID, answer.LaunchURI)
}

// getOpen enters a connected service.
func (c *Connect) getOpen(e echo.Context) error {
	session, one, err := c.named(e)
	if err != nil {
		return err
	}
	return c.enter(e, session, one.ClientID, one.LaunchURI)
}

func (c *Connect) enter(e echo.Context, session *rp.Session, client, address string) error {
	if err := noteOpened(e.Request().Context(), c.db, session.Subject(), client, c.now()); err != nil {
		return err
	}
	return e.Redirect(http.StatusSeeOther, address)
}

// getEnd asks before a link is ended.
func (c *Connect) getEnd(e echo.Context) error {
	session, one, err := c.named(e)
	if err != nil {
		return err
	}
	return c.askEnd(e, session, one, false)
}

func (c *Connect) askEnd(e echo.Context, session *rp.Session, one service, changed bool) error {
	if !one.started() { // ended meanwhile
		return e.Redirect(http.StatusSeeOther, "/connect/"+one.ClientID)
	}
	r := e.Request()
	view := c.view(r, one)
	view.For, view.Changed = session.Mark(toEnd(one)), changed
	status, reason := http.StatusOK, ""
	if changed {
		status, reason = http.StatusUnprocessableEntity, "person_changed"
	}
	for _, key := range []string{"end.1", "end.2", "end.3"} {
		view.Points = append(view.Points, c.web.Text(r, key, "service", view.Name, "operator", view.Operator))
	}
	c.web.Render(e.Response(), r, status, web.Page{
		Name: "end", Title: "end.title", TitleArgs: []string{"service", view.Name}, Error: reason, SignedIn: true, OpenForm: true, Data: view,
		Crumbs: []web.Crumb{
			{Key: "crumb.home", Href: "/"}, {Key: "connect.title", Href: "/connect"},
			{Key: "service.title", Args: []string{"service", view.Name}, Href: "/connect/" + one.ClientID}, {Key: "end.crumb"},
		},
	})
	return nil
}

// postEnd ends a link of the person whom the page was shown to. Sent twice, it shows the finished page twice.
func (c *Connect) postEnd(e echo.Context) error {
	session, one, err := c.named(e)
	if err != nil {
		return err
	}
	if !session.Marked(toEnd(one), e.FormValue("for")) {
		return c.askEnd(e, session, one, true)
	}
	ctx := context.WithoutCancel(e.Request().Context())
	if one.started() {
		err := c.party.Call(ctx, session, http.MethodDelete, "/api/account/links/"+one.ClientID, nil, nil)
		if err != nil {
			return err
		}
	}
	if err := forgetOpened(ctx, c.db, session.Subject(), one.ClientID); err != nil {
		return err
	}
	return e.Redirect(http.StatusSeeOther, "/connect?ended="+one.ClientID)
}
