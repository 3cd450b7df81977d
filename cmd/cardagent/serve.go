package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// serve answers the citizen's browser until ctx ends.
func serve(ctx context.Context, args []string, s streams, now func() time.Time) (err error) {
	var f flags
	var check bool
	if err := parse("cardagent", args, func(set *flag.FlagSet) {
		f.add(set)
		set.BoolVar(&check, "check", false, "")
	}); err != nil {
		return err
	}
	c, err := f.load()
	if err != nil {
		return err
	}
	p, err := c.build(ctx, s, now, f.logger(s.err))
	if err != nil {
		return usageError{err}
	}
	defer func() { err = errors.Join(err, p.close()) }()
	t, err := c.tls()
	if err != nil {
		return usageError{err}
	}
	if check {
		return nil
	}
	l, err := c.listen(ctx, t)
	if err != nil {
		if running, ok := c.running(ctx); ok {
			return runningError{origin: c.Origin, version: running}
		}
		return err
	}
	if isTerminal(s.out) {
		c.introduce(s.out, f.configFile(), output{}.lang())
	}
	_, _ = fmt.Fprintln(s.out, "ready", c.Origin)
	watch, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		_ = p.agent.Run(watch) // only ever ends with watch
	}()
	defer func() { stop(); <-watched }()
	return answer(ctx, l, p.agent.Handler(), c.PIN != pinOnPage)
}

// tls is nil for an origin of http.
func (c config) tls() (*tls.Config, error) {
	if strings.HasPrefix(c.Origin, "https:") != (c.Certificate != "") {
		return nil, errors.New("origin: https needs certificate_file and key_file, http does not use them")
	}
	if c.Certificate == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}}, nil
}

// listen binds the origin's address.
func (c config) listen(ctx context.Context, t *tls.Config) (net.Listener, error) {
	u, err := url.Parse(c.Origin)
	if err != nil {
		return nil, usageError{fmt.Errorf("origin: %w", err)}
	}
	addr := u.Host
	if u.Port() == "" {
		addr = net.JoinHostPort(u.Hostname(), u.Scheme)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil || t == nil {
		return l, err
	}
	return tls.NewListener(l, t), nil
}

// answer serves until ctx ends, then lets a login that is under way finish.
func answer(ctx context.Context, l net.Listener, h http.Handler, asks bool) error {
	write := time.Minute // a slow card and a slow hub
	if asks {
		write = 4 * time.Minute // and a citizen who types outside the page
	}
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: write,
		IdleTimeout:  2 * time.Minute, MaxHeaderBytes: 32 << 10,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(end); err != nil {
		return server.Close()
	}
	return nil
}
