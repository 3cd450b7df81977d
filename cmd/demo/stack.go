package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/cardauth/agent"
	"github.com/tsunagu-id/tsunagu/cardauth/agent/drawer"
	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/cardauth/jlis"
	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/clients/console"
	"github.com/tsunagu-id/tsunagu/clients/etax"
	"github.com/tsunagu-id/tsunagu/clients/portal"
	"github.com/tsunagu-id/tsunagu/clients/postbox"
	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/idp"
	"github.com/tsunagu-id/tsunagu/idp/hub"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/mail/mailtest"
	"github.com/tsunagu-id/tsunagu/internal/metrics"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/keys"
)

type options struct {
	dir       string
	tls       bool
	clients   string        // file with further clients
	allow     []string      // host:port the hub may reach for them
	trust     string        // PEM file with authorities of their certificates
	clientCA  string        // PEM file with authorities of clients' certificates
	loginRate int64         // card challenges a minute; 0: the hub's own limit
	recheck   time.Duration // of sessions' cards
	shut      []string      // programs that are shut when the demo begins, by their names at /faults
	session   idp.SessionRules
	log       *slog.Logger
}

// parseAllow reads one value of -allow.
func (o *options) parseAllow(list string) error {
	for hostport := range strings.SplitSeq(list, ",") {
		if host, port, err := net.SplitHostPort(hostport); err != nil || host == "" || port == "" {
			return fmt.Errorf("%q is not host:port", hostport)
		}
		o.allow = append(o.allow, hostport)
	}
	return nil
}

// stack is everything the demo runs.
type stack struct {
	options
	authority *privateAuthority // nil without TLS
	http      *http.Client      // trusts the authority
	pki       *cardtest.PKI
	faults    *faults
	mail      *mailtest.Simulator
	servers   []server
	runners   []func(context.Context) error
	databases []*sqldb.DB

	invitations []invitation // to the desks of the sample offices
}

// invitation is a code that makes somebody staff of an office.
type invitation struct {
	office string
	code   rp.Secret
}

