package portal

import (
	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/internal/web"
)

// module is one function of the portal.
type module struct {
	letter string // as people know it from the description of the real portal
	key    string // messages module.<key> and module.<key>.text
	path   string
	mount  func(*echo.Echo)
}

// modules lists the functions that are built, in the order of their tiles.
func (p *Portal) modules() []module {
	return []module{
		{letter: "G", key: "connect", path: "/connect", mount: p.connect.Mount},
	}
}

// tiles shows the functions, with a way in for those who are signed in.
func (p *Portal) tiles(text func(key string, args ...string) string, signedIn bool) []web.Tile {
	var all []web.Tile
	for _, m := range p.modules() {
		t := web.Tile{
			ID: "module-" + m.key, Badge: m.letter, Level: 3, Title: text("module." + m.key), Text: text("module." + m.key + ".text"),
		}
		if signedIn {
			t.Button = web.Button{Label: text("module.open"), Context: t.Title, Kind: "line", Href: m.path, Hook: "module", HookValue: m.key}
		}
		all = append(all, t)
	}
	return all
}
