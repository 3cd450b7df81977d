package etax

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// getStart offers both ways in (T1). Whoever is in already goes on.
func (s *Site) getStart(c echo.Context) error {
	if session, err := s.party.Session(c.Request()); err == nil {
		if ok, err := s.known(c, session); err != nil {
			return err
		} else if ok {
			return c.Redirect(http.StatusSeeOther, "/home")
		}
	}
	s.web.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: "start", Title: "start.title"})
	return nil
}

// initiate starts a login for the portal: its tile leads here (OpenID Connect Core §4). It always asks the hub, even if
// somebody is signed in here, because it may be somebody else by now.
func (s *Site) initiate(c echo.Context) error {
	to, err := s.party.Initiate(c.Request())
	if err != nil {
		return err
	}
	return s.party.Begin(c.Response(), c.Request(), to)
}

// getCallback ends a login: at the page that was asked for if the person is tied to an account, else at the question.
func (s *Site) getCallback(c echo.Context) error {
	arrival, err := s.party.Finish(c.Response(), c.Request())
	if arrival.Asked {
		return s.signedReturn(c, arrival, err)
	}
	if err != nil {
		return err
	}
	if arrival.Session == nil { // only after a Renew, which this site does not ask for
		return c.Redirect(http.StatusSeeOther, arrival.Return.String())
	}
	b, err := s.arrive(c.Request().Context(), arrival.Session)
	if err != nil {
		return err
	}
	to := arrival.Return.String()
	switch {
	case b == nil:
		to = "/bind"
	case to == "/" || to == "/bind":
		to = "/home"
	}
	return c.Redirect(http.StatusSeeOther, to)
}

func (s *Site) postLogout(c echo.Context) error {
	return c.Redirect(http.StatusSeeOther, s.party.SignOut(c.Response(), c.Request()))
}

func (s *Site) getSignedOut(c echo.Context) error {
	s.web.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: "signed-out", Title: "signed_out.title"})
	return nil
}

func (s *Site) getHelp(c echo.Context) error {
	s.web.Render(c.Response(), c.Request(), http.StatusOK, web.Page{
		Name: "help", Title: "help.title", Crumbs: []web.Crumb{{Key: "site.name", Href: "/"}, {Key: "help.title"}},
	})
	return nil
}

// known reports whether there is an account behind a session.
func (s *Site) known(c echo.Context, session *rp.Session) (bool, error) {
	if session.Local() != "" {
		return true, nil
	}
	b, err := findBinding(c.Request().Context(), s.db, session.Subject())
	return b != nil, err
}
