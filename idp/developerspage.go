package idp

import (
	"encoding/json"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/internal/web"
)

// developersView is what the makers of services read without signing in: what they get, how to begin, and this hub's own addresses, as its
// discovery document has them.
type developersView struct {
	Issuer, Discovery, Register string // Register is empty where nobody registers by itself
	Endpoints                   []web.Term
	Levels                      []string // values of acr
}

func (p *Provider) getDevelopers(c echo.Context) error {
	var m metadata
	if err := json.Unmarshal(p.discovery.body, &m); err != nil {
		return err
	}
	v := developersView{Issuer: m.Issuer, Discovery: m.Issuer + "/.well-known/openid-configuration", Register: m.Registration}
	for _, e := range []web.Term{
		{Name: "authorization_endpoint", Value: m.Authorization}, {Name: "pushed_authorization_request_endpoint", Value: m.PAR},
		{Name: "token_endpoint", Value: m.Token}, {Name: "userinfo_endpoint", Value: m.Userinfo}, {Name: "jwks_uri", Value: m.JWKS},
		{Name: "end_session_endpoint", Value: m.EndSession}, {Name: "registration_endpoint", Value: m.Registration},
	} {
		if e.Value != "" {
			v.Endpoints = append(v.Endpoints, e)
		}
	}
	v.Levels = m.ACR
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: "developers", Title: "developers.title", Data: v})
	return nil
}
