package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/clients/console/snippets"
	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

func (o *Console) mountStarting(e *echo.Echo) {
	e.GET("/clients/:id/start", o.page((*visit).getStarting))
}

// startingView is what starting.html shows.
type startingView struct {
	*service
	Places   []rp.Place
	Snippets []snippets.Snippet
	Language snippets.Language // of the snippet that is shown
	Why      *snippets.Error   // why there is none
	Figures  *adminapi.Figures // nil: they cannot be had
}

// Chosen is the snippet to show; nil: there is none.
func (s startingView) Chosen() *snippets.Snippet {
	for i := range s.Snippets {
		if s.Snippets[i].Language == s.Language {
			return &s.Snippets[i]
		}
	}
	return nil
}

// PlaceName is what an endpoint is called.
func (s startingView) PlaceName(p rp.Place) string { return s.wordOr("place."+p.Name, p.Name) }

// checkView is a thing to do, and whether the hub has seen that it works.
type checkView struct {
	Key  string
	Done bool
}

// Checklist ticks itself, by what the hub has seen.
func (s startingView) Checklist() []checkView {
	var all []checkView
	if s.Figures == nil {
		return nil
	}
	for _, key := range []string{"request", "login", "token", "logout"} {
		all = append(all, checkView{"check." + key, s.Figures.Checks[key]})
	}
	return all
}

func (v *visit) getStarting() error {
	s, err := v.service(tabStart)
	if err != nil {
		return err
	}
	ctx := v.echo.Request().Context()
	view := startingView{service: s}
	if view.Places, err = v.console.party.Places(ctx); err != nil {
		return err
	}
	var metadata json.RawMessage
	switch {
	case s.Live != nil:
		metadata = s.Live.Metadata
	case s.Draft != nil:
		metadata = s.Draft.Metadata
	}
	if len(metadata) > 0 {
		values, err := snippets.FromMetadata(v.me.Issuer, metadata)
		if err == nil {
			values.ClientID = s.ClientID
			view.Snippets, err = snippets.For(values)
		}
		if why, ok := errors.AsType[*snippets.Error](err); ok {
			view.Why = why
		} else if err != nil {
			return err
		}
	}
	if len(view.Snippets) > 0 {
		view.Language = view.Snippets[0].Language
		if asked := snippets.Language(v.echo.QueryParam("in")); slices.ContainsFunc(view.Snippets, func(s snippets.Snippet) bool { return s.Language == asked }) {
			view.Language = asked
		}
	}
	figures := &adminapi.Figures{}
	err = v.get(ctx, s.api("figures"), nil, figures)
	if _, ok := refused(err); err == nil {
		view.Figures = figures
	} else if !ok { // the page is of use without them
		return err
	}
	return s.show(http.StatusOK, web.Page{Name: "starting", Title: "starting.title", Data: view})
}
