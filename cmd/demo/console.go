package main

import (
	"context"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/console"
	"github.com/tsunagu-id/tsunagu/idp/hub"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

// operatorsURL is http in any case, as the figures at the same address are.
const operatorsURL = "http://" + operatorsAddr

// addConsole serves the operators' address: console, API and figures.
func (s *stack) addConsole(ctx context.Context, h *hub.Hub) error {
	db, err := s.open(ctx, "console")
	if err != nil {
		return err
	}
	key, err := s.key("console")
	if err != nil {
		return err
	}
	store, err := ephemeral.NewSQL(ctx, db, time.Now)
	if err != nil {
		return err
	}
	site, err := console.New(console.Config{
		Issuer: s.url(hubAddr), BaseURL: operatorsURL, ClientID: "console", Key: key, HTTP: s.http, Store: store, Now: time.Now,
		Log: s.log.With("program", "console"), Sample: true,
	})
	if err != nil {
		return err
	}
	s.serve(server{name: "hub, for operators", addr: operatorsAddr, handler: h.OperatorHandler(site.Handler()), plain: true})
	s.runners = append(s.runners, store.Run)
	return nil
}
