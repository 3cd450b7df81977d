package idp

import (
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// choosePath is the page that asks for whom a citizen signs in.
const choosePath = "/represent"

// choosing returns the login that waits for the answer, or has gone on from where it is.
func (p *Provider) choosing(c echo.Context, id string) (*transaction, *session, capacity, error) {
	var none capacity
	tx, err := p.ownTransaction(c, id)
	if err != nil {
		return nil, nil, none, err
	}
	s, _, step, err := p.where(c, tx)
	if err != nil {
		return nil, nil, none, err
	}
	if step != StepChoose || s == nil {
		return nil, nil, none, p.advance(c, tx)
	}
	ctx := c.Request().Context()
	client, err := p.client(ctx, tx.Request.Client)
	if err != nil {
		return nil, nil, none, err
	}
	who, err := p.capacity(ctx, tx, s, client)
	return tx, s, who, err
}

// getChoose asks for whom.
func (p *Provider) getChoose(c echo.Context) error {
	tx, _, who, err := p.choosing(c, c.QueryParam("tx"))
	if err != nil || tx == nil {
		return err
	}
	service, err := p.serviceOf(c, tx)
	if err != nil {
		return err
	}
	v := chooseView{Tx: tx.ID, Service: service, Ended: tx.Chooser != ""}
	for _, m := range who.Options {
		name, err := p.mandateText(m, mandateName)
		if err != nil {
			return err
		}
		v.Options = append(v.Options, chooseOption{ID: string(m.ID), Name: name, Until: m.Until})
	}
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{
		Name: "represent", Title: "represent.title", TitleArgs: []string{"service", service.Name}, OpenForm: true, Data: v,
	})
	return nil
}

// postChoose takes the answer.
func (p *Provider) postChoose(c echo.Context) error {
	tx, s, who, err := p.choosing(c, c.FormValue("tx"))
	if err != nil || tx == nil {
		return err
	}
	chosen := federation.MandateID(c.FormValue("who"))
	switch {
	case chosen == "self":
		chosen = ""
	case !slices.ContainsFunc(who.Options, func(m federation.Mandate) bool { return m.ID == chosen }):
		return &Error{Reason: BadRequest, Detail: "nobody whom the citizen may act for here"}
	}
	tx.Acting, tx.Chooser = chosen, s.ID
	if err := p.transactions.save(c.Request().Context(), tx); err != nil {
		return err
	}
	return p.advance(c, tx)
}
