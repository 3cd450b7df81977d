package console

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

func (o *Console) mountImpact(e *echo.Echo) {
	e.GET("/clients/:id/impact", o.page((*visit).getImpact))
}

// impactView is what impact.html shows.
type impactView struct {
	*service
	Revision int64 // of the draft; 0: there is none
	Impact   adminapi.Impact
}

// Banner tells the outcome in one sentence.
func (i impactView) Banner() web.Banner {
	args := []string{"requests", grouped(i.Impact.Requests), "refused", grouped(i.Impact.Refused)}
	switch {
	case i.Impact.Requests == 0:
		return web.Banner{Kind: "quiet", Title: i.text("impact.nothing"), Body: i.text("impact.nothing.text")}
	case i.Impact.Refused == 0:
		return web.Banner{Kind: "ok", Title: i.text("impact.none", args...), Body: i.text("impact.none.text")}
	}
	return web.Banner{Kind: "error", Title: i.text("impact.some", args...), Body: i.text("impact.some.text")}
}

// Example is one request of a reason, over several lines.
func (i impactView) Example(raw json.RawMessage) string { return pretty(raw) }

// Grouped writes a number as people read it.
func (i impactView) Grouped(n int64) string { return grouped(n) }

// grouped writes 8,310.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// getImpact replays the last day's requests against the draft.
func (v *visit) getImpact() error {
	s, err := v.service(tabImpact)
	if err != nil {
		return err
	}
	view := impactView{service: s}
	if s.Draft != nil {
		view.Revision = s.Draft.Revision
		path := query(s.api("impact"), "revision", strconv.FormatInt(view.Revision, 10))
		if err := v.get(v.echo.Request().Context(), path, nil, &view.Impact); err != nil {
			return err
		}
	}
	return s.show(http.StatusOK, web.Page{Name: "impact", Title: "impact.title", Data: view})
}
