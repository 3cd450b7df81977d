package console

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// stopping is what ends or resumes a service, as the last piece of its address.
func stopping() []string { return []string{"suspend", "resume", "retire"} }

func (o *Console) mountStop(e *echo.Echo) {
	for _, act := range stopping() {
		e.GET("/clients/:id/"+act, o.page(func(v *visit) error { return v.showStop(http.StatusOK, act, nil) }))
		e.POST("/clients/:id/"+act, o.act(func(v *visit) error { return v.postStop(act) }))
	}
}

// stopView is what stop.html shows: what will happen, and the fields for why.
type stopView struct {
	*service
	Act                   string
	Reason, ReasonError   string
	Confirm, ConfirmError string
	Errors                []web.FieldError
}

func (v *visit) showStop(status int, act string, faults []web.FieldError) error {
	s, err := v.service(tabOverview)
	if err != nil {
		return err
	}
	view := stopView{service: s, Act: act, Reason: v.echo.FormValue("reason"), Confirm: v.echo.FormValue("confirm"), Errors: faults}
	page := web.Page{Name: "stop", Title: act + ".title", Fill: true}
	for _, f := range faults {
		page.Error = string(adminapi.Invalid)
		if f.Field == "confirm" {
			view.ConfirmError = f.Text
		} else {
			view.ReasonError = f.Text
		}
	}
	page.Data = view
	return s.show(status, page)
}

func (v *visit) postStop(act string) error {
	id, reason, confirm := v.echo.Param("id"), strings.TrimSpace(v.echo.FormValue("reason")), strings.TrimSpace(narrow(v.echo.FormValue("confirm")))
	var faults []web.FieldError
	if len([]rune(reason)) < minReason {
		faults = append(faults, web.FieldError{Field: "reason", Text: v.text("reason.missing")})
	}
	var in any = adminapi.Because{Reason: reason}
	done := map[string]string{"suspend": "suspended", "resume": "resumed", "retire": "retired"}[act]
	if act == "retire" {
		if confirm != id {
			faults = append(faults, web.FieldError{Field: "confirm", Text: v.text("retire.confirm.wrong", "id", id)})
		}
		in = adminapi.Retire{Reason: reason, Confirm: confirm}
	}
	if len(faults) > 0 {
		return v.showStop(http.StatusUnprocessableEntity, act, faults)
	}
	err := v.call(v.echo.Request().Context(), http.MethodPost, "/clients"+apiPath(id, act), in, nil)
	if refusal, ok := refused(err, adminapi.Invalid); ok && len(refusal.Errors) > 0 {
		return v.showStop(http.StatusUnprocessableEntity, act, v.summary(refusal.Errors))
	}
	if err != nil {
		return err
	}
	return v.to("/clients" + apiPath(id) + "?done=" + done)
}
