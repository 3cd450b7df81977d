package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/idp"
	"github.com/tsunagu-id/tsunagu/internal/openapi"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// Error is a refusal. This file is the only one that knows what it looks like on the wire.
type Error struct {
	Reason  adminapi.Reason
	Detail  string // for people: why, and what to do next
	Errors  []adminapi.FieldError
	Current *adminapi.Draft // with reason conflict
	After   time.Duration   // with reason too_many_requests
}

// Error returns reason and detail.
func (e *Error) Error() string { return "admin: " + string(e.Reason) + ": " + e.Detail }

// refuse returns a refusal.
func refuse(reason adminapi.Reason, detail string) *Error {
	return &Error{Reason: reason, Detail: detail}
}

// invalid returns the refusal of a request with faults, or nil.
func invalid(faults []openapi.Fault) error {
	if len(faults) == 0 {
		return nil
	}
	list := make([]adminapi.FieldError, len(faults))
	for i, f := range faults {
		list[i] = adminapi.FieldError(f)
	}
	return &Error{Reason: adminapi.Invalid, Detail: "Some fields are wrong; nothing was stored.", Errors: list}
}

// fault returns the refusal of one field.
func fault(field, problem, remedy string) error {
	return invalid([]openapi.Fault{{Field: field, Problem: problem, Remedy: remedy}})
}

// statusOf is the status that a reason is answered with.
func statusOf(r adminapi.Reason) int {
	switch r {
	case adminapi.Malformed:
		return http.StatusBadRequest
	case adminapi.Unauthenticated:
		return http.StatusUnauthorized
	case adminapi.NotOperator, adminapi.Suspended, adminapi.RoleMissing, adminapi.NotYours, adminapi.SamePerson:
		return http.StatusForbidden
	case adminapi.NotFound:
		return http.StatusNotFound
	case adminapi.Conflict, adminapi.WrongState, adminapi.NotReady:
		return http.StatusConflict
	case adminapi.TooLarge:
		return http.StatusRequestEntityTooLarge
	case adminapi.WrongType:
		return http.StatusUnsupportedMediaType
	case adminapi.Invalid:
		return http.StatusUnprocessableEntity
	case adminapi.TooMany:
		return http.StatusTooManyRequests
	case adminapi.Failed:
	}
	return http.StatusInternalServerError
}

// problemOf finds the refusal in an error of this package or of one below it; nil: the hub's own failure.
func problemOf(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if list, ok := errors.AsType[*clients.FieldErrors](err); ok {
		e := &Error{Reason: adminapi.Invalid, Detail: "Some fields are wrong; nothing was stored."}
		for _, f := range list.List {
			e.Errors = append(e.Errors, adminapi.FieldError(f))
		}
		return e
	}
	if e, ok := errors.AsType[*clients.ChangeError](err); ok {
		return &Error{Reason: reasonOf(e.Reason), Detail: upper(e.Detail) + ".", Current: shownDraft(e.Current)}
	}
	if errors.Is(err, clients.ErrUnknown) {
		return refuse(adminapi.NotFound, "There is no such service.")
	}
	return nil
}

// reasonOf is the wire's word for why the registry refused a change.
func reasonOf(r clients.ChangeReason) adminapi.Reason {
	switch r {
	case clients.NotFound:
		return adminapi.NotFound
	case clients.SamePerson:
		return adminapi.SamePerson
	case clients.Conflict:
		return adminapi.Conflict
	case clients.WrongState:
		return adminapi.WrongState
	}
	return adminapi.Failed
}

// refuse answers a refusal, or that the hub failed.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, err error) {
	ctx := r.Context()
	if errors.Is(err, errCutOff) {
		a.d.Log.ErrorContext(ctx, "answer cut off", "path", r.URL.Path, "err", err, "trace", web.Trace(ctx))
		panic(http.ErrAbortHandler)
	}
	if c, ok := errors.AsType[*idp.Challenge](err); ok {
		a.challenge(w, r, c)
		return
	}
	e := problemOf(err)
	if e == nil {
		if !errors.Is(err, context.Canceled) {
			a.d.Log.ErrorContext(ctx, "internal error", "path", r.URL.Path, "err", err, "trace", web.Trace(ctx))
		}
		e = refuse(adminapi.Failed, "The hub failed, and stored nothing. Try again; if it stays so, say the reference number to whoever runs the hub.")
	}
	a.named(ctx, e.Current)
	if e.After > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64(e.After.Seconds()), 10))
	}
	a.writeProblem(w, r, statusOf(e.Reason), e)
}

// challenge answers a request without a token that would do.
func (a *API) challenge(w http.ResponseWriter, r *http.Request, c *idp.Challenge) {
	for name, values := range c.Header {
		w.Header()[name] = values
	}
	e := refuse(adminapi.Unauthenticated, "Send an access token of this hub with scope admin in the Authorization header.")
	switch {
	case c.Status == http.StatusForbidden:
		e = refuse(adminapi.NotOperator, "The access token is not one for this API: sign in with scope admin, for yourself.")
	case c.Status == http.StatusBadRequest:
		e = refuse(adminapi.Malformed, "The Authorization header cannot be read.")
	case c.Code == "insufficient_user_authentication":
		e.Detail = "Sign in with the card again: the last time was too long ago, or in another way."
	case c.Code != "":
		e.Detail = "The access token is not good, or no longer."
	}
	a.writeProblem(w, r, statusOf(e.Reason), e)
}

func (a *API) writeProblem(w http.ResponseWriter, r *http.Request, status int, e *Error) {
	b, err := json.Marshal(adminapi.Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Reason: e.Reason, Detail: e.Detail, Trace: web.Trace(r.Context()),
		Errors: e.Errors, Current: e.Current,
	})
	if err != nil { // a type of ours that cannot be written
		a.d.Log.ErrorContext(r.Context(), "problem not written", "err", err)
		status = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	a.send(r, w, b)
}
