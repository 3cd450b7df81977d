package etax

import (
	"errors"
	"net/http"
	"strconv"
	"time"

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
	e.GET("/number", s.getNumber)
	e.POST("/number", s.postNumber)
	e.GET("/bind", s.getBind)
	e.POST("/bind", s.postBind)
	e.GET("/home", s.getHome)
	e.GET(pathReturn, s.getReturnForm)
	e.POST(pathReturn, s.postReturnForm)
	e.GET("/returns/:id", s.getReturn)
	e.GET("/returns/:id/document", s.getDocument)
	e.GET("/returns/:id/signature", s.getSignature)
	e.POST("/returns/:id/send", s.postSend)
	e.POST("/returns/:id/collect", s.postCollect)
	e.GET("/unlink", s.getUnlink)
	e.POST("/unlink", s.postUnlink)
	e.GET("/unlinked", s.getUnlinked)
	e.GET("/help", s.getHelp)

	e.GET(rp.PathLogin, func(c echo.Context) error { return s.party.Login(c.Response(), c.Request()) })
	e.GET(rp.PathInitiate, s.initiate)
	e.POST(rp.PathInitiate, s.initiate)
	e.GET(rp.PathCallback, s.getCallback)
	e.POST(rp.PathLogout, s.postLogout)
	e.POST(rp.PathBackchannel, func(c echo.Context) error {
		s.party.Backchannel(c.Response(), c.Request())
		return nil
	})
	e.GET(rp.PathSignedOut, s.getSignedOut)
	if key, ok := credential.(*rp.Key); ok {
		e.GET(rp.PathJWKS, echo.WrapHandler(key))
	}

	e.GET("/static/*", echo.WrapHandler(s.web.Static()))
	e.GET("/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok") })
	e.GET("/readyz", s.getReady)
	return e
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
		s.refuse(w, r, own)
		return
	}
	if routing, ok := errors.AsType[*echo.HTTPError](err); ok && (routing.Code == http.StatusNotFound || routing.Code == http.StatusMethodNotAllowed) {
		s.web.FailWith(w, r, routing.Code, "not_found", web.ErrorView{NextURL: "/", NextLabelKey: "error.home"})
		return
	}
	s.log.ErrorContext(r.Context(), "request failed", "err", err, "path", r.URL.Path, "trace", web.Trace(r.Context()))
	s.web.FailWith(w, r, http.StatusInternalServerError, "internal", web.ErrorView{NextURL: "/", NextLabelKey: "error.home"})
}

// refuse shows what stops more than one field. The forms answer for the other reasons themselves.
func (s *Site) refuse(w http.ResponseWriter, r *http.Request, e *Error) {
	status := http.StatusInternalServerError
	view := web.ErrorView{NextURL: "/", NextLabelKey: "error.home"}
	switch e.Reason {
	case TooMany:
		minutes := int64((e.Wait + time.Minute - 1) / time.Minute)
		status = http.StatusTooManyRequests
		view.NextKey, view.Args = "limit.next", []string{"minutes", strconv.FormatInt(max(minutes, 1), 10)}
		w.Header().Set("Retry-After", strconv.FormatInt(max(int64(e.Wait/time.Second), 1), 10))
	case Busy:
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "5")
	case ReturnUnknown:
		status = http.StatusNotFound
		view = web.ErrorView{NextURL: "/home", NextLabelKey: "home.title"}
	case OnlyHerself:
		status = http.StatusForbidden
		view = web.ErrorView{NextURL: "/home", NextLabelKey: "home.title"}
	case InputMissing, WrongPassword, NumberTaken, AlreadyBound, PersonChanged, SignatureInvalid, SignerUntrusted, SignerExpired, DocumentOther, SignatureGone:
		status = http.StatusUnprocessableEntity
	}
	s.web.FailWith(w, r, status, e.Reason.String(), view)
}
