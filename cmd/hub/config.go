package main

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/idp"
	"github.com/tsunagu-id/tsunagu/internal/conf"
	"github.com/tsunagu-id/tsunagu/internal/metrics"
	"github.com/tsunagu-id/tsunagu/internal/serve"
	"github.com/tsunagu-id/tsunagu/keys"
)

// config is the hub's configuration file. docs/operations.md describes every key.
type config struct {
	Issuer   string `json:"issuer"`
	Listen   string `json:"listen"`
	AgentURL string `json:"agent_url"`
	TLS      struct {
		Certificate string `json:"certificate"`
		Key         string `json:"key"`
	} `json:"tls"`
	Mutual        mutualTLS       `json:"mtls"`
	Database      string          `json:"database"`       // sqlite:/path or postgres://…, without a password
	DatabaseFile  conf.SecretFile `json:"database_file"`  // or a file that holds the whole address
	Redis         []string        `json:"redis"`          // host:port, several for Cluster; none: sessions live in the database
	RedisMaster   string          `json:"redis_master"`   // with Sentinel: the master's name
	RedisPassword conf.SecretFile `json:"redis_password"` // optional
	SealFile      string          `json:"seal_file"`
	Cards         struct {
		Environment string        `json:"environment"` // production or test
		Anchors     []string      `json:"anchors"`     // PEM files
		OCSP        string        `json:"ocsp"`
		CRL         string        `json:"crl"`
		OCSPMaxAge  conf.Duration `json:"ocsp_max_age"`
		Fallback    []string      `json:"ocsp_fallback"` // responders to ask when the first does not answer
		WholeList   bool          `json:"crl_whole"`     // one list for all certificates of an authority
		Directory   string        `json:"crl_directory"` // where lists are kept for the next start; empty: nowhere
		PhonePolicy string        `json:"phone_policy"`  // dotted; empty: certificates on phones are refused
		Linkage     linkageConfig `json:"linkage"`       // whose older card a new one replaces; without an address nobody is asked
		Signing     signing       `json:"signing"`
	} `json:"cards"`
	LaunchEvery conf.Duration `json:"launch_every"` // how often the launch of a listed service is tried; 0: the hub's own

	MandateMonths int `json:"mandate_months"` // the longest that a citizen names a representative for; 0: 12

	Recheck struct { // of the cards that sessions rest on
		Every     conf.Duration `json:"every"`      // 0: five minutes
		Patience  conf.Duration `json:"patience"`   // 0: four hours
		PerSecond int           `json:"per_second"` // questions of one process; 0: 500
	} `json:"recheck"`
	Logout struct {
		PerService int `json:"per_service"` // tokens on their way to one service at once; 0: 8
	} `json:"logout"`
	Sessions struct {
		Idle       conf.Duration            `json:"idle"`        // 0: 30 minutes
		Absolute   conf.Duration            `json:"absolute"`    // 0: twelve hours
		SharedIdle conf.Duration            `json:"shared_idle"` // on a computer that others use too; 0: ten minutes
		Warn       conf.Duration            `json:"warn"`        // before the end; 0: two minutes
		Tell       conf.Duration            `json:"tell"`        // how often services of ended sessions are looked for; 0: 15 seconds
		Separate   [][]clients.SessionClass `json:"separate"`    // pairs of classes that share no session
	} `json:"sessions"`
	Clients      string         `json:"clients"`      // JSON array of client metadata
	FetchAllow   []string       `json:"fetch_allow"`  // host:port that client key addresses may name although they are not public
	FetchTrust   string         `json:"fetch_trust"`  // PEM, authorities of clients' certificates beside the system's; empty: none
	Registration []registration `json:"registration"` // who may register clients; none: nobody
	Rates        struct {
		Login     int64 `json:"login"`     // card challenges of one browser, a minute; 0: 60
		Strangers int64 `json:"strangers"` // audit rows of each kind by requests that prove nothing, a minute; 0: 300
	} `json:"rates"`
	Audit struct {
		KeepDays int `json:"keep_days"` // how long rows of the audit log are kept; 0: for ever
	} `json:"audit"`
	SMTP      smtp      `json:"smtp"` // takes notices to citizens; without an address there is no mail
	Operators operators `json:"operators"`
	Sample    bool      `json:"sample"`
}

// maxMandateMonths is the longest period that the hub's page offers.
const maxMandateMonths = 36

