package agent

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// pinView is the data of login.html.
type pinView struct {
	Token     string
	Service   string
	Domain    string
	Hub       string
	Watch     bool   // the login ends when the card is taken out
	Remote    bool   // the login is made on another device
	Level     string // message key; empty shows ACR itself
	ACR       string
	Card      string
	Options   []web.Option // empty: there is only Card
	Left      int
	LastTry   bool
	Wrong     bool   // the last PIN was wrong
	Malformed bool   // what was typed is not four digits
	Apart     bool   // the PIN is asked for outside the page
	Code      string // trouble code; empty: none
}

// lastTryView is the data of last-try.html.
type lastTryView struct {
	Token, Card, Label string
	Wrong              bool
	Signing            bool   // of the signing password, not of the PIN
	OtherURL           string // to choose another card; empty: there is none
	Code               string // trouble code; empty: none
}

// problemView is the data of problem.html.
type problemView struct {
	Word             string
	Args             []string
	Calm             bool // not an error: the citizen stopped
	Steps            bool // show reader, card, PIN with the place where it stopped
	ReaderMissing    bool
	MainURL, MainKey string // the main button: address and message
	LineURL, LineKey string // the other one
	Host             string // of the hub a button leads to
	Code             string // trouble code
}

// ask is what a PIN page is opened for.
type ask struct {
	card    string // chosen before; empty: the first
	lastTry string // the card whose last try was confirmed
	problem error  // WrongPIN or PINMalformed: why it is asked again
}

// showPIN shows the PIN page, or what stands in its way: no card, no tries, or the last try.
func (a *Agent) showPIN(c echo.Context, req *request, q ask) error {
	ctx := c.Request().Context()
	all, err := a.cards.look(ctx, false)
	if err != nil {
		return a.showFailedLook(c, req, q.card, err)
	}
	chosen := pick(all, q.card)
	if only := len(all) == 1; only || q.card != "" {
		switch {
		case chosen.err != nil && only:
			return a.showFailedLook(c, req, q.card, chosen.err)
		case chosen.err == nil && chosen.left == 0 && only:
			return a.showFailedLook(c, req, q.card, &jpki.Error{Reason: jpki.PINBlocked})
		case chosen.err == nil && chosen.left == 1 && q.lastTry != chosen.Name:
			return a.showLastTry(c, req, chosen, false)
		}
	}
	v := pinView{
		Token: a.pages.open(req, q.lastTry), Service: req.challenge.clientName, Domain: req.challenge.redirectHost,
		Hub: a.hubLabel(c.Request(), req.from.hub), ACR: req.challenge.acr, Level: level(req.challenge.acr), Remote: req.challenge.remote(),
		Watch: a.watches(req.challenge),
		Apart: a.asker != nil,
		Card:  chosen.Name, Left: int(chosen.left), LastTry: q.lastTry == chosen.Name && q.lastTry != "",
	}
	if a.demo || len(all) > 1 {
		v.Options = a.options(c.Request(), all, chosen.Name)
	}
	page := web.Page{Name: "login", Title: "login.title", TitleArgs: []string{"service", v.Service}, OpenForm: true}
	status := http.StatusOK
	if q.problem != nil {
		p := problemOf(q.problem)
		v.Malformed, v.Wrong = p.word == jpki.PINMalformed.String(), p.word == jpki.WrongPIN.String()
		status, page.Error, v.Code = p.status, p.word, codeOf(p.word)
		page.Title, page.TitleArgs = "problem."+p.word+".title", p.args
	}
	page.Data = v
	a.site.Render(c.Response(), c.Request(), status, page)
	return nil
}

// showFailedLook records and shows that there is no card to ask a PIN for.
func (a *Agent) showFailedLook(c echo.Context, req *request, card string, err error) error {
	a.failed(c.Request().Context(), req, err)
	return a.showProblem(c, req, card, err)
}

// showLastTry asks whether the last try may be spent. wrong says that the one before just was.
func (a *Agent) showLastTry(c echo.Context, req *request, card seen, wrong bool) error {
	v := lastTryView{Token: a.pages.open(req, ""), Card: card.Name, Label: a.label(c.Request(), card.CardChoice), Wrong: wrong, Signing: req.from.signing}
	if a.demo {
		v.OtherURL = req.from.page("")
	}
	page := web.Page{Name: "last-try", Title: "last_try.title", Data: v}
	reason, title := jpki.WrongPIN, "problem.pin_wrong_last.title"
	if v.Signing {
		page.Title, reason, title = "problem.password_last_try.title", jpki.WrongPassword, "problem.password_wrong_last.title"
	}
	status := http.StatusOK
	if wrong {
		p := problemOf(&jpki.Error{Reason: reason, Left: 1})
		v.Code = codeOf(p.word)
		status, page.Error, page.Title, page.Data = p.status, p.word, title, v
	}
	a.site.Render(c.Response(), c.Request(), status, page)
	return nil
}

