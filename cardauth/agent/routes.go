package agent

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/internal/web"
)

// Handler serves the card app's pages.
func (a *Agent) Handler() http.Handler {
	e := echo.New()
	e.HTTPErrorHandler = a.onError
	a.routes(e)
	return a.site.Middleware(a.guard(e))
}

// routes is the whole attack surface.
func (a *Agent) routes(e *echo.Echo) {
	e.GET("/", a.getStart)
	e.GET("/login", a.getLogin)
	e.POST("/login", a.postLogin)
	e.POST("/login/cancel", a.postCancel)
	e.GET("/sign", a.getSign)
	e.POST("/sign", a.postLogin)
	e.POST("/sign/cancel", a.postCancel)
	if a.tray != nil {
		e.POST("/tray", a.postTray)
	}
	e.GET("/healthz", a.getHealth)
	e.GET("/readyz", a.getReady)
	e.GET("/version", a.getVersion)
	e.GET("/static/*", echo.WrapHandler(a.site.Static()))
}

// getHealth says that the program runs.
func (a *Agent) getHealth(c echo.Context) error { return c.String(http.StatusOK, "ok\n") }

// getReady says whether a card can be read, once it is in place.
func (a *Agent) getReady(c echo.Context) error {
	if _, err := a.cards.reader.Cards(c.Request().Context()); err != nil {
		return c.String(http.StatusServiceUnavailable, Word(err)+"\n")
	}
	return c.String(http.StatusOK, "ok\n")
}

// onError answers what no handler did: an unknown address, a method that is not listed, a fault of ours.
func (a *Agent) onError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	if routing, ok := errors.AsType[*echo.HTTPError](err); ok && routing.Code < http.StatusInternalServerError {
		a.renderProblem(c.Response(), c.Request(), nil, "", refuse(NotFound, ""))
		return
	}
	a.log.ErrorContext(c.Request().Context(), "card app", "err", err, "trace", web.Trace(c.Request().Context()))
	a.renderProblem(c.Response(), c.Request(), nil, "", refuse(Internal, ""))
}
