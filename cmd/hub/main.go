// Command hub is the OpenID provider and single-sign-on hub.
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

	"github.com/tsunagu-id/tsunagu/keys"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "hub:", err)
		os.Exit(1)
	}
}

func run() error {
	file := flag.String("config", "hub.json", "configuration file")
	check := flag.Bool("check", false, "check the configuration and exit")
	seal := flag.String("new-seal-file", "", "make a seal file at this path and exit")
	flag.Parse()
	if *seal != "" {
		if _, err := os.Stat(*seal); err == nil {
			return fmt.Errorf("%s exists; a hub that used it could not start without it", *seal)
		}
		_, err := keys.CreateSealer(*seal)
		return err
	}
	c, err := load(*file)
	if err != nil {
		return fmt.Errorf("%s: %w", *file, err)
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *check {
		if err := c.verify(); err != nil {
			return fmt.Errorf("%s: %w", *file, err)
		}
		fmt.Println("configuration is good")
		return nil
	}
	return serve(ctx, c, log)
}

// serve runs the hub until ctx ends.
func serve(ctx context.Context, c config, log *slog.Logger) error {
	h, closeAll, err := build(ctx, c, log)
	if err != nil {
		return err
	}
	defer closeAll()
	l, err := listen(ctx, c)
	if err != nil {
		return err
	}
	srv := &http.Server{
		Handler: h.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return h.Run(ctx) })
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
	log.Info("serving", "issuer", c.Issuer, "listen", c.Listen)
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
		return nil, fmt.Errorf("tls: %w", err)
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

// loopback says whether a listen address is reachable from this machine only.
func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
