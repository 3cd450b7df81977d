package hub

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/cardauth/jlis"
	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/federation/exchange"
	"github.com/tsunagu-id/tsunagu/idp"
	"github.com/tsunagu-id/tsunagu/idp/admin"
	"github.com/tsunagu-id/tsunagu/idp/preflight"
	"github.com/tsunagu-id/tsunagu/idp/shapes"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/mail"
	"github.com/tsunagu-id/tsunagu/internal/metrics"
	"github.com/tsunagu-id/tsunagu/internal/ratelimit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/keys"
)

// Config is what differs between installations.
type Config struct {
	Issuer    string
	AgentURL  string
	DB        *sqldb.DB
	Transient ephemeral.Store // nil: the database
	Sealer    *keys.Sealer
	Anchors   *cardauth.Anchors
	// Revocation says whether a certificate is still good.
	Revocation *cardauth.Revocation
	// SigningAnchors issue signature certificates; nil: nothing is signed here. SigningRevocation says whether one is still good.
	SigningAnchors    *cardauth.SigningAnchors
	SigningRevocation *cardauth.Revocation
	// PhonePolicy is the dotted policy of user-authentication certificates on phones; empty: none are taken.
	PhonePolicy string
	// Linkage knows which certificates are one person's; nil: nobody is asked.
	Linkage jlis.Authority
	// RelinkWait is how long a card that was tied by a signature waits; zero: a day.
	RelinkWait time.Duration
	// MandateMonths is the longest that a citizen may be represented by one mandate; zero: idp.DefaultMandateMonths.
	MandateMonths int
	Fetch         *clients.Fetcher // to reach addresses that clients chose; nil: public ones only, and no client may publish its keys at one
	Policies      []clients.Policy // who may register clients at the registration endpoint; none: nobody
	// MutualTLS is the second address, for clients with certificates; Authorities issue those of tls_client_auth. Neither is required.
	MutualTLS   idp.MutualTLS
	Authorities *x509.CertPool
	// Webhooks reaches addresses that citizens chose; nil: public ones only. What Fetch may reach for services is none of theirs.
	Webhooks    *clients.Fetcher
	Mail        mail.Sender // takes notices to citizens; nil: they cannot choose mail
	Now         func() time.Time
	Log         *slog.Logger
	Sample      bool
	Rates       Rates
	Metrics     *metrics.Registry // shown at the operators' address, with what others put there; nil: one of its own
	Recheck     idp.Recheck       // of the cards that sessions rest on
	TellAtOnce  int               // logout tokens on their way to one service; 0: federation.DefaultPerService
	Session     idp.SessionRules  // how long sessions live, and which are kept apart
	LaunchEvery time.Duration     // how often the launch of a listed service is tried; zero: federation.DefaultLaunchEvery

	// OperatorsURL is where operators' browsers and programs find the operators' address, without a slash at the end; empty: nobody administers
	// this hub over it.
	OperatorsURL string

	// AuditFor is how long rows of the audit log are kept; zero: for ever.
	AuditFor time.Duration

	GenerateKey func(keys.Alg) (crypto.Signer, error) // makes signing keys; nil: keys.Alg.Generate
}

// Rates are what one party may cause in a minute; 0 is the provider's own limit.
type Rates struct {
	Login     int64 // card challenges of one browser
	Strangers int64 // audit rows, of each kind, by requests that prove nothing
}

func (r Rates) rule(name string, limit int64) ratelimit.Rule {
	return ratelimit.Rule{Name: name, Limit: limit, Window: time.Minute}
}

// Hub is everything behind the citizens' address.
type Hub struct {
	Clients  *clients.Registry
	Keys     *keys.Set
	Links    *federation.Links
	Audit    *audit.Log
	Signals  *federation.Signals
	provider *idp.Provider
	Shapes   *shapes.Recorder // what requests look like
	sweeper  *ephemeral.SQL
	outbox   *federation.Deliveries
	now      func() time.Time
	launches *federation.Launches
	mandates *federation.Mandates
	// Exchanges are the legal bases of exchange between offices, and the records.
	Exchanges *exchange.Register
	lists     []*cardauth.Revocation // to keep fresh
	metrics   *metrics.Registry
	log       *slog.Logger
	hooks     *clients.Fetcher
	// Preflights are the reports about services.
	Preflights *preflight.Runner
	fetch      *clients.Fetcher
	admin      *admin.API // nil: nobody administers
	mail       mail.Sender
	console    string // where operators find the console; may be empty
	issuer     string
	auditFor   time.Duration

	auditState auditState
}

