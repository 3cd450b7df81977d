// Command etax serves the sample tax site.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/etax"
	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/serve"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "etax:", err)
		os.Exit(1)
	}
}

func run() error {
	file := flag.String("config", "etax.json", "configuration file")
	check := flag.Bool("check", false, "check the configuration and exit")
	register := flag.Bool("registration", false, "print the client metadata to register at the hub and exit; makes the key")
	flag.Parse()
	c, err := load(*file)
	if err != nil {
		return err
	}
	if *check {
		fmt.Println("configuration is good")
		return nil
	}
	key, err := rp.OpenKey(c.KeyFile)
	if err != nil {
		return fmt.Errorf("key_file: %w", err)
	}
	if *register {
		metadata, err := etax.Registration(c.ClientID, c.BaseURL, key.JWKS(), c.development())
		if err != nil {
			return err
		}
		fmt.Println(string(metadata))
		return nil
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return start(ctx, c, key, slog.New(slog.NewJSONHandler(os.Stderr, nil)))
}

// start opens what the site stands on and serves it until ctx ends.
func start(ctx context.Context, c config, key *rp.Key, log *slog.Logger) (err error) {
	client, err := c.client()
	if err != nil {
		return err
	}
	accounts, err := c.accounts()
	if err != nil {
		return err
	}
	signers, err := c.signatureAuthorities()
	if err != nil {
		return err
	}
	db, err := sqldb.Open(ctx, c.Database)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	site, err := etax.New(ctx, etax.Config{
		Issuer: c.Issuer, BaseURL: c.BaseURL, ClientID: c.ClientID, Credential: key, HTTP: client, DB: db,
		Now: time.Now, Log: log, Sample: c.Sample, Accounts: accounts, SignatureAuthorities: signers,
	})
	if err != nil {
		return err
	}
	l, err := serve.Bind(ctx, c.address())
	if err != nil {
		return err
	}
	log.Info("serving", "base_url", c.BaseURL, "listen", c.Listen)
	return serve.Until(ctx, l, site.Handler(), site.Run)
}
