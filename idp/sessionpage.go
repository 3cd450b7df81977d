package idp

import (
	"errors"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/internal/web"
)

// The pages of a session's end.
const (
	sessionEndingPath = "/session/ending"
	sessionStayPath   = "/session/continue"
	sessionLeavePath  = "/session/sign-out"
)

// endingView is the data of session-ending.html.
type endingView struct {
	Over    bool // it has ended
	Ends    time.Time
	Minutes int  // left, rounded up
	Extends bool // using it puts off the end; otherwise it has become as old as sessions get
	Shared  bool
	Back    string // the hub's own page to go back to
}

// showSession lets the page that is about to be shown say when the session ends, and lead to the warning before. Reading the page has been
// a use of it.
func (p *Provider) showSession(c echo.Context, s *session) {
	now, rules := p.now(), p.sessions.rules
	ends := rules.end(s)
	back := "/account"
	if c.Request().Method == http.MethodGet {
		back = ownPath(c.Request().URL.Path)
	}
	c.SetRequest(web.WithSession(c.Request(), web.Session{
		Ends: ends, In: ends.Sub(now), Shared: s.Shared, Leave: sessionLeavePath, Stay: sessionStayPath, Back: back,
		Warn: sessionEndingPath + "?" + url.Values{"back": {back}}.Encode(), After: max(0, ends.Sub(now)-rules.warn(s)),
	}))
}

// ownPath returns a path of the citizen's own pages as it is, and /account in place of anything else: nobody is sent anywhere by an address
// that somebody else wrote.
func ownPath(to string) string {
	if strings.HasPrefix(to, "/account/") && path.Clean(to) == to && !strings.ContainsAny(to, "\\?#%") && visible(to) && len(to) <= 200 {
		return to
	}
	return "/account"
}

// getSessionEnding warns that the session is about to end. Reading it is no use of the session. It reads itself again after the end, and then
// says that it has ended; it needs no script.
func (p *Provider) getSessionEnding(c echo.Context) error {
	s, err := p.currentSession(c)
	if err != nil {
		return err
	}
	v := endingView{Back: ownPath(c.QueryParam("back"))}
	page := web.Page{Name: "session-ending", Title: "session.over.title"}
	if s == nil {
		v.Over = true
	} else {
		now := p.now()
		v.Ends, v.Extends, v.Shared = p.sessions.rules.end(s), p.sessions.rules.extends(s, now), s.Shared
		v.Minutes = max(1, int((v.Ends.Sub(now)+time.Minute-1)/time.Minute))
		page.Title, page.SignedIn = "session.ending.title", true
		c.Response().Header().Set("Refresh", strconv.Itoa(max(1, int(v.Ends.Sub(now)/time.Second)+2)))
	}
	page.Data = v
	p.site.Render(c.Response(), c.Request(), http.StatusOK, page)
	return nil
}

// postSessionContinue puts off the end of a session and goes back to where the citizen was. One that has become as old as sessions get goes
// on with the card.
func (p *Provider) postSessionContinue(c echo.Context) error {
	back := ownPath(c.FormValue("back"))
	s, err := p.currentSession(c)
	if err != nil {
		return err
	}
	if s != nil && p.sessions.rules.extends(s, p.now()) {
		err := p.sessions.touch(c.Request().Context(), s, "")
		if err != nil && !errors.Is(err, errSessionEnded) {
			return err
		}
		return c.Redirect(http.StatusSeeOther, back)
	}
	return p.advance(c, &transaction{State: Received, Return: back, Again: s != nil, StartedAt: p.now().Unix()})
}

// postSessionSignOut signs this browser out, with one press.
func (p *Provider) postSessionSignOut(c echo.Context) error {
	s, err := p.currentSession(c)
	if err != nil {
		return err
	}
	var end ending
	if s != nil {
		beside, err := p.besideOf(c, s)
		if err != nil {
			return err
		}
		if end, err = p.endSession(c, s, beside); err != nil {
			return err
		}
	}
	return p.signedOut(c, logoutRequest{}, end)
}
