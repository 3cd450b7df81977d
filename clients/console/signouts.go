package console

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

func (o *Console) mountSignOuts(e *echo.Echo) {
	e.GET("/clients/:id/logout", o.page((*visit).getSignOuts))
	e.GET("/clients/:id/sessions", o.page((*visit).getSessions))
}

// signOutsView is what sign-outs.html shows.
type signOutsView struct {
	*service
	Deliveries []adminapi.Delivery
	Next       string
}

// Kind is how the chip of a delivery looks.
func (s signOutsView) Kind(d adminapi.Delivery) string { return deliveryKind(d) }

func deliveryKind(d adminapi.Delivery) string {
	switch d.State {
	case "confirmed":
		return "ok"
	case "pending":
		return "info"
	case "given_up":
		return "error"
	}
	return "quiet"
}

func (v *visit) getSignOuts() error {
	s, err := v.service(tabSignOuts)
	if err != nil {
		return err
	}
	var list adminapi.DeliveryList
	if err := v.get(v.echo.Request().Context(), query(s.api("deliveries"), "after", v.echo.QueryParam("after")), nil, &list); err != nil {
		return err
	}
	return s.show(http.StatusOK, web.Page{Name: "sign-outs", Title: "sign_outs.title", Data: signOutsView{s, list.Items, list.Next}})
}

// sessionsView is what sessions.html shows.
type sessionsView struct {
	*service
	Sessions []adminapi.Session
	Next     string
}

func (v *visit) getSessions() error {
	s, err := v.service(tabSignOuts)
	if err != nil {
		return err
	}
	var list adminapi.SessionList
	if err := v.get(v.echo.Request().Context(), query(s.api("sessions"), "after", v.echo.QueryParam("after")), nil, &list); err != nil {
		return err
	}
	return s.show(http.StatusOK, web.Page{Name: "sessions", Title: "sessions.title", Data: sessionsView{s, list.Items, list.Next}})
}
