package federation

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

func (a *API) getOwn(c echo.Context, who Caller) error {
	l, err := a.d.Links.Find(c.Request().Context(), who.Account, who.Client)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, link{State: l.State, Since: sinceOf(l), Tie: l.Tie})
}

// putOwn lets a service say that it tied the person to an account (linked), or
// that the account it tied cannot be used any more (broken). It may name the tie.
func (a *API) putOwn(c echo.Context, who Caller) error {
	said, err := decodeTie(c.Request())
	if err != nil {
		return err
	}
	say := a.d.Links.Confirm
	if said.state == Broken {
		say = a.d.Links.Break
	}
	l, err := say(c.Request().Context(), who.Account, who.Client, said.tie)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, link{State: l.State, Since: sinceOf(l), Tie: l.Tie})
}

func (a *API) deleteOwn(c echo.Context, who Caller) error {
	if err := a.end(c.Request().Context(), who.Account, who.Client, ByService, WhyUnbound); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
