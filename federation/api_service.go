package federation

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
)

func (a *API) getOwn(c echo.Context, who Caller) error {
	l, err := a.d.Links.Find(c.Request().Context(), who.Account, who.Client)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, link{State: l.State, Since: sinceOf(l)})
}

// putOwn lets a service say that it tied the person to an account (linked), or
// that the account it tied cannot be used any more (broken).
func (a *API) putOwn(c echo.Context, who Caller) error {
	state, err := decode(c.Request(), "state")
	if err != nil {
		return err
	}
	say := map[string]func(context.Context, AccountID, clients.ID, Actor) (Link, error){
		string(Linked): a.d.Links.Confirm,
		string(Broken): a.d.Links.Break,
	}[state]
	if say == nil {
		return malformed("state must be linked or broken")
	}
	l, err := say(c.Request().Context(), who.Account, who.Client, ByService)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, link{State: l.State, Since: sinceOf(l)})
}

func (a *API) deleteOwn(c echo.Context, who Caller) error {
	if err := a.end(c.Request().Context(), who.Account, who.Client, ByService, WhyUnbound); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
