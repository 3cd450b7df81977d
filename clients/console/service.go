package console

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// service is what every page about one service shows: its name and state, and the pages beside. Views of pages embed it; the template
// "service-head" shows it.
type service struct {
	*visit
	Service adminapi.ClientDetail
	Tab     string // the page's own tab, such as tabOverview
}

// TabLink is a page beside.
type TabLink struct {
	Key, Href string
	Current   bool
}

// service asks for the service that the path names by :id.
func (v *visit) service(tab string) (service, error) {
	s := service{visit: v, Tab: tab}
	err := v.get(v.echo.Request().Context(), apiPath("clients", v.echo.Param("id")), nil, &s.Service)
	return s, err
}

// Name is the service's, in the reader's language where it has one.
func (s service) Name() string {
	if s.lang() == "en" && s.Service.NameEN != "" {
		return s.Service.NameEN
	}
	if s.Service.Name == "" {
		return s.Service.ClientID
	}
	return s.Service.Name
}

// Path is the address of a page about the service.
func (s service) Path(segments ...string) string {
	return apiPath(append([]string{"clients", s.Service.ClientID}, segments...)...)
}

// Tabs are the pages about the service.
func (s service) Tabs() []TabLink {
	var links []TabLink
	for _, t := range tabs() {
		links = append(links, TabLink{Key: t.key, Href: s.Path() + t.path, Current: t.key == s.Tab})
	}
	return links
}

// StateKind is how the chip of the state looks.
func (s service) StateKind() string { return stateKind(s.Service.State) }

func stateKind(state adminapi.State) string {
	switch state {
	case adminapi.StateLive:
		return "ok"
	case adminapi.StateRequested:
		return "info"
	case adminapi.StateSuspended:
		return "error"
	case adminapi.StateDraft, adminapi.StateRetired:
	}
	return "quiet"
}

// show answers with a page about the service. Its title takes {name}, and is the last step of the breadcrumb; pages below a tab name that as above.
func (s service) show(status int, p web.Page, above ...web.Crumb) error {
	p.TitleArgs = append(p.TitleArgs, "name", s.Name())
	p.Crumbs = append([]web.Crumb{
		{Key: inServices, Href: "/clients"}, {Key: "crumb.service", Args: []string{"name", s.Name()}, Href: s.Path()},
	}, above...)
	if s.Tab == tabOverview && len(above) == 0 {
		p.Crumbs[1].Href = ""
	} else {
		p.Crumbs = append(p.Crumbs, web.Crumb{Key: p.Title, Args: p.TitleArgs})
	}
	return s.visit.show(status, inServices, p)
}

// query is an address with a query that leaves out what is empty.
func query(path string, pairs ...string) string {
	var b strings.Builder
	b.WriteString(path)
	separator := byte('?')
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			continue
		}
		b.WriteByte(separator)
		b.WriteString(url.QueryEscape(pairs[i]) + "=" + url.QueryEscape(pairs[i+1]))
		separator = '&'
	}
	return b.String()
}

// statusOf is 422 for a form that was refused.
func statusOf(wrong bool) int {
	if wrong {
		return http.StatusUnprocessableEntity
	}
	return http.StatusOK
}
