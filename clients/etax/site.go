package etax

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
	"github.com/tsunagu-id/tsunagu/internal/ratelimit"
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
	Sample     bool      // say on every page that this is a sample, and which account to try
	Accounts   []Account // made at start if absent

	Follow time.Duration // how often the hub is asked what has changed; zero means keeper.DefaultFollow

	SignatureAuthorities []byte // PEM: whose certificates may sign returns; nil: none can be sent
}

// Site is the tax site.
type Site struct {
	party     *rp.Party
	ties      *keeper.Keeper
	web       *web.Site
	db        *sqldb.DB
	store     *ephemeral.SQL
	limiter   *ratelimit.Limiter
	passwords *passwords
	rules     *signatureRules // nil: no return can be sent
	now       func() time.Time
	log       *slog.Logger
	hint      *Account // the account to try, on a sample
	handler   http.Handler
}

// New brings the database up to date and returns a site ready to serve. It does not speak to the hub yet.
func New(ctx context.Context, c Config) (*Site, error) {
	if c.DB == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("etax: Config has an empty field")
	}
	if err := migrate(ctx, c.DB); err != nil {
		return nil, fmt.Errorf("etax: %w", err)
	}
	store, err := ephemeral.NewSQL(ctx, c.DB, c.Now)
	if err != nil {
		return nil, fmt.Errorf("etax: %w", err)
	}
	s := &Site{
		db: c.DB, store: store, limiter: ratelimit.New(store, c.Now), passwords: newPasswords(), now: c.Now, log: c.Log,
	}
	if c.Sample && len(c.Accounts) > 0 {
		s.hint = &c.Accounts[0]
	}
	if len(c.SignatureAuthorities) > 0 {
		if s.rules, err = newSignatureRules(c.SignatureAuthorities, c.Issuer, c.ClientID, c.BaseURL); err != nil {
			return nil, err
		}
	}
	if err := s.seed(ctx, c.Accounts); err != nil {
		return nil, err
	}
	if s.web, err = newWeb(c); err != nil {
		return nil, err
	}
	s.party, err = rp.New(rp.Config{
		Issuer: c.Issuer, BaseURL: c.BaseURL, ClientID: c.ClientID, Credential: c.Credential,
		Scopes: []string{"offline_access", "link"}, HTTP: c.HTTP, Site: s.web, Store: store, Now: c.Now, Log: c.Log, Told: func() { s.ties.Wake() }, Represented: true,
	})
	if err != nil {
		return nil, err
	}
	s.ties, err = keeper.New(ctx, keeper.Config{Party: s.party, DB: c.DB, Register: s, Store: store, Now: c.Now, Log: c.Log, Follow: c.Follow})
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
		Slug: "etax", Kind: web.Service, Secure: strings.HasPrefix(c.BaseURL, "https://"), Sample: c.Sample,
		Messages: messages, Pages: pages, SignOut: rp.PathLogout, Log: c.Log,
		Footer:           []web.Link{{Key: "frame.help", Href: "/help"}},
		APIPaths:         []string{"/healthz", "/readyz", rp.PathJWKS, rp.PathBackchannel},
		CrossOriginPaths: []string{rp.PathInitiate},
	})
}

// Handler serves the site.
func (s *Site) Handler() http.Handler { return s.handler }

// Run does what is not asked for by a browser, until ctx ends: it tells the hub about ended ties, learns from it what ended there, and
// sweeps up.
func (s *Site) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.store.Run(ctx) })
	group.Go(func() error { return s.ties.Run(ctx) })
	return group.Wait()
}