// showFailure shows why a PIN did not lead to a login.
func (a *Agent) showFailure(c echo.Context, req *request, r result) error {
	if hub, ok := errors.AsType[*Refusal](r.err); ok && hub.ReturnURI != "" {
		return c.Redirect(http.StatusSeeOther, hub.ReturnURI)
	}
	card, ok := errors.AsType[*jpki.Error](r.err)
	if !ok {
		return a.showProblem(c, req, r.card, r.err)
	}
	switch {
	case card.Reason == jpki.LastTry, card.Reason == jpki.LastPasswordTry:
		return a.showLastTry(c, req, a.chosen(c.Request().Context(), r.card), false)
	case (card.Reason == jpki.WrongPIN || card.Reason == jpki.WrongPassword) && card.Left == 1:
		return a.showLastTry(c, req, a.chosen(c.Request().Context(), r.card), true)
	case card.Reason == jpki.WrongPIN, card.Reason == jpki.PINMalformed, card.Reason == jpki.WrongPassword, card.Reason == jpki.PasswordMalformed:
		return a.showAsk(c, req, ask{card: r.card, lastTry: r.lastTry, problem: r.err})
	}
	return a.showProblem(c, req, r.card, r.err)
}

// chosen finds a card's label again; the card may be gone by now.
func (a *Agent) chosen(ctx context.Context, name string) seen {
	choices, err := a.cards.reader.Cards(ctx)
	if err == nil {
		for _, choice := range choices {
			if choice.Name == name {
				return seen{CardChoice: choice}
			}
		}
	}
	return seen{CardChoice: CardChoice{Name: name, LabelJA: name, LabelEN: name}}
}

func (a *Agent) showProblem(c echo.Context, req *request, card string, err error) error {
	a.renderProblem(c.Response(), c.Request(), req, card, err)
	return nil
}

// renderProblem shows an error with the ways on that it leaves.
func (a *Agent) renderProblem(w http.ResponseWriter, r *http.Request, req *request, card string, err error) {
	p := problemOf(err)
	v := problemView{
		Word: p.word, Args: p.args, Code: codeOf(p.word), Calm: p.word == Cancelled.String(),
		Steps: p.ways == placedOrHub, ReaderMissing: p.word == ReaderMissing.String(),
	}
	a.addWays(&v, p.ways, req, card)
	a.site.Render(w, r, p.status, web.Page{
		Name: "problem", Title: "problem." + p.word + ".title", TitleArgs: p.args, Error: p.word, Data: v,
	})
}

func (a *Agent) addWays(v *problemView, w ways, req *request, card string) {
	var again, hub string
	hubKey := "way.hub"
	if req != nil {
		again, hub = req.from.page(card), req.wayBack()
		v.Host = req.from.hub.host
		if req.challenge.back != "" {
			hub, hubKey = req.challenge.back, "way.sign"
		}
	} else if len(a.hubs) == 1 {
		hub, v.Host = a.hubs[0].loginURL(), a.hubs[0].host
	}
	switch w {
	case noWay, wrongPINWays:
		return
	case toStart:
		v.MainURL, v.MainKey = "/", "way.start"
		return
	case toHub:
	case againOrHub:
		v.MainURL, v.MainKey = again, "way.again"
	case otherOrHub:
		if a.demo && req != nil {
			v.MainURL, v.MainKey = req.from.page(""), "way.other_card"
		}
	case placedOrHub:
		v.MainURL, v.MainKey = again, "way.placed"
	}
	if v.MainURL == "" {
		v.MainURL, v.MainKey = hub, hubKey
		return
	}
	v.LineURL, v.LineKey = hub, hubKey
}

// pick is the card of a name, or the first.
func pick(all []seen, name string) seen {
	for _, s := range all {
		if s.Name == name {
			return s
		}
	}
	return all[0]
}

// options lists the cards with their tries beside them.
func (a *Agent) options(r *http.Request, all []seen, chosen string) []web.Option {
	var out []web.Option
	for _, s := range all {
		key := "card.left"
		switch {
		case s.err != nil:
			key = "card.failed"
		case s.left == 0:
			key = "card.locked"
		case s.left == 1:
			key = "card.left_one"
		}
		text := a.site.Text(r, key, "card", a.label(r, s.CardChoice), "left", strconv.Itoa(int(s.left)))
		out = append(out, web.Option{Value: s.Name, Label: text, Selected: s.Name == chosen})
	}
	return out
}

func (a *Agent) label(r *http.Request, c CardChoice) string {
	if a.site.Lang(r) == "ja" {
		return c.LabelJA
	}
	return c.LabelEN
}

// hubLabel names a hub as a citizen knows it, and always where it is.
func (a *Agent) hubLabel(r *http.Request, h *hub) string {
	if h.name == "" {
		return h.host
	}
	return a.site.Text(r, "hub.label", "hub", h.name, "host", h.host)
}

// level is the message for an acr; empty for one we have no words for.
func level(acr string) string {
	switch acr {
	case "phrh":
		return "level.phrh"
	case "phr":
		return "level.phr"
	case acrRemote:
		return "level.remote"
	}
	return ""
}
