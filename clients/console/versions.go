package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

func (o *Console) mountVersions(e *echo.Echo) {
	e.GET("/clients/:id/versions", o.page((*visit).getVersions))
	e.GET("/clients/:id/versions/:version", o.page((*visit).getVersion))
	e.GET("/clients/:id/diff", o.page((*visit).getDiff))
	e.GET("/clients/:id/back", o.page((*visit).getBack))
	e.POST("/clients/:id/back", o.act((*visit).postBack))
}

// versionsView is what versions.html shows.
type versionsView struct {
	*service
	adminapi.VersionList
	Older    string       // address of the page that follows
	From, To []web.Option // what can be compared
	Several  bool         // there are two that can differ
}

// Said is who wrote or approved something, as people know her.
func (v *visit) Said(name, id string) string {
	if name != "" {
		return name
	}
	if policy, ok := strings.CutPrefix(id, "policy:"); ok {
		return v.text("by.policy", "policy", policy)
	}
	if id == "seed" {
		return v.text("by.seed")
	}
	return id
}

func (v *visit) getVersions() error {
	s, err := v.service(tabVersions)
	if err != nil {
		return err
	}
	view := versionsView{service: s}
	query := url.Values{"limit": {perPage}}
	if after := clip(v.echo.QueryParam("after"), 512); after != "" {
		query.Set("after", after)
	}
	if err := v.get(v.echo.Request().Context(), s.api("versions"), query, &view.VersionList); err != nil {
		return err
	}
	if view.Next != "" {
		view.Older = s.Base() + "/versions?" + url.Values{"after": {view.Next}}.Encode()
	}
	view.Several = len(view.Items) > 1 || v.echo.QueryParam("after") != "" || len(view.Items) == 1 && s.Draft != nil
	offer := func(value, label string) {
		view.From = append(view.From, web.Option{Value: value, Label: label, Selected: value == strconv.FormatInt(s.Previous, 10)})
		view.To = append(view.To, web.Option{Value: value, Label: label, Selected: value == "live"})
	}
	if s.Draft != nil {
		offer("draft", v.text("version.draft"))
	}
	if s.Live != nil {
		offer("live", v.text("version.live"))
	}
	for _, version := range view.Items {
		number := strconv.FormatInt(version.Version, 10)
		offer(number, v.text("version.number", "number", number))
	}
	return s.show(http.StatusOK, web.Page{Name: "versions", Title: "versions.title", Data: view})
}

// versionView is what version.html shows.
type versionView struct {
	*service
	adminapi.Version
	Parts []part
	Whole string
	Live  bool
}

func (v *visit) getVersion() error {
	s, err := v.service(tabVersions)
	if err != nil {
		return err
	}
	view := versionView{service: s}
	if err := v.get(v.echo.Request().Context(), s.api("versions", v.echo.Param("version")), nil, &view.Version); err != nil {
		return err
	}
	m, err := parseMetadata(view.Version.Metadata)
	if err != nil {
		return err
	}
	view.Parts, view.Whole = s.partsOf(m, false), pretty(view.Version.Metadata)
	view.Live = s.ClientDetail.Live != nil && s.ClientDetail.Live.Version == view.Version.Version
	return s.show(http.StatusOK, web.Page{
		Name: "version", Title: "version.title", TitleArgs: []string{"number", strconv.FormatInt(view.Version.Version, 10)}, Data: view,
	})
}

// diffView is what diff.html shows.
type diffView struct {
	*service
	From, To string
	Changes  []changeRow
}

func (v *visit) getDiff() error {
	s, err := v.service(tabVersions)
	if err != nil {
		return err
	}
	var diff adminapi.Diff
	query := url.Values{"from": {clip(v.echo.QueryParam("from"), 20)}, "to": {clip(v.echo.QueryParam("to"), 20)}}
	if err := v.get(v.echo.Request().Context(), s.api("diff"), query, &diff); err != nil {
		return err
	}
	return s.show(http.StatusOK, web.Page{Name: "diff", Title: "diff.title", Data: diffView{
		service: s, From: v.versionName(query.Get("from")), To: v.versionName(query.Get("to")), Changes: s.changes(diff),
	}})
}

// versionName is what people call a version that an address names.
func (v *visit) versionName(word string) string {
	if word == "draft" || word == "live" {
		return v.text("version." + word)
	}
	return v.text("version.number", "number", word)
}

// backView is what back.html shows: the question before an earlier version goes live again.
type backView struct {
	*service
	Number              int64
	Changes             []changeRow
	Reason, ReasonError string
	Errors              []web.FieldError
}

func (v *visit) getBack() error {
	return v.showBack(http.StatusOK, v.kept.Get("reason"), "", v.echo.FormValue("version")) // it stands in the address, or in a form that was kept
}

func (v *visit) showBack(status int, reason, wrong, version string) error {
	s, err := v.service(tabVersions)
	if err != nil {
		return err
	}
	number, err := strconv.ParseInt(version, 10, 64)
	if err != nil || number < 1 {
		return echo.ErrNotFound
	}
	var diff adminapi.Diff
	if err := v.get(v.echo.Request().Context(), s.api("diff"), url.Values{"from": {"live"}, "to": {strconv.FormatInt(number, 10)}}, &diff); err != nil {
		return err
	}
	view := backView{service: s, Number: number, Changes: s.changes(diff), Reason: reason, ReasonError: wrong}
	page := web.Page{Name: "back", Title: "back.title", TitleArgs: []string{"number", strconv.FormatInt(number, 10)}, Fill: true}
	if wrong != "" {
		view.Errors, page.Error = []web.FieldError{{Field: "reason", Text: wrong}}, string(adminapi.Invalid)
	}
	page.Data = view
	return s.show(status, page)
}

func (v *visit) postBack() error {
	reason, version := strings.TrimSpace(v.echo.FormValue("reason")), v.echo.FormValue("version")
	if len([]rune(reason)) < minReason {
		return v.showBack(http.StatusUnprocessableEntity, reason, v.text("reason.missing"), version)
	}
	number, err := strconv.ParseInt(version, 10, 64)
	if err != nil {
		return echo.ErrNotFound
	}
	base := "/clients" + apiPath(v.echo.Param("id"))
	err = v.call(v.echo.Request().Context(), http.MethodPost, base+"/go-back", adminapi.GoBack{Version: number, Reason: reason}, nil)
	if refusal, ok := refused(err, adminapi.Invalid); ok && len(refusal.Errors) > 0 {
		return v.showBack(http.StatusUnprocessableEntity, reason, v.said(refusal.Errors[0]), version)
	}
	if err != nil {
		return err
	}
	return v.to(base + "?done=back")
}
