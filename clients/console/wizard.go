package console

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

func (o *Console) mountWizard(e *echo.Echo) {
	e.GET("/clients/new", o.page((*visit).getNew))
	e.POST("/clients/new", o.act((*visit).postNew))
}

// memberID is the one member that the first step may ask for: what it names is never another service.
const memberID = "client_id"

// newView is what new.html shows.
type newView struct {
	*visit
	Kinds         []web.Option
	KindError     string
	Organisations []web.Option // none: the operator is of one, or there are none
	OrgError      string
	ClientID      string
	IDError       string
	Errors        []web.FieldError
	Steps         web.Steps
}

func (v *visit) getNew() error { return v.showNew(http.StatusOK, nil) }

func (v *visit) showNew(status int, faults []adminapi.FieldError) error {
	view := newView{visit: v, ClientID: cut(narrow(strings.TrimSpace(v.echo.FormValue(memberID))), 128)}
	for _, k := range kinds() {
		view.Kinds = append(view.Kinds, web.Option{Value: string(k), Label: v.text("kind." + string(k)), Selected: v.echo.FormValue("kind") == string(k)})
	}
	all, err := v.organisations()
	if err != nil {
		return err
	}
	if len(all) > 0 {
		view.Organisations = append(view.Organisations, web.Option{Label: v.text("new.organisation.none")})
	}
	for _, org := range all {
		view.Organisations = append(view.Organisations, web.Option{Value: org.ID, Label: org.Name, Selected: v.echo.FormValue("organisation") == org.ID})
	}
	for _, label := range []string{"wizard.kind", "section.names", "section.addresses", "section.data", "section.proof", "wizard.check"} {
		view.Steps.Items = append(view.Steps.Items, web.Step{Label: v.text(label), State: "todo"})
	}
	view.Steps.Label, view.Steps.Items[0].State = v.text("wizard.label"), "current"
	page := web.Page{
		Name: "new", Title: "new.title", Crumbs: []web.Crumb{{Key: inServices, Href: "/clients"}, {Key: "new.title"}},
	}
	for _, f := range faults {
		text, id := v.said(f), "organisation"
		switch f.Field {
		case "kind":
			view.KindError, id = text, "kind-web"
		case memberID:
			view.IDError, id = text, memberID
		default:
			view.OrgError = join(view.OrgError, text)
		}
		view.Errors = append(view.Errors, web.FieldError{Field: id, Text: text})
		page.Error = string(adminapi.Invalid)
	}
	page.Data = view
	return v.show(status, inServices, page)
}

// maxOrganisations bounds the choice; an operator of one organisation has none.
const maxOrganisations = 1000

// organisations are those that a new service can be given to.
func (v *visit) organisations() ([]adminapi.Organisation, error) {
	if v.me.Operator.Organisation != "" {
		return nil, nil
	}
	var all []adminapi.Organisation
	for after := ""; len(all) < maxOrganisations; {
		var list adminapi.OrganisationList
		if err := v.get(v.echo.Request().Context(), query("/organisations", "after", after), nil, &list); err != nil {
			return nil, err
		}
		all = append(all, list.Items...)
		if after = list.Next; after == "" || len(list.Items) == 0 {
			break
		}
	}
	return all, nil
}

// postNew begins a draft with what its kind begins with. From here on every step is kept.
func (v *visit) postNew() error {
	kind := adminapi.Kind(v.echo.FormValue("kind"))
	if !slices.Contains(kinds(), kind) {
		return v.showNew(http.StatusUnprocessableEntity, []adminapi.FieldError{{Field: "kind", Problem: "is missing", Remedy: "choose one"}})
	}
	begun := defaults(kind)
	if id := narrow(strings.TrimSpace(v.echo.FormValue(memberID))); id != "" {
		begun.set(memberID, id)
	}
	var saved adminapi.Saved
	err := v.call(v.echo.Request().Context(), http.MethodPost, "/clients", adminapi.NewClient{
		Organisation: v.echo.FormValue("organisation"), Kind: kind, Metadata: begun.raw(), Partial: true,
	}, &saved)
	if refusal, ok := refused(err, adminapi.Invalid); ok {
		return v.showNew(http.StatusUnprocessableEntity, refusal.Errors)
	}
	if _, ok := refused(err, adminapi.Conflict); ok {
		return v.showNew(http.StatusUnprocessableEntity, []adminapi.FieldError{{Field: memberID, Problem: "is taken", Remedy: "write another, or leave it out and one is drawn"}})
	}
	if err != nil {
		return err
	}
	return v.to("/clients" + apiPath(saved.Client.ClientID) + "/edit/" + steps(kind)[0].key)
}
