package etax

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// homeView is what home.html shows. There is no name on it: nobody told us one.
type homeView struct {
	Tail    string       // last digits of the number
	Linked  bool         // came through the hub
	Before  time.Time    // the login before; zero if there was none
	Acting  bool         // somebody acts for the taxpayer
	Bound   bool         // just now
	Returns []returnLine // the draft first
	Samples []sampleReturn
	MayFile bool // there is no draft, and one may be made
}

// returnLine is a return in the list.
type returnLine struct {
	ID, Receipt string
	Filed       time.Time
	Draft       bool
}

// sampleReturn is a tax return that everybody has here.
type sampleReturn struct{ Name, State, Filed, Chip string } // message keys, and the kind of chip

func sampleReturns() []sampleReturn {
	return []sampleReturn{
		{"returns.2.name", "returns.2.state", "returns.2.filed", "ok"},
		{"returns.3.name", "returns.3.state", "returns.3.filed", "ok"},
	}
}

// getHome is the page the person came for (T3).
func (s *Site) getHome(c echo.Context) error {
	r := c.Request()
	session, err := s.party.Session(r)
	if err != nil {
		return err
	}
	view := homeView{Bound: c.QueryParam("done") == "bound", Samples: sampleReturns()}
	n := Number(session.Local())
	if n == "" {
		b, err := s.standing(r.Context(), session)
		if err != nil {
			return err
		}
		if b == nil {
			return c.Redirect(http.StatusSeeOther, "/bind")
		}
		n, view.Linked, view.Before = b.number, true, b.before
	}
	view.Acting = session.Actor() != ""
	view.Tail = n.Tail()
	returns, err := listReturns(r.Context(), s.db, n)
	if err != nil {
		return err
	}
	for _, one := range returns {
		view.Returns = append(view.Returns, returnLine{ID: one.id, Receipt: one.receipt, Filed: one.filed, Draft: one.filed.IsZero()})
	}
	view.MayFile = view.Linked && s.rules != nil && (len(view.Returns) == 0 || !view.Returns[0].Draft)
	s.web.Render(c.Response(), r, http.StatusOK, web.Page{
		Name: "home", Title: "home.title", SignedIn: true, OpenForm: true, Data: view,
	})
	return nil
}

// standing returns the binding of a person, or nil if there is none or it was ended at the hub.
func (s *Site) standing(ctx context.Context, session *rp.Session) (*binding, error) {
	b, err := findBinding(ctx, s.db, session.Subject())
	switch {
	case err != nil || b == nil:
		return nil, err
	case session.Actor() != "":
		return b, s.actingStill(ctx, session)
	case b.reported:
		return s.recheck(ctx, session, b)
	}
	return s.agree(ctx, session, b) // every time, until the hub has heard of it
}

// getUnlink asks before the tie is cut.
func (s *Site) getUnlink(c echo.Context) error {
	session, err := s.person(c)
	if err == nil {
		err = herself(session)
	}
	if err != nil {
		return err
	}
	if ok, err := s.known(c, session); err != nil {
		return err
	} else if !ok {
		return c.Redirect(http.StatusSeeOther, "/bind")
	}
	s.askUnlink(c, session, false)
	return nil
}

// unlinkView is what unlink.html shows.
type unlinkView struct {
	For     string // whom it is shown to
	Changed bool   // it was sent from a page that was shown to somebody else
}

func (s *Site) askUnlink(c echo.Context, session *rp.Session, changed bool) {
	status, reason := http.StatusOK, ""
	if changed {
		status, reason = http.StatusUnprocessableEntity, PersonChanged.String()
	}
	s.web.Render(c.Response(), c.Request(), status, web.Page{
		Name: "unlink", Title: "unlink.title", Error: reason, SignedIn: true, OpenForm: true,
		Data:   unlinkView{For: session.Mark(toUnlink), Changed: changed},
		Crumbs: []web.Crumb{{Key: "home.title", Href: "/home"}, {Key: "unlink.title"}},
	})
}

func (s *Site) postUnlink(c echo.Context) error {
	session, err := s.person(c)
	if err == nil {
		err = herself(session)
	}
	if err != nil {
		return err
	}
	if !session.Marked(toUnlink, c.FormValue(fieldFor)) {
		if ok, err := s.known(c, session); err != nil {
			return err
		} else if !ok {
			return c.Redirect(http.StatusSeeOther, "/bind")
		}
		s.askUnlink(c, session, true)
		return nil
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
