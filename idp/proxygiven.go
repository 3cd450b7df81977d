package idp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// The pages on which a citizen names representatives.
const (
	givenPath    = "/account/representatives"
	givenNewPath = givenPath + "/new"
)

// inviteLife is how long an invitation waits, from its making until the mandate is in force.
const inviteLife = 7 * 24 * time.Hour

// DefaultMandateMonths is how long a mandate may last where nothing else is configured.
const DefaultMandateMonths = 12

const (
	maxMandateText = 40 // characters of a name or a note
	shownUses      = 10 // of each mandate
)

// mandateMonths are the periods that can be chosen.
func (p *Provider) mandateMonths() []int {
	return slices.DeleteFunc([]int{1, 3, 6, 12, 24, 36}, func(n int) bool { return n > p.maxMonths })
}

// mandateField is which of a mandate's two sealed texts.
type mandateField string

const (
	mandateName mandateField = "name" // what the representative reads of the principal
	mandateNote mandateField = "note" // whom the principal meant, for her own list
)

func mandatePlace(id federation.MandateID, field mandateField) []byte {
	return []byte("mandate\x00" + string(id) + "\x00" + string(field))
}

func (p *Provider) mandateText(m federation.Mandate, field mandateField) (string, error) {
	sealed := m.Name
	if field == mandateNote {
		sealed = m.Note
	}
	plain, err := p.sealer.Open(sealed, mandatePlace(m.ID, field))
	if err != nil {
		return "", fmt.Errorf("mandate: %w", err)
	}
	return string(plain), nil
}

// getGiven lists the mandates of a citizen.
func (p *Provider) getGiven(c echo.Context) error {
	s, err := p.ownPage(c, givenPath)
	if err != nil || s == nil {
		return err
	}
	all, err := p.mandates.Given(c.Request().Context(), s.Account)
	if err != nil {
		return err
	}
	var v givenView
	for _, m := range all {
		one, err := p.viewOfMandate(c, m, mandateNote)
		if err != nil {
			return err
		}
		if m.State == federation.MandateEnded {
			v.Old = append(v.Old, one)
		} else {
			v.Live = append(v.Live, one)
		}
	}
	switch done := c.QueryParam("done"); done { // only these words become part of the page
	case "ended", "confirmed", "made":
		v.Done = done
	}
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: "representatives", Title: "given.title", SignedIn: true, Data: v})
	return nil
}

// viewOfMandate is what either party sees.
func (p *Provider) viewOfMandate(c echo.Context, m federation.Mandate, field mandateField) (mandateView, error) {
	ctx, lang := c.Request().Context(), p.site.Lang(c.Request())
	v := mandateView{ID: string(m.ID), State: string(m.State), Since: m.Since, Until: m.Until, AnswerBy: m.AnswerBy, Number: m.Number}
	var err error
	if v.Name, err = p.mandateText(m, field); err != nil {
		return v, err
	}
	for _, id := range m.Services {
		name, _, err := p.displayName(ctx, id, lang)
		if err != nil {
			return v, err
		}
		v.Services = append(v.Services, name)
	}
	moves, err := p.mandates.History(ctx, m.ID)
	if err != nil {
		return v, err
	}
	for _, move := range moves {
		v.History = append(v.History, mandateMoveView{To: string(move.To), By: string(move.By), Why: string(move.Why), At: move.At})
	}
	uses, err := p.mandates.Uses(ctx, m.ID, shownUses)
	if err != nil {
		return v, err
	}
	for _, u := range uses {
		name, _, err := p.displayName(ctx, u.Client, lang)
		if err != nil {
			return v, err
		}
		v.Uses = append(v.Uses, mandateUseView{Service: name, At: u.At})
	}
	return v, nil
}

// delegable are the services of a citizen at which she can be represented.
func (p *Provider) delegable(ctx context.Context, id federation.AccountID) ([]*clients.Client, error) {
	list, err := p.accounts.consents(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read consents: %w", err)
	}
	var out []*clients.Client
	for _, con := range list {
		c, err := p.clients.Get(ctx, con.Client)
		if errors.Is(err, clients.ErrUnknown) || errors.Is(err, clients.ErrSuspended) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read client: %w", err)
		}
		if c.AcceptsRepresentatives() {
			out = append(out, c)
		}
	}
	return out, nil
}

func (p *Provider) getGivenNew(c echo.Context) error {
	s, err := p.cardPage(c, givenNewPath)
	if err != nil || s == nil {
		return err
	}
	return p.showGivenNew(c, s, givenNewView{ID: newID(), Months: min(3, p.maxMonths)})
}

