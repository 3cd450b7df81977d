package idptest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/cardauth/agent"
	"github.com/tsunagu-id/tsunagu/cardauth/agent/drawer"
	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/idp"
	"github.com/tsunagu-id/tsunagu/idp/hub"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/mail"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
	"github.com/tsunagu-id/tsunagu/keys"
)

// Options changes what Start builds. The zero value is a hub on SQLite with the standard clients.
type Options struct {
	DB        *sqldb.DB
	Transient ephemeral.Store
	Now       func() time.Time
	Clients   []map[string]any // further clients, in registration metadata
	Policies  []clients.Policy // who may register clients
	Log       io.Writer        // nil: discarded
	TLS       bool             // serve over https, as everywhere but in development
	Mutual    *Mutual          // have a second address for clients with certificates
	Domain    bool             // the issuer's host is a name and no address: passkeys are of domains
	// Reachable are services on this machine, host:port, that the hub may call. With any, the hub also does what has to happen on
	// its own, such as telling them of sign-outs.
	Reachable []string
	Recheck   idp.Recheck // of the cards of sessions
	Session   idp.SessionRules
	// Own: an authority of its own, which can revoke cards without another test noticing; and the hub does what has to happen on its own.
	Own  bool
	Mail mail.Sender // takes notices to citizens
	// Webhooks are receivers of notices on this machine, host:port.
	Webhooks []string
	// OperatorsURL is where the operators' address will be; empty: there is none. See package admintest.
	OperatorsURL string
	// Shared: the card app is that of a computer that others use too.
	Shared bool
}

// Hub is a running hub with everything around it.
type Hub struct {
	*hub.Hub
	Issuer    string
	AgentURL  string
	DB        *sqldb.DB
	PKI       *cardtest.PKI
	Responder *cardtest.Responder
	Agent     *agent.Agent
	Drawer    *drawer.Drawer
	Now       func() time.Time

	MutualURL string // empty without Options.Mutual

	front  *httptest.Server
	mutual *httptest.Server
	config hub.Config
	serves atomic.Pointer[http.Handler]
}

// The standard clients: confidential with a secret, and public. Secret is the confidential one's.
const (
	ClientID    = "app"
	PublicID    = "spa"
	OtherID     = "other"
	RedirectURI = "https://app.example/callback"
	PublicURI   = "https://spa.example/callback"
	OtherURI    = "https://other.example/callback"
	LogoutURI   = "https://app.example/signed-out"
	Secret      = "k3x9Qm7Zr1Vb5Nw8Tj2Lp6Hd4Gs0Fc-Ya_UeIoXqRzA"
)

// Because is who suspends and resumes clients in tests, and why.
var Because = clients.Because{By: "op_test", Reason: "a test"}

// Start runs a hub until the test ends.
func Start(t testing.TB, o Options) *Hub {
	t.Helper()
	ctx := t.Context()
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // tests without a clock of their own run on the real one
	}
	if o.DB == nil {
		o.DB = sqldbtest.Open(t)
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	log := slog.New(slog.NewTextHandler(o.Log, nil))
	h := &Hub{DB: o.DB, Now: o.Now}

	authority := httptest.NewUnstartedServer(nil)
	pki := openPKI(t, o.Own, "http://"+authority.Listener.Addr().String(), o.Now)
	h.PKI, h.Responder = pki, pki.Responder()
	services := http.NewServeMux()
	services.Handle("/", h.Responder)
	services.Handle("/jlis/", pki.Linkage())
	authority.Config.Handler = services
	authority.Start()
	t.Cleanup(authority.Close)

	front := httptest.NewUnstartedServer(nil)
	app := httptest.NewUnstartedServer(nil)
	h.Issuer, h.AgentURL, h.front = "http://"+front.Listener.Addr().String(), "http://"+app.Listener.Addr().String(), front
	if o.Domain {
		h.Issuer = strings.Replace(h.Issuer, "127.0.0.1", "localhost", 1)
	}
	if o.TLS {
		h.Issuer = "https://" + front.Listener.Addr().String()
	}

	sealer, err := keys.CreateSealer(filepath.Join(t.TempDir(), "seal.key"))
	must(t, err)
	anchors, err := cardauth.ParseAnchors(cardauth.Test, pki.Auth().PEM())
	must(t, err)
	fetch, err := clients.NewFetcher(clients.FetcherConfig{Now: o.Now, Allow: o.Reachable})
	must(t, err)
	hooks, err := clients.NewFetcher(clients.FetcherConfig{Now: o.Now, Allow: o.Webhooks})
	must(t, err)
	signingAnchors, err := cardauth.ParseSigningAnchors(cardauth.Test, pki.Sign().PEM())
	must(t, err)
	config := hub.Config{
		SigningAnchors: signingAnchors, SigningRevocation: revocation(t, authority.URL, o.Now),
		Issuer: h.Issuer, AgentURL: h.AgentURL, DB: o.DB, Transient: o.Transient, Sealer: sealer, Anchors: anchors,
		Revocation: revocation(t, authority.URL, o.Now), Fetch: fetch, Webhooks: hooks, Policies: o.Policies, Now: o.Now, Log: log, Sample: true,
		GenerateKey: generator(), PhonePolicy: cardtest.PolicyPhone, Linkage: linkage(t, authority.URL, o.Now),
	}
	if o.Mutual != nil {
		h.mutual = mutualServer()
		h.MutualURL = "https://" + h.mutual.Listener.Addr().String()
		config.MutualTLS = idp.MutualTLS{BaseURL: h.MutualURL, ProxyHeader: o.Mutual.ProxyHeader, TrustedProxies: o.Mutual.TrustedProxies}
		config.Authorities = o.Mutual.Authorities
	}
	config.OperatorsURL = o.OperatorsURL
	config.Recheck, config.Session, config.Mail = o.Recheck, o.Session, o.Mail
	h.config = config
	h.Hub, err = hub.New(ctx, config)
	must(t, err)
	seed, err := json.Marshal(append(standardClients(), o.Clients...))
	must(t, err)
	must(t, h.Clients.Seed(ctx, seed))
	h.serve()
	front.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*h.serves.Load()).ServeHTTP(w, r) })
	if o.TLS {
		front.StartTLS()
	} else {
		front.Start()
	}
	t.Cleanup(front.Close)
	if o.Mutual != nil {
		h.mutual.Config.Handler = h.MutualHandler()
		h.mutual.StartTLS()
		t.Cleanup(h.mutual.Close)
	}

	reader, err := drawer.Open(pki, "taro", "hanako", "taro-renewed", "phone")
	must(t, err)
	h.Agent, err = agent.New(agent.Config{
		Origin: h.AgentURL, Trusted: []agent.Issuer{{URL: h.Issuer}}, Reader: reader, Tray: reader, Demo: true, Phone: true, Shared: o.Shared, Now: o.Now, HTTP: h.Client(),
		Journal: func(context.Context, audit.Event) error { return nil }, Log: log,
	})
	must(t, err)
	h.Drawer = reader
	if o.Own {
		run(t, func(ctx context.Context) error {
			if err := h.Agent.Run(ctx); !errors.Is(err, context.Canceled) {
				return err
			}
			return nil
		})
	}
	app.Config.Handler = h.Agent.Handler()
	app.Start()
	t.Cleanup(app.Close)
	if len(o.Reachable) > 0 || o.Own {
		run(t, h.Run)
	}
	return h
}

