// Command demo runs the whole of Tsunagu in one process on loopback: the hub, the portal, the sample e-Tax, the card app with a
// drawer of made-up cards, and the test authority's OCSP responder and revocation lists. Everything is real but the cards, the
// people and the authority.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run() error {
	var o options
	flag.StringVar(&o.dir, "var", "var", "directory for databases, keys and cards; kept between runs")
	flag.BoolVar(&o.tls, "tls", false, "serve https with certificates of a private authority, written to DIR/demo/ca.pem")
	flag.StringVar(&o.clients, "clients", "", "JSON file with further clients to register at the hub")
	verbose := flag.Bool("v", false, "log every refusal, not only failures")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; see -help", flag.Arg(0))
	}
	level := slog.LevelWarn
	if *verbose {
		level = slog.LevelInfo
	}
	o.log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	if err := os.MkdirAll(filepath.Join(o.dir, "demo"), 0o700); err != nil {
		return err
	}
	unlock, err := lock(filepath.Join(o.dir, "demo", "lock"))
	if err != nil {
		return err
	}
	defer unlock()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err = start(ctx, o)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
