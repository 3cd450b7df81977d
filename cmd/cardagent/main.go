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
  cardagent [flags]                        serve the card app's pages
  cardagent doctor [flags]                 say what stands in the way of a login; 0 if nothing does
  cardagent info [flags]                   what the card is, its certificates' end, its tries; never a name
  cardagent change-pin [flags]             a new PIN, or with -secret password a new signing password
  cardagent login -challenge URL [flags]   one login without a browser; prints the return address
  cardagent sign -request URL [flags]      one signature without a browser; prints the return address
  cardagent open LINK [flags]              open a tsunagu-card: link in the browser, starting the card app if need be
  cardagent install | uninstall [flags]    make this computer know the card app: links, start at login
  cardagent virtual -card NAME -pki DIR -vpcd ADDR
                                           a virtual card in a vpcd reader, until SIGTERM pulls it out
  cardagent version | completion bash

flags:
  -config FILE    configuration, JSON; without it the user's own, if there is one
  -cards DIR      virtual cards of the test PKI in DIR, such as var/demo/pki, in place of the computer's readers
  -card NAME      only this card; with readers, the reader's name
  -issuer URL     the hub to answer, in place of the configured ones
  -ca FILE        PEM file with the authority behind the hub's certificate
  -phone          this is a phone, or stands for one: sign logins on other devices too
  -pin WHERE      where the PIN is typed: page, dialog or terminal
  -check          say what is wrong with the configuration, and stop
  -v              log every event
of every command but serving:
  -json           the answer for programs, on the standard output
  -lang ja|en     the answer's language for people
of login:
  -challenge URL  the challenge's address at the hub
  -pin-file F     file that holds the four digits; - is the standard input; without it the terminal is asked
  -last-try       spend the card's last try, too
of sign:
  -request URL    the address of the request at the hub; -pin-file has the signing password, -last-try as above
of change-pin:
  -secret WHAT    pin (four digits) or password (for signing, 6 to 16 letters and digits)
  -pin-file F     two lines: the old one and the new one
  -last-try       as above
of install:
  -dry-run        print what would be done, and do nothing
  -os SYSTEM      linux, darwin or windows; for the last two files are written that the system's own tools take
  -dir DIR        where those files are written
  -program PATH   of the card app, if it is not this one
of virtual (also: cardagent -virtual NAME, with var/demo/pki and 127.0.0.1:35963 unless said otherwise):
  -card NAME      taro, hanako, taro-renewed, revoked, expired, blocked or phone
  -pki DIR        the test PKI; made if there is none
  -vpcd ADDR      host and port of the reader, such as 127.0.0.1:35963
                  type "out", "in" or "in NAME" while it runs: out of the reader, back, another one in its place
  -ocsp URL       what certificates made now say about their responder

exit codes: 0 done, 1 failed, 2 usage or configuration, 3 the card said no, 4 the hub said no (the return
address, if there is one, is printed all the same), 5 the challenge is not one to answer, 6 the card app is
already running
`

// The exit codes.
const (
	exitDone     = 0
	exitFailed   = 1
	exitUsage    = 2
	exitCard     = 3
	exitHub      = 4
	exitNotAsked = 5
	exitRunning  = 6
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

// commands are what the first word asks for.
func commands() map[string]func(context.Context, []string, streams, func() time.Time) error {
	return map[string]func(context.Context, []string, streams, func() time.Time) error{
		"": serve, "login": login, "sign": sign, "info": info, "doctor": examine, "change-pin": changePIN, "open": open,
		"install": installed, "uninstall": uninstalled, "version": showVersion, "virtual": virtual, "completion": completion,
	}
}

// run is the program. Every failure is one line.
func run(ctx context.Context, args []string, s streams, now func() time.Time) int {
	command := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	if alias, ok := aliasOfVirtual(args); ok && command == "" {
		command, args = "virtual", alias
	}
	err := error(usageError{fmt.Errorf("no command %q; see -help", command)})
	if do, ok := commands()[command]; ok {
		err = do(ctx, args, s, now)
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
	if _, ok := errors.AsType[runningError](err); ok {
		return exitRunning
	}
	if sick, ok := errors.AsType[sickError](err); ok {
		return sick.exitCode()
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
		case agent.ReaderMissing, agent.ServiceMissing, agent.ReaderBusy, agent.CardMissing, agent.EntryMissing:
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
