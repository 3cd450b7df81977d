package main

import (
	"errors"
	"fmt"

	"github.com/tsunagu-id/tsunagu/internal/conf"
	"github.com/tsunagu-id/tsunagu/internal/mail"
	"github.com/tsunagu-id/tsunagu/internal/serve"
)

// smtp is the mail server that takes notices to citizens.
type smtp struct {
	Address  string          `json:"address"`   // host:port; empty: no mail
	Security string          `json:"security"`  // starttls, tls; none for a server on this machine only
	From     string          `json:"from"`      // the sender's address
	FromName string          `json:"from_name"` // beside it
	User     string          `json:"user"`      // empty: the server asks for none
	Password conf.SecretFile `json:"password"`
	Trust    string          `json:"trust"` // PEM, authorities of its certificate beside the system's
}

// sender returns nil where no mail server is named.
func (s smtp) sender() (mail.Sender, error) {
	if s == (smtp{}) {
		return nil, nil
	}
	if s.Address == "" {
		return nil, errors.New("smtp.address: host:port of the mail server is required")
	}
	from, err := mail.ParseAddress(s.From)
	if err != nil {
		return nil, fmt.Errorf("smtp.from: %w", err)
	}
	c := mail.Config{Address: s.Address, Security: mail.Security(s.Security), From: from, FromName: s.FromName, User: s.User}
	if s.Password.File != "" {
		if c.Password, err = s.Password.Read(); err != nil {
			return nil, fmt.Errorf("smtp.password: %w", err)
		}
	}
	if s.Trust != "" {
		if c.RootCAs, err = serve.Roots(nil, s.Trust); err != nil {
			return nil, fmt.Errorf("smtp.trust: %w", err)
		}
	}
	sender, err := mail.NewSMTP(c)
	if err != nil {
		return nil, fmt.Errorf("smtp: %w", err)
	}
	return sender, nil
}
