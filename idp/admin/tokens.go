package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/clients/adminapi"
)

func (a *API) tokenRoutes() {
	const tag = "registration"
	register(a, operation{id: "listRegistrationTokens", method: http.MethodGet, path: "/api/registration-tokens", tag: tag, summary: "Tokens with which programs register services of their own"}, a.getTokens)
	register(a, operation{
		id: "issueRegistrationToken", method: http.MethodPost, path: "/api/registration-tokens", tag: tag, role: adminapi.Security, whole: true, status: http.StatusCreated,
		summary: "Issue one; it is shown once",
	}, a.postToken)
	register(a, operation{
		id: "endRegistrationToken", method: http.MethodDelete, path: "/api/registration-tokens/{id}", tag: tag, role: adminapi.Security, whole: true, summary: "End one; what was registered with it stays",
	}, a.deleteToken)
}

func shownToken(t clients.RegistrationToken) adminapi.RegistrationToken {
	out := adminapi.RegistrationToken{
		ID: t.ID, Name: t.Name, Organisation: t.Organisation, Scopes: t.Scopes, GrantTypes: t.GrantTypes, Profiles: []string{}, MaxClients: t.MaxClients, Clients: t.Clients,
		Until: t.Until, By: t.By, Ended: t.Ended, Statement: t.Statements != nil,
	}
	for _, p := range t.Profiles {
		out.Profiles = append(out.Profiles, string(p))
	}
	return out
}

// getTokens: whoever works for an organisation sees those of hers.
func (a *API) getTokens(ctx context.Context, c caller, in page) (adminapi.RegistrationTokenList, error) {
	out := adminapi.RegistrationTokenList{Items: []adminapi.RegistrationToken{}}
	list, err := a.d.Clients.Tokens(ctx, c.organisation, in.After, in.size()+1)
	if err != nil {
		return out, err
	}
	if len(list) > in.size() {
		list = list[:in.size()]
		out.Next = list[len(list)-1].Name
	}
	for _, t := range list {
		out.Items = append(out.Items, shownToken(t))
	}
	return out, nil
}

func (a *API) postToken(ctx context.Context, c caller, in struct{ Body adminapi.NewRegistrationToken }) (adminapi.MadeRegistrationToken, error) {
	b := in.Body
	t := clients.RegistrationToken{
		Name: b.Name, Organisation: b.Organisation, Scopes: b.Scopes, GrantTypes: b.GrantTypes, MaxClients: b.MaxClients, Statements: b.StatementKey, By: c.id,
		Until: a.d.Now().Add(time.Duration(b.Days) * 24 * time.Hour).UTC().Truncate(time.Second),
	}
	for _, p := range b.Profiles {
		t.Profiles = append(t.Profiles, clients.Profile(p))
	}
	t, secret, err := a.d.Clients.IssueToken(ctx, t, a.d.Provider.RegistrationPolicies())
	if err != nil {
		return adminapi.MadeRegistrationToken{}, err
	}
	return adminapi.MadeRegistrationToken{RegistrationToken: shownToken(t), Token: string(secret.Reveal())}, nil
}

type tokenInput struct {
	ID string `path:"id" maxLength:"64"`
}

func (a *API) deleteToken(ctx context.Context, c caller, in tokenInput) (nothing, error) {
	return nothing{}, a.d.Clients.EndToken(ctx, in.ID, c.id)
}
