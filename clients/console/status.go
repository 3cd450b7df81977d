package console

import (
	"net/http"
	"slices"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// statusView is what status.html shows: how the hub does.
type statusView struct {
	*visit
	Status  adminapi.Status
	Unknown bool // the API did not say
}

// Worst is the state of the whole: that of the part that does worst.
func (s statusView) Worst() string {
	worst := "good"
	for _, p := range s.Status.Parts {
		if p.State == "down" || p.State == "attention" && worst == "good" {
			worst = p.State
		}
	}
	return worst
}

// Kind is how the chip of a state looks.
func (s statusView) Kind(state string) string {
	switch state {
	case "good":
		return "ok"
	case "attention":
		return "warn"
	case "down":
		return "error"
	}
	return "quiet"
}

// Named is what a part is called; one that the console does not know has its own name.
func (s statusView) Named(part string) string { return s.wordOr("part."+part, part) }

// Told is what to know of a part, and what to do; empty: nothing.
func (s statusView) Told(p adminapi.StatusPart) string {
	return s.wordOr("part."+p.Name+"."+p.State, "")
}

// wordOr is a message, or other words where there is none.
func (v *visit) wordOr(key, other string) string {
	if v.console.web.Has(key) {
		return v.text(key)
	}
	return other
}

// Word is a state in words; one that the console does not know is shown as it is.
func (v *visit) Word(kind, state string) string { return v.wordOr(kind+"."+state, state) }

// Counts are those of the last day, in the order of their names.
func (s statusView) Counts() []web.Description {
	names := make([]string, 0, len(s.Status.Counts))
	for name := range s.Status.Counts {
		names = append(names, name)
	}
	slices.Sort(names)
	var all []web.Description
	for _, name := range names {
		all = append(all, web.Description{Term: s.wordOr("count."+name, name), Value: grouped(s.Status.Counts[name])})
	}
	return all
}

// showHome is the first page of operators: how the hub does. It comes although that cannot be had.
func (v *visit) showHome() error {
	view := statusView{visit: v}
	err := v.get(v.echo.Request().Context(), "/status", nil, &view.Status)
	if _, ok := refused(err); ok {
		view.Unknown, err = true, nil
	}
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, inHome, web.Page{Name: "status", Title: "status.title", Data: view})
}
