package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

func (o *Console) mountAudit(e *echo.Echo) {
	e.GET("/audit", o.page((*visit).getAudit))
	e.POST("/audit/verify", o.act((*visit).postVerify))
	e.GET("/audit/export", o.page((*visit).getExport))
	e.GET("/audit/checkpoints", o.page((*visit).getCheckpoints))
	e.POST("/audit/checkpoints", o.act((*visit).postCheckpoint))
	e.GET("/audit/checkpoints/:seq", o.page((*visit).getCheckpoint))
}

// auditFilter is what is looked for, as it was typed.
type auditFilter struct{ From, To, Kind, Actor, Client, Account, Trace string }

// pairs are the filter as the console's own addresses have it.
func (f auditFilter) pairs() []string {
	return []string{"from", f.From, "to", f.To, "kind", f.Kind, "actor", f.Actor, "client", f.Client, "account", f.Account, "trace", f.Trace}
}

// japan is where the operators are: a day they type is one there.
func japan() *time.Location { return time.FixedZone("JST", 9*60*60) }

// asked are the parameters for the API. A day means its beginning, or as the end of the period the beginning of the next.
func (f auditFilter) asked(v *visit) ([]string, formErrors) {
	var wrong formErrors
	day := func(field, typed string, days int) string {
		if typed == "" {
			return ""
		}
		t, err := time.ParseInLocation(time.DateOnly, typed, japan())
		if err != nil {
			wrong.add(v, field, "wrong.day")
			return ""
		}
		return t.AddDate(0, 0, days).UTC().Format(time.RFC3339)
	}
	p := f.pairs()
	p[1], p[3] = day("from", f.From, 0), day("to", f.To, 1)
	return p, wrong
}

const kindKey = "audit.kind."

// kindsOf are the kinds of rows that the messages have words for, in order.
func kindsOf(messages map[string]string) []string {
	var all []string
	for key := range messages {
		if kind, ok := strings.CutPrefix(key, kindKey); ok && strings.Contains(kind, ".") {
			all = append(all, kind)
		}
	}
	slices.Sort(all)
	return all
}

func (v *visit) auditFilter() auditFilter {
	typed := func(name string) string { return cut(strings.TrimSpace(narrow(v.echo.QueryParam(name))), 128) }
	return auditFilter{
		From: typed("from"), To: typed("to"), Kind: typed("kind"), Actor: typed("actor"), Client: typed("client"), Account: typed("account"), Trace: typed("trace"),
	}
}

// auditView is what audit.html shows.
type auditView struct {
	*visit
	formErrors
	Filter    auditFilter
	List      adminapi.AuditList
	Retention adminapi.Retention
	Check     *adminapi.AuditCheck // of the whole log, when it was just asked for
	names     map[string]string    // of operators, by id
}

// Who is what an actor is called.
func (a auditView) Who(id string) string {
	if name := a.names[id]; name != "" {
		return name
	}
	return id
}

// Export is the address of the same rows as a file.
func (a auditView) Export() string { return query("/audit/export", a.Filter.pairs()...) }

// Path is the address of the page with its filter.
func (a auditView) Path() string { return query("/audit", a.Filter.pairs()...) }

// Kind is what a kind of row is called.
func (a auditView) Kind(kind string) string { return a.wordOr(kindKey+kind, kind) }

// Kinds are what can be looked for. What the address asks for is among them, whatever it is.
func (a auditView) Kinds() []web.Option {
	all := []web.Option{{Value: "", Label: a.text("audit.kind.any")}}
	known := a.Filter.Kind == ""
	for _, kind := range a.console.kinds {
		all = append(all, web.Option{Value: kind, Label: a.Kind(kind), Selected: kind == a.Filter.Kind})
		known = known || kind == a.Filter.Kind
	}
	if !known {
		all = append(all, web.Option{Value: a.Filter.Kind, Label: a.Filter.Kind, Selected: true})
	}
	return all
}

// Facts are those of a row, in the order of their names.
func (a auditView) Facts(r adminapi.AuditRow) []web.Description {
	all := []web.Description{}
	add := func(term, value string) {
		if value != "" {
			all = append(all, web.Description{Term: a.wordOr("audit.fact."+term, term), Value: value})
		}
	}
	add("kind", r.Kind)
	add("account", r.Account)
	add("client", r.Client)
	add("session", r.Session)
	add("actor", r.Actor)
	add("reason", r.Reason)
	add("trace", r.Trace)
	names := make([]string, 0, len(r.Facts))
	for name := range r.Facts {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		add(name, r.Facts[name])
	}
	add("prev", r.Prev)
	add("hash", r.Hash)
	return all
}

// Moment is a time to the millisecond, in Japan.
func (v *visit) Moment(t time.Time) string { return t.In(japan()).Format("2006-01-02 15:04:05.000") }

