package agency

import (
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

const (
	toApply     = "agency apply"
	maxChildren = 20
)

// applicationsView is what applications.html shows.
type applicationsView struct {
	Applied  bool // there is one
	Done     bool // it was made just now
	Receipt  string
	Made     time.Time
	Children string
	Youngest time.Time
}

// getApplications is the citizen's own page.
func (o *Office) getApplications(c echo.Context) error {
	session, err := o.party.Session(c.Request())
	if err != nil {
		return err
	}
	a, err := o.application(c.Request().Context(), "sub", session.Subject())
	if err != nil {
		return err
	}
	view := applicationsView{Done: c.QueryParam("done") == "applied"}
	if a != nil {
		view.Applied, view.Receipt, view.Made = true, a.receipt, a.made
		view.Children, view.Youngest = strconv.Itoa(a.Children), a.Youngest.time()
	}
	o.web.Render(c.Response(), c.Request(), http.StatusOK, web.Page{
		Name: "applications", Title: "applications.title", SignedIn: true, OpenForm: true, Data: view,
	})
	return nil
}

// applyView is what apply.html shows: the fields as they were typed.
type applyView struct {
	For, Children, ChildrenError, Youngest, YoungestError string
	Errors                                                []web.FieldError
}

func (o *Office) getApply(c echo.Context) error {
	session, err := o.party.Session(c.Request())
	if err != nil {
		return err
	}
	a, err := o.application(c.Request().Context(), "sub", session.Subject())
	if err != nil {
		return err
	}
	if a != nil {
		return c.Redirect(http.StatusSeeOther, "/applications")
	}
	o.showApply(c, session, http.StatusOK, applyView{})
	return nil
}

func (o *Office) showApply(c echo.Context, session *rp.Session, status int, v applyView) {
	v.For = session.Mark(toApply)
	reason := ""
	if status != http.StatusOK {
		reason = InputMissing.String()
	}
	o.web.Render(c.Response(), c.Request(), status, web.Page{
		Name: "apply", Title: "apply.title", Error: reason, SignedIn: true, OpenForm: true, Data: v, Crumbs: o.homeCrumbs("apply.title"),
	})
}

func (o *Office) postApply(c echo.Context) error {
	session, err := o.sender(c, toApply)
	if err != nil {
		return err
	}
	v := applyView{Children: clip(c.FormValue("children")), Youngest: clip(c.FormValue("youngest"))}
	var a allowance
	var counted, dated bool
	a.Children, counted = parseCount(c.FormValue("children"), maxChildren)
	a.Youngest, dated = parseDate(c.FormValue("youngest"))
	if !counted {
		v.ChildrenError = o.web.Text(c.Request(), "apply.children.wrong")
		v.Errors = append(v.Errors, web.FieldError{Field: "children", Text: v.ChildrenError})
	}
	if !dated || a.Youngest.time().After(o.now()) {
		v.YoungestError = o.web.Text(c.Request(), "apply.youngest.wrong")
		v.Errors = append(v.Errors, web.FieldError{Field: "youngest", Text: v.YoungestError})
	}
	if len(v.Errors) > 0 {
		o.showApply(c, session, InputMissing.status(), v)
		return nil
	}
	if _, err := o.apply(c.Request().Context(), session.Subject(), a); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/applications?done=applied")
}
