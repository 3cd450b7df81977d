package rp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// Paths that every relying party of ours has.
const (
	PathLogin       = "/login"              // starts a login; ?return= a page of our own
	PathInitiate    = "/login/initiate"     // starts a login for the hub or another site (OpenID Connect Core §4)
	PathCallback    = "/callback"           // the redirect URI
	PathLogout      = "/logout"             // POST: signs out here and at the hub
	PathBackchannel = "/logout/backchannel" // POST, by the hub: a person signed out (OpenID Connect Back-Channel Logout)
	PathSignedOut   = "/signed-out"         // where the hub sends people back to after that
	PathJWKS        = "/jwks.json"          // the client's public key
)

// Config is what New needs. Required unless it says otherwise.
type Config struct {
	Issuer     string // the hub
	BaseURL    string // our own origin, such as https://etax.example
	ClientID   string
	Credential Credential
	Scopes     []string     // besides openid
	SigningAlg string       // of ID tokens; empty means ES256
	Bound      *Key         // tokens are bound to this key (DPoP, RFC 9449); nil: bearer tokens
	HTTP       *http.Client // to reach the hub with; nil means the default. Timeout and redirects are set here
	Site       *web.Site
	Store      ephemeral.Store // sessions and logins in progress
	Now        func() time.Time
	Log        *slog.Logger
	Idle       time.Duration // a session ends after this time unused; zero means 30 minutes
	// Represented: the service looks at Session.Actor, and takes sign-ins of representatives. Without it they are refused.
	Represented bool
	Life        time.Duration // and after this time in any case; zero means 12 hours
	// Told is called after the hub ended sessions of a person: something may have changed there. It must return at once. Nil: nobody is told.
	Told func()
}

// Party is one relying party. It is safe for concurrent use.
type Party struct {
	issuer, base, clientID, alg string
	credential                  Credential
	bound                       *Key
	nonce                       atomic.Value // string: the newest DPoP nonce of the hub
	scopes                      []string
	represented                 bool
	http                        *http.Client
	site                        *web.Site
	store                       ephemeral.Store
	now                         func() time.Time
	log                         *slog.Logger
	idle, life                  time.Duration
	discovery                   discovery
	refreshing                  singleflight.Group
	faults, badLogouts          seldom // lines about the back channel
	owned                       owned
	told                        func()
}

// New returns a relying party, or an error naming the missing part. It does not speak to the hub yet.
func New(c Config) (*Party, error) {
	if c.ClientID == "" || c.Credential == nil || c.Site == nil || c.Store == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("rp: Config has an empty field")
	}
	if err := checkAddress(c.Issuer, true); err != nil {
		return nil, fmt.Errorf("rp: Issuer: %w", err)
	}
	if err := checkAddress(c.BaseURL, false); err != nil {
		return nil, fmt.Errorf("rp: BaseURL: %w", err)
	}
	if c.SigningAlg == "" {
		c.SigningAlg = "ES256"
	}
	if !slices.Contains([]string{"ES256", "RS256", "PS256", "EdDSA"}, c.SigningAlg) {
		return nil, fmt.Errorf("rp: SigningAlg %q", c.SigningAlg)
	}
	if c.Idle == 0 {
		c.Idle = 30 * time.Minute
	}
	if c.Life == 0 {
		c.Life = 12 * time.Hour
	}
	if c.Told == nil {
		c.Told = func() {}
	}
	return &Party{
		told:   c.Told,
		issuer: c.Issuer, base: c.BaseURL, clientID: c.ClientID, alg: c.SigningAlg, credential: c.Credential, bound: c.Bound,
		scopes: append([]string{"openid"}, c.Scopes...), http: hubClient(c.HTTP), site: c.Site, store: c.Store,
		represented: c.Represented, now: c.Now, log: c.Log, idle: c.Idle, life: c.Life,
	}, nil
}

// Issuer is the hub's address.
func (p *Party) Issuer() string { return p.issuer }

// post sends an authenticated form to an endpoint of the hub and decodes the JSON answer into out, unless out is nil.
func (p *Party) post(ctx context.Context, endpoint string, form url.Values, out any) error {
	return p.proving(func() error {
		header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}}
		err := p.credential.prove(form, header, proof{client: p.clientID, issuer: p.issuer, at: p.now()})
		if err != nil {
			return fmt.Errorf("client authentication: %w", err)
		}
		if err := p.addProof(header, http.MethodPost, endpoint, ""); err != nil {
			return err
		}
		return p.exchange(ctx, http.MethodPost, endpoint, header, []byte(form.Encode()), out)
	})
}
