package etax

import (
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/internal/web"
)

// credentialsForm is number and password as they were typed. Only the number is ever shown again.
type credentialsForm struct {
	typed    string
	number   Number
	password string
	view     formView
}

// formView is what bind.html and number.html show.
type formView struct {
	Number        string
	NumberError   string // message key
	PasswordError string
	Errors        []web.FieldError
	Hint          *Account // the account to try, on a sample
	For           string   // whom the form is shown to
	Changed       bool     // it was sent from a page that was shown to somebody else
}

// The purposes of the forms that act for whoever is signed in, and the field that says for whom.
const (
	toBind   = "etax bind"
	toUnlink = "etax unlink"
	fieldFor = "for"
)

// readForm judges the shape of what was posted.
func (s *Site) readForm(c echo.Context) (credentialsForm, bool) {
	f := credentialsForm{typed: c.FormValue("number"), password: c.FormValue("password")}
	f.view = formView{Number: clip(f.typed), Hint: s.hint}
	var ok bool
	switch f.number, ok = ParseNumber(f.typed); {
	case strings.TrimSpace(f.typed) == "":
		f.view.NumberError = "form.number.missing"
	case !ok:
		f.view.NumberError = "form.number.malformed"
	}
	if f.password == "" {
		f.view.PasswordError = "form.password.missing"
	}
	return f, f.view.NumberError == "" && f.view.PasswordError == ""
}

// wrong notes at the form what prove or bind refused, and reports false for an error that is not about the fields.
func (f *credentialsForm) wrong(err error) (Reason, bool) {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return 0, false
	}
	switch e.Reason {
	case WrongPassword:
		f.view.NumberError = "form.wrong"
		f.view.PasswordError = "form.again"
	case NumberTaken:
		f.view.NumberError = "form.taken"
	case AlreadyBound:
		f.view.NumberError = "form.bound"
	case InputMissing, TooMany, Busy, PersonChanged, OnlyHerself,
		ReturnUnknown, SignatureInvalid, SignerUntrusted, SignerExpired, DocumentOther, SignatureGone:
		return 0, false
	}
	return e.Reason, true
}

// answerForm shows a form again with what is wrong, each with the same words above and at the field.
func (s *Site) answerForm(c echo.Context, page string, f credentialsForm, reason Reason) {
	for _, field := range []struct{ id, key string }{{"number", f.view.NumberError}, {"password", f.view.PasswordError}} {
		if field.key != "" {
			f.view.Errors = append(f.view.Errors, web.FieldError{Field: field.id, Text: s.web.Text(c.Request(), field.key)})
		}
	}
	s.web.Render(c.Response(), c.Request(), http.StatusUnprocessableEntity, web.Page{
		Name: page, Title: page + ".title", Error: reason.String(), OpenForm: true, Data: f.view,
	})
}

// clip bounds what is shown back.
func clip(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40])
	}
	return s
}
