package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

func (o *Console) mountDraft(e *echo.Echo) {
	e.GET("/clients/:id/draft", o.page((*visit).getDraft))
	for act, do := range map[string]func(*visit) error{"request": (*visit).postRequest, "approve": (*visit).postApprove, "reject": (*visit).postReject} {
		e.POST("/clients/:id/draft/"+act, o.act(do))
		// The address of the page that says what was wrong with the form: one comes back to it from signing in again.
		e.GET("/clients/:id/draft/"+act, o.page((*visit).getDraft))
	}
	e.GET("/clients/:id/draft/discard", o.page((*visit).getDiscard))
	e.POST("/clients/:id/draft/discard", o.act((*visit).postDiscard))
}

// draftView is what draft.html shows: the draft, what it changes, and what can be done with it.
type draftView struct {
	*service
	Steps   *web.Steps
	Numbers [2]int
	Parts   []part
	Changes []changeRow
	Faults  []faultLink
	Errors  []web.FieldError

	Preflight *adminapi.Preflight // the newest of this revision; nil: there is none
	Impact    *adminapi.Impact    // nil: it cannot be had

	Note, Exception, Reason                string // typed
	NoteError, ExceptionError, ReasonError string
	Changed                                bool // by somebody else, since the page was made
}

// faultLink leads to the field that has to be mended before the draft can be asked for.
type faultLink struct{ Href, Text string }

// changeRow is one member that differs.
type changeRow struct {
	Member, Name string
	From, To     []string
	Reach        string // what it does to citizens, where it does; a message key
}

// CanRequest reports whether the draft can be asked for by the operator.
func (d *draftView) CanRequest() bool {
	return d.Draft != nil && d.Draft.State != "requested" && d.Writable()
}

// Waiting reports whether it waits for a second person.
func (d *draftView) Waiting() bool { return d.Draft != nil && d.Draft.State == "requested" }

// Own reports whether the operator had a hand in it.
func (d *draftView) Own() bool {
	return d.Draft != nil && slices.Contains(d.Draft.Authors, d.me.Operator.ID)
}

// CanDecide reports whether the operator is the second person.
func (d *draftView) CanDecide() bool { return d.Waiting() && d.may(adminapi.Approver) && !d.Own() }

// Ready reports whether it can go live without an exception.
func (d *draftView) Ready() bool {
	return d.Preflight != nil && d.Preflight.State == "done" && (d.Preflight.Verdict == adminapi.Green || d.Preflight.Verdict == adminapi.Yellow) &&
		d.Impact != nil && d.Impact.Refused == 0 && !d.Impact.Sector
}

func (v *visit) getDraft() error {
	s, err := v.service(tabVersions)
	if err != nil {
		return err
	}
	if s.Draft == nil {
		return v.to(s.Base())
	}
	return s.showDraft(http.StatusOK, "", &draftView{
		service: s, Note: cmp.Or(v.kept.Get("note"), s.Draft.Note), Exception: v.kept.Get("exception"), Reason: v.kept.Get("reason"),
	})
}

func (s *service) showDraft(status int, reason string, view *draftView) error {
	ctx := s.echo.Request().Context()
	m, err := parseMetadata(s.Draft.Metadata)
	if err != nil {
		return err
	}
	page := web.Page{Name: "draft", Title: "draft.title", Error: reason, Data: view, Fill: true}
	if s.New() {
		view.Parts = s.partsOf(m, true)
		view.Steps, view.Numbers = s.wizard("check")
		page.Title, page.TitleArgs = "draft.step", []string{"number", strconv.Itoa(view.Numbers[0]), "count", strconv.Itoa(view.Numbers[1])}
	} else {
		var diff adminapi.Diff
		if err := s.get(ctx, s.api("diff"), url.Values{"from": {"live"}, "to": {"draft"}}, &diff); err != nil {
			return err
		}
		view.Changes = s.changes(diff)
	}
	if view.Waiting() {
		if err := s.readiness(view); err != nil {
			return err
		}
	}
	return s.show(status, page)
}

