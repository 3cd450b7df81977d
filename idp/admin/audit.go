package admin

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/openapi"
	"github.com/tsunagu-id/tsunagu/keys"
)

// Oversight is what the operations on audit log, keys and status stand on beside the log. Every field but KeptFor is required.
type Oversight struct {
	// ReadCheckpoint returns what a checkpoint that somebody kept says, or audit.ErrForeign.
	ReadCheckpoint func(ctx context.Context, jws string) (audit.Claim, error)
	// KeptFor is how long rows are kept; 0: for ever.
	KeptFor time.Duration
	Keys    *keys.Set
	// Status says how the parts of the hub do.
	Status func(ctx context.Context) []adminapi.StatusPart
}

func (o Oversight) complete() bool {
	return o.ReadCheckpoint != nil && o.Keys != nil && o.Status != nil
}

const (
	eventAuditExported audit.Kind = "audit.exported"   // facts: filters, from, to
	eventAuditChecked  audit.Kind = "audit.checkpoint" // by an operator; facts: seq
)

func (a *API) auditRoutes() {
	add := func(o operation) operation {
		o.tag, o.whole = "audit", true
		return o
	}
	register(a, add(operation{id: "searchAudit", method: http.MethodGet, path: "/api/audit", summary: "Rows of the audit log, newest first"}), a.getAudit)
	register(a, add(operation{
		id: "exportAudit", method: http.MethodGet, path: "/api/audit/export", summary: "All rows that fit, oldest first, as JSON lines", role: adminapi.Security,
	}), a.getAuditExport)
	register(a, add(operation{id: "verifyAudit", method: http.MethodPost, path: "/api/audit/verify", summary: "Walk over the whole log"}), a.postAuditVerify)
	register(a, add(operation{id: "listCheckpoints", method: http.MethodGet, path: "/api/audit/checkpoints", summary: "Signed statements of where the log stood, newest first"}), a.getCheckpoints)
	register(a, add(operation{
		id: "makeCheckpoint", method: http.MethodPost, path: "/api/audit/checkpoints", summary: "State where the log stands", role: adminapi.Security,
		may: []adminapi.Reason{adminapi.WrongState},
	}), a.postCheckpoint)
	register(a, add(operation{id: "auditRetention", method: http.MethodGet, path: "/api/audit/retention", summary: "How long rows are kept"}), a.getRetention)
}

// auditFilter is the query of a search.
type auditFilter struct {
	From    time.Time `query:"from" doc:"From this time on"`
	To      time.Time `query:"to" doc:"Before this time"`
	Kind    string    `query:"kind" maxLength:"100" doc:"What happened, such as client.approved"`
	Actor   string    `query:"actor" maxLength:"256" doc:"Who caused it: an operator's id, a client, a policy"`
	Client  string    `query:"client" maxLength:"128"`
	Account string    `query:"account" maxLength:"128" doc:"Internal id of a person; she is shown that you looked"`
	Trace   string    `query:"trace" maxLength:"16" doc:"Reference number of a request"`
}

func (f auditFilter) filter() audit.Filter {
	return audit.Filter{From: f.From, To: f.To, Kind: audit.Kind(f.Kind), Actor: f.Actor, Client: f.Client, Account: f.Account, Trace: upperTrace(f.Trace)}
}

// upperTrace is a reference number as the log has it, however somebody read it out.
func upperTrace(s string) string { return strings.ToUpper(s) }

// facts are what the log says of a search: which filters, and no value that somebody may have typed a name into.
func (f auditFilter) facts() map[string]string {
	var used []string
	for name, value := range map[string]string{"kind": f.Kind, "actor": f.Actor, "client": f.Client, "account": f.Account, "trace": f.Trace} {
		if value != "" {
			used = append(used, name)
		}
	}
	slices.Sort(used)
	facts := map[string]string{"filters": strings.Join(used, " ")}
	for name, at := range map[string]time.Time{"from": f.From, "to": f.To} {
		if !at.IsZero() {
			facts[name] = at.UTC().Format(time.RFC3339)
		}
	}
	return facts
}

