package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

func (o *Console) mountEdit(e *echo.Echo) {
	e.GET("/clients/:id/edit/:section", o.page((*visit).getEdit))
	e.POST("/clients/:id/edit/:section", o.act((*visit).postEdit))
}

// row is one field of the form, ready to be shown.
type row struct {
	ID, Label, Hint, Help, Mark, Error, Value string
	Theirs                                    []string // what somebody else made of it meanwhile
	Options                                   []web.Option
	Checked                                   bool
	Rows                                      int
	Code                                      bool
	Text, Area, Flag, Choice, Scopes, Keys    bool // which widget
	Scope                                     []scopeRow
}

// scopeRow is one of the things that a service may be given.
type scopeRow struct {
	Name, Label, Text              string
	Checked, Fixed                 bool
	ID, Purpose, Error             string
	IDEN, PurposeEN, ErrorEN, Data string
}

// editView is what edit.html shows.
type editView struct {
	*service
	Key      string
	Revision int64
	Seen     int64 // the version that was live when the form was made
	Rows     []row
	Errors   []web.FieldError
	Steps    *web.Steps // of a new service
	Back     string
	Preview  *preview
	Conflict *conflict
	Numbers  [2]int // of the step, and how many there are
}

// conflict says who was faster.
type conflict struct {
	Name string
	At   time.Time
}

// preview is what a citizen will be shown; the script keeps it up to date.
type preview struct {
	Name, RunBy, Domain, About string
	Items                      []previewItem
}

type previewItem struct{ Scope, Label, Purpose string }

// New reports whether the service is on its way through the wizard.
func (s *service) New() bool { return s.Version == 0 }

// getEdit shows a section of the draft, or of what is live if there is none.
func (v *visit) getEdit() error {
	s, sec, err := v.section()
	if err != nil {
		return err
	}
	m, revision, err := s.metadata()
	if err != nil {
		return err
	}
	e := edit{section: sec, form: sec.fill(s.Kind, m), revision: revision, version: s.Version}
	if seen, version, ok := madeFrom(v.kept); ok { // of then: whoever was faster meanwhile is seen
		e.form, e.revision, e.version = v.kept, seen, version
	}
	return s.showEdit(http.StatusOK, e)
}

// section is the service and the section that an address names.
func (v *visit) section() (*service, *section, error) {
	s, err := v.service(tabSettings)
	if err != nil {
		return nil, nil, err
	}
	sec := sectionNamed(s.Kind, v.echo.Param("section"))
	if sec == nil {
		return nil, nil, echo.ErrNotFound
	}
	return s, sec, nil
}

// edit is a section with what was typed into it.
type edit struct {
	section  *section
	form     url.Values
	revision int64 // of the draft that the form was made from; 0: there was none
	version  int64 // that was live then
	faults   []adminapi.FieldError
	theirs   url.Values // what is there now, after a conflict
	conflict *conflict
	reason   string
}

// madeFrom is what a form says that it was made from.
func madeFrom(form url.Values) (revision, version int64, ok bool) {
	revision, err := strconv.ParseInt(form.Get("revision"), 10, 64)
	if err != nil || revision < 0 {
		return 0, 0, false
	}
	version, err = strconv.ParseInt(form.Get("version"), 10, 64)
	return revision, version, err == nil
}

// postEdit saves a section. What others changed in other sections meanwhile is not touched; if the draft is not the one that the form was made
// from, both are shown.
func (v *visit) postEdit() error {
	s, sec, err := v.section()
	if err != nil {
		return err
	}
	form, err := v.echo.FormParams()
	if err != nil {
		return err
	}
	current, _, err := s.metadata()
	if err != nil {
		return err
	}
	seen, version, ok := madeFrom(form)
	if !ok {
		return echo.ErrNotFound
	}
	typed := edit{section: sec, form: form, revision: seen, version: version}
	if seen == 0 && s.Draft == nil && version != s.Version { // there is no draft again: another one went live meanwhile
		return s.showConflict(typed, &Refusal{})
	}
	next, faults := sec.take(s.Kind, form, current)
	if len(faults) > 0 {
		typed.faults, typed.reason = faults, string(adminapi.Invalid)
		return s.showEdit(http.StatusUnprocessableEntity, typed)
	}
	var saved adminapi.Saved
	err = v.call(v.echo.Request().Context(), http.MethodPut, s.api("draft"), adminapi.SaveDraft{
		Revision: seen, Metadata: next.raw(), Partial: true, Note: s.note(),
	}, &saved)
	if refusal, ok := refused(err, adminapi.Conflict); ok {
		return s.showConflict(typed, refusal)
	}
	if refusal, ok := refused(err, adminapi.Invalid); ok { // it could not even be kept as a draft
		typed.faults, typed.reason = refusal.Errors, string(adminapi.Invalid)
		return s.showEdit(http.StatusUnprocessableEntity, typed)
	}
	if err != nil {
		return err
	}
	own := slices.DeleteFunc(saved.Errors, func(f adminapi.FieldError) bool {
		member, _ := indexed(f.Field)
		return sectionOf(s.Kind, rootOf(member)) != sec.key && sec.key != "whole"
	})
	if len(own) > 0 {
		typed.faults, typed.reason = own, string(adminapi.Invalid)
		s.ClientDetail = saved.Client
		if saved.Client.Draft != nil {
			typed.revision = saved.Client.Draft.Revision
		}
		return s.showEdit(http.StatusUnprocessableEntity, typed)
	}
	return v.to(s.after(sec))
}

