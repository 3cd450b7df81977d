// Command cardagent is the card app: it shows a citizen who asks for a login with the My Number Card, takes the PIN, and lets the
// card sign. It serves the citizen's own browser over loopback, or makes one login without a browser. For people without a card it
// puts a virtual one into a virtual reader.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/agent"
	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

const usage = `usage:
  cardagent [flags]                                   serve the card app's pages
  cardagent login -challenge URL -pin-file F [flags]  one login without a browser; prints the return address
  cardagent virtual -card NAME -pki DIR -vpcd ADDR    a virtual card in a vpcd reader, until SIGTERM pulls it out

flags:
  -config FILE    configuration, JSON
  -cards DIR      virtual cards of the test PKI in DIR, such as var/demo/pki, in place of the computer's readers
  -card NAME      only this card; with readers, the reader's name
  -issuer URL     the hub to answer, in place of the configured ones
  -ca FILE        PEM file with the authority behind the hub's certificate
  -phone          this is a phone, or stands for one: sign logins on other devices too
  -check          say what is wrong with the configuration, and stop
  -v              log every event
of login:
  -challenge URL  the challenge's address at the hub
  -pin-file F     file that holds the four digits; - is the standard input
  -last-try       spend the card's last try, too
of virtual:
  -card NAME      taro, hanako, taro-renewed, revoked, expired, blocked or phone
  -pki DIR        the test PKI; made if there is none
  -vpcd ADDR      host and port of the reader, such as 127.0.0.1:35963
  -ocsp URL       what certificates made now say about their responder

exit codes: 0 done, 1 failed, 2 usage or configuration, 3 the card said no, 4 the hub said no (the return
address, if there is one, is printed all the same), 5 the challenge is not one to answer
`

// The exit codes.
const (
	exitDone     = 0
	exitFailed   = 1
	exitUsage    = 2
	exitCard     = 3
	exitHub      = 4
	exitNotAsked = 5
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}, time.Now)
	stop()
	os.Exit(code)
}

// streams are the three that every program has.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// run is the program. Every failure is one line.
func run(ctx context.Context, args []string, s streams, now func() time.Time) int {
	command := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	var err error
	switch command {
	case "":
		err = serve(ctx, args, s, now)
	case "login":
		err = login(ctx, args, s, now)
	case "virtual":
		err = virtual(ctx, args, s, now)
	default:
		err = usageError{fmt.Errorf("no command %q; see -help", command)}
	}
	if errors.Is(err, flag.ErrHelp) {
		_, _ = io.WriteString(s.out, usage)
		return exitDone
	}
	if err != nil {
		_, _ = fmt.Fprintln(s.err, "cardagent:", oneLine(err))
	}
	return exitCode(err)
}

// usageError is a mistake in the command line or in the configuration.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	if card, ok := errors.AsType[*jpki.Error](err); ok {
		if card.Reason == jpki.PINMalformed || card.Reason == jpki.PasswordMalformed {
			return exitUsage
		}
		return exitCard
	}
	if _, ok := errors.AsType[*agent.Refusal](err); ok {
		return exitHub
	}
	if own, ok := errors.AsType[*agent.Error](err); ok {
		switch own.Reason {
		case agent.IssuerUntrusted, agent.AddressMalformed, agent.ChallengeForged, agent.ChallengeExpired, agent.RemoteRefused, agent.ClockWrong:
			return exitNotAsked
		case agent.ReaderMissing, agent.ServiceMissing, agent.ReaderBusy, agent.CardMissing:
			return exitCard
		case agent.HubRefused, agent.ReturnRefused:
			return exitHub
		case agent.RequestMalformed, agent.HubUnreachable, agent.PageSpent, agent.ForeignHost, agent.Embedded, agent.Cancelled,
			agent.NotFound, agent.Internal:
		}
	}
	return exitFailed
}

// oneLine is what the standard error gets: for a login the word that a page would carry first.
func oneLine(err error) string {
	text := err.Error()
	if card, ok := errors.AsType[*jpki.Error](err); ok {
		text = card.Reason.String() + ": " + text
		if card.Left > 0 {
			text = fmt.Sprintf("%s: tries left: %d", card.Reason, card.Left)
		}
	} else if own, ok := errors.AsType[*agent.Error](err); ok {
		text = own.Reason.String() + ": " + text
	} else if hub, ok := errors.AsType[*agent.Refusal](err); ok {
		text = hub.Word + ": " + text
	}
	return strings.Join(strings.Fields(text), " ")
}
