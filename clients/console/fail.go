package console

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// errPersonChanged is a form that was shown to somebody else than is signed in now.
var errPersonChanged = errors.New("console: the form was shown to somebody else")

// fail is the one place where errors become answers.
func (o *Console) fail(err error, c echo.Context) {
	w, r := c.Response(), c.Request()
	o.keep(c, err)
	if o.party.Answer(w, r, err) {
		return
	}
	view := web.ErrorView{NextURL: "/", NextLabelKey: "error.home"}
	if refusal, ok := refused(err); ok {
		o.log.InfoContext(r.Context(), "refused", "reason", refusal.Reason, "status", refusal.Status, "path", r.URL.Path, "trace", web.Trace(r.Context()))
		if refusal.Trace != "" {
			view.Developer = append(view.Developer, web.Term{Name: "API", Value: refusal.Trace})
		}
		view.Developer = append(view.Developer, web.Term{Name: "reason", Value: string(refusal.Reason)}, web.Term{Name: "detail", Value: refusal.Detail})
		if refusal.Reason == adminapi.NotOperator {
			view.NextURL, view.NextLabelKey = "/join", "join.title"
		}
		o.web.FailWith(w, r, refusalStatus(refusal), reasonWord(refusal.Reason), view)
		return
	}
	if errors.Is(err, errPersonChanged) {
		o.web.FailWith(w, r, http.StatusUnprocessableEntity, "person_changed", view)
		return
	}
	if errors.Is(err, errUnreadable) {
		o.log.WarnContext(r.Context(), "the API's answer", "err", err, "path", r.URL.Path, "trace", web.Trace(r.Context()))
		o.web.FailWith(w, r, http.StatusBadGateway, "api_unreadable", view)
		return
	}
	if routing, ok := errors.AsType[*echo.HTTPError](err); ok && (routing.Code == http.StatusNotFound || routing.Code == http.StatusMethodNotAllowed) {
		o.web.FailWith(w, r, routing.Code, "not_found", view)
		return
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		o.web.FailWith(w, r, http.StatusRequestEntityTooLarge, "too_large", view)
		return
	}
	o.log.ErrorContext(r.Context(), "request failed", "err", err, "path", r.URL.Path, "trace", web.Trace(r.Context()))
	o.web.FailWith(w, r, http.StatusInternalServerError, "internal", view)
}

// reasonWord is the reason for data-error. Those that no page expected here are told as the hub's fault.
func reasonWord(reason adminapi.Reason) string {
	switch reason {
	case adminapi.NotOperator, adminapi.Suspended, adminapi.RoleMissing, adminapi.NotYours, adminapi.SamePerson, adminapi.NotFound,
		adminapi.Conflict, adminapi.WrongState, adminapi.NotReady, adminapi.Invalid, adminapi.TooLarge:
		return string(reason)
	case adminapi.TooMany:
		return "too_many"
	case adminapi.Malformed, adminapi.Unauthenticated, adminapi.WrongType, adminapi.Failed:
	}
	return "api_failed"
}

// refusalStatus is the API's own status, where it is one that a page can have.
func refusalStatus(r *Refusal) int {
	if r.Status < 400 || r.Status > 599 || r.Status == http.StatusUnauthorized {
		return http.StatusBadGateway
	}
	return r.Status
}
