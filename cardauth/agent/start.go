package agent

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/internal/web"
)

// refreshSeconds is how often the start page looks again by itself. It can be told not to (WCAG 2.2 §2.2.1): for whoever reads slowly
// or has it read aloud.
const refreshSeconds = "5"

// startView is the data of start.html.
type startView struct {
	Cards  []string // labels
	Reader string   // message about the reader
	Hubs   []string
	Next   string // message: what to do now
	Tray   []trayView
	Still  bool // the page does not look again by itself
}

// getStart shows what is in place and what is the next step. Reading it costs no try and takes no card from anybody.
func (a *Agent) getStart(c echo.Context) error {
	v := startView{Reader: "start.reader.ok", Next: "start.next.ready", Still: c.QueryParam("still") == "1"}
	choices, err := a.cards.reader.Cards(c.Request().Context())
	switch {
	case err != nil && Word(err) == ServiceMissing.String():
		v.Reader, v.Next = "start.reader.service", "start.next.service"
	case err != nil:
		v.Reader, v.Next = "start.reader.missing", "start.next.reader"
	case len(choices) == 0:
		v.Next = "start.next.card"
	}
	for _, choice := range choices {
		v.Cards = append(v.Cards, a.label(c.Request(), choice))
	}
	for _, h := range a.hubs {
		v.Hubs = append(v.Hubs, a.hubLabel(c.Request(), h))
	}
	v.Tray = a.trayOf(c.Request(), choices)
	if !v.Still {
		c.Response().Header().Set("Refresh", refreshSeconds)
	}
	a.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: "start", Title: "start.title", Data: v})
	return nil
}

// programName is the first word of the answer at /version, by which another process of ours recognises this one.
const programName = "tsunagu-cardagent"

// getVersion says what answers here.
func (a *Agent) getVersion(c echo.Context) error {
	return c.String(http.StatusOK, strings.TrimSpace(programName+" "+a.version)+"\n")
}
