package console

import (
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
	return c.ClientID
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

// show answers with a page about the service. The last crumb is the page itself.
func (s *service) show(status int, p web.Page) error {
	crumbs := []web.Crumb{{Key: inServices, Href: "/clients"}, {Key: "crumb.service", Args: []string{"service", s.Title()}, Href: s.Base()}}
	if p.Name == "service" {
		crumbs[1].Href = ""
	} else {
		crumbs = append(crumbs, web.Crumb{Key: p.Title, Args: append(p.TitleArgs, "service", s.Title())})
	}
	p.Crumbs = crumbs
	p.TitleArgs = append(p.TitleArgs, "service", s.Title())
	return s.visit.show(status, inServices, p)
}
