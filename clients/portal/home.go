package portal

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// frontView is what front.html shows to those who are not signed in.
type frontView struct{ Modules []web.Tile }

// homeView is what home.html shows.
type homeView struct {
	Connected   []web.Tile // services to open
	Offered     []web.Tile // services to connect
	Unavailable bool       // the hub did not say which
	Modules     []web.Tile
	Newcomer    bool
}

// getHome is the front page, or the home page of whoever is signed in (P1).
func (p *Portal) getHome(c echo.Context) error {
	w, r := c.Response(), c.Request()
	text := func(key string, args ...string) string { return p.web.Text(r, key, args...) }
	session, err := p.party.Session(r)
	if isReason(err, rp.SignedOut) {
		p.web.Render(w, r, http.StatusOK, web.Page{Name: "front", Title: "front.title", Data: frontView{Modules: p.tiles(text, false)}})
		return nil
	}
	if err != nil {
		return err
	}
	view := homeView{Modules: p.tiles(text, true)}
	view.Connected, view.Offered, err = p.connect.Tiles(r, session)
	switch {
	case isReason(err, rp.SignedOut):
		// Signed out elsewhere, or away for long. The front page asks nothing of anybody, so neither does this.
		return p.party.Renew(w, r, rp.Local{})
	case isReason(err, rp.HubUnreachable), isReason(err, rp.HubRefused):
		p.log.WarnContext(r.Context(), "services not listed", "err", err, "trace", web.Trace(r.Context()))
		view.Unavailable = true
	case err != nil:
		return err
	}
	n, err := visits(r.Context(), p.db, session.Subject())
	if err != nil {
		return err
	}
	view.Newcomer = n <= 1
	p.web.Render(w, r, http.StatusOK, web.Page{Name: "home", Title: "home.title", SignedIn: true, OpenForm: true, Data: view})
	return nil
}

func isReason(err error, reason rp.Reason) bool {
	e, ok := errors.AsType[*rp.Error](err)
	return ok && e.Reason == reason
}
