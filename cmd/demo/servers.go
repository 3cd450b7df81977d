package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tsunagu-id/tsunagu/internal/serve"
)

// server is one listener with what answers on it.
type server struct {
	name    string
	addr    string
	handler http.Handler
	plain   bool   // http even when the others are https
	mutual  bool   // asks for clients' certificates
	fault   string // its name at /faults, for one that can be shut; see stack.serve
	gate    *gate  // set by stack.serve where there is a fault
}

// listen binds an address as the server wants it.
func (s server) listen(ctx context.Context, addr string, tc *tls.Config) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	switch {
	case err != nil || tc == nil || s.plain:
		return l, err
	case s.mutual:
		return tls.NewListener(l, serve.MutualTLS(tc.Certificates[0])), nil
	}
	return tls.NewListener(l, tc), nil
}

// listenAll binds every address before anything is served, so that a taken port stops the program at once.
func listenAll(ctx context.Context, servers []server, tc *tls.Config) ([]net.Listener, error) {
	var out []net.Listener
	for _, s := range servers {
		l, err := s.listen(ctx, s.addr, tc)
		if err != nil {
			for _, open := range out {
				_ = open.Close() // nothing was served on it
			}
			return nil, fmt.Errorf("%s: %w; is another demo running?", s.name, err)
		}
		out = append(out, l)
	}
	return out, nil
}

// serveAll serves until ctx ends, then lets running requests finish. tc is what listenAll was called with.
func serveAll(ctx context.Context, g *errgroup.Group, servers []server, listeners []net.Listener, tc *tls.Config) {
	for i, s := range servers {
		door := s.gate
		if door == nil {
			door = &gate{}
		}
		door.name, door.handler = s.name, s.handler
		door.bind = func(addr string) (net.Listener, error) { return s.listen(context.WithoutCancel(ctx), addr, tc) }
		g.Go(func() error { return door.run(ctx, listeners[i]) })
	}
}

// waitReady returns when every listener answers /readyz.
func waitReady(ctx context.Context, client *http.Client, urls []string) error {
	for _, u := range urls {
		for {
			ok, err := ready(ctx, client, u)
			if ok {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("%s not ready: %w", u, errors.Join(err, ctx.Err()))
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	return nil
}

func ready(ctx context.Context, client *http.Client, u string) (bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u+"/readyz", nil)
	if err != nil {
		return false, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return false, fmt.Errorf("status %d", resp.StatusCode)
	}
	return true, nil
}
