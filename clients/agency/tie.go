package agency

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

const toTie = "agency tie"

// tieView is what tie.html shows. The number is not shown again over somebody's shoulder.
type tieView struct {
	For, NumberError, BornError string
	Errors                      []web.FieldError
	Hint                        *Record // the record to try, on a sample
}

func (o *Office) getTie(c echo.Context) error {
	session, err := o.party.Session(c.Request())
	if err != nil {
		return err
	}
	k, err := o.recordOf(c.Request().Context(), session.Subject())
	if err != nil {
		return err
	}
	if k != nil {
		return c.Redirect(http.StatusSeeOther, "/record")
	}
	o.showTie(c, session, tieView{}, 0)
	return nil
}

func (o *Office) showTie(c echo.Context, session *rp.Session, v tieView, reason Reason) {
	v.For, v.Hint = session.Mark(toTie), o.hint
	status, word := http.StatusOK, ""
	if reason != 0 {
		status, word = reason.status(), reason.String()
	}
	for _, f := range []struct {
		id  string
		key *string
	}{{"number", &v.NumberError}, {"born", &v.BornError}} {
		if *f.key != "" {
			*f.key = o.web.Text(c.Request(), *f.key)
			v.Errors = append(v.Errors, web.FieldError{Field: f.id, Text: *f.key})
		}
	}
	o.web.Render(c.Response(), c.Request(), status, web.Page{
		Name: "tie", Title: "tie.title", Error: word, SignedIn: true, OpenForm: true, Data: v, Crumbs: o.homeCrumbs("tie.title"),
	})
}

// postTie ties the record, once.
func (o *Office) postTie(c echo.Context) error {
	session, err := o.sender(c, toTie)
	if err != nil {
		return err
	}
	var v tieView
	number, numbered := parseNumber(c.FormValue("number"))
	born, dated := parseDate(c.FormValue("born"))
	if !numbered {
		v.NumberError = "tie.number.wrong"
	}
	if !dated {
		v.BornError = "tie.born.wrong"
	}
	if !numbered || !dated {
		o.showTie(c, session, v, InputMissing)
		return nil
	}
	err = o.tie(c.Request().Context(), session.Subject(), number, born)
	if own, ok := errors.AsType[*Error](err); ok && own.Reason != TooMany {
		v.NumberError = "tie." + own.Reason.String()
		o.showTie(c, session, v, own.Reason)
		return nil
	}
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/record?done=tied")
}

// recordView is what record.html shows.
type recordView struct {
	Done        bool   // tied just now
	Category    string // the end of a message key
	Since, AsOf time.Time
}

// getRecord is the citizen's own page.
func (o *Office) getRecord(c echo.Context) error {
	session, err := o.party.Session(c.Request())
	if err != nil {
		return err
	}
	k, err := o.recordOf(c.Request().Context(), session.Subject())
	if err != nil {
		return err
	}
	if k == nil {
		return c.Redirect(http.StatusSeeOther, "/tie")
	}
	o.web.Render(c.Response(), c.Request(), http.StatusOK, web.Page{
		Name: "record", Title: "record.title", SignedIn: true, OpenForm: true, Data: recordView{
			Done: c.QueryParam("done") == "tied", Category: strconv.Itoa(k.Category), Since: k.Since.time(), AsOf: k.AsOf.time(),
		},
	})
	return nil
}
