package agency

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// home is where a citizen goes once she is signed in.
func (o *Office) home() string {
	if o.config.receives() {
		return "/applications"
	}
	return "/record"
}

// homeCrumbs lead to a page from there.
func (o *Office) homeCrumbs(key string) []web.Crumb {
	if o.config.receives() {
		return []web.Crumb{{Key: "applications.title", Href: "/applications"}, {Key: key}}
	}
	return []web.Crumb{{Key: "site.name", Href: "/"}, {Key: key}}
}

// startView is what start.html shows.
type startView struct {
	Receives, Holds bool
}

func (o *Office) getStart(c echo.Context) error {
	if _, err := o.party.Session(c.Request()); err == nil {
		return c.Redirect(http.StatusSeeOther, o.home())
	}
	o.web.Render(c.Response(), c.Request(), http.StatusOK, web.Page{
		Name: "start", Title: "start.title", Data: startView{o.config.receives(), o.config.holds()},
	})
	return nil
}

func (o *Office) getHelp(c echo.Context) error {
	o.web.Render(c.Response(), c.Request(), http.StatusOK, web.Page{
		Name: "help", Title: "help.title", Crumbs: []web.Crumb{{Key: "site.name", Href: "/"}, {Key: "help.title"}},
		Data: startView{o.config.receives(), o.config.holds()},
	})
	return nil
}

// initiate starts a login for the portal (OpenID Connect Core §4). It always asks the hub: it may be somebody else by now.
func (o *Office) initiate(c echo.Context) error {
	to, err := o.party.Initiate(c.Request())
	if err != nil {
		return err
	}
	return o.party.Begin(c.Response(), c.Request(), to)
}

func (o *Office) getCallback(c echo.Context) error {
	arrival, err := o.party.Finish(c.Response(), c.Request())
	if err != nil {
		return err
	}
	to := arrival.Return.String()
	if to == "/" {
		to = o.home()
	}
	return c.Redirect(http.StatusSeeOther, to)
}

func (o *Office) getSignedOut(c echo.Context) error {
	o.web.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: "signed-out", Title: "signed_out.title"})
	return nil
}

const fieldFor = "for"

// sender returns the session that a form was sent in. It must be of the person to whom the form was shown: one browser has one session
// for all its tabs.
func (o *Office) sender(c echo.Context, purpose string) (*rp.Session, error) {
	session, err := o.party.Session(c.Request())
	if err != nil {
		return nil, err
	}
	if !session.Marked(purpose, c.FormValue(fieldFor)) {
		return nil, &Error{Reason: PersonChanged}
	}
	return session, nil
}
