package agency

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// routes is the whole surface of the office.
func (o *Office) routes() http.Handler {
	e := echo.New()
	e.HTTPErrorHandler = o.fail
	e.IPExtractor = echo.ExtractIPDirect() // a header that anybody can write is no address
	e.GET("/", o.getStart)
	e.GET("/help", o.getHelp)
	e.GET("/desk", o.getDesk)
	e.GET("/desk/join", o.getJoin)
	e.POST("/desk/join", o.postJoin)
	if o.config.receives() {
		e.GET("/applications", o.getApplications)
		e.GET("/apply", o.getApply)
		e.POST("/apply", o.postApply)
		e.GET("/desk/cases/:id", o.getCase)
		e.POST("/desk/cases/:id/inquiries", o.postInquiry)
	}
	if o.config.holds() {
		e.GET("/record", o.getRecord)
		e.GET("/tie", o.getTie)
		e.POST("/tie", o.postTie)
		e.POST(pathItems+":item", o.postItem)
	}

	e.GET(rp.PathLogin, func(c echo.Context) error { return o.party.Login(c.Response(), c.Request()) })
	e.GET(rp.PathInitiate, o.initiate)
	e.POST(rp.PathInitiate, o.initiate)
	e.GET(rp.PathCallback, o.getCallback)
	e.POST(rp.PathLogout, func(c echo.Context) error {
		return c.Redirect(http.StatusSeeOther, o.party.SignOut(c.Response(), c.Request()))
	})
	e.POST(rp.PathBackchannel, func(c echo.Context) error {
		o.party.Backchannel(c.Response(), c.Request())
		return nil
	})
	e.GET(rp.PathSignedOut, o.getSignedOut)
	e.GET(rp.PathJWKS, echo.WrapHandler(o.config.Key))

	e.GET("/static/*", echo.WrapHandler(o.web.Static()))
	e.GET("/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok") })
	e.GET("/readyz", o.getReady)
	return e
}

// getReady reports whether the database answers. The hub is no part of it: what waits for it is kept.
func (o *Office) getReady(c echo.Context) error {
	if err := o.db.Ping(c.Request().Context()); err != nil {
		o.log.ErrorContext(c.Request().Context(), "not ready", "err", err)
		return c.String(http.StatusServiceUnavailable, "database does not answer")
	}
	return c.String(http.StatusOK, "ready")
}

// fail is the one place where errors become answers.
func (o *Office) fail(err error, c echo.Context) {
	w, r := c.Response(), c.Request()
	if o.party.Answer(w, r, err) {
		return
	}
	if own, ok := errors.AsType[*Error](err); ok {
		view := web.ErrorView{NextURL: "/", NextLabelKey: "error.home"}
		if own.Reason == TooMany {
			minutes := int64((own.Wait + time.Minute - 1) / time.Minute)
			view.NextKey, view.Args = "limit.next", []string{"minutes", strconv.FormatInt(max(minutes, 1), 10)}
			w.Header().Set("Retry-After", strconv.FormatInt(max(int64(own.Wait/time.Second), 1), 10))
		}
		if own.Reason == NotStaff {
			view.NextURL, view.NextLabelKey = "/desk/join", "join.title"
		}
		o.web.FailWith(w, r, own.Reason.status(), own.Reason.String(), view)
		return
	}
	if routing, ok := errors.AsType[*echo.HTTPError](err); ok && (routing.Code == http.StatusNotFound || routing.Code == http.StatusMethodNotAllowed) {
		o.web.FailWith(w, r, routing.Code, "not_found", web.ErrorView{NextURL: "/", NextLabelKey: "error.home"})
		return
	}
	o.log.ErrorContext(r.Context(), "request failed", "err", err, "trace", web.Trace(r.Context()))
	o.web.FailWith(w, r, http.StatusInternalServerError, "internal", web.ErrorView{NextURL: "/", NextLabelKey: "error.home"})
}
