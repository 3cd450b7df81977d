package console

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// service is what pages about one service show: the service itself, and the tabs.
type service struct {
	*visit
	adminapi.ClientDetail
	Tabs []tabLink
}

// tabLink is a tab as a link.
type tabLink struct {
	Key, Href string
	Current   bool
}

// Base is the address of the service's pages.
func (s *service) Base() string { return "/clients" + apiPath(s.ClientID) }

// Title is what the service is called, in the reader's language.
func (s *service) Title() string { return s.nameOf(s.Client) }

// nameOf is what a service is called; a draft can be without a name still.
func (v *visit) nameOf(c adminapi.Client) string {
	switch {
	case v.lang() == "en" && c.NameEN != "":
		return c.NameEN
	case c.Name != "":
		return c.Name
	}
	return v.text("service.unnamed")
}

// Running reports whether citizens can use it.
func (s *service) Running() bool { return s.State == adminapi.StateLive }

// Suspended reports whether it was stopped and can be resumed.
func (s *service) Suspended() bool { return s.State == adminapi.StateSuspended }

// Writable reports whether the operator can change its draft.
func (s *service) Writable() bool {
	return s.may(adminapi.Editor) && s.State != adminapi.StateRetired
}

// service loads the service that the address names.
func (v *visit) service(current string) (*service, error) {
	s := &service{visit: v}
	if err := v.get(v.echo.Request().Context(), "/clients"+apiPath(v.echo.Param("id")), nil, &s.ClientDetail); err != nil {
		return nil, err
	}
	for _, t := range tabs() {
		s.Tabs = append(s.Tabs, tabLink{Key: t.key, Href: s.Base() + t.path, Current: t.key == current})
	}
	return s, nil
}

// api is an address of the API below the service's.
func (s *service) api(segments ...string) string {
	return "/clients" + apiPath(append([]string{s.ClientID}, segments...)...)
}

// metadata is what the next change begins with, and its revision: the draft, or what is live.
func (s *service) metadata() (metadata, int64, error) {
	if s.Draft != nil {
		m, err := parseMetadata(s.Draft.Metadata)
		return m, s.Draft.Revision, err
	}
	m, err := s.live()
	return m, 0, err
}

func (s *service) live() (metadata, error) {
	if s.Live == nil {
		return metadata{}, nil
	}
	return parseMetadata(s.Live.Metadata)
}

// show answers with a page about the service. The last crumb is the page itself.
func (s *service) show(status int, p web.Page) error {
	crumbs := []web.Crumb{{Key: inServices, Href: "/clients"}, {Key: "crumb.service", Args: []string{"service", s.Title()}, Href: s.Base()}}
	if p.Name == "service" {
		crumbs[1].Href = ""
	} else {
		crumbs = append(crumbs, web.Crumb{Key: crumb(p.Title), Args: append(p.TitleArgs, "service", s.Title())})
	}
	p.Crumbs = crumbs
	p.TitleArgs = append(p.TitleArgs, "service", s.Title())
	return s.visit.show(status, inServices, p)
}

// crumb is a shorter name than the title, for the steps of the wizard.
func crumb(title string) string {
	for _, prefix := range []string{"edit.title.", "edit.step."} {
		if key, ok := strings.CutPrefix(title, prefix); ok {
			return "section." + key
		}
	}
	if title == "draft.step" {
		return "wizard.check"
	}
	return title
}

func (o *Console) mountService(e *echo.Echo) {
	e.GET("/clients/:id", o.page((*visit).getService))
	e.GET("/clients/:id/settings", o.page((*visit).getSettings))
}

// overview is what service.html shows.
type overview struct {
	*service
	Figures *adminapi.Figures // nil: they cannot be had
	Done    string            // what has just been done
}

func (v *visit) getService() error {
	s, err := v.service(tabOverview)
	if err != nil {
		return err
	}
	view := overview{service: s, Done: known(v.echo.QueryParam("done"), "requested", "approved", "rejected", "suspended", "resumed", "retired", "discarded", "back")}
	if s.Version > 0 {
		figures := &adminapi.Figures{}
		err = v.get(v.echo.Request().Context(), s.api("figures"), nil, figures)
		if _, ok := refused(err); err == nil {
			view.Figures = figures
		} else if !ok { // the page is of use without them
			return err
		}
	}
	return s.show(http.StatusOK, web.Page{Name: "service", Title: "service.title", Data: view})
}

// known returns a word if it is one of those expected: it comes from an address.
func known(word string, all ...string) string {
	if slices.Contains(all, word) {
		return word
	}
	return ""
}

// part is one section of the settings, as text.
type part struct {
	Key   string
	Items []web.Description
}

// settingsView is what settings.html shows.
type settingsView struct {
	*service
	Parts []part
}

func (v *visit) getSettings() error {
	s, err := v.service(tabSettings)
	if err != nil {
		return err
	}
	m, _, err := s.metadata()
	if err != nil {
		return err
	}
	return s.show(http.StatusOK, web.Page{Name: "settings", Title: "settings.title", Data: settingsView{service: s, Parts: s.partsOf(m, false)}})
}

// partsOf are the sections with what is in them; the wizard's only, or all.
func (s *service) partsOf(m metadata, wizard bool) []part {
	var out []part
	for _, sec := range sectionsOf(s.Kind) {
		if sec.key == "whole" || wizard && !sec.wizard {
			continue
		}
		p := part{Key: sec.key}
		for _, in := range sec.inputs {
			p.Items = append(p.Items, web.Description{Term: s.memberName(in.member), Values: s.inWords(in, m)})
		}
		out = append(out, p)
	}
	return out
}

// inWords is a value as people read it.
func (s *service) inWords(in input, m metadata) []string {
	var values []string
	switch in.as {
	case asFlag:
		if m.flag(in.member) {
			return []string{s.text("value.yes")}
		}
		return []string{s.text("value.no")}
	case asChoice:
		if value := m.text(in.member); s.console.has("o." + in.member + "." + value) {
			return []string{s.text("o." + in.member + "." + value)}
		}
		values = shown(m[in.member])
	case asScopes:
		purposes := m.purposes()
		for _, scope := range m.scopes() {
			text := scope
			if s.console.has("scope." + scope) {
				text = s.text("scope." + scope)
			}
			if why := purposes[scope]; why != "" {
				text = s.text("value.scope", "scope", text, "purpose", why)
			}
			values = append(values, text)
		}
	case asKeys:
		for _, kid := range kids(m[in.member]) {
			values = append(values, s.text("value.key", "kid", kid))
		}
	case asText, asLines, asNumber, asWhole:
		values = shown(m[in.member])
	}
	if len(values) == 0 {
		return []string{s.text("value.none")}
	}
	return values
}
