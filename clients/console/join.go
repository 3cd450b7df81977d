package console

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

func (o *Console) mountJoin(e *echo.Echo) {
	e.GET("/join", o.joining((*visit).getJoin))
	e.POST("/join", o.joining((*visit).postJoin))
}

// joining wraps the pages of people who are signed in and no operator yet.
func (o *Console) joining(show func(*visit) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		v, err := o.visit(c)
		if err != nil {
			return err
		}
		err = v.get(c.Request().Context(), "/me", nil, &v.me)
		if err == nil {
			return v.to("/")
		}
		if _, ok := refused(err, adminapi.Suspended); ok {
			return v.showSuspended()
		}
		if _, ok := refused(err, adminapi.NotOperator); !ok {
			return err
		}
		return show(v)
	}
}

// joinView is what join.html shows.
type joinView struct {
	*visit
	Code, CodeError string
	Errors          []web.FieldError
}

func (v *visit) getJoin() error { return v.showJoin(http.StatusOK, joinView{visit: v}, "") }

func (v *visit) showJoin(status int, view joinView, reason string) error {
	return v.show(status, "", web.Page{Name: "join", Title: "join.title", Error: reason, Data: view})
}

// maxCode is the longest code that the API takes.
const maxCode = 64

// postJoin takes up an invitation. The code is typed, never part of an address.
func (v *visit) postJoin() error {
	if !v.session.Marked(toAct, v.echo.FormValue(fieldFor)) {
		return errPersonChanged
	}
	code := strings.Join(strings.Fields(narrow(v.echo.FormValue("code"))), "")
	err := errWrongCode
	if len(code) >= 8 && len(code) <= maxCode {
		err = v.call(v.echo.Request().Context(), http.MethodPost, "/join", adminapi.Join{Code: code}, nil)
	}
	if err == nil {
		return v.to("/")
	}
	if _, ok := refused(err, adminapi.Invalid, adminapi.NotFound, adminapi.Malformed, adminapi.WrongState); !ok && err != errWrongCode { //nolint:errorlint // our own value
		return err
	}
	text := v.text("join.code.wrong")
	return v.showJoin(http.StatusUnprocessableEntity, joinView{
		visit: v, CodeError: text, Errors: []web.FieldError{{Field: "code", Text: text}},
	}, "code_wrong")
}