// note is why the draft is written, if somebody said so already.
func (s *service) note() string {
	if s.Draft != nil {
		return s.Draft.Note
	}
	return ""
}

// rootOf is the member that a purpose belongs to.
func rootOf(member string) string {
	if len(member) > len("purposes.") && member[:len("purposes.")] == "purposes." {
		return "purposes"
	}
	return member
}

// after is where a section that was saved leads: to the next step of the wizard, or to the draft.
func (s *service) after(sec *section) string {
	if s.New() {
		all := steps(s.Kind)
		for i, step := range all[:max(len(all)-1, 0)] {
			if step.key == sec.key && s.echo.FormValue("then") != "draft" {
				return s.Base() + "/edit/" + all[i+1].key
			}
		}
	}
	return s.Base() + "/draft"
}

// showConflict shows what was typed and what somebody else left, field by field. Sending the form again is a decision then, not an accident.
func (s *service) showConflict(typed edit, refusal *Refusal) error {
	now := refusal.Current
	if now == nil { // the draft is gone: approved, or thrown away
		fresh, err := s.visit.service(tabSettings)
		if err != nil {
			return err
		}
		s.ClientDetail = fresh.ClientDetail
		now = &adminapi.Draft{}
		if s.Live != nil {
			now.Metadata, now.ByName, now.By, now.At = s.Live.Metadata, s.Live.ByName, s.Live.By, s.Live.At
		}
	}
	theirs, err := parseMetadata(now.Metadata)
	if err != nil {
		return err
	}
	typed.theirs, typed.revision, typed.reason = typed.section.fill(s.Kind, theirs), now.Revision, string(adminapi.Conflict)
	typed.version = s.Version
	typed.conflict = &conflict{Name: now.ByName, At: now.At}
	if typed.conflict.Name == "" {
		typed.conflict.Name = now.By
	}
	return s.showEdit(http.StatusConflict, typed)
}

func (s *service) showEdit(status int, e edit) error {
	view := editView{service: s, Key: e.section.key, Revision: e.revision, Seen: e.version, Errors: s.summary(e.faults), Conflict: e.conflict, Back: s.Base() + "/settings"}
	for _, in := range e.section.inputs {
		view.Rows = append(view.Rows, s.row(in, e))
	}
	m, _ := e.section.take(s.Kind, e.form, s.draftOrLive())
	if s.Kind != adminapi.KindMachine && (e.section.key == "names" || e.section.key == "data") {
		view.Preview = s.preview(m)
	}
	page := web.Page{Name: "edit", Title: "edit.title." + e.section.key, Error: e.reason, Fill: true, Data: &view}
	if s.New() {
		view.Steps, view.Numbers = s.wizard(e.section.key)
		view.Back = s.before(e.section.key)
		if view.Numbers[0] > 0 {
			page.Title = "edit.step." + e.section.key
			page.TitleArgs = []string{"number", strconv.Itoa(view.Numbers[0]), "count", strconv.Itoa(view.Numbers[1])}
		}
	}
	return s.show(status, page)
}

func (s *service) draftOrLive() metadata {
	m, _, err := s.metadata()
	if err != nil {
		return metadata{}
	}
	return m
}

// wizard is the way through the steps, the one with the key being the current one, and its number. The kind was the first, the check is the last.
func (s *service) wizard(key string) (*web.Steps, [2]int) {
	all := steps(s.Kind)
	way := &web.Steps{Label: s.text("wizard.label"), Items: []web.Step{{Label: s.text("wizard.kind"), Text: s.text("kind." + string(s.Kind)), State: "done"}}}
	at := 0
	for i, step := range all {
		state := "todo"
		switch {
		case step.key == key:
			state, at = "current", i+2
		case at == 0:
			state = "done"
		}
		way.Items = append(way.Items, web.Step{Label: s.text("section." + step.key), State: state})
	}
	last := "todo"
	if key == "check" {
		last, at = "current", len(all)+2
	}
	way.Items = append(way.Items, web.Step{Label: s.text("wizard.check"), State: last})
	return way, [2]int{at, len(all) + 2}
}

// before is the step before this one.
func (s *service) before(key string) string {
	all := steps(s.Kind)
	for i, step := range all {
		if step.key == key && i > 0 {
			return s.Base() + "/edit/" + all[i-1].key
		}
	}
	return s.Base()
}

