package connect

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// onHome is how many tiles of each kind the home page has room for.
const onHome = 3

// Tiles are what the home page shows of this function: the connected services used last, to open, and government services
// that could be connected.
func (c *Connect) Tiles(r *http.Request, s *rp.Session) (connected, offered []web.Tile, err error) {
	all, err := c.services(r.Context(), s)
	if err != nil {
		return nil, nil, err
	}
	at, err := opened(r.Context(), c.db, s.Subject())
	if err != nil {
		return nil, nil, err
	}
	for _, one := range all { // ended meanwhile, at the service or by the hub: then it was not opened from here since
		if at[one.ClientID] != 0 && !one.started() {
			if err := forgetOpened(r.Context(), c.db, s.Subject(), one.ClientID); err != nil {
				return nil, nil, err
			}
			delete(at, one.ClientID)
		}
	}
	slices.SortStableFunc(all, func(a, b service) int {
		return cmp.Compare(at[b.ClientID], at[a.ClientID])
	})
	for _, one := range all {
		switch {
		case one.linked() && len(connected) < onHome:
			connected = append(connected, c.tile(r, one))
		case !one.linked() && one.Category == "government" && len(offered) < onHome:
			offered = append(offered, c.tile(r, one))
		}
	}
	// One main button: the likeliest thing the person came for.
	if len(connected) > 0 {
		connected[0].Button.Kind = "main"
	} else if len(offered) > 0 {
		offered[0].Button.Kind = "main"
	}
	return connected, offered, nil
}

// tile is one service with the one thing to do about it.
func (c *Connect) tile(r *http.Request, s service) web.Tile {
	lang := c.web.Lang(r)
	t := web.Tile{
		ID: "service-" + s.ClientID, Level: 3, Title: s.name(lang), Text: s.description(lang), Note: c.facts(r, s), Down: s.down(),
	}
	t.Chip, t.ChipKind = c.chip(r, s)
	t.Button = c.action(r, s)
	if !s.linked() {
		t.Action = "/connect/" + s.ClientID + "/link"
	}
	return t
}

// action enters a service that is connected and connects one that is not.
func (c *Connect) action(r *http.Request, s service) web.Button {
	b := web.Button{Kind: "line", Context: s.name(c.web.Lang(r)), HookValue: s.ClientID}
	switch {
	case s.linked():
		b.Label, b.Hook, b.Href = c.web.Text(r, "connect.open"), "launch", "/connect/"+s.ClientID+"/open"
	case s.State == "offered":
		b.Label, b.Hook = c.web.Text(r, "connect.continue"), "link"
	case s.State == "broken":
		b.Label, b.Hook = c.web.Text(r, "connect.again"), "link"
	default:
		b.Label, b.Hook = c.web.Text(r, "connect.link"), "link"
	}
	return b
}

// chip says how the link stands; nothing for a service that was never connected.
func (c *Connect) chip(r *http.Request, s service) (text, kind string) {
	switch s.State {
	case "linked":
		return c.web.Text(r, "state.linked"), "ok"
	case "offered":
		return c.web.Text(r, "state.offered"), "info"
	case "broken":
		return c.web.Text(r, "state.broken"), "warn"
	}
	return "", ""
}

// facts is who runs the service, of what kind they are, and whether somebody checked.
func (c *Connect) facts(r *http.Request, s service) string {
	text := s.Operator + c.web.Text(r, "facts.and") + c.kind(r, s)
	if s.Verified {
		text += c.web.Text(r, "facts.and") + c.web.Text(r, "facts.verified")
	}
	return text
}

func (c *Connect) kind(r *http.Request, s service) string {
	if s.Category == "government" {
		return c.web.Text(r, "kind.government")
	}
	return c.web.Text(r, "kind.private")
}
