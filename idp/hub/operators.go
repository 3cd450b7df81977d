package hub

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/tsunagu-id/tsunagu/idp/admin"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// OperatorHandler serves the operators' address: the administration API under /api/, and to whoever reaches it /metrics in Prometheus' text
// format, /healthz and /readyz. Because of these programs bind it to this machine alone. Every other address is for pages; nil: there are none.
func (h *Hub) OperatorHandler(pages http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", h.metrics.Handler())
	if h.admin != nil {
		mux.Handle("GET "+admin.MetadataPath, h.admin.Metadata())
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "alive\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := h.provider.Ready(r.Context()); err != nil {
			h.log.ErrorContext(r.Context(), "not ready", "err", err)
			say(w, http.StatusServiceUnavailable, "not ready\n")
			return
		}
		say(w, http.StatusOK, "ready\n")
	})
	if pages != nil {
		mux.Handle("/", pages)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if h.admin != nil && strings.HasPrefix(r.URL.Path, "/api/") { // the API refuses paths that a mux would redirect
			h.admin.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func say(w http.ResponseWriter, status int, word string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, word) // the caller hung up: nobody is left to tell
}

// record writes what happened to a service, with the number of the request that did it.
func (h *Hub) record(ctx context.Context, e audit.Event) error {
	e.Trace = web.Trace(ctx)
	return h.Audit.Append(ctx, e)
}

// Sweep removes what is left of twins of services whose hour is over; Run does so too.
func (h *Hub) Sweep(ctx context.Context) error { return h.provider.SweepTwinsOnce(ctx) }