func (p *Provider) showGivenNew(c echo.Context, s *session, v givenNewView) error {
	list, err := p.delegable(c.Request().Context(), s.Account)
	if err != nil {
		return err
	}
	for _, cl := range list {
		v.Services = append(v.Services, delegableView{
			ID: string(cl.ID()), Name: cl.Name(p.site.Lang(c.Request())), Operator: cl.Operator(), Chosen: slices.Contains(v.chosen, cl.ID()),
		})
	}
	v.Most = maxMandateText
	for _, n := range p.mandateMonths() {
		v.Periods = append(v.Periods, web.Option{
			Value: strconv.Itoa(n), Label: p.site.Text(c.Request(), "given.months", "months", strconv.Itoa(n)), Selected: n == v.Months,
		})
	}
	page := web.Page{Name: "representative-new", Title: "given.new.title", SignedIn: true, Data: v}
	status := http.StatusOK
	if len(v.Problems) > 0 {
		page.Error, status = "mandate_form", http.StatusUnprocessableEntity
	}
	p.site.Render(c.Response(), c.Request(), status, page)
	return nil
}

// postGivenNew makes an invitation and shows its code, once: what is kept is a digest.
func (p *Provider) postGivenNew(c echo.Context) error {
	ctx := c.Request().Context()
	form, err := readForm(c.Request())
	if err != nil {
		return &Error{Reason: BadRequest, Detail: "representative", Err: err}
	}
	s, err := p.cardPage(c, givenNewPath)
	if err != nil || s == nil {
		return err
	}
	v, err := p.parseGiven(c, s, form)
	if err != nil {
		return err
	}
	if len(v.Problems) > 0 {
		return p.showGivenNew(c, s, v)
	}
	code, id := newInviteCode(), federation.MandateID(v.ID)
	now := p.now()
	until := periodEnd(now, v.Months)
	err = p.mandates.Offer(ctx, federation.Invitation{
		ID: id, Principal: s.Account, Services: v.chosen, Code: p.codeDigest(code), AnswerBy: now.Add(inviteLife), Until: until,
		Name: p.sealer.Seal([]byte(v.Name), mandatePlace(id, mandateName)), Note: p.sealer.Seal([]byte(v.Note), mandatePlace(id, mandateNote)),
	})
	var own *federation.Error
	switch {
	case sqldb.IsUnique(err): // the button was pressed twice, and the first code was shown
		return c.Redirect(http.StatusSeeOther, givenPath+"?done=made")
	case errors.As(err, &own) && own.Reason == federation.MandateTooMany:
		v.Problems = []web.FieldError{{Field: "name", Text: p.site.Text(c.Request(), "given.problem.many")}}
		return p.showGivenNew(c, s, v)
	case err != nil:
		return err
	}
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{
		Name: "representative-code", Title: "given.code.title", SignedIn: true,
		Data: inviteView{Code: code.String(), AnswerBy: now.Add(inviteLife), Note: v.Note, Issuer: p.issuer, Path: heldPath},
	})
	return nil
}

// codeDigest is keyed: the code is short.
func (p *Provider) codeDigest(code inviteCode) []byte {
	d := p.digest("mandate code", []byte(code))
	return d[:]
}

var japan = time.FixedZone("JST", 9*60*60)

// periodEnd is the last second of the day in Japan that is some months after a time, or of the last day of that month if it has no such day
// (Civil Code of Japan, article 143).
func periodEnd(from time.Time, months int) time.Time {
	y, m, d := from.In(japan).Date()
	last := time.Date(y, m+time.Month(months)+1, 0, 0, 0, 0, 0, japan).Day()
	return time.Date(y, m+time.Month(months), min(d, last), 23, 59, 59, 0, japan)
}

// parseGiven reads the form; what is wrong with it is in Problems.
func (p *Provider) parseGiven(c echo.Context, s *session, form map[string][]string) (givenNewView, error) {
	get := func(name string) string {
		if len(form[name]) != 1 {
			return ""
		}
		return form[name][0]
	}
	v := givenNewView{ID: get("id")}
	if !wellFormedID(v.ID) {
		return v, &Error{Reason: BadRequest, Detail: "mandate id malformed"}
	}
	wrong := func(field, word string) {
		v.Problems = append(v.Problems, web.FieldError{Field: field, Text: p.site.Text(c.Request(), "given.problem."+field+"."+word)})
	}
	for _, f := range []struct {
		name string
		into *string
	}{{"name", &v.Name}, {"note", &v.Note}} {
		value, problem := parseAttribute(attributeRule{parse: text(maxMandateText)}, get(f.name), time.Time{})
		if problem == "" && value == "" {
			problem = problemEmpty
		}
		if *f.into = value; problem != "" {
			*f.into = get(f.name)
			wrong(f.name, string(problem))
		}
	}
	list, err := p.delegable(c.Request().Context(), s.Account)
	if err != nil {
		return v, err
	}
	for _, cl := range list { // what is not among them is nobody's to give
		if slices.Contains(form["service"], string(cl.ID())) && len(v.chosen) < maxDelegated {
			v.chosen = append(v.chosen, cl.ID())
		}
	}
	if len(v.chosen) == 0 {
		wrong("service", "empty")
	}
	months, err := strconv.Atoi(get("months"))
	if err != nil || !slices.Contains(p.mandateMonths(), months) {
		wrong("months", "empty")
	}
	v.Months = months
	return v, nil
}

