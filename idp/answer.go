package idp

import (
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/internal/web"
)

// redirected is an OAuth error that is sent back to the client, whose redirect URI has been accepted.
type redirected struct {
	req  *authzRequest
	err  *oauthError
	more url.Values // further parameters of the answer
}

func (r *redirected) Error() string { return r.err.Error() }

func (r *redirected) Unwrap() error { return r.err }

// answerError is the only place where an error becomes an answer. It logs once.
func (p *Provider) answerError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	w, r := c.Response(), c.Request()
	var (
		back  *redirected
		oauth *oauthError
		shown *Error
		http_ *echo.HTTPError
	)
	switch {
	case errors.Is(err, errMove) && r.Method == http.MethodPost:
		// Another press or another tab moved the login on: go on from where it really is.
		http.Redirect(w, r, "/login?"+url.Values{"tx": {c.FormValue("tx")}}.Encode(), http.StatusSeeOther)
	case errors.Is(err, errMove):
		p.show(c, &Error{Reason: LoginExpired})
	case errors.As(err, &back):
		p.log.InfoContext(r.Context(), "authorization refused", "client", back.req.Client, "code", back.err.code, "trace", web.Trace(r.Context()))
		params := url.Values{"error": {back.err.code}, "error_description": {back.err.description}}
		maps.Copy(params, back.more)
		p.sendBack(w, r, back.req, params)
	case errors.As(err, &oauth):
		level := slog.LevelInfo
		if oauth.httpStatus() >= http.StatusInternalServerError {
			level = slog.LevelError
		}
		p.log.Log(r.Context(), level, "request refused", "path", c.Path(), "code", oauth.code, "err", err, "trace", web.Trace(r.Context()))
		p.writeOAuthError(w, r, oauth)
	case errors.As(err, &shown):
		p.log.InfoContext(r.Context(), "shown", "path", c.Path(), "reason", shown.Reason.String(), "client", shown.Client, "err", err, "trace", web.Trace(r.Context()))
		p.show(c, shown)
	case errors.As(err, &http_) && http_.Code < http.StatusInternalServerError:
		p.show(c, &Error{Reason: reasonOfStatus(http_.Code)})
	default:
		p.log.ErrorContext(r.Context(), "internal error", "path", c.Path(), "err", err, "trace", web.Trace(r.Context()))
		if isMachine(r.URL.Path) {
			p.writeOAuthError(w, r, &oauthError{code: "server_error", description: "internal error, reference " + web.Trace(r.Context()), status: http.StatusInternalServerError})
			return
		}
		p.show(c, &Error{Reason: Internal})
	}
}

func reasonOfStatus(status int) Reason {
	if status == http.StatusMethodNotAllowed {
		return MethodNotAllowed
	}
	return NotFound
}

// show answers with a page, or at machine endpoints with JSON.
func (p *Provider) show(c echo.Context, e *Error) {
	w, r := c.Response(), c.Request()
	if isMachine(r.URL.Path) {
		code := "invalid_request"
		if e.Reason == Internal {
			code = "server_error"
		}
		p.writeOAuthError(w, r, &oauthError{code: code, description: strings.ReplaceAll(e.Reason.String(), "_", " "), status: e.Reason.status()})
		return
	}
	switch e.Reason {
	case OtherBrowser, ReturnUsed, ReturnUnknown, QRExpired, QRUsed, QRLinked, QRSameDevice:
		p.site.Render(w, r, e.Reason.status(), web.Page{
			Name: "card-refused", Title: "refused." + e.Reason.String() + ".title", Error: e.Reason.String(), Data: refusedView{Reason: e.Reason.String()},
		})
		return
	case MethodNotAllowed:
		p.site.Fail(w, r, e.Reason.status(), NotFound.String())
		return
	case CodeWrong, CodeExpired, CodeUsed: // the page where another code can be typed
		_ = p.showDevice(c, e.Reason.status(), deviceView{Error: e.Reason.String()})
		return
	case UnknownClient, RedirectMismatch, RequestExpired, LoginExpired, BadRequest, CookiesOff, TooMany, LogoutInvalid, NotFound, Internal:
	}
	developer := []web.Term{{Name: "error", Value: e.Reason.String()}}
	if e.Client != "" {
		developer = append(developer, web.Term{Name: "client_id", Value: e.Client})
	}
	v := web.ErrorView{Developer: developer, NextURL: "/help", NextLabelKey: "error.help"}
	if e.Reason == LogoutInvalid { // whoever wanted to sign out still can
		v.NextURL, v.NextLabelKey = "/end-session", "error.logout_invalid.go"
	}
	p.site.FailWith(w, r, e.Reason.status(), e.Reason.String(), v)
}

func isMachine(path string) bool {
	for _, m := range machinePaths() {
		if path == m || strings.HasSuffix(m, "/") && strings.HasPrefix(path, m) {
			return true
		}
	}
	return false
}

// writeOAuthError is RFC 6749 §5.2.
func (p *Provider) writeOAuthError(w http.ResponseWriter, r *http.Request, e *oauthError) {
	if e.code == "invalid_client" { // RFC 6749 §5.2
		w.Header().Set("WWW-Authenticate", `Basic realm="tsunagu", charset="UTF-8"`)
	}
	body := map[string]string{"error": e.code, "error_description": e.description}
	for name, value := range map[string]string{"reason": e.reason, "exchange_id": e.exchange} {
		if value != "" {
			body[name] = value
		}
	}
	writeJSON(w, r, e.httpStatus(), body)
}

// appendQuery keeps the query the address was registered with, byte for byte (RFC 6749 §3.1.2).
func appendQuery(address string, params url.Values) string {
	if strings.Contains(address, "?") {
		if strings.HasSuffix(address, "?") || strings.HasSuffix(address, "&") {
			return address + params.Encode()
		}
		return address + "&" + params.Encode()
	}
	return address + "?" + params.Encode()
}
