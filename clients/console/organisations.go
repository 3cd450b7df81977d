package console

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

func (o *Console) mountOrganisations(e *echo.Echo) {
	e.GET("/organisations", o.page((*visit).getOrganisations))
	e.GET("/organisations/new", o.page((*visit).getNewOrganisation))
	e.POST("/organisations/new", o.act((*visit).postNewOrganisation))
	e.GET("/organisations/:id", o.page((*visit).getOrganisation))
	e.POST("/organisations/:id", o.act((*visit).postOrganisation))
}

// organisationsView is what organisations.html shows.
type organisationsView struct {
	*visit
	Organisations []adminapi.Organisation
	Next          string
	Saved         string
}

func (v *visit) getOrganisations() error {
	var list adminapi.OrganisationList
	if err := v.get(v.echo.Request().Context(), query("/organisations", "after", v.echo.QueryParam("after")), nil, &list); err != nil {
		return err
	}
	return v.show(http.StatusOK, inOrganisations, web.Page{Name: "organisations", Title: "organisations.title", Data: organisationsView{
		v, list.Items, list.Next, cut(v.echo.QueryParam("saved"), 64),
	}})
}

// organisationView is what organisation.html shows: a form.
type organisationView struct {
	*visit
	formErrors
	New          bool
	Organisation adminapi.Organisation
}

// Contacts are the addresses, one a line.
func (o organisationView) Contacts() string { return strings.Join(o.Organisation.Contacts, "\n") }

// Action is where the form goes.
func (o organisationView) Action() string {
	if o.New {
		return "/organisations/new"
	}
	return "/organisations" + apiPath(o.Organisation.ID)
}

func (v *visit) showOrganisation(view organisationView) error {
	p := web.Page{Name: "organisation", Title: "organisation.title", TitleArgs: []string{"name", view.Organisation.Name}, Fill: true}
	if view.New {
		p.Title = "organisation.new"
	} else {
		view.Organisation.ID = v.echo.Param("id")
	}
	p.Crumbs = []web.Crumb{{Key: inOrganisations, Href: "/organisations"}, {Key: p.Title, Args: p.TitleArgs}}
	view.visit = v
	p.Data = view
	return view.formErrors.show(v, inOrganisations, p)
}

func (v *visit) getNewOrganisation() error { return v.showOrganisation(organisationView{New: true}) }

func (v *visit) getOrganisation() error {
	all, err := v.organisations()
	if err != nil {
		return err
	}
	for _, one := range all {
		if one.ID == v.echo.Param("id") {
			return v.showOrganisation(organisationView{Organisation: one})
		}
	}
	return &Refusal{adminapi.Problem{Status: http.StatusNotFound, Reason: adminapi.NotFound}}
}

func (v *visit) typedOrganisation() adminapi.Organisation {
	return adminapi.Organisation{
		ID: strings.TrimSpace(narrow(v.echo.FormValue("id"))), Name: strings.TrimSpace(v.echo.FormValue("name")),
		Contacts: strings.Fields(narrow(v.echo.FormValue("contacts"))),
	}
}

func (v *visit) postNewOrganisation() error {
	view := organisationView{New: true, Organisation: v.typedOrganisation()}
	err := v.call(v.echo.Request().Context(), http.MethodPost, "/organisations", view.Organisation, nil)
	if view.wrong(v, err) {
		return v.showOrganisation(view)
	}
	if err != nil {
		return err
	}
	return v.to(query("/organisations", "saved", view.Organisation.ID))
}

func (v *visit) postOrganisation() error {
	view := organisationView{Organisation: v.typedOrganisation()}
	view.Organisation.ID = v.echo.Param("id")
	err := v.call(v.echo.Request().Context(), http.MethodPut, apiPath("organisations", view.Organisation.ID), view.Organisation, nil)
	if view.wrong(v, err) {
		return v.showOrganisation(view)
	}
	if err != nil {
		return err
	}
	return v.to(query("/organisations", "saved", view.Organisation.ID))
}
