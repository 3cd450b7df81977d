// Command agency serves the sample offices, each at a host of its own.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tsunagu-id/tsunagu/clients/agency"
	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/clients/rp/program"
	"github.com/tsunagu-id/tsunagu/internal/serve"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "agency:", err)
		os.Exit(1)
	}
}

// run reads the flags in args and does what they say, until the program is told to stop.
func run(ctx context.Context, args []string, out, logs io.Writer) error {
	flags := flag.NewFlagSet("agency", flag.ContinueOnError)
	flags.SetOutput(logs)
	file := flags.String("config", "agency.json", "configuration file")
	check := flags.Bool("check", false, "check the configuration and exit")
	register := flags.Bool("registration", false, "print the client metadata to register at the hub, one object for each office, and exit; makes the keys")
	invite := flags.String("invite", "", "print a code that lets one person into the staff pages of the office with this `slug`, and exit")
	dismiss := flags.String("dismiss-all", "", "close the staff pages of the office with this `slug` to everybody, and exit")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q; see -help", flags.Arg(0))
	}
	c, err := load(*file)
	if err != nil {
		return err
	}
	if *check {
		_, err := fmt.Fprintln(out, "configuration is good")
		return err
	}
	if *register {
		return registration(c, out)
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	return c.open(ctx, slog.New(slog.NewJSONHandler(logs, nil)), func(offices map[string]*agency.Office, all []*agency.Office) error {
		switch {
		case *invite != "":
			return inviteTo(ctx, offices[*invite], *invite, out)
		case *dismiss != "":
			if offices[*dismiss] == nil {
				return fmt.Errorf("no office has the slug %q", *dismiss)
			}
			return offices[*dismiss].DismissAll(ctx)
		}
		return c.serve(ctx, all)
	})
}

func inviteTo(ctx context.Context, o *agency.Office, slug string, out io.Writer) error {
	if o == nil {
		return fmt.Errorf("no office has the slug %q", slug)
	}
	code, err := o.Invite(ctx)
	if err == nil {
		_, err = fmt.Fprintln(out, code.Reveal())
	}
	return err
}

func registration(c config, out io.Writer) error {
	var all []json.RawMessage
	for i, o := range c.Offices {
		key, err := rp.OpenKey(o.KeyFile)
		if err != nil {
			return fmt.Errorf("offices[%d].key_file: %w", i, err)
		}
		m, err := agency.Registration(o.registered(key.JWKS()))
		if err != nil {
			return err
		}
		all = append(all, m)
	}
	return json.NewEncoder(out).Encode(all)
}

// open opens every office, lets use do what it wants with them, and closes them.
func (c config) open(ctx context.Context, log *slog.Logger, use func(bySlug map[string]*agency.Office, all []*agency.Office) error) (done error) {
	client, err := program.Client(c.CAFile)
	if err != nil {
		return err
	}
	bySlug := map[string]*agency.Office{}
	var all []*agency.Office
	for i, o := range c.Offices {
		key, err := rp.OpenKey(o.KeyFile)
		if err != nil {
			return fmt.Errorf("offices[%d].key_file: %w", i, err)
		}
		db, err := sqldb.Open(ctx, o.Database)
		if err != nil {
			return fmt.Errorf("offices[%d].database: %w", i, err)
		}
		defer func() { done = errors.Join(done, db.Close()) }()
		one, err := agency.New(ctx, agency.Config{
			Issuer: c.Issuer, BaseURL: o.BaseURL, ClientID: o.ClientID, Slug: o.Slug, Name: o.Name, Key: key, HTTP: client, DB: db,
			Now: time.Now, Log: log.With("office", o.Slug), Sample: c.Sample, Inquiries: o.Inquiries, Records: o.Records,
		})
		if err != nil {
			return fmt.Errorf("offices[%d]: %w", i, err)
		}
		bySlug[o.Slug] = one
		all = append(all, one)
	}
	return use(bySlug, all)
}

func (c config) serve(ctx context.Context, all []*agency.Office) error {
	handler, err := agency.Hosts(all...)
	if err != nil {
		return err
	}
	l, err := serve.Bind(ctx, c.address())
	if err != nil {
		return err
	}
	return serve.Until(ctx, l, handler, func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		for _, o := range all {
			group.Go(func() error { return o.Run(ctx) })
		}
		return group.Wait()
	})
}
