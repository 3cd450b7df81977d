package main

import (
	"context"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/postbox"
)

func (s *stack) addPostbox(ctx context.Context) error {
	db, err := s.open(ctx, "postbox")
	if err != nil {
		return err
	}
	key, err := s.key("postbox")
	if err != nil {
		return err
	}
	site, err := postbox.New(ctx, postbox.Config{
		Issuer: s.url(hubAddr), BaseURL: s.url(postboxAddr), ClientID: "postbox", Credential: key, HTTP: s.http, DB: db, Now: time.Now,
		Log: s.log.With("program", "postbox"), Sample: true, Follow: 5 * time.Second,
	})
	if err != nil {
		return err
	}
	s.serve(server{name: "postbox", addr: postboxAddr, handler: site.Handler(), fault: "postbox"})
	s.runners = append(s.runners, site.Run)
	return nil
}
