// Command hub is the OpenID provider and single-sign-on hub.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/tsunagu-id/tsunagu/idp/hub"
	"github.com/tsunagu-id/tsunagu/internal/serve"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
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
	rotate := flag.String("rotate-keys", "", "announce a successor for the signing keys of these algorithms (commas, or all) and exit; a running hub follows")
	evidence := flag.String("evidence", "", "print what is kept of a session that a citizen disowned, by the notice that the audit log names, and exit; needs -as")
	var bases basesCommand
	bases.define(flag.CommandLine)
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
	if *rotate != "" {
		return rotateKeys(ctx, c, *rotate)
	}
	if *evidence != "" {
		return showEvidence(ctx, c, *evidence, bases.as)
	}
	if bases.wanted() {
		return bases.run(ctx, c)
	}
	return start(ctx, c, log)
}

func rotateKeys(ctx context.Context, c config, which string) error {
	algs, err := hub.ParseRotation(which)
	if err != nil {
		return err
	}
	dsn, err := c.dsn()
	if err != nil {
		return err
	}
	sealer, err := c.sealer()
	if err != nil {
		return err
	}
	db, err := sqldb.Open(ctx, dsn)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer func() { _ = db.Close() }() // everything was committed
	announced, err := hub.RotateKeys(ctx, db, sealer, time.Now, algs)
	if err != nil {
		return err
	}
	fmt.Println(hub.RotationSummary(announced))
	return nil
}

// start opens what the hub stands on and serves it until ctx ends.
func start(ctx context.Context, c config, log *slog.Logger) error {
	if err := c.Operators.check(); err != nil {
		return err
	}
	h, operators, closeAll, err := build(ctx, c, log)
	if err != nil {
		return err
	}
	defer closeAll()
	beside := []func(context.Context) error{h.Run}
	var bound []net.Listener
	defer func() {
		for _, l := range bound {
			_ = l.Close() // closed already, or nothing was served on it
		}
	}()
	for _, side := range []struct {
		bind    func(context.Context) (net.Listener, error)
		handler func() http.Handler
	}{
		{func(ctx context.Context) (net.Listener, error) { return c.Mutual.bind(ctx, c.address()) }, h.MutualHandler},
		{c.Operators.bind, func() http.Handler { return operators }},
	} {
		l, err := side.bind(ctx)
		if err != nil {
			return err
		}
		if l == nil {
			continue
		}
		bound = append(bound, l)
		beside = append(beside, func(ctx context.Context) error { return serve.Until(ctx, l, side.handler()) })
	}
	l, err := serve.Bind(ctx, c.address())
	if err != nil {
		return err
	}
	log.Info("serving", "issuer", c.Issuer, "listen", c.Listen, "mtls", c.Mutual.Listen, "operators", c.Operators.address())
	return serve.Until(ctx, l, h.Handler(), beside...)
}
