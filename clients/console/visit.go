package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// visit is one request of an operator.
type visit struct {
	console *Console
	echo    echo.Context
	session *rp.Session
	me      adminapi.Me // zero on pages for people who are no operator yet
	kept    url.Values  // what was sent before and could not be taken in; nil: nothing
	told    bool        // the page says so
}

// may reports whether the operator has one of the roles.
func (v *visit) may(roles ...adminapi.Role) bool {
	return slices.ContainsFunc(roles, func(r adminapi.Role) bool { return slices.Contains(v.me.Operator.Roles, r) })
}

// For marks the person whom a form is shown to; the template "for" writes it into the form.
func (v *visit) For() string { return v.session.Mark(toAct) }

// May is may for templates.
func (v *visit) May(role string) bool { return v.may(adminapi.Role(role)) }

// Everywhere is for templates: acts on what belongs to no organisation are for operators who are not bound to one.
func (v *visit) Everywhere() bool { return everywhere(v.me.Operator) }

// Issuer is the hub's address.
func (v *visit) Issuer() string { return v.me.Issuer }

// text is a message in the reader's language.
func (v *visit) text(key string, args ...string) string {
	return v.console.web.Text(v.echo.Request(), key, args...)
}

// lang is the reader's language.
func (v *visit) lang() string { return v.console.web.Lang(v.echo.Request()) }

const (
	fieldFor = "for"
	toAct    = "console"
)

// page wraps what shows a page to operators: who is none is sent to where an invitation is typed.
func (o *Console) page(show func(*visit) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		v, err := o.visit(c)
		if err != nil {
			return err
		}
		err = v.get(c.Request().Context(), "/me", nil, &v.me)
		if _, ok := refused(err, adminapi.NotOperator); ok {
			return c.Redirect(http.StatusSeeOther, "/join")
		}
		if _, ok := refused(err, adminapi.Suspended); ok {
			return v.showSuspended()
		}
		if err != nil {
			return err
		}
		if err := v.takeUp(); err != nil {
			return err
		}
		return show(v)
	}
}

// showSuspended tells an operator who was stopped that she was. Unlike the page of an error it is hers: she can sign out.
func (v *visit) showSuspended() error {
	return v.show(http.StatusForbidden, "", web.Page{Name: "suspended", Title: "error.suspended.title", Error: "suspended"})
}

// act is page for forms: one that was shown to somebody else than is signed in now does nothing. One browser has one session for all its tabs.
func (o *Console) act(do func(*visit) error) echo.HandlerFunc {
	return o.page(func(v *visit) error {
		if !v.session.Marked(toAct, v.echo.FormValue(fieldFor)) {
			return errPersonChanged
		}
		return do(v)
	})
}

// visit is a request of somebody who is signed in. What its address names becomes part of an address of the API.
func (o *Console) visit(c echo.Context) (*visit, error) {
	if slices.ContainsFunc(c.ParamValues(), func(s string) bool { return !plain(s) }) {
		return nil, echo.ErrNotFound
	}
	session, err := o.party.Session(c.Request())
	if err != nil {
		return nil, err
	}
	return &visit{console: o, echo: c, session: session}, nil
}

// plain reports whether a segment of an address means the same wherever it stands (RFC 3986 §2.3), as every id does. Dots alone would lead
// elsewhere (§5.2.4), and the proof of possession for such an address would be for another one.
func plain(s string) bool {
	return strings.Trim(s, ".") != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") == ""
}

// show answers with a page in a part of the console, the name of its menu entry.
func (v *visit) show(status int, part string, p web.Page) error {
	// Signing out ends at the hub, and so does every form of somebody whose sign-in is over.
	p.SignedIn, p.Who, p.OpenForm = true, v.who(), true
	for _, m := range menu() {
		if v.me.Operator.ID != "" && (m.may == nil || m.may(v.me.Operator)) {
			p.Menu = append(p.Menu, web.MenuItem{Key: m.key, Href: m.href, Current: m.key == part})
		}
	}
	v.console.web.Render(v.echo.Response(), v.echo.Request(), status, p)
	return nil
}

// who is how the frame names the operator: with what she may do.
func (v *visit) who() string {
	if v.me.Operator.ID == "" {
		return ""
	}
	roles := make([]string, 0, len(v.me.Operator.Roles))
	for _, r := range adminapi.Roles() {
		if v.may(r) {
			roles = append(roles, v.text("role."+string(r)))
		}
	}
	return v.text("frame.who", "name", v.me.Operator.Name, "roles", strings.Join(roles, v.text("frame.and")))
}

// to answers a form with the page that shows what came of it.
func (v *visit) to(path string) error { return v.echo.Redirect(http.StatusSeeOther, path) }
