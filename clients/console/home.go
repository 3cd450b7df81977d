package console

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/internal/web"
)

func (o *Console) mountHome(e *echo.Echo) {
	e.GET("/", o.getHome)
}

// getHome is a way in for whoever is not signed in, and the first page for operators.
func (o *Console) getHome(c echo.Context) error {
	if _, err := o.party.Session(c.Request()); err != nil {
		o.web.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: "start", Title: "start.title"})
		return nil
	}
	return o.page((*visit).showHome)(c)
}
