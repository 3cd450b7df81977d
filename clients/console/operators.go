package console

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

func (o *Console) mountOperators(e *echo.Echo) {
	e.GET("/operators", o.page((*visit).getOperators))
	e.GET("/operators/new", o.page((*visit).getNewOperator))
	e.POST("/operators/new", o.act((*visit).postNewOperator))
	e.GET("/operators/:id", o.page((*visit).getOperator))
	e.POST("/operators/:id", o.act((*visit).postOperator))
	e.GET("/operators/:id/suspend", o.page((*visit).getSuspendOperator))
	e.POST("/operators/:id/suspend", o.act((*visit).postSuspendOperator))
}

// operatorsView is what operators.html shows.
type operatorsView struct {
	*visit
	Operators []adminapi.Operator
	Next      string
	Changed   string // the name of whom was changed just now
}

// Own is the id of who looks: nobody changes herself.
func (o operatorsView) Own() string { return o.me.Operator.ID }

// Roles are what an operator may do, in words.
func (v *visit) Roles(o adminapi.Operator) string {
	var all []string
	for _, r := range adminapi.Roles() {
		if slices.Contains(o.Roles, r) {
			all = append(all, v.text("role."+string(r)))
		}
	}
	return strings.Join(all, v.text("frame.and"))
}

func (v *visit) getOperators() error {
	var list adminapi.OperatorList
	if err := v.get(v.echo.Request().Context(), query("/operators", "after", v.echo.QueryParam("after")), nil, &list); err != nil {
		return err
	}
	view := operatorsView{visit: v, Operators: list.Items, Next: list.Next}
	for _, one := range list.Items {
		if one.ID == v.echo.QueryParam("changed") {
			view.Changed = one.Name
		}
	}
	return v.show(http.StatusOK, inOperators, web.Page{Name: "operators", Title: "operators.title", Data: view})
}

// operatorForm is what operator-new.html and operator.html show.
type operatorForm struct {
	*visit
	formErrors
	Operator      adminapi.NewOperator
	Program       bool
	Reason        string
	Existing      adminapi.Operator
	Organisations []adminapi.Organisation
}

// RoleView is a role as a box to tick.
type RoleView struct {
	Role            adminapi.Role
	Label, Hint, ID string
	Checked         bool
}

// RoleViews are the roles.
func (f operatorForm) RoleViews() []RoleView {
	var all []RoleView
	for _, r := range adminapi.Roles() {
		all = append(all, RoleView{
			Role: r, Label: f.text("role." + string(r)), Hint: f.text("role." + string(r) + ".hint"), ID: "role-" + string(r),
			Checked: slices.Contains(f.Operator.Roles, r),
		})
	}
	return all
}

// Bound are the organisations to choose from.
func (f operatorForm) Bound() []web.Option {
	all := []web.Option{{Value: "", Label: f.text("operator.all")}}
	for _, o := range f.Organisations {
		all = append(all, web.Option{Value: o.ID, Label: o.Name, Selected: o.ID == f.Operator.Organisation})
	}
	return all
}

// typedRoles reads the boxes; what is no role is left out.
func (v *visit) typedRoles() []adminapi.Role {
	typed, err := v.echo.FormParams()
	if err != nil {
		return nil
	}
	var all []adminapi.Role
	for _, r := range adminapi.Roles() {
		if slices.Contains(typed["roles"], string(r)) {
			all = append(all, r)
		}
	}
	return all
}

func (v *visit) showNewOperator(form operatorForm) error {
	var err error
	if form.Organisations, err = v.organisations(); err != nil {
		return err
	}
	form.visit = v
	return form.formErrors.show(v, inOperators, web.Page{
		Name: "operator-new", Title: "operator.new", Fill: true, Data: form,
		Crumbs: []web.Crumb{{Key: inOperators, Href: "/operators"}, {Key: "operator.new"}},
	})
}

func (v *visit) getNewOperator() error {
	return v.showNewOperator(operatorForm{Operator: adminapi.NewOperator{Roles: []adminapi.Role{adminapi.Viewer}}})
}

// invitedView is what invited.html shows, once.
type invitedView struct {
	*visit
	adminapi.Invitation
}

