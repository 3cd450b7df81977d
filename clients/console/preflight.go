package console

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

func (o *Console) mountPreflight(e *echo.Echo) {
	e.GET("/clients/:id/preflights", o.page((*visit).getPreflights))
	e.POST("/clients/:id/preflights", o.act((*visit).postPreflight))
	e.GET("/clients/:id/preflights/:report", o.page((*visit).getPreflight))
}

// followEvery is how often a page about something that is going on is read again, in seconds, without script; the script asks more often.
const followEvery = 5

// preflightsView is what preflights.html shows.
type preflightsView struct {
	*service
	Reports []adminapi.Preflight
	Next    string
}

// Revision is what a new report would be about: the draft, or 0 for what is live.
func (p preflightsView) Revision() int64 {
	if p.Draft != nil {
		return p.Draft.Revision
	}
	return 0
}

// Can reports whether there is anything to try.
func (p preflightsView) Can() bool {
	return p.may(adminapi.Editor) && p.State != adminapi.StateRetired && (p.Draft != nil || p.Live != nil)
}

// Kind is how the chip of a report looks.
func (p preflightsView) Kind(r adminapi.Preflight) string { return verdictKind(r.Verdict) }

// Word is the key of what a report says in a word.
func (p preflightsView) Word(r adminapi.Preflight) string { return reportWord(r) }

func reportWord(r adminapi.Preflight) string {
	if r.State != "done" {
		return "preflight.state." + r.State
	}
	return "verdict." + string(r.Verdict)
}

func verdictKind(v adminapi.Verdict) string {
	switch v {
	case adminapi.Green:
		return "ok"
	case adminapi.Yellow:
		return "warn"
	case adminapi.Red:
		return "error"
	case adminapi.Skipped:
	}
	return "quiet"
}

func (v *visit) getPreflights() error {
	s, err := v.service(tabPreflight)
	if err != nil {
		return err
	}
	var list adminapi.PreflightList
	after := v.echo.QueryParam("after")
	if err := v.get(v.echo.Request().Context(), query(s.api("preflights"), "after", after), nil, &list); err != nil {
		return err
	}
	view := preflightsView{service: s, Reports: list.Items, Next: list.Next}
	return s.show(http.StatusOK, web.Page{Name: "preflights", Title: "preflights.title", Data: view})
}

// postPreflight begins a report and shows it while it grows.
func (v *visit) postPreflight() error {
	revision, err := strconv.ParseInt(v.echo.FormValue("revision"), 10, 64)
	if err != nil || revision < 0 {
		return &Refusal{adminapi.Problem{Status: http.StatusBadRequest, Reason: adminapi.Malformed}}
	}
	var report adminapi.Preflight
	id := v.echo.Param("id")
	err = v.call(v.echo.Request().Context(), http.MethodPost, apiPath("clients", id, "preflights"), map[string]int64{"revision": revision}, &report)
	if err != nil {
		return err
	}
	return v.to(apiPath("clients", id, "preflights", report.ID))
}

// preflightView is what preflight.html shows.
type preflightView struct {
	*service
	Report adminapi.Preflight
}

// findingView is a finding in the reader's language.
type findingView struct {
	Probe, Title, Did, Expected, Got, Remedy, Word, Kind string
}

// Findings are in the order of the report, worst first.
func (p preflightView) Findings() []findingView {
	var all []findingView
	for _, verdict := range []adminapi.Verdict{adminapi.Red, adminapi.Yellow, adminapi.Green, adminapi.Skipped} {
		for _, f := range p.Report.Findings {
			if f.Verdict != verdict {
				continue
			}
			view := findingView{Probe: f.Probe, Title: f.Title, Did: f.Did, Expected: f.Expected, Got: f.Got, Remedy: f.Remedy}
			if p.lang() == "en" {
				view.Title, view.Did, view.Expected, view.Got, view.Remedy = f.TitleEN, f.DidEN, f.ExpectedEN, f.GotEN, f.RemedyEN
			}
			view.Word, view.Kind = "verdict."+string(verdict), verdictKind(verdict)
			all = append(all, view)
		}
	}
	return all
}

// Running reports whether more findings will come.
func (p preflightView) Running() bool { return p.Report.State == "running" }

// Word is the key of what the report says in a word.
func (p preflightView) Word() string { return reportWord(p.Report) }

func lastWord(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }

// Banner tells what came out.
func (p preflightView) Banner() web.Banner {
	kind := map[string]string{"verdict.green": "ok", "verdict.yellow": "warn", "verdict.red": "error", "preflight.state.broken": "warn"}[p.Word()]
	return web.Banner{Kind: kind, Title: p.text("preflight.says." + lastWord(p.Word())), Body: p.text("preflight.means." + lastWord(p.Word()))}
}

// Outdated reports whether the report is about something else than what waits now.
func (p preflightView) Outdated() bool {
	if p.Report.Revision > 0 {
		return p.Draft == nil || p.Draft.Revision != p.Report.Revision
	}
	return p.Live == nil || p.Live.Version != p.Report.Version
}

func (v *visit) getPreflight() error {
	s, err := v.service(tabPreflight)
	if err != nil {
		return err
	}
	view := preflightView{service: s}
	path := s.api("preflights", v.echo.Param("report"))
	if err := v.get(v.echo.Request().Context(), path, nil, &view.Report); err != nil {
		return err
	}
	p := web.Page{Name: "preflight", Title: "preflight.title", TitleArgs: []string{"state", v.text(view.Word())}, Data: view}
	if view.Running() {
		p.Refresh = followEvery
	}
	return s.show(http.StatusOK, p)
}
