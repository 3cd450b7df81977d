package portal

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/portal/connect"
	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// routes is the whole surface of the portal, but for that of its functions, which each have a list of their own.
func (p *Portal) routes(credential rp.Credential) http.Handler {
	e := echo.New()
	e.HTTPErrorHandler = p.fail
	e.IPExtractor = echo.ExtractIPDirect()
	e.GET("/", p.getHome)
	e.GET("/help", p.getHelp)
	for _, m := range p.modules() {
		m.mount(e)
	}

	e.GET(rp.PathLogin, func(c echo.Context) error { return p.party.Login(c.Response(), c.Request()) })
	e.GET(rp.PathInitiate, p.initiate)
	e.POST(rp.PathInitiate, p.initiate)
	e.GET(rp.PathCallback, p.getCallback)
	e.POST(rp.PathLogout, p.postLogout)
	e.POST(rp.PathBackchannel, func(c echo.Context) error {
		p.party.Backchannel(c.Response(), c.Request())
		return nil
	})
	e.POST(rp.PathSignals, echo.WrapHandler(p.party.Signals(p.push, nil)))
	e.GET(rp.PathSignedOut, p.getSignedOut)
	if key, ok := credential.(*rp.Key); ok {
		e.GET(rp.PathJWKS, echo.WrapHandler(key))
	}

	e.GET("/static/*", echo.WrapHandler(p.web.Static()))
	e.GET("/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok") })
	e.GET("/readyz", p.getReady)
	return e
}

// getReady reports whether the database answers. The hub is no part of it: the front page is of use without.
func (p *Portal) getReady(c echo.Context) error {
	if err := p.db.Ping(c.Request().Context()); err != nil {
		p.log.ErrorContext(c.Request().Context(), "not ready", "err", err)
		return c.String(http.StatusServiceUnavailable, "database does not answer")
	}
	return c.String(http.StatusOK, "ready")
}

// fail is the one place where errors become answers.
func (p *Portal) fail(err error, c echo.Context) {
	w, r := c.Response(), c.Request()
	if p.party.Answer(w, r, err) {
		return
	}
	if errors.Is(err, connect.ErrUnknown) {
		p.web.FailWith(w, r, http.StatusNotFound, "service_unknown", web.ErrorView{NextURL: "/connect", NextLabelKey: "module.connect"})
		return
	}
	if routing, ok := errors.AsType[*echo.HTTPError](err); ok && (routing.Code == http.StatusNotFound || routing.Code == http.StatusMethodNotAllowed) {
		p.web.FailWith(w, r, routing.Code, "not_found", web.ErrorView{NextURL: "/", NextLabelKey: "error.home"})
		return
	}
	p.log.ErrorContext(r.Context(), "request failed", "err", err, "path", r.URL.Path, "trace", web.Trace(r.Context()))
	p.web.FailWith(w, r, http.StatusInternalServerError, "internal", web.ErrorView{NextURL: "/", NextLabelKey: "error.home"})
}
