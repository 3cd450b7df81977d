package idp

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/federation/exchange"
	"github.com/tsunagu-id/tsunagu/idp/passkey"
	"github.com/tsunagu-id/tsunagu/idp/shapes"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/mail"
	"github.com/tsunagu-id/tsunagu/internal/metrics"
	"github.com/tsunagu-id/tsunagu/internal/ratelimit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/web"
	"github.com/tsunagu-id/tsunagu/keys"
)

// Deps is everything a Provider is made of.
type Deps struct {
	Issuer     string // https, or http on a loopback host; no trailing slash, no query
	AgentURL   string // where a citizen's browser finds the card app, e.g. http://127.0.0.1:8404
	Keys       *keys.Set
	Digest     func(purpose string, data []byte) [32]byte // keyed, stable for ever
	Sealer     *keys.Sealer                               // for what citizens write of themselves
	Clients    *clients.Registry
	Policies   []clients.Policy // who may register clients; none: nobody but holders of tokens that operators issue
	Operated   bool             // there are operators, who issue such tokens
	Challenges *cardauth.Challenges
	Cards      *cardauth.Verifier
	Subjects   *federation.Subjects
	Links      *federation.Links
	Mandates   *federation.Mandates
	Deliveries *federation.Deliveries
	Signals    *federation.Signals
	Exchanges  *exchange.Register
	DB         *sqldb.DB
	Transient  ephemeral.Store
	Audit      *audit.Log
	Site       *web.Site
	Now        func() time.Time
	Log        *slog.Logger
	Metrics    *metrics.Registry // nil: nobody looks
	Shapes     *shapes.Recorder  // what requests look like, for a day; nil: nobody counts
	Sample     bool              // made-up cards and services: the login page says so

	// Signatures over documents; both, or neither: then nothing is signed here.
	SignatureRequests *cardauth.SignatureRequests
	Signing           *cardauth.SigningVerifier

	// Mail takes notices to citizens; nil: they cannot choose mail. Webhooks reaches addresses that citizens chose; nil: they cannot choose one.
	Mail     mail.Sender
	Webhooks Webhooks

	// MutualTLS is the second address, for clients with certificates; zero: none.
	MutualTLS MutualTLS

	// Recheck says how the cards that sessions rest on are asked about again.
	Recheck Recheck

	// Sessions says how long sessions live, and which are kept apart.
	Sessions SessionRules

	// RelinkWait is how long a card that was tied by a signature waits before it opens the folder; zero means DefaultRelinkWait.
	RelinkWait time.Duration
	// MandateMonths is the longest that a citizen may be represented by one mandate; zero means DefaultMandateMonths.
	MandateMonths int
	// LoginRate bounds the card challenges of one browser, told by its cookie; zero means 60 a minute.
	LoginRate ratelimit.Rule
	// StrangerRate bounds the audit rows, of each kind, that requests can cause which prove nothing: the log must tell of an attack
	// without becoming its target. Beyond it they are counted in the program's log only. Zero means 300 a minute.
	StrangerRate ratelimit.Rule
}

// Provider is the OpenID provider and the hub's pages.
type Provider struct {
	issuer     string
	agentURL   string
	sample     bool
	mutual     MutualTLS
	keys       *keys.Set
	digest     func(purpose string, data []byte) [32]byte
	sealer     *keys.Sealer
	clients    *clients.Registry
	challenges *cardauth.Challenges
	cards      *cardauth.Verifier
	subjects   *federation.Subjects
	links      *federation.Links
	mandates   *federation.Mandates
	deliveries *federation.Deliveries
	signals    *federation.Signals
	exchanges  *exchange.Register
	db         *sqldb.DB
	store      ephemeral.Store
	audit      *audit.Log
	site       *web.Site
	now        func() time.Time
	log        *slog.Logger
	limiter    *ratelimit.Limiter
	figures    figures
	shapes     *shapes.Recorder
	relinkWait time.Duration
	maxMonths  int // of a mandate
	loginRate  ratelimit.Rule
	strangers  ratelimit.Rule
	recheck    Recheck

	mail  mail.Sender // nil: no mail
	hooks Webhooks    // nil: no webhooks
	news  notices

	signing           *cardauth.SigningVerifier // nil: no signatures
	signatureRequests *cardauth.SignatureRequests
	signatures        signatures
	attestations      attestations

	accounts     accounts
	attributes   attributes
	passkeys     passkeys
	party        *passkey.Party // nil: the issuer's host is no domain, and passkeys are of domains
	transactions transactions
	sessions     sessions
	grants       grants
	devices      devices
	pairings     pairings
	engine       engine
	livePages    *livePages
	discovery    document
	resource     document // RFC 9728
	api          *federation.API
	exchangeAPI  *exchange.API
	registrar    *clients.Registrar
}

