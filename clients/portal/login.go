package portal

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/internal/web"
)

func (p *Portal) initiate(c echo.Context) error {
	to, err := p.party.Initiate(c.Request())
	if err != nil {
		return err
	}
	return p.party.Begin(c.Response(), c.Request(), to)
}

// getCallback ends a login at the page it was begun for.
func (p *Portal) getCallback(c echo.Context) error {
	arrival, err := p.party.Finish(c.Response(), c.Request())
	if err != nil {
		return err
	}
	if arrival.Session != nil {
		if err := countVisit(c.Request().Context(), p.db, arrival.Session.Subject()); err != nil {
			return err
		}
	}
	return c.Redirect(http.StatusSeeOther, arrival.Return.String())
}

func (p *Portal) postLogout(c echo.Context) error {
	return c.Redirect(http.StatusSeeOther, p.party.SignOut(c.Response(), c.Request()))
}

func (p *Portal) getSignedOut(c echo.Context) error {
	p.web.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: "signed-out", Title: "signed_out.title"})
	return nil
}

func (p *Portal) getHelp(c echo.Context) error {
	p.web.Render(c.Response(), c.Request(), http.StatusOK, web.Page{
		Name: "help", Title: "help.title", Crumbs: []web.Crumb{{Key: "home.title", Href: "/"}, {Key: "help.title"}},
	})
	return nil
}
