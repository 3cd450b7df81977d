package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/idp/preflight"
)

func (a *API) preflightRoutes() {
	const tag = "preflights"
	register(a, operation{
		id: "listPreflights", method: http.MethodGet, path: "/api/clients/{id}/preflights", tag: tag, summary: "Reports about a service, newest first", may: mayNotYours,
	}, a.getPreflights)
	register(a, operation{
		id: "startPreflight", method: http.MethodPost, path: "/api/clients/{id}/preflights", tag: tag, summary: "Try a service, and write a report",
		role: adminapi.Editor, status: http.StatusAccepted, may: append([]adminapi.Reason{adminapi.Invalid, adminapi.TooMany}, mayConflict...),
	}, a.postPreflight)
	register(a, operation{
		id: "showPreflight", method: http.MethodGet, path: "/api/clients/{id}/preflights/{report}", tag: tag, summary: "One report", may: mayNotYours,
	}, a.getPreflight)
}

type preflightsInput struct {
	ID    string `path:"id" maxLength:"200"`
	After string `query:"after" maxLength:"64" doc:"The next of the page before"`
	Limit int    `query:"limit" minimum:"1" maximum:"100" doc:"How many at most; left out: 20"`
}

func (a *API) getPreflights(ctx context.Context, c caller, in preflightsInput) (adminapi.PreflightList, error) {
	d, err := a.client(ctx, c, in.ID)
	if err != nil {
		return adminapi.PreflightList{}, err
	}
	list, next, err := a.d.Preflights.List(ctx, d.ID, in.After, page{Limit: in.Limit}.size())
	if err != nil {
		return adminapi.PreflightList{}, err
	}
	return adminapi.PreflightList{Items: list, Next: next}, a.nameReports(ctx, list)
}

// nameReports adds who began reports.
func (a *API) nameReports(ctx context.Context, list []adminapi.Preflight) error {
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].By
	}
	names, err := a.operators.names(ctx, ids)
	for i := range list {
		list[i].ByName = names[list[i].By]
	}
	return err
}

type preflightInput struct {
	ID   string `path:"id" maxLength:"200"`
	Body adminapi.NewPreflight
}

// preflightWait is how long to wait before one asks again.
const preflightWait = 20 * time.Second

func (a *API) postPreflight(ctx context.Context, c caller, in preflightInput) (adminapi.Preflight, error) {
	d, err := a.client(ctx, c, in.ID)
	if err != nil {
		return adminapi.Preflight{}, err
	}
	o := preflight.Order{By: c.id, Revision: in.Body.Revision}
	switch {
	case d.State == clients.StateSuspended || d.State == clients.StateRetired:
		return adminapi.Preflight{}, refuse(adminapi.WrongState, "The service is suspended or retired: the hub answers it nothing.")
	case o.Revision == 0 && d.Live == nil:
		return adminapi.Preflight{}, refuse(adminapi.WrongState, "Nothing of this service is live; name the revision of its draft.")
	case o.Revision == 0:
		o.Metadata, o.Version = d.Live.Metadata, d.Live.Version
	case d.Draft == nil || d.Draft.Revision != o.Revision:
		return adminapi.Preflight{}, &Error{Reason: adminapi.Conflict, Detail: "The draft is another by now. Look at it again.", Current: shownDraft(d.Draft)}
	default:
		o.Metadata = d.Draft.Metadata
	}
	if o.Client, err = clients.Candidate(o.Metadata); err != nil {
		return adminapi.Preflight{}, err
	}
	p, err := a.d.Preflights.Start(ctx, o)
	switch {
	case errors.Is(err, preflight.ErrRunning):
		return adminapi.Preflight{}, refuse(adminapi.WrongState, "A pre-flight of this service is running. Wait for its end, three minutes at most.")
	case errors.Is(err, preflight.ErrBusy):
		return adminapi.Preflight{}, &Error{Reason: adminapi.TooMany, Detail: "The hub tries other services. Ask again in a moment.", After: preflightWait}
	}
	p.ByName = c.name
	return p, err
}

type reportInput struct {
	ID     string `path:"id" maxLength:"200"`
	Report string `path:"report" maxLength:"64"`
}

func (a *API) getPreflight(ctx context.Context, c caller, in reportInput) (adminapi.Preflight, error) {
	d, err := a.client(ctx, c, in.ID)
	if err != nil {
		return adminapi.Preflight{}, err
	}
	p, err := a.d.Preflights.Get(ctx, d.ID, in.Report)
	if errors.Is(err, preflight.ErrUnknown) {
		return adminapi.Preflight{}, refuse(adminapi.NotFound, "There is no such report.")
	}
	if err != nil {
		return adminapi.Preflight{}, err
	}
	one := []adminapi.Preflight{p}
	err = a.nameReports(ctx, one)
	return one[0], err
}
