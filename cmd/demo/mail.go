package main

import (
	"context"
	"fmt"
	"net"

	"github.com/tsunagu-id/tsunagu/internal/mail"
)

// post sends mail to the simulator, which keeps it for whoever looks at /mail of the test authority.
func (s *stack) post() (mail.Sender, error) {
	from, err := mail.ParseAddress("no-reply@tsunagu.example")
	if err != nil {
		return nil, err
	}
	return mail.NewSMTP(mail.Config{Address: mailAddr, Security: mail.Loopback, From: from, FromName: "つなぐ（見本）"})
}

// takeMail is the mail server's side.
func (s *stack) takeMail(ctx context.Context) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", mailAddr)
	if err != nil {
		return fmt.Errorf("mail simulator: %w; is another demo running?", err)
	}
	return s.mail.Serve(ctx, l)
}
