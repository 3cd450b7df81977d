package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/serve"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// Site is what a program serves, and what it does beside.
type Site interface {
	Handler() http.Handler
	Run(ctx context.Context) error
}

// Parts are what a site stands on.
type Parts struct {
	Key  *rp.Key
	HTTP *http.Client // speaks to the hub
	DB   *sqldb.DB
	Log  *slog.Logger
}

// Program is a relying party with its name, "etax".
type Program struct {
	Name   string
	Config any     // pointer to the configuration, which is or embeds Base
	Base   *Config // in Config
	// Registration is the client metadata to register at the hub.
	Registration func(clientID, base string, jwks []byte, development bool) ([]byte, error)
	// Open makes the site, once Config is read.
	Open func(ctx context.Context, parts Parts) (Site, error)
}

// Run reads the flags in args and does what they say, until the program is told to stop. Answers go to out, the log to logs.
func (p Program) Run(ctx context.Context, args []string, out, logs io.Writer) error {
	flags := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	flags.SetOutput(logs)
	file := flags.String("config", p.Name+".json", "configuration file")
	check := flags.Bool("check", false, "check the configuration and exit")
	register := flags.Bool("registration", false, "print the client metadata to register at the hub and exit; makes the key")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q; see -help", flags.Arg(0))
	}
	if err := Load(*file, p.Config, p.Base); err != nil {
		return err
	}
	if *check {
		_, err := fmt.Fprintln(out, "configuration is good")
		return err
	}
	key, err := rp.OpenKey(p.Base.KeyFile)
	if err != nil {
		return fmt.Errorf("key_file: %w", err)
	}
	if *register {
		metadata, err := p.Registration(p.Base.ClientID, p.Base.BaseURL, key.JWKS(), Development(p.Base.BaseURL))
		if err == nil {
			_, err = fmt.Fprintln(out, string(metadata))
		}
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	return p.serve(ctx, Parts{Key: key, Log: slog.New(slog.NewJSONHandler(logs, nil))})
}

// serve opens what the site stands on and serves it until ctx ends.
func (p Program) serve(ctx context.Context, parts Parts) (err error) {
	if parts.HTTP, err = p.Base.client(); err != nil {
		return err
	}
	if parts.DB, err = sqldb.Open(ctx, p.Base.Database); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer func() { err = errors.Join(err, parts.DB.Close()) }()
	site, err := p.Open(ctx, parts)
	if err != nil {
		return err
	}
	l, err := serve.Bind(ctx, p.Base.address())
	if err != nil {
		return err
	}
	parts.Log.Info("serving", "base_url", p.Base.BaseURL, "listen", p.Base.Listen)
	return serve.Until(ctx, l, site.Handler(), site.Run)
}