// New opens the hub's stores and returns it ready to serve. It starts nothing: see Run.
func New(ctx context.Context, c Config) (*Hub, error) {
	if c.DB == nil || c.Sealer == nil || c.Anchors == nil || c.Revocation == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("hub: a part is missing from the configuration")
	}
	if err := idp.Migrate(ctx, c.DB); err != nil {
		return nil, fmt.Errorf("migrate accounts: %w", err)
	}
	if err := cardauth.CheckPhonePolicy(c.PhonePolicy); err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	if c.Metrics == nil {
		c.Metrics = metrics.New()
	}
	h := &Hub{lists: []*cardauth.Revocation{c.Revocation}, metrics: c.Metrics, log: c.Log, now: c.Now, mail: c.Mail, console: c.OperatorsURL, issuer: c.Issuer, auditFor: c.AuditFor}
	var err error
	if c.Transient == nil {
		if h.sweeper, err = ephemeral.NewSQL(ctx, c.DB, c.Now); err != nil {
			return nil, fmt.Errorf("ephemeral store: %w", err)
		}
		c.Transient = h.sweeper
	}
	if h.Audit, err = audit.New(ctx, c.DB, c.Now); err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	if h.Keys, err = keys.Open(ctx, keys.Deps{DB: c.DB, Sealer: c.Sealer, Now: c.Now, Generate: c.GenerateKey}); err != nil {
		return nil, fmt.Errorf("signing keys: %w", err)
	}
	h.Audit.Vouch(notary(c.Issuer, h.Keys, c.Sealer))
	if h.Clients, err = clients.Open(ctx, clients.Deps{DB: c.DB, Now: c.Now, Fetch: c.Fetch, Authorities: c.Authorities, Record: h.record}); err != nil {
		return nil, fmt.Errorf("clients: %w", err)
	}
	subjects, links, err := federation.Open(ctx, federation.Deps{DB: c.DB, Audit: h.Audit, Now: c.Now})
	if err != nil {
		return nil, fmt.Errorf("federation: %w", err)
	}
	h.Links = links
	if err := h.openOutboxes(c, subjects); err != nil {
		return nil, err
	}
	if h.mandates, err = federation.NewMandates(federation.Deps{DB: c.DB, Audit: h.Audit, Now: c.Now}); err != nil {
		return nil, fmt.Errorf("federation: %w", err)
	}
	if h.Exchanges, err = exchange.Open(ctx, exchange.Deps{DB: c.DB, Audit: h.Audit, Now: c.Now}); err != nil {
		return nil, err
	}
	site, err := idp.NewSite(strings.HasPrefix(c.Issuer, "https:"), c.Sample, c.Log)
	if err != nil {
		return nil, err
	}
	challenges := cardauth.NewChallenges(cardauth.Deps{
		Store: c.Transient, Issuer: c.Issuer, Now: c.Now,
		Sign: func(typ string, claims any) (string, error) { return h.Keys.Sign(keys.ES256, typ, claims) },
	})
	verifier := cardauth.NewVerifier(cardauth.VerifierDeps{
		Challenges: challenges, Anchors: c.Anchors, Revocation: c.Revocation, Now: c.Now, Digest: c.Sealer.Digest,
		PhonePolicy: c.PhonePolicy, Linkage: c.Linkage,
	})
	requests, signing, err := newSigning(c, h)
	if err != nil {
		return nil, err
	}
	if signing != nil {
		h.lists = append(h.lists, c.SigningRevocation)
	}
	if h.Shapes, err = shapes.New(ctx, shapes.Deps{DB: c.DB, Now: c.Now, Log: c.Log}); err != nil {
		return nil, err
	}
	h.provider, err = idp.New(idp.Deps{
		Shapes:            h.Shapes,
		SignatureRequests: requests, Signing: signing,
		Issuer: c.Issuer, AgentURL: c.AgentURL, Keys: h.Keys, Digest: c.Sealer.Digest, Sealer: c.Sealer, Clients: h.Clients, Policies: c.Policies, Operated: c.OperatorsURL != "",
		Challenges: challenges, Cards: verifier, Subjects: subjects, Links: links, Mandates: h.mandates, Deliveries: h.outbox, Signals: h.Signals, Exchanges: h.Exchanges, DB: c.DB, Transient: c.Transient, Audit: h.Audit, Site: site,
		Now: c.Now, Log: c.Log, Sample: c.Sample, RelinkWait: c.RelinkWait, MandateMonths: c.MandateMonths, Metrics: c.Metrics,
		MutualTLS: c.MutualTLS, Recheck: c.Recheck, Sessions: c.Session, Mail: c.Mail, Webhooks: h.hooks,
		LoginRate: c.Rates.rule("login", c.Rates.Login), StrangerRate: c.Rates.rule("audit", c.Rates.Strangers),
	})
	if err != nil {
		return h, err
	}
	if h.Preflights, err = newPreflights(ctx, c, h); err != nil || c.OperatorsURL == "" {
		return h, err
	}
	if err := h.registerHubctl(ctx); err != nil {
		return nil, err
	}
	h.admin, err = admin.New(ctx, admin.Deps{
		Issuer: c.Issuer, BaseURL: c.OperatorsURL, Access: h.provider.AdminAccess, Clients: h.Clients, Provider: h.provider, DB: c.DB, Transient: c.Transient,
		Audit: h.Audit, Now: c.Now, Log: c.Log, Sample: c.Sample, Preflights: h.Preflights,
		Gates:     []admin.Gate{h.preflightGate, admin.ImpactGate(h.provider, h.Clients)},
		Oversight: admin.Oversight{ReadCheckpoint: h.readCheckpoint, KeptFor: h.auditFor, Keys: h.Keys, Status: h.status},
	})
	return h, err
}

