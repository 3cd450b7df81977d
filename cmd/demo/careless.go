package main

import (
	"context"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/careless"
)

// addCareless adds the service that an operator may register to see what a pre-flight finds. Nobody registers it for her.
func (s *stack) addCareless(ctx context.Context) error {
	db, err := s.open(ctx, "careless")
	if err != nil {
		return err
	}
	key, err := s.key("careless")
	if err != nil {
		return err
	}
	site, err := careless.New(ctx, careless.Config{
		Issuer: s.url(hubAddr), BaseURL: s.url(carelessAddr), ClientID: "careless", Key: key, HTTP: s.http, DB: db, Now: time.Now,
		Log: s.log.With("program", "careless"),
	})
	if err != nil {
		return err
	}
	s.serve(server{name: "careless service", addr: carelessAddr, handler: site.Handler()})
	s.runners = append(s.runners, site.Run)
	return nil
}
