package hub

import (
	"context"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
)

const (
	// lapseEvery is how often the hub looks for services that stopped going through their ties, lapseAfter how long one may be silent.
	lapseEvery = time.Hour
	lapseAfter = 7 * 24 * time.Hour
)

func newLaunches(c Config, h *Hub, fetch *clients.Fetcher) (*federation.Launches, error) {
	return federation.NewLaunches(federation.LaunchesDeps{
		Issuer: c.Issuer, Authorize: c.Issuer + "/authorize", DB: c.DB, Clients: h.Clients, Redirect: fetch.Redirect,
		Now: c.Now, Log: c.Log, Every: c.LaunchEvery,
	})
}

// lapse breaks the links of silent services, until ctx ends. Two processes that do so at once find the same, once.
func (h *Hub) lapse(ctx context.Context) error {
	tick := time.NewTicker(lapseEvery)
	defer tick.Stop()
	for {
		n, err := h.Links.Lapse(ctx, h.now().Add(-lapseAfter))
		switch {
		case err != nil && ctx.Err() == nil:
			h.log.ErrorContext(ctx, "links of silent services not broken", "err", err)
		case n > 0:
			h.log.WarnContext(ctx, "links of silent services broken", "links", n)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
