package console

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

func (o *Console) mountCitizens(e *echo.Echo) {
	e.GET("/citizens", o.page((*visit).getCitizens))
	e.POST("/citizens", o.act((*visit).postCitizens))
	e.GET("/citizens/:case/end", o.page((*visit).getEndCitizen))
	e.POST("/citizens/:case/end", o.act((*visit).postEndCitizen))
}

// citizensView is what citizens.html shows: a form.
type citizensView struct {
	*visit
	formErrors
	Trouble, Client, Subject, Reason string
	Ended                            bool
}

func (v *visit) showCitizens(view citizensView) error {
	view.visit = v
	return view.formErrors.show(v, inCitizens, web.Page{Name: "citizens", Title: "citizens.title", Data: view})
}

// getCitizens takes the number of an error page from the address, as links to it have it: it says nothing of who met the error.
func (v *visit) getCitizens() error {
	return v.showCitizens(citizensView{Trouble: cut(v.echo.QueryParam("trouble"), 9), Ended: v.echo.QueryParam("ended") != ""})
}

var troublePattern = regexp.MustCompile(`^[0-9A-F]{4}-[0-9A-F]{4}$`)

// trouble reads a number as people read it out: with a space, a long dash, small letters, full width.
func trouble(s string) string {
	s = strings.ToUpper(strings.Join(strings.Fields(narrow(s)), ""))
	s = strings.NewReplacer("−", "-", "‐", "-", "–", "-", "—", "-", "ー", "-", "ｰ", "-").Replace(s)
	if len(s) == 8 && !strings.Contains(s, "-") {
		s = s[:4] + "-" + s[4:]
	}
	return s
}

// citizenView is what citizen.html shows.
type citizenView struct {
	*visit
	adminapi.Citizen
}

// Known reports whether somebody was signed in when the number was given. Otherwise there is nothing to see but what the number was given for.
func (c citizenView) Known() bool { return c.Case != "" }

// LinkKind is how the chip of a connection looks.
func (c citizenView) LinkKind(state string) string {
	switch state {
	case "linked":
		return "ok"
	case "offered":
		return "info"
	case "broken":
		return "error"
	}
	return "quiet"
}

// DeliveryKind is how the chip of a delivery looks.
func (c citizenView) DeliveryKind(d adminapi.Delivery) string { return deliveryKind(d) }

// Why is a reason in words; empty: there are none for it.
func (c citizenView) Why(reason string) string { return c.wordOr("why."+reason, "") }

// KindWord is what a kind of row is called.
func (c citizenView) KindWord(kind string) string { return c.wordOr(kindKey+kind, kind) }

// postCitizens finds a person. The answer is the page itself: to come back to it is another look, and to be recorded as one.
func (v *visit) postCitizens() error {
	view := citizensView{
		Trouble: trouble(v.echo.FormValue("trouble")), Client: strings.TrimSpace(narrow(v.echo.FormValue("client_id"))),
		Subject: strings.TrimSpace(v.echo.FormValue("sub")), Reason: strings.TrimSpace(v.echo.FormValue("reason")),
	}
	switch {
	case view.Trouble == "" && view.Client == "" && view.Subject == "":
		view.add(v, "trouble", "wrong.find")
	case view.Trouble != "" && (view.Client != "" || view.Subject != ""):
		view.add(v, "trouble", "wrong.find_one")
	case view.Trouble != "" && !troublePattern.MatchString(view.Trouble):
		view.add(v, "trouble", "wrong.trouble")
	case view.Trouble == "" && view.Client == "":
		view.add(v, "client_id", "wrong.client_id")
	case view.Trouble == "" && view.Subject == "":
		view.add(v, "sub", "wrong.sub")
	}
	if n := len([]rune(view.Reason)); n < minReason || n > maxReason {
		view.add(v, "reason", "asking.reason.wrong")
	}
	if len(view.Errors) > 0 {
		return v.showCitizens(view)
	}
	found := citizenView{visit: v}
	err := v.call(v.echo.Request().Context(), http.MethodPost, "/citizens/find", adminapi.FindCitizen{
		Trouble: view.Trouble, ClientID: view.Client, Subject: view.Subject, Reason: view.Reason,
	}, &found.Citizen)
	field := "trouble"
	if view.Trouble == "" {
		field = "sub"
	}
	for reason, text := range map[adminapi.Reason]string{
		adminapi.NotFound: "wrong.nobody", adminapi.WrongState: "wrong.several", adminapi.TooMany: "wrong.too_often",
	} {
		if _, ok := refused(err, reason); ok {
			view.add(v, field, text)
			return v.showCitizens(view)
		}
	}
	if view.wrong(v, err) {
		return v.showCitizens(view)
	}
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, inCitizens, web.Page{
		Name: "citizen", Title: "citizen.title", Data: found, Crumbs: []web.Crumb{{Key: inCitizens, Href: "/citizens"}, {Key: "citizen.title"}},
	})
}

func (v *visit) askEndCitizen() asking {
	return asking{
		visit: v, Key: "citizen.end", Back: "/citizens", Action: apiPath("citizens", v.echo.Param("case"), "end"),
		Points: strings.Split(v.text("citizen.end.points"), "\n"),
	}
}

func (v *visit) getEndCitizen() error {
	status, p := v.askEndCitizen().page()
	return v.show(status, inCitizens, p)
}

func (v *visit) postEndCitizen() error {
	a := v.askEndCitizen()
	if !a.typed() {
		status, p := a.page()
		return v.show(status, inCitizens, p)
	}
	path := apiPath("citizens", v.echo.Param("case"), "end-sessions")
	err := v.call(v.echo.Request().Context(), http.MethodPost, path, adminapi.Because{Reason: a.Reason}, nil)
	if _, ok := refused(err, adminapi.NotFound); ok {
		view := citizensView{}
		view.add(v, "trouble", "wrong.case_over")
		return v.showCitizens(view)
	}
	if err != nil {
		return err
	}
	return v.to("/citizens?ended=1")
}