// readiness fills in what an approver has to know. A hub that cannot say leaves it out; then an exception is asked for.
func (s *service) readiness(view *draftView) error {
	ctx := s.echo.Request().Context()
	var reports adminapi.PreflightList
	err := s.get(ctx, s.api("preflights"), nil, &reports)
	if _, ok := refused(err); err != nil && !ok {
		return err
	}
	for _, r := range reports.Items {
		if r.Revision == s.Draft.Revision {
			view.Preflight = &r
			break
		}
	}
	impact := &adminapi.Impact{}
	err = s.get(ctx, s.api("impact"), url.Values{"revision": {strconv.FormatInt(s.Draft.Revision, 10)}}, impact)
	if _, ok := refused(err); err != nil && !ok {
		return err
	}
	if err == nil {
		view.Impact = impact
	}
	return nil
}

// changes are a difference for people, those that reach citizens first.
func (s *service) changes(diff adminapi.Diff) []changeRow {
	var out []changeRow
	for _, c := range diff.Changes {
		r := changeRow{Member: c.Member, Name: s.memberName(c.Member), From: shown(c.From), To: shown(c.To)}
		switch c.Member {
		case "sector_identifier_uri":
			r.Reach = "reach.sector"
		case "redirect_uris":
			r.Reach = "reach.redirect"
		case "scope", "purposes":
			r.Reach = "reach.consent"
		case "jwks", "jwks_uri", "token_endpoint_auth_method":
			r.Reach = "reach.keys"
		}
		out = append(out, r)
	}
	slices.SortStableFunc(out, func(a, b changeRow) int {
		return rank(a) - rank(b)
	})
	return out
}

func rank(c changeRow) int {
	if c.Reach != "" {
		return 0
	}
	return 1
}

// decision is a draft, and the revision of it that a form was about. If it is another one by now the page is shown again, with what was typed.
func (v *visit) decision() (*draftView, int64, error) {
	s, err := v.service(tabVersions)
	if err != nil {
		return nil, 0, err
	}
	revision, err := strconv.ParseInt(v.echo.FormValue("revision"), 10, 64)
	if err != nil || revision < 1 {
		return nil, 0, echo.ErrNotFound
	}
	return &draftView{
		service: s, Note: strings.TrimSpace(v.echo.FormValue("note")), Exception: strings.TrimSpace(v.echo.FormValue("exception")),
		Reason: strings.TrimSpace(v.echo.FormValue("reason")),
	}, revision, nil
}

// stale answers a decision about a draft that is not there any more as it was.
func (d *draftView) stale() error {
	s, err := d.visit.service(tabVersions)
	if err != nil {
		return err
	}
	if s.Draft == nil {
		return d.to(s.Base())
	}
	d.service, d.Changed = s, true
	return s.showDraft(http.StatusConflict, string(adminapi.Conflict), d)
}

// postRequest asks for approval. A note that was typed is kept with the draft first.
func (v *visit) postRequest() error {
	d, revision, err := v.decision()
	if err != nil {
		return err
	}
	if d.Draft == nil {
		return v.to(d.Base())
	}
	ctx := v.echo.Request().Context()
	if d.Note != d.Draft.Note && d.Draft.Revision == revision {
		var saved adminapi.Saved
		err = v.call(ctx, http.MethodPut, d.api("draft"), adminapi.SaveDraft{Revision: revision, Metadata: d.Draft.Metadata, Note: d.Note, Partial: true}, &saved)
		if err == nil && saved.Client.Draft != nil {
			revision = saved.Client.Draft.Revision
			d.ClientDetail = saved.Client
		}
	}
	if err == nil {
		err = v.call(ctx, http.MethodPost, d.api("request"), adminapi.At{Revision: revision}, nil)
	}
	if refusal, ok := refused(err, adminapi.Invalid); ok {
		for _, f := range refusal.Errors {
			if f.Field == "note" {
				d.NoteError = v.said(f)
				d.Errors = append(d.Errors, web.FieldError{Field: "note", Text: d.NoteError})
				continue
			}
			member, _ := indexed(f.Field)
			d.Faults = append(d.Faults, faultLink{
				Href: d.Base() + "/edit/" + sectionOf(d.Kind, rootOf(member)) + "#" + fieldID(member), Text: v.said(f),
			})
		}
		return d.showDraft(http.StatusUnprocessableEntity, string(adminapi.Invalid), d)
	}
	if _, ok := refused(err, adminapi.Conflict); ok {
		return d.stale()
	}
	if err != nil {
		return err
	}
	return v.to(d.Base() + "?done=requested")
}

