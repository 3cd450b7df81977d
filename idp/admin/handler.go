package admin

import (
	"fmt"
	"net/http"
	"path"
	"runtime/debug"
	"strings"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// documentPath is where the description is.
const documentPath = "/api/openapi.json"

// ServeHTTP serves everything under /api/.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r = r.WithContext(web.WithTrace(r.Context()))
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	defer a.recover(w, r)
	if r.URL.Path == documentPath && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		h.Set("Content-Type", "application/json")
		a.send(r, w, a.document)
		return
	}
	if _, pattern := a.mux.Handler(r); pattern == "" || path.Clean(r.URL.Path) != r.URL.Path {
		a.noRoute(w, r)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// noRoute says that there is nothing at an address, or not for the method.
func (a *API) noRoute(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := a.mux.Handler(other); pattern != "" && path.Clean(r.URL.Path) == r.URL.Path || r.URL.Path == documentPath && method == http.MethodGet {
			allowed = append(allowed, method)
		}
	}
	if allowed == nil {
		a.refuse(w, r, refuse(adminapi.NotFound, "There is nothing at this address; "+documentPath+" says what there is."))
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	a.writeProblem(w, r, http.StatusMethodNotAllowed, refuse(adminapi.Malformed, "This address takes "+strings.Join(allowed, ", ")+"."))
}

// recover turns a panic into the answer of a failure.
func (a *API) recover(w http.ResponseWriter, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler { //nolint:errorlint // the value itself, as net/http compares it
		panic(cause)
	}
	a.refuse(w, r, fmt.Errorf("panic: %v\n%s", cause, debug.Stack()))
}
