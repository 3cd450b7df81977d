package hub

import (
	"context"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/idp/preflight"
)

func newPreflights(ctx context.Context, c Config, h *Hub) (*preflight.Runner, error) {
	return preflight.New(ctx, preflight.Deps{
		Issuer: c.Issuer, DB: c.DB, Audit: h.Audit, Hub: h.provider, Web: h.fetch, Keys: h.Clients, Now: c.Now, Log: c.Log,
	})
}

// preflightGate lets a draft go live by a report that is green or yellow; see admin.Gate.
func (h *Hub) preflightGate(ctx context.Context, id clients.ID, d clients.Draft) (report, obstacle string, err error) {
	return h.Preflights.Standing(ctx, id, d.Revision)
}

// Prober is what a pre-flight asks of the provider.
func (h *Hub) Prober() preflight.Hub { return h.provider }
