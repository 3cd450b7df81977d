package console

import (
	"net/http"
	"strings"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// formErrors are what the API says is wrong with a form, or the console found itself. The id of a field is the API's name for it without an index.
type formErrors struct{ Errors []web.FieldError }

// Wrong is what is wrong with a field; empty: nothing.
func (f formErrors) Wrong(field string) string {
	for _, e := range f.Errors {
		if e.Field == field {
			return e.Text
		}
	}
	return ""
}

// add notes a fault in the words of a message.
func (f *formErrors) add(v *visit, field, key string) {
	f.Errors = append(f.Errors, web.FieldError{Field: field, Text: v.text(key)})
}

// wrong takes over what a refusal says of fields, and reports whether the form has to be shown again.
func (f *formErrors) wrong(v *visit, err error) bool {
	refusal, ok := refused(err, adminapi.Invalid, adminapi.Malformed)
	if !ok {
		return len(f.Errors) > 0
	}
	for _, e := range refusal.Errors {
		field, _, _ := strings.Cut(e.Field, "[")
		field, _, _ = strings.Cut(field, ".")
		text := v.wordOr("wrong."+field, e.Problem+v.text("wrong.and")+e.Remedy)
		if f.Wrong(field) == "" {
			f.Errors = append(f.Errors, web.FieldError{Field: field, Text: text})
		}
	}
	if len(f.Errors) == 0 {
		f.Errors = []web.FieldError{{Field: "main", Text: cut(refusal.Detail, maxShown)}}
	}
	return true
}

// show answers with the form's page: 422 where something is wrong with it.
func (f formErrors) show(v *visit, part string, p web.Page) error {
	status := http.StatusOK
	if len(f.Errors) > 0 {
		status, p.Error = http.StatusUnprocessableEntity, "invalid"
	}
	return v.show(status, part, p)
}
