package etax

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/ratelimit"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

const (
	toFile     = "etax file" // the purpose of the forms
	pathReturn = "/returns/new"
)

// amountField is a field of the form, with a place in the figures.
type amountField struct {
	id       string
	required bool
	of       func(*Figures) *Yen
}

func amountFields() []amountField {
	return []amountField{
		{"salary", true, func(f *Figures) *Yen { return &f.Salary }},
		{"withheld", true, func(f *Figures) *Yen { return &f.Withheld }},
		{"social", true, func(f *Figures) *Yen { return &f.Social }},
		{"medical", false, func(f *Figures) *Yen { return &f.Medical }},
	}
}

// typedFigures is the form as it was typed, by field.
type typedFigures map[string]string

// parse returns the figures, and for each field that is wrong the end of its message key.
func (t typedFigures) parse() (Figures, map[string]string) {
	var f Figures
	wrong := map[string]string{}
	for _, field := range amountFields() {
		text := strings.TrimSpace(t[field.id])
		y, ok := ParseYen(text)
		switch {
		case text == "" && field.required:
			wrong[field.id] = "missing"
		case text == "":
		case !ok:
			wrong[field.id] = "malformed"
		}
		*field.of(&f) = y
	}
	if len(wrong) == 0 && f.Salary == 0 {
		wrong["salary"] = "missing"
	}
	for id, y := range map[string]Yen{"withheld": f.Withheld, "social": f.Social} {
		if wrong["salary"] == "" && wrong[id] == "" && y > f.Salary {
			wrong[id] = "too_much"
		}
	}
	return f, wrong
}

func typed(f Figures) typedFigures {
	t := typedFigures{}
	for _, field := range amountFields() {
		if y := *field.of(&f); y != 0 || field.required {
			t[field.id] = y.String()
		}
	}
	return t
}

// returnFormView is what return-form.html shows.
type returnFormView struct {
	Fields  []web.Field
	Errors  []web.FieldError
	For     string
	Changed bool // sent from a page that was shown to somebody else
	Acting  bool // somebody acts for the taxpayer
	Kept    bool // what is in the fields was sent before the person signed in again
}

func (s *Site) showReturnForm(c echo.Context, session *rp.Session, t typedFigures, wrong map[string]string, v returnFormView) {
	v.For, v.Acting = session.Mark(toFile), session.Actor() != ""
	for _, field := range amountFields() {
		f := web.Field{
			ID: field.id, Label: s.web.Text(c.Request(), "return."+field.id), Hint: s.web.Text(c.Request(), "return."+field.id+".hint"),
			Value: t[field.id], Inputmode: "numeric", Autocomplete: "off", Mark: "optional",
		}
		if field.required {
			f.Mark = "required"
		}
		if key := wrong[field.id]; key != "" {
			f.Error = s.web.Text(c.Request(), "return."+field.id+"."+key)
			v.Errors = append(v.Errors, web.FieldError{Field: field.id, Text: f.Error})
		}
		v.Fields = append(v.Fields, f)
	}
	status, reason := http.StatusOK, ""
	switch {
	case v.Changed:
		status, reason = http.StatusUnprocessableEntity, PersonChanged.String()
	case len(v.Errors) > 0:
		status, reason = http.StatusUnprocessableEntity, InputMissing.String()
	}
	s.web.Render(c.Response(), c.Request(), status, web.Page{
		Name: "return-form", Title: "return.form.title", Error: reason, SignedIn: true, OpenForm: true, Data: v,
		Crumbs: []web.Crumb{{Key: "home.title", Href: "/home"}, {Key: "return.form.title"}},
	})
}

// filer returns the session and the account of somebody who may file: signed in at the hub, and tied. Without an account there is nothing
// to answer any more.
func (s *Site) filer(c echo.Context) (*rp.Session, Number, error) {
	session, err := s.person(c)
	if err != nil {
		return nil, "", err
	}
	if s.rules == nil {
		return nil, "", &Error{Reason: ReturnUnknown}
	}
	b, err := s.standing(c.Request().Context(), session)
	if err != nil {
		return nil, "", err
	}
	if b == nil {
		return nil, "", c.Redirect(http.StatusSeeOther, "/bind")
	}
	return session, b.number, nil
}