// auditInput is a search with its page: inputs are read field by field, so the filter's are written out again.
type auditInput struct {
	From    time.Time `query:"from" doc:"From this time on"`
	To      time.Time `query:"to" doc:"Before this time"`
	Kind    string    `query:"kind" maxLength:"100" doc:"What happened, such as client.approved"`
	Actor   string    `query:"actor" maxLength:"256" doc:"Who caused it: an operator's id, a client, a policy"`
	Client  string    `query:"client" maxLength:"128"`
	Account string    `query:"account" maxLength:"128" doc:"Internal id of a person; she is shown that you looked"`
	Trace   string    `query:"trace" maxLength:"16" doc:"Reference number of a request"`
	After   string    `query:"after" maxLength:"40" doc:"The next of the page before"`
	Limit   int       `query:"limit" minimum:"1" maximum:"1000" doc:"How many at most; left out: 100"`
}

const auditPage = 100

func (a *API) getAudit(ctx context.Context, c caller, in auditInput) (adminapi.AuditList, error) {
	if err := a.shownTo(ctx, c, in.Account); err != nil {
		return adminapi.AuditList{}, err
	}
	f := auditFilter{in.From, in.To, in.Kind, in.Actor, in.Client, in.Account, in.Trace}.filter()
	if in.Limit == 0 {
		in.Limit = auditPage
	}
	page, err := a.d.Audit.Search(ctx, f, in.After, in.Limit)
	if err != nil {
		return adminapi.AuditList{}, auditError(err)
	}
	out := adminapi.AuditList{Items: shownRows(page.Rows), Next: page.Next}
	for i := range out.Items {
		if in.Account == "" { // whoever reads of a person is shown to her, and no other search leads to one
			out.Items[i].Account, out.Items[i].Session = "", ""
		}
	}
	if in.After == "" {
		_, out.More, err = a.d.Audit.Count(ctx, f)
	}
	return out, err
}

// shownTo has a person see that somebody read the rows that are about her.
func (a *API) shownTo(ctx context.Context, c caller, account string) error {
	if account == "" {
		return nil
	}
	role := adminapi.Viewer
	for _, r := range adminapi.Roles() { // the one with the widest reach
		if c.has(r) {
			role = r
		}
	}
	return a.d.Provider.SearchedAudit(ctx, c.id, string(role), account)
}

// auditError says what an operator can do about a row that cannot be read.
func auditError(err error) error {
	if errors.Is(err, audit.ErrCursor) {
		return fault("after", "is not the next of a page", "begin without it")
	}
	return err
}

func shownRow(r audit.Row) adminapi.AuditRow {
	return adminapi.AuditRow{
		Seq: r.Seq, At: r.At, Kind: string(r.Kind), Account: r.Account, Client: r.Client, Session: r.Session, Actor: r.Actor, Reason: r.Reason,
		Trace: r.Trace, Facts: r.Facts, Hash: hex.EncodeToString(r.Hash[:]), Prev: hex.EncodeToString(r.Prev[:]),
	}
}

func shownRows(rows []audit.Row) []adminapi.AuditRow {
	out := make([]adminapi.AuditRow, len(rows))
	for i, r := range rows {
		out[i] = shownRow(r)
	}
	return out
}

// exportPage is how many rows are in memory at a time.
const exportPage = 500

func (a *API) getAuditExport(ctx context.Context, c caller, in auditFilter) (stream, error) {
	if err := a.shownTo(ctx, c, in.Account); err != nil {
		return stream{}, err
	}
	if now := a.d.Now(); in.To.IsZero() || in.To.After(now) {
		in.To = now // the log goes on meanwhile; the export ends
	}
	if err := a.d.Audit.Append(ctx, audit.Event{Kind: eventAuditExported, Actor: c.id, Trace: trace(ctx), Facts: in.facts()}); err != nil {
		return stream{}, err
	}
	after, ended := "", false
	return stream{kind: "application/x-ndjson", name: "audit.jsonl", next: func() ([]byte, error) {
		if ended {
			return nil, nil
		}
		page, err := a.d.Audit.Oldest(ctx, in.filter(), after, exportPage)
		if err != nil {
			return nil, err
		}
		after, ended = page.Next, page.Next == ""
		var b []byte
		for _, r := range page.Rows {
			line, err := openapi.Marshal(shownRow(r))
			if err != nil {
				return nil, err
			}
			b = append(append(b, line...), '\n')
		}
		return b, nil
	}}, nil
}

