package agent

import (
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/cardauth/ades"
	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// signView is the data of sign.html.
type signView struct {
	pinView
	Document   string // name; empty: only who she is, is shown to the hub
	Attributes bool   // and kept there
	Facts      []web.Description
}

// getSign shows who asks for a signature, over what, and takes the password.
func (a *Agent) getSign(c echo.Context) error {
	q, err := decodeQuery(c.Request(), "request")
	if err != nil {
		return a.showProblem(c, nil, "", err)
	}
	req, err := a.prepareSigning(c.Request().Context(), q.challenge)
	if err != nil {
		var known *request
		if from, errFind := findSignature(a.hubs, q.challenge); errFind == nil {
			known = &request{from: from}
		}
		return a.showProblem(c, known, q.card, err)
	}
	return a.showAsk(c, req, ask{card: q.card})
}

// showAsk shows the page that takes what the request needs: the PIN, or the signing password.
func (a *Agent) showAsk(c echo.Context, req *request, q ask) error {
	if req.from.signing {
		return a.showPassword(c, req, q)
	}
	return a.showPIN(c, req, q)
}

// showPassword shows what is signed and asks for the password, or what stands in its way.
func (a *Agent) showPassword(c echo.Context, req *request, q ask) error {
	all, err := a.cards.look(c.Request().Context(), true)
	if err != nil {
		return a.showFailedLook(c, req, q.card, err)
	}
	chosen := pick(all, q.card)
	if only := len(all) == 1; only || q.card != "" {
		switch {
		case chosen.err != nil && only:
			return a.showFailedLook(c, req, q.card, chosen.err)
		case chosen.err == nil && chosen.left == 0:
			return a.showFailedLook(c, req, q.card, &jpki.Error{Reason: jpki.PasswordBlocked})
		case chosen.err == nil && chosen.left == 1 && q.lastTry != chosen.Name:
			return a.showLastTry(c, req, chosen, false)
		}
	}
	v := a.signView(c.Request(), req)
	v.Token, v.Card, v.Left = a.pages.open(req, q.lastTry), chosen.Name, int(chosen.left)
	v.LastTry = q.lastTry == chosen.Name && q.lastTry != ""
	if a.demo || len(all) > 1 {
		v.Options = a.options(c.Request(), all, chosen.Name)
	}
	page := web.Page{Name: "sign", Title: v.title(), TitleArgs: []string{"service", v.Service}, OpenForm: true}
	status := http.StatusOK
	if q.problem != nil {
		p := problemOf(q.problem)
		v.Malformed, v.Wrong = p.word == jpki.PasswordMalformed.String(), p.word == jpki.WrongPassword.String()
		status, page.Error, v.Code = p.status, p.word, codeOf(p.word)
		page.Title, page.TitleArgs = "problem."+p.word+".title", p.args
	}
	page.Data = v
	a.site.Render(c.Response(), c.Request(), status, page)
	return nil
}

// signView is what the request says.
func (a *Agent) signView(r *http.Request, req *request) signView {
	v := signView{pinView: pinView{
		Service: req.challenge.clientName, Domain: req.challenge.redirectHost, Hub: a.hubLabel(r, req.from.hub), Apart: a.asker != nil,
	}}
	v.Attributes = req.challenge.purpose == ades.PurposeAttributes
	d := req.challenge.document
	if d == nil {
		return v
	}
	fact := func(key, value string) {
		v.Facts = append(v.Facts, web.Description{Term: a.site.Text(r, key), Values: []string{value}})
	}
	v.Document = d.Name
	fact("sign.name", d.Name)
	if d.MediaType != "" {
		fact("sign.kind", d.MediaType)
	}
	if d.Size > 0 {
		fact("sign.size", a.site.Text(r, "sign.bytes", "n", strconv.FormatInt(d.Size, 10)))
	}
	fact("sign.digest", d.Groups())
	return v
}

func (v signView) title() string {
	switch {
	case v.Document != "":
		return "sign.title"
	case v.Attributes:
		return "attributes.title"
	}
	return "relink.title"
}