// getReturnForm asks for the figures: those of the draft, if there is one, or those that were sent when the session had ended.
func (s *Site) getReturnForm(c echo.Context) error {
	session, n, err := s.filer(c)
	if err != nil || n == "" {
		return err
	}
	if kept, err := s.keptForm(c, session); err != nil {
		return err
	} else if kept != nil {
		s.showReturnForm(c, session, kept, nil, returnFormView{Kept: true})
		return nil
	}
	t := typedFigures{}
	draft, err := findDraft(c.Request().Context(), s.db, n)
	if err != nil {
		return err
	}
	if r, err := s.open(draft); err != nil {
		return err
	} else if r != nil {
		t = typed(r.figures)
	}
	s.showReturnForm(c, session, t, nil, returnFormView{})
	return nil
}

// postReturnForm makes the draft. What somebody sends whose session has ended waits for the next one.
func (s *Site) postReturnForm(c echo.Context) error {
	t := typedFigures{}
	for _, field := range amountFields() {
		t[field.id] = clip(c.FormValue(field.id))
	}
	if _, err := s.person(c); err != nil {
		if e, ok := errors.AsType[*rp.Error](err); ok && e.Reason == rp.SignedOut {
			return s.keepForm(c, t)
		}
		return err
	}
	session, n, err := s.filer(c)
	if err != nil || n == "" {
		return err
	}
	if !session.Marked(toFile, c.FormValue(fieldFor)) {
		// What was typed is somebody else's.
		s.showReturnForm(c, session, typedFigures{}, nil, returnFormView{Changed: true})
		return nil
	}
	f, wrong := t.parse()
	if len(wrong) > 0 {
		s.showReturnForm(c, session, t, wrong, returnFormView{})
		return nil
	}
	id, err := s.draft(c.Request().Context(), n, f, session.Actor())
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/returns/"+id)
}

// keptForms bounds what requests that prove nothing can have stored in a minute, and how long it waits for a sign-in.
var keptForms = ratelimit.Rule{Name: "etax-kept", Limit: 600, Window: time.Minute}

const keptLife = time.Hour

// keptFigures are what was typed, and whom the form was shown to.
type keptFigures struct {
	For   string       `json:"for"`
	Typed typedFigures `json:"typed"`
}

// keepForm keeps what was typed, sealed, and goes to the page that asks for it again, which sends whoever is not signed in to do so.
// Only the person whom the form was shown to sees it there.
func (s *Site) keepForm(c echo.Context, t typedFigures) error {
	ctx := c.Request().Context()
	ok, _, err := s.limiter.Allow(ctx, keptForms, "all")
	if err != nil {
		return err
	}
	owner := c.FormValue(fieldFor)
	if !ok || len(owner) > 100 {
		return c.Redirect(http.StatusSeeOther, pathReturn)
	}
	b, err := json.Marshal(keptFigures{owner, t})
	if err != nil {
		return err
	}
	key := rand.Text()
	if err := s.store.Create(ctx, "kept:1:"+key, []byte(s.party.Seal("kept\x00"+key, rp.NewSecret(string(b)))), keptLife); err != nil {
		return fmt.Errorf("keep form: %w", err)
	}
	return c.Redirect(http.StatusSeeOther, pathReturn+"?kept="+key)
}

// keptForm returns what this person typed before the session ended, or nil. Looking does not spend it: a page may be loaded again.
func (s *Site) keptForm(c echo.Context, session *rp.Session) (typedFigures, error) {
	key := c.QueryParam("kept")
	if len(key) != len(rand.Text()) {
		return nil, nil
	}
	return s.openKept(c.Request().Context(), session, key)
}

func (s *Site) openKept(ctx context.Context, session *rp.Session, key string) (typedFigures, error) {
	rec, err := s.store.Get(ctx, "kept:1:"+key)
	if errors.Is(err, ephemeral.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read kept form: %w", err)
	}
	plain, err := s.party.Open("kept\x00"+key, string(rec.Value))
	if err != nil {
		return nil, err
	}
	var k keptFigures
	if err := json.Unmarshal([]byte(plain.Reveal()), &k); err != nil {
		return nil, fmt.Errorf("decode kept form: %w", err)
	}
	if !session.Marked(toFile, k.For) {
		return nil, nil
	}
	return k.Typed, nil
}
