package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/agent"
	"github.com/tsunagu-id/tsunagu/cardauth/agent/drawer"
	"github.com/tsunagu-id/tsunagu/cardauth/agent/pinentry"
	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/conf"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// config is the program's configuration file. Flags win over it.
type config struct {
	Origin      string   `json:"origin"`           // where the pages are served; loopback
	Trusted     []issuer `json:"trusted"`          // the hubs that are answered
	CA          string   `json:"ca_file"`          // PEM, beside the system's authorities; empty: none
	Certificate string   `json:"certificate_file"` // PEM, for an origin of https
	Key         string   `json:"key_file"`
	Cards       string   `json:"cards"`    // directory of a test PKI with virtual cards; empty: the readers of this computer
	Card        string   `json:"card"`     // only this one of them; for readers, the reader's name
	Phone       bool     `json:"phone"`    // this is a phone, or stands for one: logins on other devices may be signed
	Shared      bool     `json:"shared"`   // others use this computer too: every login ends when its card is taken out
	OCSP        string   `json:"ocsp_url"` // what certificates of virtual cards made here say about their responder
	Journal     string   `json:"journal"`  // SQLite file for what happened; empty: the log, with -v
	PIN         string   `json:"pin"`      // where the PIN is typed: page, dialog or terminal; empty: page
	State       string   `json:"state"`    // directory for the last trouble codes; empty: the user's own
}

type issuer struct {
	URL  string `json:"url"`
	Name string `json:"name"`
}

// defaults are those of the demo on this computer.
func defaults() config {
	return config{
		Origin:  "http://127.0.0.1:8404",
		Trusted: []issuer{{URL: "http://localhost:8400", Name: "つなぐ"}},
		OCSP:    "http://127.0.0.1:8406/ocsp",
	}
}

// flags are the ones that serving and login share.
type flags struct {
	config, cards, card, issuer, ca, pin string
	verbose, phone                       bool
}

func (f *flags) add(set *flag.FlagSet) {
	set.StringVar(&f.config, "config", "", "")
	set.StringVar(&f.cards, "cards", "", "")
	set.StringVar(&f.card, "card", "", "")
	set.StringVar(&f.issuer, "issuer", "", "")
	set.StringVar(&f.ca, "ca", "", "")
	set.StringVar(&f.pin, "pin", "", "")
	set.BoolVar(&f.verbose, "v", false, "")
	set.BoolVar(&f.phone, "phone", false, "")
}

// parse reads a command line on which nothing stands but flags.
func parse(name string, args []string, add func(*flag.FlagSet)) error {
	rest, err := parseRest(name, args, add)
	if err == nil && len(rest) > 0 {
		return usageError{fmt.Errorf("unexpected argument %q; see -help", rest[0])}
	}
	return err
}

// parseRest reads flags and returns what follows them.
func parseRest(name string, args []string, add func(*flag.FlagSet)) ([]string, error) {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	add(set)
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, usageError{err}
	}
	return set.Args(), nil
}

// load reads the configuration and lays the flags over it.
func (f flags) load() (config, error) {
	c := defaults()
	if path := f.configFile(); path != "" {
		if err := conf.Load(path, &c); err != nil {
			return c, usageError{err}
		}
	}
	if f.issuer != "" {
		c.Trusted = []issuer{{URL: f.issuer}}
	}
	for _, given := range []struct {
		flag string
		key  *string
	}{{f.cards, &c.Cards}, {f.card, &c.Card}, {f.ca, &c.CA}, {f.pin, &c.PIN}} {
		if given.flag != "" {
			*given.key = given.flag
		}
	}
	c.Phone = c.Phone || f.phone
	if (c.Certificate == "") != (c.Key == "") {
		return c, usageError{errors.New("certificate_file and key_file belong together")}
	}
	if c.PIN == "" {
		c.PIN = pinOnPage
	}
	if c.PIN != pinOnPage && c.PIN != pinInDialog && c.PIN != pinInTerminal {
		return c, usageError{fmt.Errorf("pin: %q is none of page, dialog and terminal", c.PIN)}
	}
	if c.State == "" {
		c.State = stateDir()
	}
	return c, nil
}

