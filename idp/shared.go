package idp

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/internal/web"
)

// sharedPath is where the login page's choice goes: whether others use this computer too.
const sharedPath = "/login/shared"

// sharedComputer: somebody said that others use this computer too. Whoever signs in here has a session that ends soon, is offered nothing
// that stays, and sees on every page how to sign out.
func (p *Provider) sharedComputer(c echo.Context) bool {
	if v, ok := c.Get(cookiePublic).(bool); ok { // said in this answer
		return v
	}
	_, ok := p.site.Cookie(c.Request(), cookiePublic)
	return ok
}

// postShared takes the choice and shows the login page again. It is kept in the browser, for whoever comes next: a library's computer stays
// one.
func (p *Provider) postShared(c echo.Context) error {
	tx, err := p.ownTransaction(c, c.FormValue("tx"))
	if err != nil {
		return err
	}
	switch c.FormValue("shared") {
	case "yes":
		p.site.SetCookie(c.Response(), web.Cookie{Name: cookiePublic, Value: "1", MaxAge: sharedLife})
		p.site.ClearCookie(c.Response(), cookieWay, "/")
	case "no":
		p.site.ClearCookie(c.Response(), cookiePublic, "/")
	default:
		return &Error{Reason: BadRequest, Detail: "shared is neither yes nor no"}
	}
	return c.Redirect(http.StatusSeeOther, "/login?"+pageQuery(tx))
}