// row makes a field of an input, with what was typed.
func (s *service) row(in input, e edit) row {
	r := row{
		ID: in.id(), Label: s.memberName(in.member), Value: e.form.Get(in.id()), Rows: in.rows, Code: in.code || in.as == asKeys || in.as == asWhole,
		Hint: s.optional("m." + in.member + ".hint"), Help: s.optional("m." + in.member + ".help"), Mark: "optional",
	}
	if in.must {
		r.Mark = "required"
	}
	for _, f := range e.faults {
		member, _ := indexed(f.Field)
		if member == in.member || in.as == asScopes && (member == "purposes" || member == "grant_types") {
			r.Error = join(r.Error, s.said(f))
		}
	}
	if e.theirs != nil && in.as != asScopes && e.theirs.Get(in.id()) != r.Value {
		r.Theirs = s.theirs(in, e.theirs)
	}
	switch in.as {
	case asText, asNumber:
		r.Text = true
	case asLines:
		r.Area = true
	case asKeys:
		r.Keys = true
	case asWhole:
		r.Area = true
	case asFlag:
		r.Flag, r.Checked, r.Mark = true, r.Value != "", ""
	case asChoice:
		r.Choice = true
		r.Options = s.options(in, r.Value)
	case asScopes:
		r.Scopes, r.Scope = true, s.scopes(in, e)
		if e.theirs != nil && !sameScopes(s.Kind, in, e.form, e.theirs) {
			r.Theirs = s.theirs(in, e.theirs)
		}
	}
	return r
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "\n" + b
}

// theirs is what somebody else made of a field, in words.
func (s *service) theirs(in input, form url.Values) []string {
	sec := section{inputs: []input{in}}
	m, _ := sec.take(s.Kind, form, metadata{})
	if in.as == asWhole {
		return []string{pretty(m.raw())}
	}
	return s.inWords(in, m)
}

func sameScopes(kind adminapi.Kind, in input, a, b url.Values) bool {
	sec := section{inputs: []input{in}}
	x, _ := sec.take(kind, a, metadata{})
	y, _ := sec.take(kind, b, metadata{})
	return string(x.raw()) == string(y.raw())
}

// optional is a message that need not be there.
func (v *visit) optional(key string) string {
	if !v.console.has(key) {
		return ""
	}
	return v.text(key)
}

// implied is what leaving a member out means.
func implied(member string) string {
	switch member {
	case "profile":
		return "oidc"
	case "category":
		return "private"
	case "token_endpoint_auth_method":
		return "client_secret_basic" // RFC 7591 §2
	case "id_token_signed_response_alg":
		return "ES256"
	}
	return ""
}

func (s *service) options(in input, value string) []web.Option {
	if value == "" {
		value = implied(in.member)
	}
	values := in.options
	if !slices.Contains(values, value) {
		values = append(slices.Clone(values), value) // registered by other means, and kept
	}
	var out []web.Option
	for _, o := range values {
		label := o
		if s.console.has("o." + in.member + "." + o) {
			label = s.text("o." + in.member + "." + o)
		}
		out = append(out, web.Option{Value: o, Label: label, Selected: o == value})
	}
	return out
}

func (s *service) scopes(in input, e edit) []scopeRow {
	var out []scopeRow
	for _, scope := range scopesOf(s.Kind) {
		r := scopeRow{
			Name: scope, Label: s.text("scope." + scope), Text: s.text("scope." + scope + ".text"), Fixed: scope == "openid",
			Checked: slices.Contains(e.form[in.id()], scope) || scope == "openid",
			ID:      purposeID(scope, ""), Purpose: e.form.Get(purposeID(scope, "")), IDEN: purposeID(scope, "#en"), PurposeEN: e.form.Get(purposeID(scope, "#en")),
		}
		for _, f := range e.faults {
			switch f.Field {
			case "purposes." + scope:
				r.Error = s.said(f)
			case "purposes." + scope + "#en":
				r.ErrorEN = s.said(f)
			}
		}
		out = append(out, r)
	}
	return out
}

// preview is what the page of consent would say.
func (s *service) preview(m metadata) *preview {
	p := &preview{Name: m.text("client_name"), RunBy: m.text("operator"), About: m.text("description")}
	if s.lang() == "en" && m.text("client_name#en") != "" {
		p.Name = m.text("client_name#en")
	}
	if all := m.list("redirect_uris"); len(all) > 0 {
		if u, err := url.Parse(all[0]); err == nil {
			p.Domain = u.Host
		}
	}
	purposes := m.purposes()
	for _, scope := range scopesOf(s.Kind) {
		if slices.Contains(m.scopes(), scope) {
			p.Items = append(p.Items, previewItem{Scope: scope, Label: s.text("scope." + scope), Purpose: purposes[scope]})
		}
	}
	return p
}

// kids are the names of the keys in a set.
func kids(jwks json.RawMessage) []string {
	var set struct {
		Keys []struct {
			Kid string `json:"kid"`
			Kty string `json:"kty"`
		} `json:"keys"`
	}
	if len(jwks) == 0 || json.Unmarshal(jwks, &set) != nil {
		return nil
	}
	var out []string
	for i, k := range set.Keys {
		if k.Kid == "" {
			k.Kid = k.Kty + " " + strconv.Itoa(i+1)
		}
		out = append(out, k.Kid)
	}
	return out
}
