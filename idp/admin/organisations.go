package admin

import (
	"context"
	"net/http"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/clients/adminapi"
)

func (a *API) organisationRoutes() {
	const tag = "organisations"
	register(a, operation{id: "listOrganisations", method: http.MethodGet, path: "/api/organisations", tag: tag, summary: "Who owns services"}, a.getOrganisations)
	register(a, operation{
		id: "addOrganisation", method: http.MethodPost, path: "/api/organisations", tag: tag, summary: "Add one", role: adminapi.Security, whole: true,
		status: http.StatusCreated, may: []adminapi.Reason{adminapi.Conflict},
	}, a.postOrganisation)
	register(a, operation{
		id: "changeOrganisation", method: http.MethodPut, path: "/api/organisations/{id}", tag: tag, summary: "Replace name and contacts", role: adminapi.Security, whole: true,
	}, a.putOrganisation)
}

func shownOrganisation(o clients.Organisation) adminapi.Organisation {
	return adminapi.Organisation{ID: o.ID, Name: o.Name, Contacts: o.Contacts, Since: o.Since}
}

// getOrganisations: whoever works for one sees that one.
func (a *API) getOrganisations(ctx context.Context, c caller, in page) (adminapi.OrganisationList, error) {
	var out adminapi.OrganisationList
	if c.organisation != "" {
		o, err := a.d.Clients.Organisation(ctx, c.organisation)
		out.Items = append(out.Items, shownOrganisation(o))
		return out, err
	}
	list, next, err := a.d.Clients.Organisations(ctx, in.After, in.size())
	for _, o := range list {
		out.Items = append(out.Items, shownOrganisation(o))
	}
	out.Next = next
	return out, err
}

func (a *API) postOrganisation(ctx context.Context, c caller, in struct{ Body adminapi.Organisation }) (adminapi.Organisation, error) {
	o, err := a.d.Clients.AddOrganisation(ctx, clients.Organisation{ID: in.Body.ID, Name: in.Body.Name, Contacts: in.Body.Contacts}, c.id)
	return shownOrganisation(o), err
}

type organisationInput struct {
	ID   string `path:"id" maxLength:"64"`
	Body adminapi.Organisation
}

func (a *API) putOrganisation(ctx context.Context, c caller, in organisationInput) (adminapi.Organisation, error) {
	if in.Body.ID != in.ID {
		return adminapi.Organisation{}, fault("id", "is not that of the address", "write "+in.ID)
	}
	o, err := a.d.Clients.ChangeOrganisation(ctx, clients.Organisation{ID: in.ID, Name: in.Body.Name, Contacts: in.Body.Contacts}, c.id)
	return shownOrganisation(o), err
}

// checkOrganisation refuses one that is not there.
func checkOrganisation(ctx context.Context, registry *clients.Registry, id string) error {
	if id == "" {
		return nil
	}
	_, err := registry.Organisation(ctx, id)
	if e := problemOf(err); e != nil && e.Reason == adminapi.NotFound {
		return fault("organisation", "is not one of this hub", "add the organisation first, or leave it out")
	}
	return err
}