// load reads and checks the file. An error names the key and what to do.
func load(path string) (config, error) {
	var c config
	if err := conf.Load(path, &c); err != nil {
		return c, err
	}
	return c, c.check()
}

func (c config) check() error {
	switch {
	case c.Issuer == "":
		return errors.New("issuer: the hub's own address is required, such as https://id.example.go.jp")
	case c.AgentURL == "":
		return errors.New("agent_url: where citizens' browsers find the card app, such as http://127.0.0.1:8404")
	case c.Database == "" && c.DatabaseFile.File == "":
		return errors.New("database: sqlite:/path or postgres://… is required")
	case c.SealFile == "":
		return errors.New("seal_file: the file with the hub's 32-byte seal key is required; hub -new-seal-file PATH makes one")
	case len(c.Cards.Anchors) == 0:
		return errors.New("cards.anchors: at least one PEM file of the user-authentication authority is required")
	}
	if _, err := c.environment(); err != nil {
		return err
	}
	if err := cardauth.CheckPhonePolicy(c.Cards.PhonePolicy); err != nil {
		return fmt.Errorf("cards.phone_policy: %w", err)
	}
	if c.Rates.Login < 0 || c.Rates.Strangers < 0 {
		return errors.New("rates: a number of times a minute, or 0 for the hub's own limit")
	}
	if c.Logout.PerService < 0 || c.Logout.PerService > 1000 {
		return errors.New("logout.per_service: a number up to 1000, or 0 for the hub's own")
	}
	if c.MandateMonths < 0 || c.MandateMonths > maxMandateMonths {
		return errors.New("mandate_months: a number of months up to 36, or 0 for the hub's own")
	}
	if err := c.checkRecheck(); err != nil {
		return err
	}
	for _, pair := range c.Sessions.Separate {
		if len(pair) != 2 {
			return errors.New(`sessions.separate: a list of pairs, such as [["government", "private"]]`)
		}
	}
	if err := c.sessions().Check(); err != nil {
		return err
	}
	for _, r := range c.Registration {
		if r.Token.File == "" && !r.Open {
			return fmt.Errorf("registration: %q has no token; \"open\": true lets everybody register", r.Name)
		}
		if r.Token.File != "" && r.Open {
			return fmt.Errorf("registration: %q has a token, which nobody would need to show with \"open\": true", r.Name)
		}
	}
	if err := c.address().Check(); err != nil {
		return err
	}
	if d := c.Audit.KeepDays; d != 0 && (d < minAuditDays || d > maxAuditDays) {
		return fmt.Errorf("audit.keep_days: %d to %d, or 0 for ever", minAuditDays, maxAuditDays)
	}
	return c.Mutual.check(c.Issuer, c.address())
}

// Bounds of audit.keep_days: somebody has to notice first, and more than a century is a slip of the pen.
const (
	minAuditDays = 90
	maxAuditDays = 36_500
)

func (c config) checkRecheck() error {
	r := c.recheck()
	switch {
	case r.Every < 0 || r.Patience < 0 || r.PerSecond < 0 || r.Every != 0 && r.Every < time.Second:
		return errors.New("recheck: every is a second at least, and nothing is negative; 0 stands for the hub's own")
	case time.Duration(c.Cards.OCSPMaxAge) > cmp.Or(r.Every, idp.DefaultRecheck):
		return errors.New("recheck: cards.ocsp_max_age is longer than recheck.every, so that asking again would only repeat the last answer")
	}
	return nil
}

func (c config) recheck() idp.Recheck {
	return idp.Recheck{Every: time.Duration(c.Recheck.Every), Patience: time.Duration(c.Recheck.Patience), PerSecond: c.Recheck.PerSecond}
}

func (c config) sessions() idp.SessionRules {
	s := c.Sessions
	rules := idp.SessionRules{
		Idle: time.Duration(s.Idle), Absolute: time.Duration(s.Absolute), SharedIdle: time.Duration(s.SharedIdle),
		Warn: time.Duration(s.Warn), Tell: time.Duration(s.Tell),
	}
	for _, pair := range s.Separate {
		rules.Separate = append(rules.Separate, [2]clients.SessionClass(pair))
	}
	return rules
}

func (c config) address() serve.Address {
	return serve.Address{Listen: c.Listen, Certificate: c.TLS.Certificate, Key: c.TLS.Key}
}

