package portal

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tsunagu-id/tsunagu/clients/portal/connect"
	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

//go:embed pages/*.html messages/*.json
var files embed.FS

// Config is what New needs. Required unless it says otherwise.
type Config struct {
	Issuer     string // the hub
	BaseURL    string // our own origin
	ClientID   string // as registered; see Registration
	Credential rp.Credential
	HTTP       *http.Client // to reach the hub with; nil means the default
	DB         *sqldb.DB    // of the portal alone
	Now        func() time.Time
	Log        *slog.Logger
	Sample     bool // say on every page that this is a sample
}

// Portal is the citizen's portal.
type Portal struct {
	party   *rp.Party
	web     *web.Site
	db      *sqldb.DB
	store   *ephemeral.SQL
	connect *connect.Connect
	push    rp.Secret // that the hub shows when it pushes security events
	log     *slog.Logger
	handler http.Handler
}

// New brings the database up to date and returns a portal ready to serve. It does not speak to the hub yet.
func New(ctx context.Context, c Config) (*Portal, error) {
	if c.DB == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("portal: Config has an empty field")
	}
	if err := migrate(ctx, c.DB); err != nil {
		return nil, fmt.Errorf("portal: %w", err)
	}
	store, err := ephemeral.NewSQL(ctx, c.DB, c.Now)
	if err != nil {
		return nil, fmt.Errorf("portal: %w", err)
	}
	p := &Portal{db: c.DB, store: store, log: c.Log}
	look := frame(c)
	if p.web, err = newWeb(look); err != nil {
		return nil, err
	}
	key, ok := c.Credential.(*rp.Key)
	if !ok {
		return nil, errors.New("portal: Credential must be a key: profile fapi2 binds tokens to it")
	}
	p.party, err = rp.New(rp.Config{
		Issuer: c.Issuer, BaseURL: c.BaseURL, ClientID: c.ClientID, Credential: c.Credential,
		Bound: key, Scopes: []string{"offline_access", "links", "exchanges"}, HTTP: c.HTTP, Site: p.web, Store: store, Now: c.Now, Log: c.Log,
	})
	if err != nil {
		return nil, err
	}
	p.push = p.party.Derive("signals")
	p.connect, err = connect.New(ctx, connect.Deps{Party: p.party, Site: look, DB: c.DB, Now: c.Now})
	if err != nil {
		return nil, err
	}
	p.handler = p.web.Middleware(p.routes(c.Credential))
	return p, nil
}

// frame is the look that the pages of all functions share; each adds its pages and messages.
func frame(c Config) web.SiteConfig {
	return web.SiteConfig{
		Slug: "portal", Kind: web.Portal, Secure: strings.HasPrefix(c.BaseURL, "https://"), Sample: c.Sample,
		SignOut: rp.PathLogout, Log: c.Log,
		Footer:           []web.Link{{Key: "frame.help", Href: "/help"}},
		APIPaths:         []string{"/healthz", "/readyz", rp.PathJWKS, rp.PathBackchannel, rp.PathSignals},
		CrossOriginPaths: []string{rp.PathInitiate},
	}
}

func newWeb(c web.SiteConfig) (*web.Site, error) {
	pages, err := fs.Sub(files, "pages")
	if err != nil {
		return nil, err
	}
	own, err := fs.Sub(files, "messages")
	if err != nil {
		return nil, err
	}
	c.Pages = pages
	if c.Messages, err = rp.Messages(own); err != nil {
		return nil, err
	}
	return web.NewSite(c)
}

// Handler serves the portal.
func (p *Portal) Handler() http.Handler { return p.handler }

// Run sweeps up what has expired, and keeps the stream of security events, until ctx ends.
func (p *Portal) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.store.Run(ctx) })
	g.Go(func() error {
		p.party.KeepStream(ctx, p.push, rp.SignalSessionRevoked, rp.SignalAccountDisabled, rp.SignalCredentialCompromise)
		return nil
	})
	return g.Wait()
}
