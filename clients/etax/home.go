package etax

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/internal/web"
)

// homeView is what home.html shows. There is no name on it: nobody told us one.
type homeView struct {
	Tail     string    // last digits of the number
	Linked   bool      // came through the hub
	Before   time.Time // the login before; zero if there was none
	Bound    bool      // just now
	Returns  [][]string
	ReturnsC []string // columns
}

// getHome is the page the person came for (T3).
func (s *Site) getHome(c echo.Context) error {
	r := c.Request()
	session, err := s.party.Session(r)
	if err != nil {
		return err
	}
	view := homeView{Bound: c.QueryParam("done") == "bound"}
	if n := session.Local(); n != "" {
		view.Tail = Number(n).Tail()
	} else {
		b, err := findBinding(r.Context(), s.db, session.Subject())
		if err != nil {
			return err
		}
		if b == nil {
			return c.Redirect(http.StatusSeeOther, "/bind")
		}
		if !b.reported {
			s.report(r.Context(), session, b)
		}
		view.Tail, view.Linked, view.Before = b.number.Tail(), true, b.before
	}
	view.ReturnsC, view.Returns = s.sampleReturns(r)
	s.web.Render(c.Response(), r, http.StatusOK, web.Page{
		Name: "home", Title: "home.title", SignedIn: true, OpenForm: true, Data: view,
	})
	return nil
}

// sampleReturns are the same for everybody.
func (s *Site) sampleReturns(r *http.Request) (cols []string, rows [][]string) {
	text := func(key string) string { return s.web.Text(r, key) }
	cols = []string{text("returns.year"), text("returns.kind"), text("returns.state"), text("returns.filed")}
	for _, row := range []string{"1", "2", "3"} {
		rows = append(rows, []string{
			text("returns." + row + ".year"), text("returns." + row + ".kind"),
			text("returns." + row + ".state"), text("returns." + row + ".filed"),
		})
	}
	return cols, rows
}

// getUnlink asks before the tie is cut.
func (s *Site) getUnlink(c echo.Context) error {
	session, err := s.person(c)
	if err != nil {
		return err
	}
	if _, ok, err := s.account(c, session); err != nil {
		return err
	} else if !ok {
		return c.Redirect(http.StatusSeeOther, "/bind")
	}
	s.web.Render(c.Response(), c.Request(), http.StatusOK, web.Page{
		Name: "unlink", Title: "unlink.title", SignedIn: true, OpenForm: true,
		Crumbs: []web.Crumb{{Key: "home.title", Href: "/home"}, {Key: "unlink.title"}},
	})
	return nil
}

func (s *Site) postUnlink(c echo.Context) error {
	session, err := s.person(c)
	if err != nil {
		return err
	}
	if err := s.unbind(c.Response(), c.Request(), session); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/unlinked")
}

func (s *Site) getUnlinked(c echo.Context) error {
	s.web.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: "unlinked", Title: "unlinked.title"})
	return nil
}
