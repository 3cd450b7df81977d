package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/clients/adminapi"
)

func (a *API) secretRoutes() {
	const tag = "secrets"
	register(a, operation{
		id: "makeSecret", method: http.MethodPost, path: "/api/clients/{id}/secrets", tag: tag, summary: "Make a next secret, which is shown this once",
		role: adminapi.Editor, status: http.StatusCreated, may: mayConflict,
	}, a.postSecret)
	register(a, operation{
		id: "endSecret", method: http.MethodDelete, path: "/api/clients/{id}/secrets/{secret}", tag: tag, summary: "End a secret now", role: adminapi.Editor, may: mayConflict,
	}, a.deleteSecret)
}

func shownSecret(s clients.Secret) adminapi.Secret {
	return adminapi.Secret{ID: s.ID, Created: s.Created, By: s.By, Ends: s.Ends, Used: s.Used, State: string(s.State)}
}

type newSecretInput struct {
	ID   string `path:"id" maxLength:"200"`
	Body adminapi.NewSecret
}

// postSecret answers the one time that a secret is shown. It stands in no log: answers are not written down.
func (a *API) postSecret(ctx context.Context, c caller, in newSecretInput) (adminapi.MadeSecret, error) {
	d, err := a.client(ctx, c, in.ID)
	if err != nil {
		return adminapi.MadeSecret{}, err
	}
	s, value, err := a.d.Clients.MakeSecret(ctx, d.ID, clients.NextSecret{
		By: c.id, Overlap: time.Duration(in.Body.OverlapHours) * time.Hour, Lives: time.Duration(in.Body.LivesDays) * 24 * time.Hour,
	})
	if err != nil {
		return adminapi.MadeSecret{}, err
	}
	return adminapi.MadeSecret{Secret: shownSecret(s), Value: string(value.Reveal())}, nil
}

type secretInput struct {
	ID     string `path:"id" maxLength:"200"`
	Secret string `path:"secret" maxLength:"64"`
}

func (a *API) deleteSecret(ctx context.Context, c caller, in secretInput) (nothing, error) {
	d, err := a.client(ctx, c, in.ID)
	if err != nil {
		return nothing{}, err
	}
	return nothing{}, a.d.Clients.EndSecret(ctx, d.ID, in.Secret, c.id)
}
