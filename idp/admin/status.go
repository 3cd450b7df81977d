package admin

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/audit"
)

func (a *API) statusRoutes() {
	register(a, operation{id: "status", method: http.MethodGet, path: "/api/status", tag: "status", summary: "How the hub does", whole: true}, a.getStatus)
}

// countsLife is how long the figures of the last day are shown before they are counted again.
const countsLife = time.Minute

// counts are the figures of the last day, counted by one caller at a time.
type counts struct {
	mu    sync.Mutex
	at    time.Time
	shown map[string]int64
}

// counted are the figures of the status page, from the audit log: up to ten thousand of each.
func counted() map[string]audit.Kind {
	return map[string]audit.Kind{
		"logins": "login.succeeded", "cards_refused": "login.card_refused", "services_entered": "service.entered", "pages_of_errors": "page.trouble",
		"sign_outs_given_up": "logout.given_up", "citizens_looked_at": "citizen.looked_at",
	}
}

func (a *API) getStatus(ctx context.Context, _ caller, _ struct{}) (out adminapi.Status, err error) {
	out.Parts = a.d.Oversight.Status(ctx)
	c := &a.counts
	c.mu.Lock()
	defer c.mu.Unlock()
	now := a.d.Now()
	if c.shown == nil || now.Sub(c.at) >= countsLife || now.Before(c.at) {
		fresh := make(map[string]int64)
		for name, kind := range counted() {
			if fresh[name], _, err = a.d.Audit.Count(ctx, audit.Filter{Kind: kind, From: now.Add(-24 * time.Hour)}); err != nil {
				return out, err
			}
		}
		c.shown, c.at = fresh, now
	}
	out.Counts = c.shown
	return out, nil
}