// New returns a provider ready to serve, or an error naming the missing part.
func New(d Deps) (*Provider, error) {
	if err := CheckIssuer(d.Issuer); err != nil {
		return nil, err
	}
	if err := d.MutualTLS.Check(d.Issuer); err != nil {
		return nil, fmt.Errorf("idp: %w", err)
	}
	for name, missing := range map[string]bool{
		"AgentURL": d.AgentURL == "", "Keys": d.Keys == nil, "Digest": d.Digest == nil, "Sealer": d.Sealer == nil, "Clients": d.Clients == nil,
		"Challenges": d.Challenges == nil, "Cards": d.Cards == nil, "Subjects": d.Subjects == nil, "Links": d.Links == nil,
		"Mandates": d.Mandates == nil, "Deliveries": d.Deliveries == nil, "Signals": d.Signals == nil, "Exchanges": d.Exchanges == nil,
		"DB": d.DB == nil, "Transient": d.Transient == nil, "Audit": d.Audit == nil, "Site": d.Site == nil, "Now": d.Now == nil, "Log": d.Log == nil,
	} {
		if missing {
			return nil, fmt.Errorf("idp: %s is missing", name)
		}
	}
	if (d.Signing == nil) != (d.SignatureRequests == nil) {
		return nil, errors.New("idp: Signing and SignatureRequests come together")
	}
	if d.RelinkWait == 0 {
		d.RelinkWait = DefaultRelinkWait
	}
	if d.MandateMonths == 0 {
		d.MandateMonths = DefaultMandateMonths
	}
	if d.LoginRate.Limit == 0 {
		d.LoginRate = ratelimit.Rule{Name: "login", Limit: 60, Window: time.Minute}
	}
	if d.StrangerRate.Limit == 0 {
		d.StrangerRate = ratelimit.Rule{Name: "audit", Limit: 300, Window: time.Minute}
	}
	d.Recheck.fill()
	if err := d.Sessions.Check(); err != nil {
		return nil, fmt.Errorf("idp: %w", err)
	}
	d.Sessions.fill()
	p := &Provider{
		recheck: d.Recheck,
		issuer:  d.Issuer, agentURL: strings.TrimSuffix(d.AgentURL, "/"), sample: d.Sample, mutual: d.MutualTLS, keys: d.Keys, digest: d.Digest,
		sealer:  d.Sealer,
		clients: d.Clients, challenges: d.Challenges, cards: d.Cards, subjects: d.Subjects, links: d.Links, mandates: d.Mandates, deliveries: d.Deliveries, signals: d.Signals, exchanges: d.Exchanges, db: d.DB,
		store: d.Transient, audit: d.Audit, site: d.Site, now: d.Now, log: d.Log,
		limiter: ratelimit.New(d.Transient, d.Now), loginRate: d.LoginRate, relinkWait: d.RelinkWait, maxMonths: d.MandateMonths, strangers: d.StrangerRate,
		accounts:     accounts{db: d.DB, now: d.Now},
		attributes:   attributes{db: d.DB, seal: d.Sealer, now: d.Now},
		passkeys:     passkeys{db: d.DB, seal: d.Sealer, digest: d.Digest, now: d.Now},
		transactions: transactions{store: d.Transient},
		sessions:     sessions{store: d.Transient, entries: entries{db: d.DB}, rules: d.Sessions, now: d.Now},
		grants:       grants{store: d.Transient, now: d.Now},
		devices:      devices{store: d.Transient, now: d.Now, digest: d.Digest},
		pairings:     pairings{store: d.Transient, now: d.Now},
		livePages:    newLivePages(),
	}
	p.mail, p.hooks = d.Mail, d.Webhooks
	p.news = notices{db: d.DB, seal: d.Sealer, digest: d.Digest, now: d.Now}
	p.observeNotices()
	p.site.OnTrouble(p.noteTrouble)
	p.figures, p.shapes = newFigures(d.Metrics), d.Shapes
	if d.Signing != nil {
		p.signing, p.signatureRequests = d.Signing, d.SignatureRequests
		p.signatures = signatures{db: d.DB, seal: d.Sealer, now: d.Now}
		p.attestations = attestations{db: d.DB, seal: d.Sealer}
	}
	p.engine = newEngine(p)
	var err error
	if p.party, err = passkey.NewParty(d.Issuer); err != nil && !errors.Is(err, passkey.ErrNoDomain) {
		return nil, err
	}
	p.tellSignals()
	if p.api, err = p.newAPI(); err != nil {
		return nil, err
	}
	p.exchangeAPI, err = exchange.NewAPI(exchange.APIDeps{Register: d.Exchanges, Authorize: p.authorizeAPI, Refuse: p.refuseAPI, Citizen: p.citizenOf})
	if err != nil {
		return nil, err
	}
	p.registrar, err = clients.NewRegistrar(clients.RegistrarDeps{
		Issuer: d.Issuer, Registry: d.Clients, Policies: d.Policies, Certificates: d.MutualTLS.BaseURL != "", Limiter: p.limiter, Record: p.record, Refuse: p.refuseAPI,
	})
	if err != nil {
		return nil, err
	}
	if p.discovery, err = p.newDiscovery(len(d.Policies) > 0 || d.Operated); err != nil {
		return nil, err
	}
	p.resource, err = newResourceMetadata(d.Issuer, d.MutualTLS.BaseURL != "")
	return p, err
}