// fewest characters of an exception.
const minException = 10

func (v *visit) postApprove() error {
	d, revision, err := v.decision()
	if err != nil {
		return err
	}
	if d.Draft == nil {
		return v.to(d.Base())
	}
	if d.Exception != "" && len([]rune(d.Exception)) < minException {
		return d.wrong(&d.ExceptionError, "exception", v.text("approve.exception.short"))
	}
	err = v.call(v.echo.Request().Context(), http.MethodPost, d.api("approve"), adminapi.Approve{Revision: revision, Exception: d.Exception}, nil)
	if _, ok := refused(err, adminapi.Conflict); ok {
		return d.stale()
	}
	if _, ok := refused(err, adminapi.NotReady); ok {
		return d.wrong(&d.ExceptionError, "exception", v.text("approve.exception.missing"))
	}
	if refusal, ok := refused(err, adminapi.Invalid); ok && len(refusal.Errors) > 0 {
		return d.wrong(&d.ExceptionError, "exception", v.said(refusal.Errors[0]))
	}
	if err != nil {
		return err
	}
	return v.to(d.Base() + "?done=approved")
}

// wrong shows the draft again with what is the matter with a field.
func (d *draftView) wrong(field *string, id, text string) error {
	*field = text
	d.Errors = append(d.Errors, web.FieldError{Field: id, Text: text})
	return d.showDraft(http.StatusUnprocessableEntity, string(adminapi.Invalid), d)
}

// fewest characters of a reason.
const minReason = 3

func (v *visit) postReject() error {
	d, revision, err := v.decision()
	if err != nil {
		return err
	}
	if d.Draft == nil {
		return v.to(d.Base())
	}
	if len([]rune(d.Reason)) < minReason {
		return d.wrong(&d.ReasonError, "reason", v.text("reason.missing"))
	}
	err = v.call(v.echo.Request().Context(), http.MethodPost, d.api("reject"), adminapi.Reject{Revision: revision, Reason: d.Reason}, nil)
	if _, ok := refused(err, adminapi.Conflict); ok {
		return d.stale()
	}
	if refusal, ok := refused(err, adminapi.Invalid); ok && len(refusal.Errors) > 0 {
		return d.wrong(&d.ReasonError, "reason", v.said(refusal.Errors[0]))
	}
	if err != nil {
		return err
	}
	return v.to(d.Base() + "?done=rejected")
}

// discardView is what discard.html shows.
type discardView struct {
	*service
	Changed bool
}

func (v *visit) getDiscard() error {
	s, err := v.service(tabVersions)
	if err != nil {
		return err
	}
	if s.Draft == nil {
		return v.to(s.Base())
	}
	return s.show(http.StatusOK, web.Page{Name: "discard", Title: "discard.title", Data: discardView{service: s}})
}

func (v *visit) postDiscard() error {
	s, err := v.service(tabVersions)
	if err != nil {
		return err
	}
	if s.Draft == nil {
		return v.to(s.Base())
	}
	revision, err := strconv.ParseInt(v.echo.FormValue("revision"), 10, 64)
	if err != nil {
		return echo.ErrNotFound
	}
	err = v.send(v.echo.Request().Context(), rp.Request{
		Method: http.MethodDelete, Address: s.api("draft") + "?revision=" + strconv.FormatInt(revision, 10),
	}, nil)
	if _, ok := refused(err, adminapi.Conflict); ok {
		return s.show(http.StatusConflict, web.Page{Name: "discard", Title: "discard.title", Error: string(adminapi.Conflict), Data: discardView{s, true}})
	}
	if err != nil {
		return err
	}
	if s.New() {
		return v.to("/clients")
	}
	return v.to(s.Base() + "?done=discarded")
}