// Sealer is the hub's.
func (h *Hub) Sealer() *keys.Sealer { return h.config.Sealer }

func (h *Hub) serve() {
	handler := h.Handler()
	h.serves.Store(&handler)
}

// Replace puts a hub on another database in the place of this one, as after a restore from a backup. What the old one does on its own goes on:
// it is for tests that started nothing of that kind.
func (h *Hub) Replace(t testing.TB, db *sqldb.DB) {
	t.Helper()
	h.config.DB, h.DB = db, db
	var err error
	h.Hub, err = hub.New(t.Context(), h.config)
	must(t, err)
	h.serve()
}

// Process starts another process of the hub on the same stores, until stop is called or the test ends. It serves no address.
func (h *Hub) Process(t testing.TB) (stop func()) {
	t.Helper()
	other, err := hub.New(t.Context(), h.config)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := other.Run(ctx); err != nil {
			t.Errorf("another process of the hub: %v", err)
		}
	}()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return stop
}

// run keeps f running until the test ends.
func run(t testing.TB, f func(context.Context) error) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("hub: %v", err)
		}
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func standardClients() []map[string]any {
	digest := sha256.Sum256([]byte(Secret))
	return []map[string]any{
		{
			"client_id": ClientID, "client_name": "試験サービス", "client_name#en": "Test service", "operator": "試験の運営者",
			"redirect_uris": []string{RedirectURI, "https://app.example/callback?fixed=1"}, "post_logout_redirect_uris": []string{LogoutURI},
			"grant_types": []string{"authorization_code", "refresh_token"}, "scope": "openid offline_access link links",
			"token_endpoint_auth_method": "client_secret_basic", "client_secret_sha256": hex.EncodeToString(digest[:]),
			"id_token_signed_response_alg": "ES256", "initiate_login_uri": "https://app.example/start", "listed": true,
		},
		{
			"client_id": PublicID, "client_name": "画面だけのサービス", "operator": "試験の運営者", "redirect_uris": []string{PublicURI},
			"grant_types": []string{"authorization_code"}, "scope": "openid", "token_endpoint_auth_method": "none",
			"id_token_signed_response_alg": "RS256",
		},
		{
			"client_id": OtherID, "client_name": "別のサービス", "operator": "別の運営者", "redirect_uris": []string{OtherURI},
			"grant_types": []string{"authorization_code", "refresh_token"}, "scope": "openid offline_access",
			"token_endpoint_auth_method": "client_secret_post", "client_secret_sha256": hex.EncodeToString(digest[:]),
			"id_token_signed_response_alg": "EdDSA",
		},
	}
}

// Client returns an HTTP client that trusts the hub, has no cookies and follows no redirects.
func (h *Hub) Client() *http.Client {
	c := Client()
	c.Transport = h.front.Client().Transport
	return c
}

// Client returns an HTTP client without cookies that follows no redirects.
func Client() *http.Client {
	return &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: 30 * time.Second}
}
