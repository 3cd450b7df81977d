package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"syscall"
	"testing"

	"golang.org/x/sync/errgroup"
)

// A program that is shut refuses connections, also those that a client kept; opened, it answers where it was; the others never notice.
func TestAProgramIsShutAndOpened(t *testing.T) {
	s := &stack{faults: &faults{}}
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	s.serve(server{name: "one", addr: "127.0.0.1:0", handler: answer, fault: "one"})
	s.serve(server{name: "other", addr: "127.0.0.1:0", handler: answer})
	ctx, stop := context.WithCancel(t.Context())
	listeners, err := listenAll(ctx, s.servers, nil)
	if err != nil {
		t.Fatal(err)
	}
	g, ctx := errgroup.WithContext(ctx)
	serveAll(ctx, g, s.servers, listeners, nil)
	client := &http.Client{Transport: &http.Transport{}}
	ask := func(l net.Listener) error {
		resp, err := client.Get("http://" + l.Addr().String())
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}
	for range 3 {
		if err := errors.Join(ask(listeners[0]), ask(listeners[1])); err != nil {
			t.Fatal(err)
		}
		for range 2 { // twice is once
			if err := s.faults.service("one", "down"); err != nil {
				t.Fatal(err)
			}
		}
		if err := ask(listeners[0]); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("shut, and answers with %v", err)
		}
		if err := ask(listeners[1]); err != nil {
			t.Errorf("the other one: %v", err)
		}
		for range 2 {
			if err := s.faults.service("one", "up"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.faults.service("other", "down"); !errors.Is(err, errNoFault) {
		t.Errorf("one without a fault was shut: %v", err)
	}
	if err := s.faults.service("one", "down"); err != nil {
		t.Fatal(err)
	}
	client.CloseIdleConnections()
	stop()
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	if err := s.faults.service("one", "up"); err != nil {
		t.Error(err)
	}
	if err := ask(listeners[0]); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("opened after the end: %v", err)
	}
}
