package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/clients/rp"
)

// keptForm is what somebody sent after her sign-in had run out, or while the hub did not answer: it is shown again on the page that it came from.
type keptForm struct {
	Path string     `json:"p"` // of the page with the form
	Form url.Values `json:"f"` // with the mark of whom it was shown to
}

// maxKept bounds a form that is kept, in bytes.
const maxKept = 64 << 10

// passes reports whether what failed may well succeed if it is sent once more as it is.
func passes(err error) bool {
	if e, ok := errors.AsType[*rp.Error](err); ok {
		return e.Reason == rp.SignedOut || e.Reason == rp.HubUnreachable
	}
	_, failed := refused(err, adminapi.Failed, adminapi.TooMany)
	return failed || errors.Is(err, errUnreadable)
}

// keep puts the form of a request aside that failed for no fault of its own. What cannot be kept is lost, as it would be without this.
func (o *Console) keep(c echo.Context, err error) {
	r := c.Request()
	if !passes(err) || r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
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

// Kept reports whether the page shows what was sent before, to the first of its forms that asks.
func (v *visit) Kept() bool {
	first := v.kept != nil && !v.told
	v.told = v.told || first
	return first
}
