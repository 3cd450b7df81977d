package careless

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

//go:embed pages messages/*.json
var files embed.FS

// Config is what New needs. Required unless it says otherwise.
type Config struct {
	Issuer   string // the hub
	BaseURL  string // our own origin
	ClientID string
	Key      *rp.Key
	HTTP     *http.Client // to reach the hub with; nil means the default
	DB       *sqldb.DB    // of this service alone
	Now      func() time.Time
	Log      *slog.Logger
}

// Site is the careless service.
type Site struct {
	issuer  string
	party   *rp.Party
	web     *web.Site
	store   *ephemeral.SQL
	log     *slog.Logger
	handler http.Handler
}

// New returns a site ready to serve. It does not speak to the hub yet.
func New(ctx context.Context, c Config) (*Site, error) {
	if c.DB == nil || c.Now == nil || c.Log == nil || c.Key == nil {
		return nil, errors.New("careless: Config has an empty field")
	}
	s := &Site{issuer: c.Issuer, log: c.Log}
	var err error
	if s.store, err = ephemeral.NewSQL(ctx, c.DB, c.Now); err != nil {
		return nil, fmt.Errorf("careless: %w", err)
	}
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
	s.web, err = web.NewSite(web.SiteConfig{
		Slug: "careless", Kind: web.Service, Secure: strings.HasPrefix(c.BaseURL, "https://"), Sample: true,
		Messages: messages, Pages: pages, SignOut: rp.PathLogout, Log: c.Log,
		APIPaths: []string{"/healthz", "/readyz", rp.PathJWKS, rp.PathBackchannel}, CrossOriginPaths: []string{rp.PathInitiate},
	})
	if err != nil {
		return nil, err
	}
	s.party, err = rp.New(rp.Config{
		Issuer: c.Issuer, BaseURL: c.BaseURL, ClientID: c.ClientID, Credential: c.Key, HTTP: c.HTTP, Site: s.web, Store: s.store, Now: c.Now, Log: c.Log,
	})
	if err != nil {
		return nil, err
	}
	s.handler = s.web.Middleware(s.routes(c.Key))
	return s, nil
}

// Handler serves the site.
func (s *Site) Handler() http.Handler { return s.handler }

// Run sweeps up, until ctx ends.
func (s *Site) Run(ctx context.Context) error { return s.store.Run(ctx) }

// Registration is the client metadata that an operator would register for a site at the origin base, with its keys at their address.
func Registration(clientID, base string, development bool) ([]byte, error) {
	return json.Marshal(map[string]any{
		"client_id":                       clientID,
		"client_name":                     "うっかりサービス（見本）",
		"client_name#en":                  "Careless Service (sample)",
		"client_uri":                      base + "/",
		"operator":                        "見本うっかり株式会社",
		"description":                     "事前チェックで問題が見つかる様子を見るための、わざと誤りを残した見本です。",
		"description#en":                  "A sample with faults left in on purpose, to see what a pre-flight finds.",
		"category":                        "private",
		"development":                     development,
		"redirect_uris":                   []string{base + rp.PathCallback},
		"post_logout_redirect_uris":       []string{base + rp.PathSignedOut},
		"backchannel_logout_uri":          base + rp.PathBackchannel,
		"initiate_login_uri":              base + rp.PathInitiate,
		"grant_types":                     []string{"authorization_code"},
		"response_types":                  []string{"code"},
		"scope":                           "openid",
		"token_endpoint_auth_method":      "private_key_jwt",
		"token_endpoint_auth_signing_alg": "ES256",
		"jwks_uri":                        base + rp.PathJWKS,
		"id_token_signed_response_alg":    "ES256",
		"subject_type":                    "pairwise",
	})
}
