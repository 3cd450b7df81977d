package federation

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"
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
	var in struct {
		State State `json:"state"`
	}
	if err := decode(c.Request(), &in); err != nil {
		return err
	}
	if in.State != Linked && in.State != Broken {
		return malformed("state must be linked or broken")
	}
	ctx := c.Request().Context()
	confirm := a.d.Links.Confirm
	if in.State == Broken {
		confirm = a.d.Links.Break
	}
	l, err := confirm(ctx, who.Account, who.Client, ByService)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, link{State: l.State, Since: sinceOf(l)})
}

// deleteOwn ends the link first and withdraws the service's grants after it:
// withdrawing kills the token this request came with, so in the other order a
// service could not try again after a failure in between.
func (a *API) deleteOwn(c echo.Context, who Caller) error {
	ctx := context.WithoutCancel(c.Request().Context())
	if _, err := a.d.Links.End(ctx, who.Account, who.Client, ByService, WhyUnbound); err != nil {
		return err
	}
	if err := a.d.OnEnd(ctx, who.Account, who.Client); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