// program is a card app with what it stands on.
type program struct {
	agent    *agent.Agent
	reader   agent.Reader
	troubles *agent.Troubles
	terminal *pinentry.Terminal // nil unless the PIN is asked for in it
	db       *sqldb.DB          // nil without a journal file
}

// close ends the journal and puts a terminal back in order.
func (p program) close() error {
	if p.terminal != nil {
		p.terminal.Restore()
	}
	if p.db == nil {
		return nil
	}
	return p.db.Close()
}

// build makes the card app. What it refuses is the configuration's fault. s has the terminal in which a PIN may be asked for.
func (c config) build(ctx context.Context, s streams, now func() time.Time, log *slog.Logger) (p program, err error) {
	client, err := c.client()
	if err != nil {
		return p, err
	}
	if p.reader, err = c.reader(now); err != nil {
		return p, err
	}
	a := agent.Config{
		Origin: c.Origin, HTTP: client, Reader: p.reader, Demo: c.Cards != "", Phone: c.Phone, Shared: c.Shared, Version: version(), Now: now, Log: log,
	}
	for _, i := range c.Trusted {
		a.Trusted = append(a.Trusted, agent.Issuer{URL: i.URL, Name: i.Name})
	}
	p.troubles = agent.NewTroubles(c.troublesFile(), now)
	a.Troubles = p.troubles
	if a.PIN, p.terminal, err = c.asker(s); err != nil {
		return p, err
	}
	a.Journal = func(ctx context.Context, e audit.Event) error {
		log.InfoContext(ctx, string(e.Kind), "client", e.Client, "reason", e.Reason, "facts", e.Facts, "trace", e.Trace)
		return nil
	}
	if c.Journal != "" {
		if p.db, err = sqldb.Open(ctx, "sqlite:"+c.Journal); err != nil {
			return p, fmt.Errorf("journal: %w", err)
		}
		chain, err := audit.New(ctx, p.db, now)
		if err != nil {
			return p, errors.Join(fmt.Errorf("journal: %w", err), p.close())
		}
		a.Journal = chain.Append
	}
	if p.agent, err = agent.New(a); err != nil {
		return p, errors.Join(err, p.close())
	}
	return p, nil
}

// reader is what holds the cards: the computer's readers, or a drawer of virtual ones. A directory that is no PKI is a
// mistyped one, and none is made there: its certificates would be nobody's.
func (c config) reader(now func() time.Time) (agent.Reader, error) {
	if c.Cards == "" {
		r, err := openReaders(c.Card)
		if err != nil {
			return nil, fmt.Errorf("no cards: name a directory of virtual cards with -cards; %w", err)
		}
		return r, nil
	}
	if _, err := os.Stat(filepath.Join(c.Cards, "auth-ca.pem")); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no virtual cards in %s: it has no auth-ca.pem", c.Cards)
	}
	pki, err := cardtest.LoadOrCreatePKI(c.Cards, now, c.OCSP)
	if err != nil {
		return nil, err
	}
	if c.Card == "" {
		return drawer.Open(pki)
	}
	return drawer.Open(pki, c.Card)
}

// client trusts the configured authority beside the system's.
func (c config) client() (*http.Client, error) {
	if c.CA == "" {
		return nil, nil // the card app's own
	}
	pem, err := os.ReadFile(c.CA)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: no certificate in it", c.CA)
	}
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: 5 * time.Second, ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute,
	}}, nil
}

// logger writes failures, and with -v events, to the standard error.
func (f flags) logger(w io.Writer) *slog.Logger {
	level := slog.LevelWarn
	if f.verbose {
		level = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}
