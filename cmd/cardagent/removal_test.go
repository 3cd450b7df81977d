//go:build pcsc && linux

package main

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/agent"
	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
	"github.com/tsunagu-id/tsunagu/cardauth/pcsc/pcsctest"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/audit"
)

// Pulling the card out of a reader signs out who had asked for it, also when another card, or the same, is in the reader a moment later. A
// card that others use, and one in the other reader, change nothing.
func TestCardOutOfAReaderIsSignedOut(t *testing.T) {
	d := pcsctest.Start(t)
	h := idptest.Start(t, idptest.Options{Own: true})
	_, pulled := plugged(t, d, 0, h.PKI, "taro")
	r, err := openReaders("")
	if err != nil {
		t.Fatal(err)
	}
	a, err := agent.New(agent.Config{
		Origin: "http://127.0.0.1:9", Trusted: []agent.Issuer{{URL: h.Issuer}}, HTTP: h.Client(), Reader: r, Now: time.Now,
		Journal: func(context.Context, audit.Event) error { return nil }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = a.Run(t.Context()) }()
	pin, err := jpki.ParsePIN(cardtest.DemoPIN)
	if err != nil {
		t.Fatal(err)
	}
	b := h.Browser(t)
	b.CardWatch = true
	signIn := func() {
		t.Helper()
		cards, err := r.Cards(t.Context())
		if err != nil || len(cards) == 0 {
			t.Fatalf("%v, %v", cards, err)
		}
		back, err := a.Login(t.Context(), b.Challenge(b.Get(idptest.NewRequest().Path())), cards[0].Name, pin)
		if err != nil {
			t.Fatal(err)
		}
		b.Finish(b.Get(back))
		if p := b.Get("/account"); !strings.Contains(p.Body, "data-card-watch") {
			t.Fatalf("not signed in, or not watched: %s", p.URL)
		}
	}
	signedOut := func() bool { return b.Get("/account").URL.Path == "/login" }

	signIn()
	_, second := plugged(t, d, 1, h.PKI, "hanako")
	time.Sleep(2 * time.Second)
	second.Pull()
	time.Sleep(2 * time.Second)
	if signedOut() {
		t.Fatal("signed out by the other reader")
	}
	pulled.Pull()
	wait(t, signedOut)

	_, pulled = plugged(t, d, 0, h.PKI, "taro")
	signIn()
	pulled.Pull() // and in again before anybody looks
	plugged(t, d, 0, h.PKI, "taro")
	wait(t, signedOut)
}

func wait(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("still signed in")
		}
	}
}
