package postbox

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

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/clients/rp/keeper"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

//go:embed pages messages/*.json
var files embed.FS

// Config is what New needs. Required unless it says otherwise.
type Config struct {
	Issuer     string // the hub
	BaseURL    string // our own origin
	ClientID   string // as registered; see Registration
	Credential rp.Credential
	HTTP       *http.Client // to reach the hub with; nil means the default
	DB         *sqldb.DB    // of this service alone
	Now        func() time.Time
	Log        *slog.Logger
	Sample     bool          // say on every page that this is a sample
	Follow     time.Duration // how often the hub is asked what has changed; zero means keeper.DefaultFollow
}

// Site is the delivery provider's.
type Site struct {
	party     *rp.Party
	ties      *keeper.Keeper
	web       *web.Site
	db        *sqldb.DB
	transient *ephemeral.SQL
	now       func() time.Time
	log       *slog.Logger
	handler   http.Handler
}

// New brings the database up to date and returns a site ready to serve. It does not speak to the hub yet.
func New(ctx context.Context, c Config) (*Site, error) {
	if c.DB == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("postbox: Config has an empty field")
	}
	if err := migrate(ctx, c.DB); err != nil {
		return nil, fmt.Errorf("postbox: %w", err)
	}
	transient, err := ephemeral.NewSQL(ctx, c.DB, c.Now)
	if err != nil {
		return nil, fmt.Errorf("postbox: %w", err)
	}
	s := &Site{db: c.DB, transient: transient, now: c.Now, log: c.Log}
	if s.web, err = newWeb(c); err != nil {
		return nil, err
	}
	s.party, err = rp.New(rp.Config{
		Issuer: c.Issuer, BaseURL: c.BaseURL, ClientID: c.ClientID, Credential: c.Credential,
		Scopes: []string{"offline_access", "link"}, HTTP: c.HTTP, Site: s.web, Store: transient, Now: c.Now, Log: c.Log,
		Told: func() { s.ties.Wake() },
	})
	if err != nil {
		return nil, err
	}
	s.ties, err = keeper.New(ctx, keeper.Config{Party: s.party, DB: c.DB, Register: s, Store: transient, Now: c.Now, Log: c.Log, Follow: c.Follow})
	if err != nil {
		return nil, err
	}
	s.handler = s.web.Middleware(s.routes(c.Credential))
	return s, nil
}

func newWeb(c Config) (*web.Site, error) {
	pages, err := fs.Sub(files, "pages")
	if err != nil {
		return nil, err
	}
	own, err := fs.Sub(files, "messages")
	if err != nil {
		return nil, err
	}
	messages, err := rp.Messages(own)
	if err != nil {
		return nil, err
	}
	return web.NewSite(web.SiteConfig{
		Slug: "postbox", Kind: web.Service, Secure: strings.HasPrefix(c.BaseURL, "https://"), Sample: c.Sample,
		Messages: messages, Pages: pages, SignOut: rp.PathLogout, Log: c.Log,
		Footer:           []web.Link{{Key: "frame.help", Href: "/help"}},
		APIPaths:         []string{"/healthz", "/readyz", rp.PathJWKS, rp.PathBackchannel},
		CrossOriginPaths: []string{rp.PathInitiate},
	})
}

// Handler serves the site.
func (s *Site) Handler() http.Handler { return s.handler }

// Run does what is not asked for by a browser, until ctx ends: it keeps the boxes in agreement with the hub, and sweeps up.
func (s *Site) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.transient.Run(ctx) })
	group.Go(func() error { return s.ties.Run(ctx) })
	return group.Wait()
}
