package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/idp"
	"github.com/tsunagu-id/tsunagu/idp/preflight"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/openapi"
	"github.com/tsunagu-id/tsunagu/internal/ratelimit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// Deps is what the API stands on. Every field is required but Sample and Gates.
type Deps struct {
	Issuer  string // of the hub
	BaseURL string // of the operators' address, without a slash at the end; DPoP proofs are made for it
	// Access says who sent a request to the address; see idp.Provider.AdminAccess.
	Access    func(ctx context.Context, r *http.Request, base string) (idp.AdminCaller, error)
	Clients   *clients.Registry
	Provider  *idp.Provider // what services and people do at the hub
	DB        *sqldb.DB
	Transient ephemeral.Store
	Audit     *audit.Log
	Now       func() time.Time
	Log       *slog.Logger
	// Preflights tries services.
	Preflights *preflight.Runner
	Sample     bool
	Oversight  Oversight
	// Gates are what a draft has to pass before it goes live; each is asked.
	Gates []Gate
}

// API serves the operations.
type API struct {
	d         Deps
	operators *operators
	limiter   *ratelimit.Limiter
	mux       *http.ServeMux
	table     []operation
	schemas   *openapi.Schemas
	document  []byte
	counts    counts
}

// New migrates the tables and returns the API, ready to serve.
func New(ctx context.Context, d Deps) (*API, error) {
	if d.Issuer == "" || d.BaseURL == "" || d.Access == nil || !d.Oversight.complete() || d.Clients == nil || d.Provider == nil || d.DB == nil || d.Transient == nil || d.Audit == nil || d.Preflights == nil || d.Now == nil || d.Log == nil {
		return nil, errors.New("admin: Deps has an empty field")
	}
	if err := migrate(ctx, d.DB); err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	a := &API{
		d: d, operators: &operators{db: d.DB, audit: d.Audit, now: d.Now}, limiter: ratelimit.New(d.Transient, d.Now),
		mux: http.NewServeMux(), schemas: openapi.NewSchemas(),
	}
	a.routes()
	var err error
	if a.document, err = a.describe(); err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	return a, nil
}

// routes is the whole surface: one function for each subject, in the file of that name.
func (a *API) routes() {
	a.meRoutes()
	a.operatorRoutes()
	a.organisationRoutes()
	a.auditRoutes()
	a.keyRoutes()
	a.citizenRoutes()
	a.statusRoutes()
	a.clientRoutes()
	a.decisionRoutes()
	a.versionRoutes()
	a.secretRoutes()
	a.preflightRoutes()
	a.impactRoutes()
	a.figureRoutes()
	a.logoRoutes()
	a.testSignInRoutes()
	a.tokenRoutes()
}