// verify does everything that starting would do short of opening the database and the address.
func (c config) verify() error {
	if err := idp.CheckIssuer(c.Issuer); err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	if u, err := url.Parse(c.AgentURL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return errors.New("agent_url: not a web address")
	}
	if _, err := c.anchors(); err != nil {
		return err
	}
	if _, err := c.sealer(); err != nil {
		return err
	}
	if _, err := c.revocation(time.Now, nil, nil); err != nil {
		return err
	}
	if _, _, err := c.signing(time.Now, nil); err != nil {
		return err
	}
	if _, err := c.linkage(time.Now); err != nil {
		return err
	}
	if _, err := c.dsn(); err != nil {
		return err
	}
	if _, err := c.fetcher(time.Now); err != nil {
		return err
	}
	if _, err := c.policies(); err != nil {
		return err
	}
	if c.TLS.Certificate != "" {
		if _, err := tls.LoadX509KeyPair(c.TLS.Certificate, c.TLS.Key); err != nil {
			return fmt.Errorf("tls: %w", err)
		}
	}
	if c.Mutual.Certificate != "" {
		if _, err := tls.LoadX509KeyPair(c.Mutual.Certificate, c.Mutual.Key); err != nil {
			return fmt.Errorf("mtls: %w", err)
		}
	}
	if _, err := c.Mutual.authorities(); err != nil {
		return err
	}
	if _, err := c.SMTP.sender(); err != nil {
		return err
	}
	if err := c.Operators.check(); err != nil {
		return err
	}
	if c.Clients != "" {
		if _, err := os.Stat(c.Clients); err != nil {
			return fmt.Errorf("clients: %w", err)
		}
	}
	return nil
}

func (c config) environment() (cardauth.Environment, error) {
	switch c.Cards.Environment {
	case "production":
		return cardauth.Production, nil
	case "test":
		return cardauth.Test, nil
	}
	return 0, errors.New("cards.environment: production or test")
}

func (c config) dsn() (string, error) {
	if c.DatabaseFile.File == "" {
		return c.Database, nil
	}
	b, err := c.DatabaseFile.Read()
	if err != nil {
		return "", fmt.Errorf("database_file: %w", err)
	}
	return string(b), nil
}

func (c config) anchors() (*cardauth.Anchors, error) {
	env, err := c.environment()
	if err != nil {
		return nil, err
	}
	var files [][]byte
	for _, path := range c.Cards.Anchors {
		b, err := os.ReadFile(path) //nolint:gosec // the operator names the file
		if err != nil {
			return nil, fmt.Errorf("cards.anchors: %w", err)
		}
		files = append(files, b)
	}
	a, err := cardauth.ParseAnchors(env, files...)
	if err != nil {
		return nil, fmt.Errorf("cards.anchors: %w", err)
	}
	return a, nil
}

func (c config) revocation(now func() time.Time, anchors *cardauth.Anchors, figures *metrics.Registry) (*cardauth.Revocation, error) {
	if c.Cards.CRL == "" && (c.Cards.WholeList || c.Cards.Directory != "") {
		return nil, errors.New("cards.crl: lists are kept, but nothing says where they are")
	}
	r, err := cardauth.NewRevocation(cardauth.RevocationDeps{
		Now: now, OCSP: c.Cards.OCSP, OCSPFallback: c.Cards.Fallback, CRL: c.Cards.CRL, MaxAge: time.Duration(c.Cards.OCSPMaxAge),
		WholeList: c.Cards.WholeList, Directory: c.Cards.Directory, Anchors: anchors, Metrics: figures,
	})
	if err != nil {
		return nil, fmt.Errorf("cards: %w", err)
	}
	return r, nil
}

func (c config) fetcher(now func() time.Time) (*clients.Fetcher, error) {
	cfg := clients.FetcherConfig{Now: now, Allow: c.FetchAllow}
	if c.FetchTrust != "" {
		var err error
		if cfg.RootCAs, err = serve.Roots(nil, c.FetchTrust); err != nil {
			return nil, fmt.Errorf("fetch_trust: %w", err)
		}
	}
	f, err := clients.NewFetcher(cfg)
	if err != nil {
		return nil, fmt.Errorf("fetch_allow: %w", err)
	}
	return f, nil
}

func (c config) sealer() (*keys.Sealer, error) {
	s, err := keys.LoadSealer(c.SealFile)
	if err != nil {
		return nil, fmt.Errorf("seal_file: %w", err)
	}
	return s, nil
}
