package admin

import (
	"context"
	"net/http"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

func (a *API) meRoutes() {
	register(a, operation{id: "me", method: http.MethodGet, path: "/api/me", tag: "operators", summary: "Who I am here"}, a.getMe)
	register(a, operation{
		id: "join", method: http.MethodPost, path: "/api/join", tag: "operators", summary: "Take up an invitation", gate: forStrangers,
		may: []adminapi.Reason{adminapi.WrongState, adminapi.TooMany},
	}, a.postJoin)
}

func (a *API) getMe(ctx context.Context, c caller, _ struct{}) (adminapi.Me, error) {
	row, _, err := a.operators.find(ctx, `id = $1`, c.id)
	return a.me(row), err
}

func (a *API) me(row operatorRow) adminapi.Me {
	return adminapi.Me{Operator: row.shown(), Issuer: a.d.Issuer, Sample: a.d.Sample}
}

// trace is the reference number of the request behind ctx, or nothing.
func trace(ctx context.Context) string { return web.Trace(ctx) }