func (a *API) postAuditVerify(ctx context.Context, _ caller, in struct{ Body adminapi.VerifyAudit }) (adminapi.AuditCheck, error) {
	var kept []audit.Claim
	if in.Body.Checkpoint != "" {
		claim, err := a.d.Oversight.ReadCheckpoint(ctx, in.Body.Checkpoint)
		if errors.Is(err, audit.ErrForeign) {
			return adminapi.AuditCheck{}, fault("checkpoint", "is not one of this hub's", "give it as it was kept, or verify it with the keys that were published then")
		}
		if err != nil {
			return adminapi.AuditCheck{}, err
		}
		kept = append(kept, claim)
	}
	e, err := a.d.Audit.Examine(ctx, kept...)
	if broken, ok := errors.AsType[*audit.BrokenError](err); ok {
		return adminapi.AuditCheck{Seq: broken.Seq, Why: string(broken.Why)}, nil
	}
	if err != nil {
		return adminapi.AuditCheck{}, err
	}
	return adminapi.AuditCheck{Rows: e.Rows(), Whole: true, Hash: hex.EncodeToString(e.Hash[:])}, nil
}

func shownCheckpoint(c audit.Checkpoint) adminapi.Checkpoint {
	return adminapi.Checkpoint{Seq: c.Seq, At: c.At, Hash: hex.EncodeToString(c.Hash[:]), JWS: c.JWS}
}

func (a *API) getCheckpoints(ctx context.Context, _ caller, in page) (out adminapi.CheckpointList, _ error) {
	before := int64(0)
	if in.After != "" {
		n, err := strconv.ParseInt(in.After, 10, 64)
		if err != nil || n < 1 || strconv.FormatInt(n, 10) != in.After {
			return out, auditError(audit.ErrCursor)
		}
		before = n
	}
	list, err := a.d.Audit.Checkpoints(ctx, before, in.size()+1)
	if err != nil {
		return out, err
	}
	if len(list) > in.size() {
		list = list[:in.size()]
		out.Next = strconv.FormatInt(list[len(list)-1].Seq, 10)
	}
	for _, c := range list {
		out.Items = append(out.Items, shownCheckpoint(c))
	}
	return out, nil
}

func (a *API) postCheckpoint(ctx context.Context, c caller, _ struct{}) (adminapi.Checkpoint, error) {
	made, err := a.d.Audit.Checkpoint(ctx)
	if broken, ok := errors.AsType[*audit.BrokenError](err); ok {
		return adminapi.Checkpoint{}, refuse(adminapi.WrongState, "Nothing is signed over a log that is broken: row "+strconv.FormatInt(broken.Seq, 10)+", "+string(broken.Why)+". Keep a copy of the database, and look who could write to it.")
	}
	if errors.Is(err, audit.ErrEmpty) {
		return adminapi.Checkpoint{}, refuse(adminapi.WrongState, "There is no row yet.")
	}
	if err != nil {
		return adminapi.Checkpoint{}, err
	}
	err = a.d.Audit.Append(ctx, audit.Event{Kind: eventAuditChecked, Actor: c.id, Trace: trace(ctx), Facts: map[string]string{"seq": strconv.FormatInt(made.Seq, 10)}})
	return shownCheckpoint(made), err
}

func (a *API) getRetention(ctx context.Context, _ caller, _ struct{}) (adminapi.Retention, error) {
	first, err := a.d.Audit.First(ctx)
	return adminapi.Retention{Days: int(a.d.Oversight.KeptFor / (24 * time.Hour)), First: first}, err
}
