package hub

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/federation"
)

// The states of a part.
const (
	partGood      = "good"
	partAttention = "attention"
	partDown      = "down"
)

// auditState is what became of the last checkpoint.
type auditState struct {
	mu    sync.Mutex
	wrong string // empty: nothing
	since time.Time
}

func (s *auditState) note(wrong string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wrong != wrong {
		s.wrong, s.since = wrong, now
	}
}

// status says how each part of the hub does that can fail by itself.
func (h *Hub) status(ctx context.Context) []adminapi.StatusPart {
	good := func(name string, err error) adminapi.StatusPart {
		if err != nil {
			h.log.ErrorContext(ctx, "status", "part", name, "err", err)
			return adminapi.StatusPart{Name: name, State: partDown, Detail: "It does not answer; the hub's log says why."}
		}
		return adminapi.StatusPart{Name: name, State: partGood}
	}
	return []adminapi.StatusPart{
		good("database", h.provider.DatabaseReady(ctx)), good("sessions", h.provider.StoreReady(ctx)), h.auditPart(ctx), h.keysPart(ctx), h.servicesPart(ctx), h.listsPart(),
	}
}

func (h *Hub) auditPart(ctx context.Context) adminapi.StatusPart {
	part := adminapi.StatusPart{Name: "audit", State: partGood}
	h.auditState.mu.Lock()
	wrong, since := h.auditState.wrong, h.auditState.since
	h.auditState.mu.Unlock()
	if wrong != "" {
		part.State, part.Since, part.Detail = partDown, since, "No checkpoint can be made: "+wrong
		return part
	}
	list, err := h.Audit.Checkpoints(ctx, 0, 1)
	switch {
	case err != nil:
		part.State, part.Detail = partDown, "It cannot be read."
	case len(list) == 0:
		part.Detail = "There is no checkpoint yet."
	default:
		part.Since, part.Detail = list[0].At, fmt.Sprintf("The last checkpoint is of row %d.", list[0].Seq)
	}
	return part
}

// keysPart: every algorithm has a key that signs; one that has signed for long wants a successor.
func (h *Hub) keysPart(ctx context.Context) adminapi.StatusPart {
	part := adminapi.StatusPart{Name: "keys", State: partGood}
	list, err := h.Keys.Standings(ctx)
	if err != nil {
		part.State, part.Detail = partDown, "They cannot be read."
		return part
	}
	for _, k := range list {
		if k.State == "active" && k.To.IsZero() && h.now().Sub(k.From) > keyAge {
			part.State, part.Since, part.Detail = partAttention, k.From.Add(keyAge), fmt.Sprintf("The key for %s has signed for more than a year: rotate it.", k.Alg)
		}
	}
	return part
}

// keyAge is when a signing key wants a successor.
const keyAge = 365 * 24 * time.Hour

func (h *Hub) servicesPart(ctx context.Context) adminapi.StatusPart {
	part := adminapi.StatusPart{Name: "services", State: partGood}
	healths, err := h.Links.Health(ctx)
	if err != nil {
		part.State, part.Detail = partDown, "How they are cannot be read."
		return part
	}
	down := 0
	for _, s := range healths {
		if s.Health == federation.HealthDown {
			down++
			if part.Since.IsZero() || s.Since.Before(part.Since) {
				part.Since = s.Since
			}
		}
	}
	if down > 0 {
		part.State, part.Detail = partAttention, fmt.Sprintf("%d do not answer when they are launched.", down)
	}
	return part
}

// listsPart is about the revocation lists of cards' certificates.
func (h *Hub) listsPart() adminapi.StatusPart {
	part := adminapi.StatusPart{Name: "revocation", State: partGood}
	for _, l := range h.lists {
		if over := l.Overdue(); over > 0 {
			part.State, part.Detail = partAttention, "Lists of revoked certificates are older than their authority means them to be; logins may be refused."
		}
	}
	return part
}
