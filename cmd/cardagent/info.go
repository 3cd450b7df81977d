package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/agent"
	"github.com/tsunagu-id/tsunagu/cardauth/agent/doctor"
)

// cardInfo is a card as programs read it.
type cardInfo struct {
	Reader       string `json:"reader"`
	Token        string `json:"token"` // card, phone or unknown
	Auth         bool   `json:"auth_certificate"`
	AuthNotAfter string `json:"auth_not_after,omitempty"` // RFC 3339; absent where it can only be read with the PIN
	Signing      bool   `json:"signing_certificate"`
	PINTries     int    `json:"pin_tries_left"`
	SigningTries *int   `json:"signing_tries_left,omitempty"`
	outcome
}

// info says what the cards are. It needs no PIN, costs no try and names nobody.
func info(ctx context.Context, args []string, s streams, now func() time.Time) (err error) {
	var f flags
	var out output
	if err := parse("cardagent info", args, func(set *flag.FlagSet) { f.add(set); out.add(set) }); err != nil {
		return err
	}
	c, err := f.load()
	if err != nil {
		return err
	}
	c.PIN = pinOnPage // nobody is asked
	p, err := c.build(ctx, s, now, f.logger(s.err))
	if err != nil {
		return usageError{err}
	}
	defer func() { err = errors.Join(err, p.close()) }()
	choices, err := p.agent.Cards(ctx)
	if err == nil && len(choices) == 0 {
		err = &agent.Error{Reason: agent.CardMissing, Detail: "no reader holds a card"}
	}
	if err == nil && !out.json {
		r := doctor.Cards(ctx, doctor.Deps{Patient: p.agent, Now: now})
		for _, c := range r.Checks {
			_, _ = fmt.Fprintln(s.out, c.Text(out.lang()))
		}
	}
	if out.json {
		cards := []cardInfo{}
		for _, choice := range choices {
			cards = append(cards, describe(ctx, p.agent, choice))
		}
		out.print(s.out, struct {
			Cards []cardInfo `json:"cards"`
			outcome
		}{cards, outcomeOf(err)})
	}
	return err
}

func describe(ctx context.Context, a *agent.Agent, choice agent.CardChoice) cardInfo {
	f, err := a.Inspect(ctx, choice.Name)
	c := cardInfo{Reader: choice.Name, Token: f.Token.String(), Auth: f.Auth, Signing: f.Signing, PINTries: int(f.PINTries), outcome: outcomeOf(err)}
	if !f.AuthNotAfter.IsZero() {
		c.AuthNotAfter = f.AuthNotAfter.UTC().Format(time.RFC3339)
	}
	if f.Signing {
		left := int(f.PasswordTries)
		c.SigningTries = &left
	}
	return c
}

// sickError says that a login would not work.
type sickError struct{ first doctor.Check }

func (e sickError) Error() string { return e.first.Text("en") + " [" + e.first.Code + "]" }

func (e sickError) exitCode() int {
	switch e.first.ID {
	case "reader", "card", "certificate", "pin":
		return exitCard
	case "hub":
		return exitHub
	case "clock":
		return exitNotAsked
	}
	return exitFailed
}

// examine says what stands in the way of a login.
func examine(ctx context.Context, args []string, s streams, now func() time.Time) (err error) {
	var f flags
	var out output
	if err := parse("cardagent doctor", args, func(set *flag.FlagSet) { f.add(set); out.add(set) }); err != nil {
		return err
	}
	c, err := f.load()
	if err != nil {
		return err
	}
	c.PIN = pinOnPage                                    // nobody is asked
	p, err := c.build(ctx, s, now, f.logger(io.Discard)) // the report says it in words
	if err != nil {
		return usageError{err}
	}
	defer func() { err = errors.Join(err, p.close()) }()
	r := doctor.Examine(ctx, doctor.Deps{
		Patient: p.agent, Version: version(), Running: c.running, Installed: registered, Troubles: p.troubles.Last(), Now: now,
	})
	if out.json {
		out.print(s.out, r)
	} else {
		_, _ = io.WriteString(s.out, r.Text(out.lang()))
	}
	if first, sick := r.First(); sick {
		return sickError{first}
	}
	return nil
}

// showVersion prints what the program was built from.
func showVersion(_ context.Context, args []string, s streams, _ func() time.Time) error {
	var out output
	if err := parse("cardagent version", args, func(set *flag.FlagSet) { out.add(set) }); err != nil {
		return err
	}
	if out.json {
		out.print(s.out, struct {
			Name    string `json:"name"`
			Version string `json:"version"`
		}{programName, version()})
		return nil
	}
	_, _ = fmt.Fprintln(s.out, programName, version())
	return nil
}
