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
	plain   bool // http even when the others are https
	mutual  bool // asks for clients' certificates
}

// listenAll binds every address before anything is served, so that a taken port stops the program at once.
func listenAll(ctx context.Context, servers []server, tc *tls.Config) ([]net.Listener, error) {
	var out []net.Listener
	for _, s := range servers {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", s.addr)
		if err != nil {
			for _, open := range out {
				_ = open.Close() // nothing was served on it
			}
			return nil, fmt.Errorf("%s: %w; is another demo running?", s.name, err)
		}
		switch {
		case tc == nil || s.plain:
		case s.mutual:
			l = tls.NewListener(l, serve.MutualTLS(tc.Certificates[0]))
		default:
			l = tls.NewListener(l, tc)
		}
		out = append(out, l)
	}
	return out, nil
}

// serveAll serves until ctx ends, then lets running requests finish.
func serveAll(ctx context.Context, g *errgroup.Group, servers []server, listeners []net.Listener) {
	for i, s := range servers {
		srv := &http.Server{
			Handler: s.handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 30 * time.Second,
			IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		}
		g.Go(func() error {
			if err := srv.Serve(listeners[i]); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			return nil
		})
		g.Go(func() error {
			<-ctx.Done()
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			if err := srv.Shutdown(end); err != nil {
				return srv.Close()
			}
			return nil
		})
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
