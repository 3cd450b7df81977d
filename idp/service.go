package idp

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
)

// standing is what a client is told of itself.
type standing struct {
	Client  clients.ID      `json:"client_id"`
	Name    string          `json:"client_name"`
	NameEN  string          `json:"client_name#en,omitempty"`
	Profile clients.Profile `json:"profile"`
	Status  string          `json:"status"`
	Scope   string          `json:"scope"` // as registered
}

// getService answers a client about itself. It wants a token that the client got with its own credentials: one that speaks for a citizen
// will not do, whatever its scopes.
func (p *Provider) getService(c echo.Context) error {
	ctx, r := c.Request().Context(), c.Request()
	g, err := p.bearerFor(ctx, r, demand{scope: clients.ScopeService, service: true})
	if err != nil {
		return p.answerBearer(c.Response(), r, err)
	}
	client, err := p.client(ctx, g.Client)
	if err != nil {
		return err
	}
	writeJSON(c.Response(), r, http.StatusOK, standing{
		Client: client.ID(), Name: client.Name("ja"), NameEN: client.Name("en"), Profile: client.Profile(), Status: "active", Scope: scopeText(client.Scopes()),
	})
	return nil
}