// build opens every part and returns the stack ready to serve.
func build(ctx context.Context, o options) (_ *stack, err error) {
	s := &stack{options: o, http: &http.Client{Timeout: 20 * time.Second}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if o.tls {
		if s.authority, err = openAuthority(filepath.Join(o.dir, "demo"), time.Now()); err != nil {
			return nil, err
		}
		s.http = s.authority.client()
	}
	s.pki, err = cardtest.LoadOrCreatePKI(filepath.Join(o.dir, "demo", "pki"), time.Now, "http://"+authorityAddr+"/ocsp")
	if err != nil {
		return nil, fmt.Errorf("test authority: %w", err)
	}
	responder := s.pki.Responder()
	s.faults = newFaults(s.pki, responder)
	linkage := s.pki.Linkage()
	linked := func(b cardtest.LinkageBehaviour) func() error { return func() error { linkage.Behave(b); return nil } }
	s.faults.with("jlis", linked(cardtest.LinkageDown), linked(cardtest.LinkageGood))
	s.faults.with("jlis-answers", linked(cardtest.LinkageSlow), linked(cardtest.LinkageGood))
	authority := http.NewServeMux()
	authority.Handle("/", responder)
	authority.Handle("/jlis/", linkage)
	s.mail = mailtest.New(time.Now, nil)
	authority.Handle("GET /mail", s.mail)
	s.serve(server{name: "test authority", addr: authorityAddr, handler: withHealth(s.faults.handler(authority)), plain: true})
	for _, part := range []func(context.Context) error{s.addHub, s.addPortal, s.addETax, s.addPostbox, s.addCareless, s.addAgency, s.addAgent} {
		if err := part(ctx); err != nil {
			return nil, err
		}
	}
	for _, name := range s.shut {
		if !slices.ContainsFunc(s.servers, func(srv server) bool { return srv.fault == name }) {
			return nil, fmt.Errorf("-shut: %q is no program that can be shut", name)
		}
	}
	return s, nil
}

// serve adds a server. One that names a fault can be shut and opened with POST /faults/NAME/down and …/up.
func (s *stack) serve(srv server) {
	if srv.fault != "" {
		srv.gate = &gate{shut: slices.Contains(s.shut, srv.fault)}
		s.faults.with(srv.fault, srv.gate.down, srv.gate.up)
	}
	s.servers = append(s.servers, srv)
}

// open opens the database of one program; none shares another's.
func (s *stack) open(ctx context.Context, name string) (*sqldb.DB, error) {
	db, err := sqldb.Open(ctx, "sqlite:"+filepath.Join(s.dir, name+".db"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	s.databases = append(s.databases, db)
	return db, nil
}

func (s *stack) close() error {
	var all []error
	for _, db := range s.databases {
		all = append(all, db.Close())
	}
	return errors.Join(all...)
}

func (s *stack) addHub(ctx context.Context) error {
	db, err := s.open(ctx, "hub")
	if err != nil {
		return err
	}
	sealer, err := keys.CreateSealer(filepath.Join(s.dir, "demo", "seal.key"))
	if err != nil {
		return err
	}
	anchors, err := cardauth.ParseAnchors(cardauth.Test, s.pki.Auth().PEM())
	if err != nil {
		return err
	}
	figures := metrics.New()
	revocation, err := cardauth.NewRevocation(cardauth.RevocationDeps{
		Now: time.Now, CRL: "http://" + authorityAddr + "/crl", Anchors: anchors, Directory: filepath.Join(s.dir, "crl"), Metrics: figures,
		CRLRefresh: 10 * time.Second, // the test authority makes a new list whenever it is asked
	})
	if err != nil {
		return err
	}
	signingAnchors, err := cardauth.ParseSigningAnchors(cardauth.Test, s.pki.Sign().PEM())
	if err != nil {
		return err
	}
	signingRevocation, err := cardauth.NewRevocation(cardauth.RevocationDeps{
		Now: time.Now, CRL: "http://" + authorityAddr + "/crl", SigningAnchors: signingAnchors, Directory: filepath.Join(s.dir, "crl"),
		Metrics: figures, Purpose: "signature", CRLRefresh: 10 * time.Second,
	})
	if err != nil {
		return err
	}
	linkage, err := jlis.NewClient(jlis.Config{URL: "http://" + authorityAddr + "/jlis", Now: time.Now})
	if err != nil {
		return err
	}
	roots, err := s.roots()
	if err != nil {
		return err
	}
	fetch, err := clients.NewFetcher(clients.FetcherConfig{
		Now: time.Now, Allow: append([]string{portalAddr, etaxAddr, postboxAddr, agencyAddr, pensionAddr, operatorsAddr, carelessAddr}, s.allow...), RootCAs: roots,
	})
	if err != nil {
		return err
	}
	mutual, authorities, err := s.mutual()
	if err != nil {
		return err
	}
	policies, err := s.policies()
	if err != nil {
		return err
	}
	post, err := s.post()
	if err != nil {
		return err
	}
	h, err := hub.New(ctx, hub.Config{
		Issuer: s.url(hubAddr), AgentURL: s.url(agentAddr), DB: db, Sealer: sealer, Anchors: anchors, Revocation: revocation, Fetch: fetch,
		SigningAnchors: signingAnchors, SigningRevocation: signingRevocation,
		Linkage:     linkage,
		PhonePolicy: cardtest.PolicyPhone, RelinkWait: 10 * time.Second,
		Policies: policies,
		Now:      time.Now, Log: s.log.With("program", "hub"), Sample: true,
		Recheck: idp.Recheck{Every: s.recheck}, LaunchEvery: 20 * time.Second, Session: s.session, Mail: post,
		Rates: hub.Rates{Login: s.loginRate}, MutualTLS: mutual, Authorities: authorities, Metrics: figures,
		OperatorsURL: operatorsURL,
	})
	if err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	if err := s.register(ctx, h.Clients); err != nil {
		return fmt.Errorf("hub: register clients: %w", err)
	}
	if err := h.SeedBases(ctx, demoBases, "sato", "tanaka", time.Now()); err != nil {
		return fmt.Errorf("hub: legal bases: %w", err)
	}
	s.serve(server{name: "hub", addr: hubAddr, handler: h.Handler()})
	if err := s.addConsole(ctx, h); err != nil {
		return fmt.Errorf("console: %w", err)
	}
	if mutual.BaseURL != "" {
		s.serve(server{name: "hub, mutual TLS", addr: mutualAddr, handler: h.MutualHandler(), mutual: true})
	}
	s.runners = append(s.runners, h.Run, s.takeMail)
	return nil
}

// register tells the hub of the services the demo runs, with the keys they made for themselves, and of any from -clients.
func (s *stack) register(ctx context.Context, r *clients.Registry) error {
	var all []json.RawMessage
	for _, own := range []struct {
		id, base string
		metadata func(clientID, base string, jwks []byte, development bool) ([]byte, error)
	}{
		{"portal", s.url(portalAddr), portal.Registration},
		{"etax", s.url(etaxAddr), etax.Registration},
		{"postbox", s.url(postboxAddr), postbox.Registration},
		{"console", operatorsURL, console.Registration},
	} {
		key, err := s.key(own.id)
		if err != nil {
			return err
		}
		m, err := own.metadata(own.id, own.base, key.JWKS(), true)
		if err != nil {
			return err
		}
		all = append(all, m)
	}
	offices, err := s.officeRegistrations()
	if err != nil {
		return err
	}
	all = append(all, offices...)
	if s.clients != "" {
		b, err := os.ReadFile(s.clients)
		if err != nil {
			return err
		}
		var more []json.RawMessage
		if err := json.Unmarshal(b, &more); err != nil {
			return fmt.Errorf("%s: %w", s.clients, err)
		}
		all = append(all, more...)
	}
	seed, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return r.Seed(ctx, seed)
}

func (s *stack) key(program string) (*rp.Key, error) {
	return rp.OpenKey(filepath.Join(s.dir, "demo", program+".key"))
}

func (s *stack) addPortal(ctx context.Context) error {
	db, err := s.open(ctx, "portal")
	if err != nil {
		return err
	}
	key, err := s.key("portal")
	if err != nil {
		return err
	}
	p, err := portal.New(ctx, portal.Config{
		Issuer: s.url(hubAddr), BaseURL: s.url(portalAddr), ClientID: "portal", Credential: key, HTTP: s.http, DB: db, Now: time.Now,
		Log: s.log.With("program", "portal"), Sample: true,
	})
	if err != nil {
		return err
	}
	s.serve(server{name: "portal", addr: portalAddr, handler: p.Handler()})
	s.runners = append(s.runners, p.Run)
	return nil
}

// The account that exists at the sample e-Tax before anybody comes from the hub.
const (
	etaxNumber   = "1234567890123456"
	etaxPassword = "etax-demo"
)

func (s *stack) addETax(ctx context.Context) error {
	db, err := s.open(ctx, "etax")
	if err != nil {
		return err
	}
	key, err := s.key("etax")
	if err != nil {
		return err
	}
	site, err := etax.New(ctx, etax.Config{
		Issuer: s.url(hubAddr), BaseURL: s.url(etaxAddr), ClientID: "etax", Credential: key, HTTP: s.http, DB: db, Now: time.Now,
		Log: s.log.With("program", "etax"), Sample: true, Accounts: []etax.Account{{Number: etaxNumber, Password: rp.NewSecret(etaxPassword)}},
		SignatureAuthorities: s.pki.Sign().PEM(), Follow: 5 * time.Second,
	})
	if err != nil {
		return err
	}
	s.serve(server{name: "e-Tax", addr: etaxAddr, handler: site.Handler(), fault: "etax"})
	s.runners = append(s.runners, site.Run)
	return nil
}

func (s *stack) addAgent(ctx context.Context) error {
	db, err := s.open(ctx, "cardagent")
	if err != nil {
		return err
	}
	journal, err := audit.New(ctx, db, time.Now)
	if err != nil {
		return err
	}
	cards, err := drawer.Open(s.pki)
	if err != nil {
		return err
	}
	a, err := agent.New(agent.Config{
		Origin: s.url(agentAddr), Trusted: []agent.Issuer{{URL: s.url(hubAddr), Name: "つなぐ"}}, HTTP: s.http, Reader: cards, Tray: cards, Demo: true, Phone: true,
		Now: time.Now, Journal: journal.Append, Log: s.log.With("program", "cardagent"),
	})
	if err != nil {
		return err
	}
	s.serve(server{name: "card app", addr: agentAddr, handler: a.Handler()})
	s.runners = append(s.runners, a.Run)
	return nil
}

// start builds the stack and serves it until ctx ends.
func start(ctx context.Context, o options) error {
	s, err := build(ctx, o)
	if err != nil {
		return err
	}
	listeners, err := listenAll(ctx, s.servers, s.tlsConfig())
	if err != nil {
		return errors.Join(err, s.close())
	}
	g, ctx := errgroup.WithContext(ctx)
	serveAll(ctx, g, s.servers, listeners, s.tlsConfig())
	for _, r := range s.runners {
		g.Go(func() error { return r(ctx) })
	}
	g.Go(func() error {
		start, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		if err := waitReady(start, s.http, s.addresses()); err != nil {
			return err
		}
		s.announce(os.Stdout)
		return nil
	})
	return errors.Join(g.Wait(), s.close())
}