// newSigning returns what judges signatures; nil, nil where none are made.
func newSigning(c Config, h *Hub) (*cardauth.SignatureRequests, *cardauth.SigningVerifier, error) {
	if c.SigningAnchors == nil {
		return nil, nil, nil
	}
	if c.SigningRevocation == nil {
		return nil, nil, errors.New("hub: signatures need to know of revocations")
	}
	requests := cardauth.NewSignatureRequests(cardauth.Deps{
		Store: c.Transient, Issuer: c.Issuer, Now: c.Now,
		Sign: func(typ string, claims any) (string, error) { return h.Keys.Sign(keys.ES256, typ, claims) },
	})
	return requests, cardauth.NewSigningVerifier(cardauth.SigningDeps{
		Requests: requests, Anchors: c.SigningAnchors, Revocation: c.SigningRevocation, Now: c.Now, Digest: c.Sealer.Digest,
	}), nil
}

// openOutboxes opens what tells services: of sign-outs, and of security events.
func (h *Hub) openOutboxes(c Config, subjects *federation.Subjects) (err error) {
	fetch := c.Fetch
	if fetch == nil {
		if fetch, err = clients.NewFetcher(clients.FetcherConfig{Now: c.Now}); err != nil {
			return err
		}
	}
	h.fetch = fetch
	if h.hooks = c.Webhooks; h.hooks == nil {
		if h.hooks, err = clients.NewFetcher(clients.FetcherConfig{Now: c.Now}); err != nil {
			return err
		}
	}
	h.Signals, err = federation.NewSignals(federation.SignalsDeps{
		Issuer: c.Issuer, DB: c.DB, Clients: h.Clients, Subjects: subjects, Links: h.Links, Audit: h.Audit, Sealer: c.Sealer, Sign: h.Keys.Sign,
		Agreed: idp.Agreed(c.DB), Check: fetch.Check, Send: fetch.Send, Now: c.Now, Log: c.Log,
	})
	if err != nil {
		return err
	}
	if h.launches, err = newLaunches(c, h, fetch); err != nil {
		return err
	}
	h.outbox, err = federation.NewDeliveries(federation.DeliveriesDeps{
		Issuer: c.Issuer, DB: c.DB, Clients: h.Clients, Subjects: subjects, Audit: h.Audit, Sign: h.Keys.Sign, Post: fetch.Post,
		Now: c.Now, Log: c.Log, Signals: h.Signals, PerService: c.TellAtOnce,
	})
	return err
}

// Handler serves the citizens' address.
func (h *Hub) Handler() http.Handler { return h.provider.Handler() }

// MutualHandler serves the second address; without one it is not for use.
func (h *Hub) MutualHandler() http.Handler { return h.provider.MutualHandler() }

// Run does what has to happen on its own, until ctx ends: it rotates keys, tells services of sign-outs, keeps revocation lists
// fresh, ends the sessions of revoked cards, notes in the status lists what expired, and sweeps up what has expired.
func (h *Hub) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return h.Keys.Run(ctx) })
	g.Go(func() error { return h.keepAudit(ctx) })
	g.Go(func() error { return h.outbox.Run(ctx) })
	g.Go(func() error { return h.launches.Run(ctx) })
	g.Go(func() error { return h.lapse(ctx) })
	g.Go(func() error { return h.Signals.Run(ctx) })
	g.Go(func() error { return h.provider.WatchCards(ctx) })
	g.Go(func() error { return h.provider.WatchStatus(ctx) })
	g.Go(func() error { return h.provider.WatchSessions(ctx) })
	g.Go(func() error {
		return h.Exchanges.Run(ctx, func(err error) { h.log.ErrorContext(ctx, "records of exchanges", "err", err) })
	})
	g.Go(func() error { return h.provider.EndLivePages(ctx) })
	g.Go(func() error { return h.provider.WatchMandates(ctx) })
	g.Go(func() error { return h.provider.RunNotices(ctx) })
	g.Go(func() error { return h.remind(ctx, h.mail, h.console) })
	g.Go(func() error { return h.Shapes.Run(ctx) })
	g.Go(func() error { return h.provider.SweepTwins(ctx) })
	g.Go(func() error { return h.Preflights.Run(ctx) })
	for _, l := range h.lists {
		g.Go(func() error { return l.Run(ctx) })
	}
	if h.sweeper != nil {
		g.Go(func() error { return h.sweeper.Run(ctx) })
	}
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
