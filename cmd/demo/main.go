// Command demo runs the whole of Tsunagu in one process on loopback: the hub, the portal, the sample e-Tax and delivery provider, the card app with a
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
	"strings"
	"syscall"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/idp/hub"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/keys"
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
	flag.Func("allow", "host:port, or several with commas, that the hub may reach for clients although it is not public", o.parseAllow)
	flag.StringVar(&o.trust, "trust", "", "PEM file with authorities that the hub also trusts where it reaches clients")
	flag.StringVar(&o.clientCA, "client-ca", "", "PEM file with authorities of clients' certificates (tls_client_auth) beside the demo's own; needs -tls")
	flag.Int64Var(&o.loginRate, "login-rate", 0, "card challenges a minute that one browser may have; 0: the hub's own limit")
	flag.DurationVar(&o.recheck, "recheck", time.Minute, "how long a session may rest on one answer about its card")
	flag.DurationVar(&o.session.Idle, "session-idle", 0, "how long a session at the hub may be unused; 0: 30 minutes")
	flag.DurationVar(&o.session.Absolute, "session-absolute", 0, "how old a session at the hub gets; 0: twelve hours")
	flag.DurationVar(&o.session.SharedIdle, "session-shared-idle", 0, "as -session-idle, on a computer that others use too; 0: ten minutes")
	flag.DurationVar(&o.session.Warn, "session-warn", 0, "how long before the end of a session the hub's pages warn of it; 0: two minutes")
	flag.BoolFunc("separate", "keep sessions of government and private services apart", func(string) error {
		o.session.Separate = [][2]clients.SessionClass{{clients.ClassGovernment, clients.ClassPrivate}}
		return nil
	})
	flag.Func("shut", "program that is shut when the demo begins, such as etax, or several with commas; POST /faults/etax/up at the authority opens it", func(list string) error {
		o.shut = append(o.shut, strings.Split(list, ",")...)
		return nil
	})
	verbose := flag.Bool("v", false, "log every refusal, not only failures")
	rotate := flag.String("rotate-keys", "", "announce a successor for the signing keys of these algorithms (commas, or all), in the demo in DIR, running or not, and exit")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; see -help", flag.Arg(0))
	}
	if o.loginRate < 0 {
		return errors.New("-login-rate: a number of times a minute, or 0 for the hub's own limit")
	}
	if o.recheck < time.Second {
		return errors.New("-recheck: a second at least, such as 60s")
	}
	o.session.Tell = time.Second
	if err := o.session.Check(); err != nil {
		return err
	}
	if o.clientCA != "" && !o.tls {
		return errors.New("-client-ca: without -tls no client can show a certificate")
	}
	level := slog.LevelWarn
	if *verbose {
		level = slog.LevelInfo
	}
	if *rotate != "" {
		return rotateKeys(context.Background(), o.dir, *rotate)
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

// rotateKeys does to the demo's hub what hub -rotate-keys does.
func rotateKeys(ctx context.Context, dir, which string) error {
	algs, err := hub.ParseRotation(which)
	if err != nil {
		return err
	}
	sealer, err := keys.LoadSealer(filepath.Join(dir, "demo", "seal.key"))
	if err != nil {
		return fmt.Errorf("no demo has run in %s: %w", dir, err)
	}
	db, err := sqldb.Open(ctx, "sqlite:"+filepath.Join(dir, "hub.db"))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // everything was committed
	announced, err := hub.RotateKeys(ctx, db, sealer, time.Now, algs)
	if err != nil {
		return err
	}
	fmt.Println(hub.RotationSummary(announced))
	return nil
}
