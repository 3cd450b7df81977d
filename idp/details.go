package idp

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

const detailsPath = "/account/details"

// getDetails shows what the citizen wrote of herself, in a form.
func (p *Provider) getDetails(c echo.Context) error {
	back := detailsPath
	if id := c.QueryParam("draft"); isBase64URL(id, 43) {
		back += "?draft=" + id
	}
	s, err := p.ownPage(c, back)
	if err != nil || s == nil {
		return err
	}
	said, err := p.attributes.of(c.Request().Context(), s.Account)
	if err != nil {
		return err
	}
	draft, err := p.draft(c.Request().Context(), c, s)
	if err != nil {
		return err
	}
	v := p.detailsForm(c, said.values, nil)
	if draft != nil {
		v = p.detailsForm(c, draft, problemsOf(draft, p.now()))
		v.Done = "draft"
	}
	v.Any, v.Owner = !said.empty(), p.ownerMark(s)
	switch done := c.QueryParam("done"); done { // only these two words become part of the page
	case "saved", "deleted":
		v.Done = done
	}
	p.showDetails(c, http.StatusOK, v)
	return nil
}

// postDetails replaces what the citizen says of herself. A field left empty takes its item away. What is posted after the session
// ended waits for the next one, and is saved when the citizen says so again.
func (p *Provider) postDetails(c echo.Context) error {
	form, err := readForm(c.Request())
	if err != nil {
		return &Error{Reason: BadRequest, Detail: "details form", Err: err}
	}
	s, err := p.currentSession(c)
	if err != nil {
		return err
	}
	back := detailsPath
	if s == nil {
		if back, err = p.keepDraft(c, form); err != nil {
			return err
		}
	}
	if s, err = p.ownPage(c, back); err != nil || s == nil {
		return err
	}
	written, values, problems := parseStatement(form, p.now())
	if len(problems) > 0 {
		v := p.detailsForm(c, written, problems)
		v.Owner = p.ownerMark(s)
		p.showDetails(c, http.StatusUnprocessableEntity, v)
		return nil
	}
	if err := p.attributes.state(c.Request().Context(), s.Account, values, p.detailsChanged(s)); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, detailsPath+"?done=saved")
}

// parseStatement returns what was written, as it was written, the values to keep, and what is wrong.
func parseStatement(form url.Values, now time.Time) (written, values map[attribute]string, problems map[attribute]problem) {
	written, values, problems = map[attribute]string{}, map[attribute]string{}, map[attribute]problem{}
	for _, r := range attributeRules() {
		text := form.Get(fieldOf(r.name))
		value, wrong := parseAttribute(r, text, now)
		if written[r.name] = text; wrong != "" {
			problems[r.name] = wrong
		} else if value != "" {
			values[r.name] = value
		}
	}
	return written, values, problems
}

// fieldOf is the name of an attribute's field.
func fieldOf(name attribute) string { return strings.ReplaceAll(string(name), ".", "-") }

func (p *Provider) getDetailsDelete(c echo.Context) error {
	s, err := p.ownPage(c, detailsPath+"/delete")
	if err != nil || s == nil {
		return err
	}
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: "details-delete", Title: "details.delete.title", SignedIn: true})
	return nil
}

// postDetailsDelete takes everything away that the citizen wrote.
func (p *Provider) postDetailsDelete(c echo.Context) error {
	s, err := p.ownPage(c, detailsPath)
	if err != nil || s == nil {
		return err
	}
	if err := p.attributes.clear(c.Request().Context(), s.Account, p.detailsChanged(s)); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, detailsPath+"?done=deleted")
}

// detailsChanged tells the audit log which kinds of item changed, and no value.
func (p *Provider) detailsChanged(s *session) func(context.Context, change) error {
	return func(ctx context.Context, ch change) error {
		facts := map[string]string{"source": string(selfAsserted)}
		for word, names := range map[string][]string{"set": ch.set, "removed": ch.removed} {
			if scopes := scopesOfAttributes(names); len(scopes) > 0 {
				facts[word] = scopeText(scopes)
			}
		}
		return p.record(ctx, audit.Event{Kind: eventDetails, Account: string(s.Account), Session: s.ID, Facts: facts})
	}
}

func scopesOfAttributes(names []string) []string {
	var out []string
	for _, r := range attributeRules() {
		if slices.Contains(names, string(r.name)) && !slices.Contains(out, r.scope) {
			out = append(out, r.scope)
		}
	}
	return out
}

func (p *Provider) showDetails(c echo.Context, status int, v detailsView) {
	v.Confirms = p.signing != nil
	page := web.Page{Name: "details", Title: "details.title", SignedIn: true, Fill: true, Data: v}
	if len(v.Problems) > 0 {
		page.Error = "details_invalid"
	}
	p.site.Render(c.Response(), c.Request(), status, page)
}