// CheckIssuer accepts https, or http on loopback for development (OIDC Discovery §3 has no exception; ours is for loopback only).
func CheckIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("idp: issuer %q must be scheme and host only", issuer)
	}
	switch h := u.Hostname(); {
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && (h == "localhost" || h == "127.0.0.1" || h == "::1"):
		return nil
	}
	return fmt.Errorf("idp: issuer %q must be https", issuer)
}

// client returns a client that may be used, or an *Error to show.
func (p *Provider) client(ctx context.Context, id clients.ID) (*clients.Client, error) {
	if c := candidateOf(ctx, id); c != nil {
		return c, nil
	}
	c, err := p.clients.Get(ctx, id)
	if err != nil {
		if errors.Is(err, clients.ErrUnknown) || errors.Is(err, clients.ErrSuspended) {
			return nil, &Error{Reason: UnknownClient, Detail: "client unknown or suspended", Err: err}
		}
		return nil, fmt.Errorf("read client: %w", err)
	}
	return c, nil
}

// codeFor returns the authorization code of a grant issued at a time in Unix milliseconds. It is derived, so that a citizen who presses
// a button twice is sent on with the same code twice instead of losing the first; 256 bits under a key that never leaves this process.
func (p *Provider) codeFor(grantID string, issued int64) string {
	d := p.digest("authorization code", binary.BigEndian.AppendUint64([]byte(grantID), uint64(issued))) //nolint:gosec // a time after 1970
	return string(kindCode) + grantID + base64.RawURLEncoding.EncodeToString(d[:])
}

// clientSID is the session id a client is told: its own for each client, so that two of them cannot compare notes.
func (p *Provider) clientSID(sid, client string) string {
	d := p.digest("sid", []byte(sid+"\x00"+client))
	return base64.RawURLEncoding.EncodeToString(d[:16])
}

// live says whether a grant's ground still stands. Once its code was redeemed, a grant with offline access outlives the session; any
// other, and every code, dies with it or when its service is left, and does not come back when the service is entered again. A grant
// without an account rests on its client alone, which every caller looks up.
func (p *Provider) live(ctx context.Context, g *grant) (bool, error) {
	if g.Probe != nil {
		return p.probeStands(ctx, g)
	}
	if g.Account == "" {
		return true, nil
	}
	if g.Exchange != "" { // on the record of an exchange between offices; there is no citizen who could go
		return true, nil
	}
	if g.Parent != "" {
		return p.parentLives(ctx, g)
	}
	ok, err := p.accounts.ground(ctx, g)
	if err != nil || !ok {
		return false, err
	}
	if ok, err := p.mandateStands(ctx, g); err != nil || !ok {
		return false, err
	}
	if g.Passkey != "" {
		if ok, err := p.passkeys.trusted(ctx, g.Passkey); err != nil || !ok {
			return false, err
		}
	}
	if g.offline() {
		return true, nil
	}
	s, err := p.sessions.get(ctx, g.SID)
	if err != nil || s == nil {
		return false, err
	}
	if s.Passkey != "" {
		if ok, err := p.passkeys.stands(ctx, s.Passkey); err != nil || !ok {
			return false, err
		}
	}
	since := s.since(g.Client)
	return since != 0 && g.Issued >= since, nil
}