// maxDelegated bounds the services of one mandate.
const maxDelegated = 50

// givenOne returns the session and the mandate of the address, which the person of the session gave, or has answered.
func (p *Provider) givenOne(c echo.Context, s *session) (federation.Mandate, error) {
	m, err := p.mandates.Of(c.Request().Context(), federation.MandateID(c.Param("id")), s.Account)
	if mandateUnknown(err) || err == nil && m.Principal != s.Account {
		return m, &Error{Reason: NotFound, Detail: "no such mandate of this person"}
	}
	return m, err
}

// getGivenConfirm asks for the number that the representative was shown.
func (p *Provider) getGivenConfirm(c echo.Context) error {
	s, err := p.cardPage(c, givenPath+"/"+c.Param("id")+"/confirm")
	if err != nil || s == nil {
		return err
	}
	m, err := p.givenOne(c, s)
	if err != nil {
		return err
	}
	return p.showConfirm(c, m, "", "")
}

func (p *Provider) showConfirm(c echo.Context, m federation.Mandate, value, problem string) error {
	if m.State != federation.MandateAccepted {
		return c.Redirect(http.StatusSeeOther, givenPath)
	}
	one, err := p.viewOfMandate(c, m, mandateNote)
	if err != nil {
		return err
	}
	page := web.Page{Name: "representative-confirm", Title: "given.confirm.title", SignedIn: true, Data: confirmMandateView{Mandate: one, Value: value, Problem: problem}}
	status := http.StatusOK
	if problem != "" {
		page.Error, status = "mandate_number", http.StatusUnprocessableEntity
	}
	p.site.Render(c.Response(), c.Request(), status, page)
	return nil
}

// postGivenConfirm brings the mandate into force, if the right person accepted: the number is asked of her, and shown to nobody else.
func (p *Provider) postGivenConfirm(c echo.Context) error {
	s, err := p.cardPage(c, givenPath+"/"+c.Param("id")+"/confirm")
	if err != nil || s == nil {
		return err
	}
	m, err := p.givenOne(c, s)
	if err != nil {
		return err
	}
	number, ok := parseMatchNumber(c.FormValue("number"))
	if !ok {
		return p.showConfirm(c, m, clipText(c.FormValue("number")), "malformed")
	}
	m, err = p.mandates.Confirm(c.Request().Context(), m.ID, s.Account, number)
	var own *federation.Error
	switch {
	case errors.As(err, &own) && own.Reason == federation.MandateNumber:
		return p.showConfirm(c, m, number, "wrong")
	case errors.As(err, &own) && (own.Reason == federation.MoveForbidden || own.Reason == federation.MandateUnknown):
		return c.Redirect(http.StatusSeeOther, givenPath)
	case err != nil:
		return err
	}
	return c.Redirect(http.StatusSeeOther, givenPath+"?done=confirmed")
}

// clipText keeps what is shown back short.
func clipText(s string) string {
	if len(s) > maxUserCodeText {
		return ""
	}
	return s
}

func (p *Provider) getGivenEnd(c echo.Context) error {
	s, err := p.ownPage(c, givenPath)
	if err != nil || s == nil {
		return err
	}
	m, err := p.givenOne(c, s)
	if err != nil {
		return err
	}
	return p.askEnd(c, m, mandateNote, givenPath)
}

// postGivenEnd ends a mandate. Any session of the person may do so: less is never worse.
func (p *Provider) postGivenEnd(c echo.Context) error {
	s, err := p.ownPage(c, givenPath)
	if err != nil || s == nil {
		return err
	}
	m, err := p.givenOne(c, s)
	if err != nil {
		return err
	}
	if err := p.endMandate(c.Request().Context(), m.ID, s.Account); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, givenPath+"?done=ended")
}

// askEnd asks either party before a mandate ends.
func (p *Provider) askEnd(c echo.Context, m federation.Mandate, field mandateField, list string) error {
	if m.State == federation.MandateEnded {
		return c.Redirect(http.StatusSeeOther, list)
	}
	one, err := p.viewOfMandate(c, m, field)
	if err != nil {
		return err
	}
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{
		Name: "representative-end", Title: "mandate.end.title", SignedIn: true, Data: mandateEndView{Mandate: one, List: list, Mine: field == mandateNote},
	})
	return nil
}