// postNewOperator answers with the code itself: it is never part of an address, and never shown again.
func (v *visit) postNewOperator() error {
	form := operatorForm{Operator: adminapi.NewOperator{
		Name: strings.TrimSpace(v.echo.FormValue("name")), Roles: v.typedRoles(), Organisation: v.echo.FormValue("organisation"),
		Client: strings.TrimSpace(narrow(v.echo.FormValue("client"))),
	}}
	if len(form.Operator.Roles) == 0 {
		form.add(v, "roles", "wrong.roles")
		return v.showNewOperator(form)
	}
	view := invitedView{visit: v}
	err := v.call(v.echo.Request().Context(), http.MethodPost, "/operators", form.Operator, &view.Invitation)
	if form.wrong(v, err) {
		return v.showNewOperator(form)
	}
	if err != nil {
		return err
	}
	if view.Code == "" { // a program needs none
		return v.to(query("/operators", "changed", view.Operator.ID))
	}
	return v.show(http.StatusOK, inOperators, web.Page{
		Name: "invited", Title: "invited.title", TitleArgs: []string{"name", view.Operator.Name}, Data: view,
		Crumbs: []web.Crumb{{Key: inOperators, Href: "/operators"}, {Key: "invited.title", Args: []string{"name", view.Operator.Name}}},
	})
}

// operator finds one by its id; the API has a list only.
func (v *visit) operator(id string) (adminapi.Operator, error) {
	var list adminapi.OperatorList
	for range 50 {
		path := query("/operators", "after", list.Next)
		list = adminapi.OperatorList{}
		if err := v.get(v.echo.Request().Context(), path, nil, &list); err != nil {
			return adminapi.Operator{}, err
		}
		for _, one := range list.Items {
			if one.ID == id {
				return one, nil
			}
		}
		if list.Next == "" {
			break
		}
	}
	return adminapi.Operator{}, &Refusal{adminapi.Problem{Status: http.StatusNotFound, Reason: adminapi.NotFound}}
}

func (v *visit) showOperator(form operatorForm) error {
	form.visit = v
	args := []string{"name", form.Existing.Name}
	return form.formErrors.show(v, inOperators, web.Page{
		Name: "operator", Title: "operator.title", TitleArgs: args, Fill: true, Data: form,
		Crumbs: []web.Crumb{{Key: inOperators, Href: "/operators"}, {Key: "operator.title", Args: args}},
	})
}

func (v *visit) getOperator() error {
	one, err := v.operator(v.echo.Param("id"))
	if err != nil {
		return err
	}
	return v.showOperator(operatorForm{Existing: one, Operator: adminapi.NewOperator{Roles: one.Roles}})
}

func (v *visit) postOperator() error {
	one, err := v.operator(v.echo.Param("id"))
	if err != nil {
		return err
	}
	form := operatorForm{Existing: one, Operator: adminapi.NewOperator{Roles: v.typedRoles()}, Reason: strings.TrimSpace(v.echo.FormValue("reason"))}
	if len(form.Operator.Roles) == 0 {
		form.add(v, "roles", "wrong.roles")
	}
	if n := len([]rune(form.Reason)); n < minReason || n > maxReason {
		form.add(v, "reason", "asking.reason.wrong")
	}
	if len(form.Errors) > 0 {
		return v.showOperator(form)
	}
	err = v.call(v.echo.Request().Context(), http.MethodPatch, apiPath("operators", one.ID), adminapi.OperatorChange{Roles: form.Operator.Roles, Reason: form.Reason}, nil)
	if form.wrong(v, err) {
		return v.showOperator(form)
	}
	if err != nil {
		return err
	}
	return v.to(query("/operators", "changed", one.ID))
}

// fieldResume is in the form that lets an operator go on, and not in the one that suspends her.
const fieldResume = "resume"

func (v *visit) askSuspend() (asking, adminapi.Operator, error) {
	one, err := v.operator(v.echo.Param("id"))
	a := asking{visit: v, Key: "operator.suspend", Args: []string{"name", one.Name}, Back: "/operators", Action: apiPath("operators", one.ID, "suspend")}
	// What the page asked counts, not what is the case by now: sent twice, or beside a colleague's, it must not undo itself.
	resume := one.Suspended
	if v.echo.Request().Method == http.MethodPost {
		resume = v.echo.FormValue(fieldResume) != ""
	}
	if resume {
		a.Key, a.Calm, a.Hidden = "operator.resume", true, []web.Hidden{{Name: fieldResume, Value: "yes"}}
	}
	return a, one, err
}

func (v *visit) getSuspendOperator() error {
	a, _, err := v.askSuspend()
	if err != nil {
		return err
	}
	status, p := a.page()
	return v.show(status, inOperators, p)
}

func (v *visit) postSuspendOperator() error {
	a, one, err := v.askSuspend()
	if err != nil {
		return err
	}
	if !a.typed() {
		status, p := a.page()
		return v.show(status, inOperators, p)
	}
	suspended := a.Key == "operator.suspend"
	err = v.call(v.echo.Request().Context(), http.MethodPatch, apiPath("operators", one.ID), adminapi.OperatorChange{Suspended: &suspended, Reason: a.Reason}, nil)
	if err != nil {
		return err
	}
	return v.to(query("/operators", "changed", one.ID))
}
