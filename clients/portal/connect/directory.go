package connect

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/internal/web"
)

// directoryView is what directory.html shows.
type directoryView struct {
	Query   string
	Filters []web.Button
	Entries []entry
	Narrow  bool   // something is left out by the filter or the search
	Ended   string // name of the service that was just disconnected
}

// entry is one service of the directory.
type entry struct {
	ID, Name, Description, Facts string
	Chip                         web.Chip
	Button                       web.Button
	Down                         time.Time // since when it does not answer
	Action                       string    // POST address of the button, unless it is a link
}

const maxQuery = 100

// getDirectory lists the services.
func (c *Connect) getDirectory(e echo.Context) error {
	r := e.Request()
	session, err := c.party.Session(r)
	if err != nil {
		return err
	}
	all, err := c.services(r.Context(), session)
	if err != nil {
		return err
	}
	kind, query := e.QueryParam("kind"), strings.TrimSpace(e.QueryParam("q"))
	if len(query) > maxQuery {
		query = ""
	}
	if kind != "government" && kind != "private" {
		kind = ""
	}
	view := directoryView{Query: query, Filters: c.filters(r, kind, query)}
	if i := slices.IndexFunc(all, func(s service) bool { return s.ClientID == e.QueryParam("ended") }); i >= 0 && !all[i].started() {
		view.Ended = all[i].name(c.web.Lang(r))
	}
	for _, one := range all {
		if (kind != "" && one.Category != kind) || !one.matches(query) {
			view.Narrow = true
			continue
		}
		view.Entries = append(view.Entries, c.entry(r, one))
	}
	c.web.Render(e.Response(), r, http.StatusOK, web.Page{
		Name: "directory", Title: "connect.title", SignedIn: true, OpenForm: true, Data: view,
		Crumbs: []web.Crumb{{Key: "crumb.home", Href: "/"}, {Key: "connect.title"}},
	})
	return nil
}

func (c *Connect) entry(r *http.Request, s service) entry {
	t := c.tile(r, s)
	t.Button.Size = "small"
	return entry{
		ID: s.ClientID, Name: t.Title, Description: t.Text, Facts: t.Note,
		Chip: web.Chip{Text: t.Chip, Kind: t.ChipKind}, Button: t.Button, Action: t.Action, Down: t.Down,
	}
}

func (c *Connect) filters(r *http.Request, kind, query string) []web.Button {
	var all []web.Button
	for _, f := range []struct{ kind, key string }{{"", "kind.all"}, {"government", "kind.government"}, {"private", "kind.private"}} {
		to := url.Values{}
		if f.kind != "" {
			to.Set("kind", f.kind)
		}
		if query != "" {
			to.Set("q", query)
		}
		href := "/connect"
		if len(to) > 0 {
			href += "?" + to.Encode()
		}
		b := web.Button{Label: c.web.Text(r, f.key), Kind: "text", Size: "small", Href: href}
		if f.kind == kind {
			b.Kind, b.Current = "line", true
		}
		all = append(all, b)
	}
	return all
}
