package admin

import (
	"context"
	"net/http"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/clients/adminapi"
)

// What is refused of services: one of another organisation; and of drafts: a revision that is no more, a step that does not follow.
var (
	mayNotYours = []adminapi.Reason{adminapi.NotYours}
	mayConflict = []adminapi.Reason{adminapi.NotYours, adminapi.Conflict, adminapi.WrongState}
)

func (a *API) clientRoutes() {
	const tag = "clients"
	register(a, operation{id: "listClients", method: http.MethodGet, path: "/api/clients", tag: tag, summary: "Services, in the order of their ids", may: mayNotYours}, a.getClients)
	register(a, operation{
		id: "createClient", method: http.MethodPost, path: "/api/clients", tag: tag, summary: "Begin a service: a draft", role: adminapi.Editor,
		status: http.StatusCreated, may: mayConflict,
	}, a.postClient)
	register(a, operation{id: "showClient", method: http.MethodGet, path: "/api/clients/{id}", tag: tag, summary: "A service with all that belongs to it", may: mayNotYours}, a.getClient)
	register(a, operation{
		id: "applyClient", method: http.MethodPut, path: "/api/clients/{id}", tag: tag, role: adminapi.Editor, may: mayConflict,
		summary: "Make a service be what a file says; nothing happens if it is so",
	}, a.putClient)
	register(a, operation{
		id: "saveDraft", method: http.MethodPut, path: "/api/clients/{id}/draft", tag: tag, summary: "Write the draft", role: adminapi.Editor, may: mayConflict,
	}, a.putDraft)
	register(a, operation{
		id: "discardDraft", method: http.MethodDelete, path: "/api/clients/{id}/draft", tag: tag, summary: "Take the draft away, and with it a service that was never live",
		role: adminapi.Editor, may: mayConflict,
	}, a.deleteDraft)
}

type clientsInput struct {
	Q            string `query:"q" maxLength:"100" doc:"Part of an id, a name, who runs it, or a host that it sends people to"`
	State        string `query:"state" enum:"draft,requested,live,suspended,retired"`
	Kind         string `query:"kind" enum:"web,browser,native,machine,government"`
	Organisation string `query:"organisation" maxLength:"64"`
	After        string `query:"after" maxLength:"200" doc:"The next of the page before"`
	Limit        int    `query:"limit" minimum:"1" maximum:"100" doc:"How many at most; left out: 20"`
}

func (a *API) getClients(ctx context.Context, c caller, in clientsInput) (adminapi.ClientList, error) {
	q := clients.Query{Text: in.Q, State: clients.State(in.State), Kind: clients.Kind(in.Kind), Organisation: in.Organisation, After: in.After, Limit: page{Limit: in.Limit}.size()}
	if c.organisation != "" {
		if !c.sees(in.Organisation) && in.Organisation != "" {
			return adminapi.ClientList{}, notYours()
		}
		q.Organisation = c.organisation
	}
	found, err := a.d.Clients.Search(ctx, q)
	if err != nil {
		return adminapi.ClientList{}, err
	}
	out := adminapi.ClientList{Next: found.Next, Total: found.Total}
	for _, l := range found.Items {
		out.Items = append(out.Items, shownListing(l))
	}
	return out, nil
}

func notYours() error {
	return refuse(adminapi.NotYours, "This belongs to another organisation than you work for.")
}

// client finds the service of a path, if the caller sees it.
func (a *API) client(ctx context.Context, c caller, raw string) (clients.Detail, error) {
	id, err := clients.ParseID(raw)
	if err != nil {
		return clients.Detail{}, clients.ErrUnknown
	}
	d, err := a.d.Clients.Detail(ctx, id)
	if err != nil {
		return clients.Detail{}, err
	}
	if !c.sees(d.Organisation) {
		return clients.Detail{}, notYours()
	}
	return d, nil
}

// owner is the organisation of a new service: what is asked for, or what the caller works for.
func owner(c caller, asked string) (string, error) {
	if asked == "" {
		return c.organisation, nil
	}
	if !c.sees(asked) {
		return "", notYours()
	}
	return asked, nil
}

func (a *API) postClient(ctx context.Context, c caller, in struct{ Body adminapi.NewClient }) (adminapi.Saved, error) {
	organisation, err := owner(c, in.Body.Organisation)
	if err != nil {
		return adminapi.Saved{}, err
	}
	saved, err := a.d.Clients.Draft(ctx, clients.NewClient{
		Organisation: organisation, Kind: clients.Kind(in.Body.Kind),
		Writing: clients.Writing{Document: in.Body.Metadata, Note: in.Body.Note, By: c.id, Partial: in.Body.Partial},
	})
	if err != nil {
		return adminapi.Saved{}, err
	}
	return a.saved(ctx, saved)
}

// saved is the answer to whoever wrote a draft.
func (a *API) saved(ctx context.Context, s clients.Saved) (out adminapi.Saved, err error) {
	for _, f := range s.Faults {
		out.Errors = append(out.Errors, adminapi.FieldError(f))
	}
	out.Client, err = a.detail(ctx, s.ID)
	return out, err
}

// clientPath is the Input of what takes nothing but the service.
type clientPath struct {
	ID string `path:"id" maxLength:"200"`
}

func (a *API) getClient(ctx context.Context, c caller, in clientPath) (adminapi.ClientDetail, error) {
	d, err := a.client(ctx, c, in.ID)
	if err != nil {
		return adminapi.ClientDetail{}, err
	}
	return a.shownDetail(ctx, d)
}

type applyInput struct {
	ID   string `path:"id" maxLength:"200"`
	Body adminapi.Apply
}

func (a *API) putClient(ctx context.Context, c caller, in applyInput) (adminapi.Applied, error) {
	organisation := in.Body.Organisation
	id := clients.ID(in.ID)
	_, err := a.client(ctx, c, in.ID)
	if e := problemOf(err); e != nil && e.Reason == adminapi.NotFound { // Apply makes it, and judges the id
		organisation, err = owner(c, organisation)
	}
	if err != nil {
		return adminapi.Applied{}, err
	}
	outcome, err := a.d.Clients.Apply(ctx, id, clients.Application{
		Organisation: organisation, Document: in.Body.Metadata, Note: in.Body.Note, By: c.id, Request: in.Body.Request,
	})
	if err != nil {
		return adminapi.Applied{}, err
	}
	detail, err := a.detail(ctx, id)
	return adminapi.Applied{Outcome: string(outcome), Client: detail}, err
}

type draftInput struct {
	ID   string `path:"id" maxLength:"200"`
	Body adminapi.SaveDraft
}

func (a *API) putDraft(ctx context.Context, c caller, in draftInput) (adminapi.Saved, error) {
	d, err := a.client(ctx, c, in.ID)
	if err != nil {
		return adminapi.Saved{}, err
	}
	saved, err := a.d.Clients.Save(ctx, d.ID, clients.Writing{
		Revision: in.Body.Revision, Document: in.Body.Metadata, Note: in.Body.Note, By: c.id, Partial: in.Body.Partial,
	})
	if err != nil {
		return adminapi.Saved{}, err
	}
	return a.saved(ctx, saved)
}

type revisionInput struct {
	ID       string `path:"id" maxLength:"200"`
	Revision int64  `query:"revision" required:"true" minimum:"1" doc:"The revision of the draft that was seen"`
}

func (a *API) deleteDraft(ctx context.Context, c caller, in revisionInput) (nothing, error) {
	d, err := a.client(ctx, c, in.ID)
	if err != nil {
		return nothing{}, err
	}
	return nothing{}, a.d.Clients.Discard(ctx, d.ID, in.Revision, c.id)
}