// Checked tells what came of a walk over the log.
func (a auditView) Checked() web.Banner {
	rows := []string{"rows", grouped(a.Check.Rows), "seq", strconv.FormatInt(a.Check.Seq, 10)}
	if a.Check.Whole {
		return web.Banner{Kind: "ok", Status: true, Title: a.text("audit.whole", rows...), Body: a.text("audit.whole.text", "hash", a.Check.Hash)}
	}
	return web.Banner{Kind: "error", Status: true, Title: a.text("audit.broken", rows...), Body: a.wordOr("audit.why."+a.Check.Why, a.Check.Why)}
}

func (v *visit) getAudit() error {
	view := auditView{visit: v, Filter: v.auditFilter()}
	return v.showAudit(view)
}

func (v *visit) showAudit(view auditView) error {
	ctx := v.echo.Request().Context()
	asked, wrong := view.Filter.asked(v)
	view.formErrors = wrong
	if len(wrong.Errors) == 0 {
		asked = append(asked, "after", v.echo.QueryParam("after"), "limit", "50")
		err := v.get(ctx, query("/audit", asked...), nil, &view.List)
		if _, ok := refused(err, adminapi.RoleMissing, adminapi.NotYours); !ok && view.wrong(v, err) {
			err = nil
		}
		if err != nil {
			return err
		}
	}
	// What follows only adds to the page.
	err := v.get(ctx, "/audit/retention", nil, &view.Retention)
	if _, ok := refused(err); err != nil && !ok {
		return err
	}
	var operators adminapi.OperatorList
	err = v.get(ctx, "/operators", nil, &operators)
	if _, ok := refused(err); err != nil && !ok {
		return err
	}
	view.names = map[string]string{}
	for _, o := range operators.Items {
		view.names[o.ID] = o.Name
	}
	return view.formErrors.show(v, inAudit, web.Page{Name: "audit", Title: "audit.title", Data: view})
}

// postVerify walks over the whole log. It changes nothing, so its outcome is the answer itself.
func (v *visit) postVerify() error {
	view := auditView{visit: v, Check: &adminapi.AuditCheck{}}
	if err := v.call(v.echo.Request().Context(), http.MethodPost, "/audit/verify", adminapi.VerifyAudit{}, view.Check); err != nil {
		return err
	}
	return v.showAudit(view)
}

// maxExport is the most that an answer of the API may have to come through here whole; what is more is for hubctl.
const maxExport = 2<<20 - 1

// getExport hands the rows of a filter over as a file.
func (v *visit) getExport() error {
	f := v.auditFilter()
	asked, wrong := f.asked(v)
	if len(wrong.Errors) > 0 {
		return v.to(query("/audit", f.pairs()...))
	}
	resp, err := v.console.party.Fetch(v.echo.Request().Context(), v.session, rp.Request{
		Method: http.MethodGet, Address: v.console.api + query("/audit/export", asked...),
	})
	if err != nil {
		return err
	}
	if resp.Status != http.StatusOK {
		return refusalOf(resp)
	}
	if len(resp.Body) > maxExport {
		return &Refusal{adminapi.Problem{Status: http.StatusRequestEntityTooLarge, Reason: adminapi.TooLarge}}
	}
	h := v.echo.Response().Header()
	h.Set("Content-Disposition", `attachment; filename="audit.ndjson"`)
	return v.echo.Blob(http.StatusOK, "application/x-ndjson", resp.Body)
}

// checkpointsView is what checkpoints.html shows.
type checkpointsView struct {
	*visit
	Checkpoints []adminapi.Checkpoint
	Next        string
	Made        bool
}

func (v *visit) getCheckpoints() error {
	var list adminapi.CheckpointList
	if err := v.get(v.echo.Request().Context(), query("/audit/checkpoints", "after", v.echo.QueryParam("after")), nil, &list); err != nil {
		return err
	}
	return v.show(http.StatusOK, inAudit, web.Page{
		Name: "checkpoints", Title: "checkpoints.title", Data: checkpointsView{v, list.Items, list.Next, v.echo.QueryParam("made") != ""},
		Crumbs: []web.Crumb{{Key: inAudit, Href: "/audit"}, {Key: "checkpoints.title"}},
	})
}

func (v *visit) postCheckpoint() error {
	if err := v.call(v.echo.Request().Context(), http.MethodPost, "/audit/checkpoints", nil, nil); err != nil {
		return err
	}
	return v.to("/audit/checkpoints?made=1")
}

// getCheckpoint hands one over as a file, to be kept elsewhere.
func (v *visit) getCheckpoint() error {
	var list adminapi.CheckpointList
	for range 50 {
		path := query("/audit/checkpoints", "after", list.Next)
		list = adminapi.CheckpointList{}
		if err := v.get(v.echo.Request().Context(), path, nil, &list); err != nil {
			return err
		}
		for _, one := range list.Items {
			if seq := strconv.FormatInt(one.Seq, 10); seq == v.echo.Param("seq") {
				v.echo.Response().Header().Set("Content-Disposition", `attachment; filename="audit-checkpoint-`+url.PathEscape(seq)+`.jwt"`)
				return v.echo.Blob(http.StatusOK, "application/jwt", []byte(one.JWS))
			}
		}
		if list.Next == "" {
			break
		}
	}
	return &Refusal{adminapi.Problem{Status: http.StatusNotFound, Reason: adminapi.NotFound}}
}
