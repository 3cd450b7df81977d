package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// gate is the door of one program. It can be shut while the demo runs on: whoever calls is refused, as by a program that is stopped.
type gate struct {
	name    string
	handler http.Handler
	bind    func(addr string) (net.Listener, error) // as the program was bound before
	shut    bool                                    // from the beginning

	mu     sync.Mutex
	addr   string       // where it was bound
	srv    *http.Server // nil while shut
	l      net.Listener // that srv answers on
	over   bool         // the demo ends
	failed chan error   // has room for one
}

// run answers on the listener until ctx ends, then lets running requests finish.
func (g *gate) run(ctx context.Context, l net.Listener) error {
	g.mu.Lock()
	g.failed, g.addr = make(chan error, 1), l.Addr().String()
	var err error
	if g.shut {
		err = l.Close()
	} else {
		g.serve(l)
	}
	g.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case err = <-g.failed:
	}
	g.mu.Lock()
	srv := g.srv
	g.srv, g.over = nil, true
	g.mu.Unlock()
	if srv == nil {
		return err
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if srv.Shutdown(end) != nil {
		return errors.Join(err, srv.Close())
	}
	return err
}

// serve answers on l; the caller holds mu.
func (g *gate) serve(l net.Listener) {
	srv := &http.Server{
		Handler: g.handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	g.srv, g.l = srv, l
	go func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			select {
			case g.failed <- fmt.Errorf("%s: %w", g.name, err):
			default: // it has failed already
			}
		}
	}()
}

// down shuts the gate, and cuts off whoever is inside.
func (g *gate) down() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.srv == nil {
		return nil
	}
	srv := g.srv
	g.srv = nil
	err := srv.Close()
	_ = g.l.Close() // the server may not have begun to look after it
	return err
}

// up opens it again where it was.
func (g *gate) up() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.srv != nil || g.over {
		return nil
	}
	l, err := g.bind(g.addr)
	if err != nil {
		return fmt.Errorf("%s: %w", g.name, err)
	}
	g.serve(l)
	return nil
}
