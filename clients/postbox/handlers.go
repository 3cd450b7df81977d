package postbox

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

const (
	pathOpen = "/open"
	pathBox  = "/box"

	// The purposes of the forms, and the field that says for whom one was shown.
	toOpen   = "postbox open"
	toClose  = "postbox close"
	fieldFor = "for"
)

// getStart offers the way in. Whoever is in already goes on.
func (s *Site) getStart(c echo.Context) error {
	if _, err := s.party.Session(c.Request()); err == nil {
		return c.Redirect(http.StatusSeeOther, pathBox)
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

// getCallback ends a login. Every page finds out by itself whether there is a box.
func (s *Site) getCallback(c echo.Context) error {
	arrival, err := s.party.Finish(c.Response(), c.Request())
	if err != nil {
		return err
	}
	to := arrival.Return.String()
	if to == "/" || to == pathOpen {
		to = pathBox
	}
	return c.Redirect(http.StatusSeeOther, to)
}

// mine returns the box of whoever is signed in. Without one, it has sent the browser to where one is opened and returns nil.
func (s *Site) mine(c echo.Context) (*box, *rp.Session, error) {
	session, err := s.party.Session(c.Request())
	if err != nil {
		return nil, nil, err
	}
	b, err := s.standing(c.Request().Context(), session)
	if err == nil && b == nil {
		err = c.Redirect(http.StatusSeeOther, pathOpen)
	}
	return b, session, err
}

// openView is what open.html shows.
type openView struct {
	For     string
	Paused  bool // there is a box, whose tie was cut at the hub
	Changed bool
}

func (s *Site) getOpen(c echo.Context) error {
	session, err := s.party.Session(c.Request())
	if err != nil {
		return err
	}
	b, err := findBox(c.Request().Context(), s.db, session.Subject())
	if err != nil {
		return err
	}
	if b != nil && !b.paused {
		return c.Redirect(http.StatusSeeOther, pathBox)
	}
	s.showOpen(c, openView{For: session.Mark(toOpen), Paused: b != nil})
	return nil
}

func (s *Site) showOpen(c echo.Context, v openView) {
	page := web.Page{Name: "open", Title: "open.title", SignedIn: true, OpenForm: true, Data: v}
	status := http.StatusOK
	if v.Changed {
		status, page.Error = http.StatusUnprocessableEntity, PersonChanged.String()
	}
	s.web.Render(c.Response(), c.Request(), status, page)
}

// postOpen opens a box for the person whom the page was shown to and nobody else. Sent twice, it shows the box twice.
func (s *Site) postOpen(c echo.Context) error {
	session, err := s.party.Session(c.Request())
	if err != nil {
		return err
	}
	if !session.Marked(toOpen, c.FormValue(fieldFor)) {
		s.showOpen(c, openView{For: session.Mark(toOpen), Changed: true})
		return nil
	}
	if err := s.open(c.Request().Context(), session); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, pathBox+"?done=opened")
}

// boxView is what box.html shows.
type boxView struct {
	Letters []letterLine
	Unread  int
	Opened  bool // just now
}

// letterLine is a letter in the list.
type letterLine struct {
	ID, Title, From string
	Arrived         time.Time
	Read            bool
}

func (s *Site) getBox(c echo.Context) error {
	r := c.Request()
	b, _, err := s.mine(c)
	if err != nil || b == nil {
		return err
	}
	sealed, err := listLetters(r.Context(), s.db, b.sub, maxLetters)
	if err != nil {
		return err
	}
	view := boxView{Opened: c.QueryParam("done") == "opened"}
	for _, one := range sealed {
		l, err := s.unseal(one)
		if err != nil {
			return err
		}
		view.Letters = append(view.Letters, letterLine{
			ID: l.id, Title: s.web.Text(r, l.content.Template+".title"), From: s.web.Text(r, l.content.Template+".from"), Arrived: l.arrived, Read: l.read,
		})
		if !l.read {
			view.Unread++
		}
	}
	s.web.Render(c.Response(), r, http.StatusOK, web.Page{Name: "box", Title: "box.title", SignedIn: true, OpenForm: true, Data: view})
	return nil
}

// letterView is what letter.html shows.
type letterView struct {
	Title, From, Text string
	Arrived           time.Time
}

func (s *Site) getLetter(c echo.Context) error {
	r := c.Request()
	b, _, err := s.mine(c)
	if err != nil || b == nil {
		return err
	}
	sealed, err := takeOut(r.Context(), s.db, b.sub, c.Param("id"), s.now())
	if err != nil {
		return err
	}
	if sealed == nil {
		return &Error{Reason: LetterUnknown}
	}
	l, err := s.unseal(*sealed)
	if err != nil {
		return err
	}
	t := l.content.Template
	s.web.Render(c.Response(), r, http.StatusOK, web.Page{
		Name: "letter", Title: t + ".title", SignedIn: true, OpenForm: true,
		Crumbs: []web.Crumb{{Key: "box.title", Href: pathBox}, {Key: t + ".title"}},
		Data:   letterView{Title: s.web.Text(r, t+".title"), From: s.web.Text(r, t+".from"), Text: s.web.Text(r, t+".text"), Arrived: l.arrived},
	})
	return nil
}

// closeView is what close.html shows.
type closeView struct {
	For     string
	Changed bool
}

func (s *Site) getClose(c echo.Context) error {
	b, session, err := s.mine(c)
	if err != nil || b == nil {
		return err
	}
	s.showClose(c, session, false)
	return nil
}

func (s *Site) showClose(c echo.Context, session *rp.Session, changed bool) {
	page := web.Page{Name: "close", Title: "close.title", SignedIn: true, OpenForm: true, Data: closeView{For: session.Mark(toClose), Changed: changed}}
	status := http.StatusOK
	if changed {
		status, page.Error = http.StatusUnprocessableEntity, PersonChanged.String()
	}
	s.web.Render(c.Response(), c.Request(), status, page)
}

// postClose closes the box and ends the session: nothing of this service belongs to the person any more.
func (s *Site) postClose(c echo.Context) error {
	session, err := s.party.Session(c.Request())
	if err != nil {
		return err
	}
	if !session.Marked(toClose, c.FormValue(fieldFor)) {
		s.showClose(c, session, true)
		return nil
	}
	if err := s.close(c.Request().Context(), session.Subject()); err != nil {
		return err
	}
	refresh, err := s.party.End(c.Response(), c.Request(), session)
	if err != nil {
		return err
	}
	if err := s.party.Revoke(c.Request().Context(), refresh); err != nil { // the hub has revoked it with the link, if it heard
		s.log.InfoContext(c.Request().Context(), "refresh token not revoked", "err", err)
	}
	return c.Redirect(http.StatusSeeOther, "/closed")
}
