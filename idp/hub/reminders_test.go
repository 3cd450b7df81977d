package hub

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/mail"
	"github.com/tsunagu-id/tsunagu/internal/mail/mailtest"
)

// Every contact gets the letter; that a server takes none of them is an error, so that it is tried again.
func TestReminderReachesEveryContact(t *testing.T) {
	sim := mailtest.New(time.Now, nil)
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	done := make(chan error, 1)
	go func() { done <- sim.Serve(t.Context(), l) }()
	t.Cleanup(func() { must(t, <-done) })
	from, err := mail.ParseAddress("no-reply@hub.example")
	must(t, err)
	s, err := mail.NewSMTP(mail.Config{Address: l.Addr().String(), Security: mail.Loopback, From: from, FromName: "つなぐ"})
	must(t, err)

	r := clients.Reminder{
		ID: "s-abc-1", Client: "ward", Name: clients.Text{JA: "区の窓口", EN: "Ward desk"}, Contacts: []string{"desk@ward.example", "no address", "it@ward.example"},
		Ends: time.Date(2027, 1, 1, 0, 30, 0, 0, time.UTC),
	}
	must(t, sendReminder(t.Context(), s, "https://operators.example", time.Unix(1_795_000_000, 0), r))
	got := sim.Messages()
	if len(got) != 2 || got[0].To != "desk@ward.example" || got[1].To != "it@ward.example" || got[0].Header.Get("Message-Id") == got[1].Header.Get("Message-Id") {
		t.Fatalf("%+v", got)
	}
	for _, want := range []string{"区の窓口", "Ward desk", "client_id: ward", "2027年1月1日 09:30", "2027-01-01 00:30 UTC", "https://operators.example/clients/ward"} {
		if !strings.Contains(got[0].Text, want) {
			t.Errorf("no %q in %s", want, got[0].Text)
		}
	}
	sim.Behave(mailtest.Behaviour{Rcpt: 451})
	if err := sendReminder(t.Context(), s, "", time.Unix(1_795_000_000, 0), r); err == nil || strings.Contains(err.Error(), "ward.example") {
		t.Errorf("nobody was reached: %v", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
