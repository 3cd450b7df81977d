package console

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

func (o *Console) mountList(e *echo.Echo) {
	e.GET("/clients", o.page((*visit).getClients))
}

// clientsView is what clients.html shows.
type clientsView struct {
	*visit
	adminapi.ClientList
	Q             string
	States, Kinds []web.Option
	Filtered      bool
	First, After  string // addresses of the first page, and of the next one; empty: there is none
}

// NameOf is for the template.
func (v *visit) NameOf(c adminapi.Client) string { return v.nameOf(c) }

// KindOf is how the chip of a state looks.
func (v *visit) KindOf(state adminapi.State) string {
	return (&service{ClientDetail: adminapi.ClientDetail{Client: adminapi.Client{State: state}}}).StateKind()
}

const perPage = "20"

// maxQuery is what the API takes to search for.
const maxQuery = 100

func (v *visit) getClients() error {
	in := v.echo.QueryParams()
	query := url.Values{"limit": {perPage}}
	view := clientsView{visit: v, Q: clip(strings.TrimSpace(in.Get("q")), maxQuery)}
	state := known(in.Get("state"), "draft", "requested", "live", "suspended", "retired")
	kind := known(in.Get("kind"), "web", "browser", "native", "machine", "government")
	for name, value := range map[string]string{"q": view.Q, "state": state, "kind": kind} {
		if value != "" {
			query.Set(name, value)
			view.Filtered = true
		}
	}
	page := query // the same with a place in it
	if after := clip(in.Get("after"), 512); after != "" {
		page = url.Values{"after": {after}}
		for name := range query {
			page.Set(name, query.Get(name))
		}
		query.Del("limit")
		view.First = "/clients?" + query.Encode()
		query.Set("limit", perPage)
	}
	if err := v.get(v.echo.Request().Context(), "/clients", page, &view.ClientList); err != nil {
		return err
	}
	if view.Next != "" {
		next := url.Values{"after": {view.Next}}
		for _, name := range []string{"q", "state", "kind"} {
			if query.Get(name) != "" {
				next.Set(name, query.Get(name))
			}
		}
		view.After = "/clients?" + next.Encode()
	}
	view.States = v.choices("state.", state, "", "live", "requested", "draft", "suspended", "retired")
	view.Kinds = v.choices("kind.", kind, "", "web", "browser", "native", "machine", "government")
	return v.show(http.StatusOK, inServices, web.Page{Name: "clients", Title: "clients.title", Data: view})
}

// choices are options whose labels are messages; the empty one is "all".
func (v *visit) choices(prefix, selected string, values ...string) []web.Option {
	var out []web.Option
	for _, value := range values {
		key := prefix + value
		if value == "" {
			key = "filter.all"
		}
		out = append(out, web.Option{Value: value, Label: v.text(key), Selected: value == selected})
	}
	return out
}

// clip bounds what came in an address, in bytes, between letters.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}
