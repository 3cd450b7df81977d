package postbox

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// routes is the whole surface of the site.
func (s *Site) routes(credential rp.Credential) http.Handler {
	e := echo.New()
	e.HTTPErrorHandler = s.fail
	e.IPExtractor = echo.ExtractIPDirect() // a header that anybody can write is no address
	e.GET("/", s.getStart)
	e.GET(pathOpen, s.getOpen)
	e.POST(pathOpen, s.postOpen)
	e.GET(pathBox, s.getBox)
	e.GET("/letters/:id", s.getLetter)
	e.GET("/close", s.getClose)
	e.POST("/close", s.postClose)
	e.GET("/closed", s.page("closed"))
	e.GET("/help", s.page("help"))

	e.GET(rp.PathLogin, func(c echo.Context) error { return s.party.Login(c.Response(), c.Request()) })
	e.GET(rp.PathInitiate, s.initiate)
	e.POST(rp.PathInitiate, s.initiate)
	e.GET(rp.PathCallback, s.getCallback)
	e.POST(rp.PathLogout, func(c echo.Context) error {
		return c.Redirect(http.StatusSeeOther, s.party.SignOut(c.Response(), c.Request()))
	})
	e.POST(rp.PathBackchannel, func(c echo.Context) error {
		s.party.Backchannel(c.Response(), c.Request())
		return nil
	})
	e.GET(rp.PathSignedOut, s.page("signed-out"))
	if key, ok := credential.(*rp.Key); ok {
		e.GET(rp.PathJWKS, echo.WrapHandler(key))
	}

	e.GET("/static/*", echo.WrapHandler(s.web.Static()))
	e.GET("/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok") })
	e.GET("/readyz", s.getReady)
	return e
}

// page serves one that says the same to everybody.
func (s *Site) page(name string) echo.HandlerFunc {
	return func(c echo.Context) error {
		s.web.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: name, Title: name + ".title"})
		return nil
	}
}

// getReady reports whether the database answers. The hub is no part of it: the site is of use without.
func (s *Site) getReady(c echo.Context) error {
	if err := s.db.Ping(c.Request().Context()); err != nil {
		s.log.ErrorContext(c.Request().Context(), "not ready", "err", err)
		return c.String(http.StatusServiceUnavailable, "database does not answer")
	}
	return c.String(http.StatusOK, "ready")
}

// fail is the one place where errors become answers.
func (s *Site) fail(err error, c echo.Context) {
	w, r := c.Response(), c.Request()
	if s.party.Answer(w, r, err) {
		return
	}
	if own, ok := errors.AsType[*Error](err); ok {
		status := http.StatusUnprocessableEntity
		if own.Reason == LetterUnknown {
			status = http.StatusNotFound
		}
		s.web.FailWith(w, r, status, own.Reason.String(), web.ErrorView{NextURL: pathBox, NextLabelKey: "box.title"})
		return
	}
	if routing, ok := errors.AsType[*echo.HTTPError](err); ok && (routing.Code == http.StatusNotFound || routing.Code == http.StatusMethodNotAllowed) {
		s.web.FailWith(w, r, routing.Code, "not_found", web.ErrorView{NextURL: "/", NextLabelKey: "error.home"})
		return
	}
	s.log.ErrorContext(r.Context(), "request failed", "err", err, "path", c.Path(), "trace", web.Trace(r.Context()))
	s.web.FailWith(w, r, http.StatusInternalServerError, "internal", web.ErrorView{NextURL: "/", NextLabelKey: "error.home"})
}
