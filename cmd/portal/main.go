// Command portal serves the citizen's portal.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tsunagu-id/tsunagu/clients/portal"
	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "portal:", err)
		os.Exit(1)
	}
}

func run() error {
	file := flag.String("config", "portal.json", "configuration file")
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
		metadata, err := portal.Registration(c.ClientID, c.BaseURL, key.JWKS(), c.development())
		if err != nil {
			return err
		}
		fmt.Println(string(metadata))
		return nil
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return serve(ctx, c, key, slog.New(slog.NewJSONHandler(os.Stderr, nil)))
}

// serve answers until ctx ends, and then lets running requests finish.
func serve(ctx context.Context, c config, key *rp.Key, log *slog.Logger) (err error) {
	client, err := c.client()
	if err != nil {
		return err
	}
	db, err := sqldb.Open(ctx, c.Database)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	site, err := portal.New(ctx, portal.Config{
		Issuer: c.Issuer, BaseURL: c.BaseURL, ClientID: c.ClientID, Credential: key, HTTP: client, DB: db,
		Now: time.Now, Log: log, Sample: c.Sample,
	})
	if err != nil {
		return err
	}
	l, err := listen(ctx, c)
	if err != nil {
		return err
	}
	srv := &http.Server{
		Handler: site.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return site.Run(ctx) })
	g.Go(func() error {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		return srv.Shutdown(end)
	})
	log.Info("serving", "base_url", c.BaseURL, "listen", c.Listen)
	return g.Wait()
}

// listen binds the address, with TLS 1.2 or later and forward-secret authenticated encryption only (RFC 9325 §4.2).
func listen(ctx context.Context, c config) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil || c.TLS.Certificate == "" {
		return l, err
	}
	cert, err := tls.LoadX509KeyPair(c.TLS.Certificate, c.TLS.Key)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("tls: %w", err), l.Close())
	}
	return tls.NewListener(l, &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"},
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
	}), nil
}
