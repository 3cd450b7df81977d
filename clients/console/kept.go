package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/rp"
)

// keptForm is what somebody sent after her sign-in had run out: it is shown again on the page that it came from, once she has signed in.
type keptForm struct {
	Path string     `json:"p"` // of the page with the form
	Form url.Values `json:"f"` // with the mark of whom it was shown to
}

// maxKept bounds a form that is kept, in bytes.
const maxKept = 64 << 10

// keep puts the form of a request aside that failed because nobody is signed in. What cannot be kept is lost, as it would be without this.
func (o *Console) keep(c echo.Context, err error) {
	r := c.Request()
	e, ok := errors.AsType[*rp.Error](err)
	if !ok || e.Reason != rp.SignedOut || r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return
	}
	from, err := url.Parse(r.Referer())
	form, bad := c.FormParams()
	if err != nil || bad != nil || len(form) == 0 || from.Path == "" {
		return
	}
	sent, err := json.Marshal(keptForm{Path: from.Path, Form: form})
	if err != nil || len(sent) > maxKept {
		return
	}
	if err := o.party.Keep(c.Response(), r, sent); err != nil {
		o.log.WarnContext(r.Context(), "form not kept", "err", err)
	}
}

// takeUp has the form on a page filled with what was kept, if it was of this page and of this person.
func (v *visit) takeUp() error {
	r := v.echo.Request()
	if r.Method != http.MethodGet {
		return nil
	}
	sent, err := v.console.party.Kept(r)
	if err != nil || sent == nil {
		return err
	}
	var kept keptForm
	if json.Unmarshal(sent, &kept) != nil || kept.Path != r.URL.Path {
		return nil
	}
	if err := v.console.party.Forget(v.echo.Response(), r); err != nil {
		return err
	}
	if !v.session.Marked(toAct, kept.Form.Get(fieldFor)) {
		return nil // somebody else signed in: it is not hers
	}
	if err := r.ParseForm(); err != nil {
		return echo.ErrNotFound
	}
	for name, values := range kept.Form {
		r.Form[name] = values
	}
	v.kept = kept.Form
	return nil
}

// Kept reports whether the form shows what was sent before signing in again.
func (v *visit) Kept() bool { return v.kept != nil }
