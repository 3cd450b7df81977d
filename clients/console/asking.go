package console

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/tsunagu-id/tsunagu/internal/web"
)

// maxReason is how long a reason can be, in characters, as the API has it.
const maxReason = 500

// asking is a page that asks before an act that stops something or concerns somebody, and takes the reason. Its words are the messages KEY.title,
// KEY.text and KEY.submit.
type asking struct {
	*visit
	Key          string
	Args         []string // name, value, …: for all three
	Points       []string // what will happen, in words
	Action, Back string   // addresses
	Hidden       []web.Hidden
	NoReason     bool // only asks
	Calm         bool // stops nobody
	Reason       string
	Errors       []web.FieldError
}

// Submit is how the button looks.
func (a asking) Submit() web.Button {
	kind := "danger"
	if a.Calm {
		kind = "main"
	}
	return web.Button{Label: a.text(a.Key+".submit", a.Args...), Kind: kind, ID: "confirm"}
}

// ReasonError stands at the field.
func (a asking) ReasonError() string {
	for _, e := range a.Errors {
		if e.Field == "reason" {
			return e.Text
		}
	}
	return ""
}

// typed reads the reason from the form, and reports whether the API will take it.
func (a *asking) typed() bool {
	a.Reason = strings.TrimSpace(a.echo.FormValue("reason"))
	if n := utf8.RuneCountInString(a.Reason); a.NoReason || n >= minReason && n <= maxReason {
		return true
	}
	a.Errors = []web.FieldError{{Field: "reason", Text: a.text("asking.reason.wrong")}}
	return false
}

// page is the page to show, in a part or of a service.
func (a asking) page() (status int, p web.Page) {
	p = web.Page{Name: "asking", Title: a.Key + ".title", TitleArgs: a.Args, Data: a}
	if len(a.Errors) > 0 {
		p.Error = "invalid"
		return http.StatusUnprocessableEntity, p
	}
	return http.StatusOK, p
}
