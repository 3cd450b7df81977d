package console

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

func (o *Console) mountTokens(e *echo.Echo) {
	e.GET("/registration-tokens", o.page((*visit).getTokens))
	e.GET("/registration-tokens/new", o.page((*visit).getNewToken))
	e.POST("/registration-tokens/new", o.act((*visit).postNewToken))
	e.GET("/registration-tokens/:id/end", o.page((*visit).getEndToken))
	e.POST("/registration-tokens/:id/end", o.act((*visit).postEndToken))
}

// tokensView is what tokens.html shows.
type tokensView struct {
	*visit
	Tokens []adminapi.RegistrationToken
	Next   string
	Ended  bool
}

// Over reports whether nobody can register with a token any more.
func (t tokensView) Over(one adminapi.RegistrationToken) bool {
	return one.Ended || !t.console.now().Before(one.Until)
}

// Words joins the words of a list.
func (t tokensView) Words(all []string) string { return strings.Join(all, " ") }

func (v *visit) getTokens() error {
	var list adminapi.RegistrationTokenList
	if err := v.get(v.echo.Request().Context(), query("/registration-tokens", "after", v.echo.QueryParam("after")), nil, &list); err != nil {
		return err
	}
	return v.show(http.StatusOK, inOperators, web.Page{
		Name: "tokens", Title: "tokens.title", Data: tokensView{v, list.Items, list.Next, v.echo.QueryParam("ended") != ""},
		Crumbs: []web.Crumb{{Key: inOperators, Href: "/operators"}, {Key: "tokens.title"}},
	})
}

// tokenForm is what token-new.html shows.
type tokenForm struct {
	*visit
	formErrors
	Name, Organisation, Scopes, Max, Days, Keys string
	FAPI2                                       bool
	Organisations                               []adminapi.Organisation
}

// Bound are the organisations to choose from.
func (f tokenForm) Bound() []web.Option {
	all := []web.Option{{Value: "", Label: f.text("token.no_organisation")}}
	for _, o := range f.Organisations {
		all = append(all, web.Option{Value: o.ID, Label: o.Name, Selected: o.ID == f.Organisation})
	}
	return all
}

func (v *visit) showNewToken(form tokenForm) error {
	var err error
	if form.Organisations, err = v.organisations(); err != nil {
		return err
	}
	form.visit = v
	return form.formErrors.show(v, inOperators, web.Page{
		Name: "token-new", Title: "token.new", Fill: true, Data: form,
		Crumbs: []web.Crumb{{Key: inOperators, Href: "/operators"}, {Key: "tokens.title", Href: "/registration-tokens"}, {Key: "token.new"}},
	})
}

func (v *visit) getNewToken() error { return v.showNewToken(tokenForm{Days: "30", Max: "10"}) }

// madeTokenView is what token-made.html shows, once.
type madeTokenView struct {
	*visit
	Made adminapi.MadeRegistrationToken
	// Registration is where the token is of use; empty: it cannot be had.
	Registration string
}

// postNewToken answers with the token itself, which is never shown again.
func (v *visit) postNewToken() error {
	form := tokenForm{
		Name: strings.TrimSpace(narrow(v.echo.FormValue("name"))), Organisation: v.echo.FormValue("organisation"),
		Scopes: strings.TrimSpace(narrow(v.echo.FormValue("scopes"))), Max: strings.TrimSpace(narrow(v.echo.FormValue("max_clients"))),
		Days: strings.TrimSpace(narrow(v.echo.FormValue("days"))), Keys: strings.TrimSpace(v.echo.FormValue("statement_jwks")),
		FAPI2: v.echo.FormValue("fapi2") != "",
	}
	in := adminapi.NewRegistrationToken{Name: form.Name, Organisation: form.Organisation, Scopes: strings.Fields(form.Scopes)}
	if form.FAPI2 {
		in.Profiles = []string{"fapi2"}
	}
	if len(in.Scopes) > 0 && !slices.Contains(in.Scopes, "openid") {
		in.Scopes = append([]string{"openid"}, in.Scopes...)
	}
	var err error
	if in.Days, err = strconv.Atoi(form.Days); err != nil || in.Days < 1 || in.Days > 365 {
		form.add(v, "days", "wrong.days")
	}
	if form.Max != "" {
		if in.MaxClients, err = strconv.ParseInt(form.Max, 10, 64); err != nil || in.MaxClients < 0 || in.MaxClients > 10000 {
			form.add(v, "max_clients", "wrong.max_clients")
		}
	}
	if form.Keys != "" {
		if in.StatementKey = json.RawMessage(form.Keys); !json.Valid(in.StatementKey) {
			form.add(v, "statement_jwks", "wrong.statement_jwks")
		}
	}
	if len(form.Errors) > 0 {
		return v.showNewToken(form)
	}
	view := madeTokenView{visit: v}
	ctx := v.echo.Request().Context()
	err = v.call(ctx, http.MethodPost, "/registration-tokens", in, &view.Made)
	if form.wrong(v, err) {
		return v.showNewToken(form)
	}
	if err != nil {
		return err
	}
	if places, err := v.console.party.Places(ctx); err == nil {
		view.Registration = placeOf(places, "registration_endpoint")
	}
	return v.show(http.StatusOK, inOperators, web.Page{
		Name: "token-made", Title: "token.made", TitleArgs: []string{"name", view.Made.Name}, Data: view,
		Crumbs: []web.Crumb{{Key: inOperators, Href: "/operators"}, {Key: "tokens.title", Href: "/registration-tokens"}, {Key: "token.made", Args: []string{"name", view.Made.Name}}},
	})
}

func (v *visit) askEndToken() asking {
	return asking{
		visit: v, Key: "token.end", Back: "/registration-tokens", Action: apiPath("registration-tokens", v.echo.Param("id"), "end"), NoReason: true,
		Points: strings.Split(v.text("token.end.points"), "\n"),
	}
}

func (v *visit) getEndToken() error {
	status, p := v.askEndToken().page()
	return v.show(status, inOperators, p)
}

func (v *visit) postEndToken() error {
	if err := v.call(v.echo.Request().Context(), http.MethodDelete, apiPath("registration-tokens", v.echo.Param("id")), nil, nil); err != nil {
		return err
	}
	return v.to("/registration-tokens?ended=1")
}