// parentLives is live for a token got by exchange: it dies with the authorization it came from, at whatever distance.
func (p *Provider) parentLives(ctx context.Context, g *grant) (bool, error) {
	parent, _, err := p.grants.get(ctx, g.Parent)
	if errors.Is(err, ephemeral.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return p.stands(ctx, parent)
}

func (p *Provider) unit(c *clients.Client) *unit {
	return &unit{grants: p.grants, live: p.live, client: engineClient{c}}
}

// record writes an audit event. An event that cannot be written fails what it describes, except where the caller says otherwise.
func (p *Provider) record(ctx context.Context, e audit.Event) error {
	e.Trace = web.Trace(ctx)
	if err := p.audit.Append(context.WithoutCancel(ctx), e); err != nil {
		return fmt.Errorf("audit %s: %w", e.Kind, err)
	}
	return nil
}

// recordStranger is record for what anybody can cause.
func (p *Provider) recordStranger(ctx context.Context, e audit.Event) error {
	ok, _, err := p.limiter.Allow(ctx, p.strangers, string(e.Kind))
	if err != nil {
		return err
	}
	if !ok {
		p.log.WarnContext(ctx, "audit rows of strangers over the limit", "kind", e.Kind, "reason", e.Reason)
		return nil
	}
	return p.record(ctx, e)
}

// Ready says whether the stores answer.
func (p *Provider) Ready(ctx context.Context) error {
	if err := p.DatabaseReady(ctx); err != nil {
		return err
	}
	return p.StoreReady(ctx)
}

// DatabaseReady says whether the database answers.
func (p *Provider) DatabaseReady(ctx context.Context) error {
	if err := p.db.Ping(ctx); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	return nil
}

// StoreReady says whether the store of sessions and logins answers.
func (p *Provider) StoreReady(ctx context.Context) error {
	if _, err := p.store.Get(ctx, "ready:1:probe"); err != nil && !errors.Is(err, ephemeral.ErrNotFound) {
		return fmt.Errorf("ephemeral store: %w", err)
	}
	return nil
}

// The audit events of this package.
const (
	eventCardRefused    audit.Kind = "login.card_refused"
	eventLogin          audit.Kind = "login.succeeded"
	eventOtherBrowser   audit.Kind = "login.other_browser"
	eventReturnReused   audit.Kind = "login.return_reused"
	eventReturnUnknown  audit.Kind = "login.return_unknown"
	eventCancelled      audit.Kind = "login.cancelled"
	eventFolderOpened   audit.Kind = "folder.opened"
	eventCardTied       audit.Kind = "card.tied"            // to a folder that was there; facts: evidence, kind
	eventCardConflict   audit.Kind = "card.conflict"        // the authority names older cards of several folders
	eventCardNotJoined  audit.Kind = "card.not_joined"      // the authority says that it is another person's
	eventRelinkPrepared audit.Kind = "card.relink_prepared" // a digest of the owner's attributes is kept
	eventCardUndone     audit.Kind = "card.undone"          // the folder's owner says that a card is not hers
	eventDetails        audit.Kind = "account.details_changed"
	eventAttested       audit.Kind = "account.attributes_confirmed" // with the signature certificate; facts: source
	eventUnattested     audit.Kind = "account.attributes_removed"
	eventConsent        audit.Kind = "consent.granted"
	eventConsentDenied  audit.Kind = "consent.denied"
	eventEntered        audit.Kind = "service.entered"
	eventSessionEnded   audit.Kind = "session.ended"
	eventCardEnded      audit.Kind = "card.ended"
	eventAllEnded       audit.Kind = "session.ended_everywhere"
	eventSessionRule    audit.Kind = "session.rule_chosen" // facts: rule, chosen
	eventCodeReplayed   audit.Kind = "token.code_replayed"
	eventRefreshReused  audit.Kind = "token.refresh_reused"
	eventClientRefused  audit.Kind = "client.refused"
	eventTokenRevoked   audit.Kind = "token.revoked"
	eventExchanged      audit.Kind = "token.exchanged"
	eventPushedReplayed audit.Kind = "request.replayed"

	eventPhoneScanned audit.Kind = "login.phone_scanned"
	eventPhoneRefused audit.Kind = "login.phone_refused"
	eventPhoneStopped audit.Kind = "login.phone_stopped"

	eventPasskeyAdded   audit.Kind = "passkey.added"
	eventPasskeyRenamed audit.Kind = "passkey.renamed"
	eventPasskeyRemoved audit.Kind = "passkey.removed"
	eventPasskeyCloned  audit.Kind = "passkey.cloned"
	eventPasskeyRefused audit.Kind = "passkey.refused"

	eventInviteWrong audit.Kind = "mandate.wrong_code" // somebody with a card typed an invitation that is none

	eventDeviceAsked     audit.Kind = "device.asked"
	eventDeviceWrongCode audit.Kind = "device.wrong_code"
	eventDeviceApproved  audit.Kind = "device.approved"
	eventDeviceDenied    audit.Kind = "device.denied"
)
