package agency

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/internal/web"
)

const toAsk = "agency ask"

// deskView is what desk.html shows.
type deskView struct {
	Receives, Holds bool
	Cases           []caseLine
	Answered        []provisionLine
}

// caseLine is an application in the list.
type caseLine struct {
	ID, Receipt, State, Chip string // State is the end of a message key
	Made                     time.Time
}

// provisionLine is an answer to another office.
type provisionLine struct {
	Requester, Item, Exchange, Result, Chip, Told, ToldChip string // Result and Told are ends of message keys
	Hidden                                                  bool
	Made                                                    time.Time
}

// getDesk lists what there is to work on, and what was answered.
func (o *Office) getDesk(c echo.Context) error {
	if _, err := o.staff(c); err != nil {
		return err
	}
	ctx := c.Request().Context()
	view := deskView{Receives: o.config.receives(), Holds: o.config.holds()}
	var err error
	if view.Receives {
		if view.Cases, err = o.caseLines(ctx); err != nil {
			return err
		}
	}
	if view.Holds {
		if view.Answered, err = o.provisionLines(ctx); err != nil {
			return err
		}
	}
	o.web.Render(c.Response(), c.Request(), http.StatusOK, web.Page{
		Name: "desk", Title: "desk.title", SignedIn: true, OpenForm: true, Data: view,
	})
	return nil
}

func (o *Office) caseLines(ctx context.Context) ([]caseLine, error) {
	all, err := o.applications(ctx)
	if err != nil {
		return nil, err
	}
	open, err := countOpen(ctx, o.db)
	if err != nil {
		return nil, err
	}
	var lines []caseLine
	for _, a := range all {
		l := caseLine{ID: a.id, Receipt: a.receipt, Made: a.made, State: "new", Chip: "info"}
		switch n := open[a.id]; {
		case n[refused] > 0:
			l.State, l.Chip = "refused", "error"
		case n[waiting] > 0:
			l.State, l.Chip = "waiting", "warn"
		case n[answered] > 0:
			l.State, l.Chip = "answered", "ok"
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// caseView is what case.html shows.
type caseView struct {
	ID, For, Receipt, Children string
	Own                        bool // it is the clerk's own, who must not work on it
	Made, Youngest             time.Time
	Inquiries                  []inquiryLine
}

// inquiryLine is one thing that may be asked about a case, and how that stands.
type inquiryLine struct {
	Item, Name, From  string
	State             string // "" not asked; waiting, answered, refused
	Chip              string
	Why               string // refused or waiting: the end of a message key
	Result            string // answered
	Category          string // provided: the end of a message key
	Since, AsOf       time.Time
	Asked, Settled    time.Time
	Hidden            bool // the citizen must not read of it
	Exchange, Purpose string
}

func (o *Office) getCase(c echo.Context) error {
	session, err := o.staff(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	a, err := o.application(ctx, "id", c.Param("id"))
	if err != nil {
		return err
	}
	if a == nil {
		return &Error{Reason: CaseUnknown}
	}
	view := caseView{
		ID: a.id, For: session.Mark(toAsk), Receipt: a.receipt, Children: strconv.Itoa(a.Children), Own: a.sub == session.Subject(),
		Made: a.made, Youngest: a.Youngest.time(),
	}
	if !view.Own { // an answer may be one that the law keeps from her
		if view.Inquiries, err = o.inquiryLines(ctx, a.id, o.web.Lang(c.Request())); err != nil {
			return err
		}
	}
	o.web.Render(c.Response(), c.Request(), http.StatusOK, web.Page{
		Name: "case", Title: "case.title", TitleArgs: []string{"receipt", a.receipt}, SignedIn: true, OpenForm: true, Data: view,
		Crumbs: []web.Crumb{{Key: "desk.title", Href: "/desk"}, {Key: "case.crumb"}},
	})
	return nil
}

func (o *Office) inquiryLines(ctx context.Context, caseID, lang string) ([]inquiryLine, error) {
	asked, err := listInquiries(ctx, o.db, caseID)
	if err != nil {
		return nil, err
	}
	var lines []inquiryLine
	for _, q := range o.config.Inquiries {
		l := inquiryLine{Item: q.Item, Name: q.Name.in(lang), From: q.From.in(lang), Purpose: q.Purpose}
		if i := asked[q.Item]; i != nil {
			answer, err := o.answerOf(i)
			if err != nil {
				return nil, err
			}
			l.fill(i, answer)
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// fill adds how the inquiry stands.
func (l *inquiryLine) fill(i *inquiry, answer *itemAnswer) {
	l.State, l.Why, l.Asked, l.Settled, l.Exchange = string(i.state), whyKey(i.reason), i.asked, i.settled, i.exchange
	switch i.state {
	case waiting:
		l.Chip = "warn"
	case refused:
		l.Chip = "error"
	case answered:
		l.Chip, l.Result = "ok", string(i.result)
		if answer == nil {
			return
		}
		l.Hidden, l.AsOf = answer.Nondisclosure != 0, answer.AsOf.time()
		if answer.Content != nil {
			l.Category, l.Since = strconv.Itoa(answer.Content.Category), answer.Content.Since.time()
		}
	}
}

// whyKey is the reason if there are words for it. What the hub may call its refusals one day is told as such.
func whyKey(reason string) string {
	switch reason {
	case "", hubSilent, officeSilent, officeRefused, answerUnreadable, itemUnknown,
		"not_an_agency", "subject_token", "no_basis", "basis_not_in_force", "basis_expired", "wrong_purpose", "wrong_provider", "wrong_item", "unknown_subject":
		return reason
	}
	return "hub_refused"
}

// postInquiry asks another office. Sent twice it asks once.
func (o *Office) postInquiry(c echo.Context) error {
	session, err := o.staff(c)
	if err != nil {
		return err
	}
	if _, err := o.sender(c, toAsk); err != nil {
		return err
	}
	ctx := c.Request().Context()
	a, err := o.application(ctx, "id", c.Param("id"))
	if err != nil {
		return err
	}
	if _, ok := o.inquiryOf(c.FormValue("item")); a == nil || !ok {
		return &Error{Reason: CaseUnknown}
	}
	if a.sub == session.Subject() {
		return &Error{Reason: OwnCase}
	}
	if err := o.askNow(ctx, a.id, c.FormValue("item"), session.Subject()); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/desk/cases/"+a.id)
}
