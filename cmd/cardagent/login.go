package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/agent"
	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

// maxPINFile bounds the PIN file in bytes: sixteen full-width letters and a line end.
const maxPINFile = 64

// login makes one login and prints where the browser that started it has to arrive.
func login(ctx context.Context, args []string, s streams, now func() time.Time) (err error) {
	var f flags
	var challenge, pinFile string
	var lastTry bool
	var out output
	if err := parse("cardagent login", args, func(set *flag.FlagSet) {
		f.add(set)
		out.add(set)
		set.StringVar(&challenge, "challenge", "", "")
		set.StringVar(&pinFile, "pin-file", "", "")
		set.BoolVar(&lastTry, "last-try", false, "")
	}); err != nil {
		return err
	}
	var returnURI string
	defer func() {
		if out.json {
			out.print(s.out, struct {
				ReturnURI string `json:"return_uri,omitempty"`
				outcome
			}{returnURI, outcomeOf(err)})
		} else if returnURI != "" {
			_, _ = fmt.Fprintln(s.out, returnURI)
		}
	}()
	if challenge == "" {
		return usageError{errors.New("-challenge is required; see -help")}
	}
	c, err := f.load()
	if err != nil {
		return err
	}
	if pinFile == "" && c.PIN == pinOnPage {
		if !s.typed() {
			return usageError{errors.New("-pin-file is required where nobody can type; see -help")}
		}
		c.PIN = pinInTerminal
	}
	if c.Cards != "" && c.Card == "" {
		return usageError{errors.New("which card? name it with -card")}
	}
	var pin jpki.PIN
	if pinFile != "" {
		if pin, err = readPIN(pinFile, s.in); err != nil {
			return err
		}
		defer pin.Wipe()
	}
	p, err := c.build(ctx, s, now, f.logger(s.err))
	if err != nil {
		return usageError{err}
	}
	defer func() { err = errors.Join(err, p.close()) }()
	card, err := onlyCard(ctx, p.reader)
	if err != nil {
		return err
	}
	switch {
	case pinFile == "":
		returnURI, err = p.agent.LoginAsking(ctx, agent.Ask{Challenge: challenge, Card: card, Lang: out.lang(), LastTry: lastTry})
	case lastTry:
		returnURI, err = p.agent.LoginLastTry(ctx, challenge, card, pin)
	default:
		returnURI, err = p.agent.Login(ctx, challenge, card, pin)
	}
	if refused, ok := errors.AsType[*agent.Refusal](err); ok {
		returnURI = refused.ReturnURI // where the hub explains it
	}
	return err
}

// onlyCard is the card that is there. Of several, the caller has to name one: a PIN is not for trying out.
func onlyCard(ctx context.Context, reader agent.Reader) (string, error) {
	cards, err := reader.Cards(ctx)
	if err != nil {
		return "", err
	}
	switch len(cards) {
	case 0:
		return "", &agent.Error{Reason: agent.CardMissing, Detail: "no reader holds a card"}
	case 1:
		return cards[0].Name, nil
	}
	names := make([]string, len(cards))
	for i, c := range cards {
		names[i] = strconv.Quote(c.Name)
	}
	return "", usageError{fmt.Errorf("which card? name its reader with -card: %s", strings.Join(names, ", "))}
}

// readPIN reads a file that holds the PIN and at most one line end.
func readPIN(path string, stdin io.Reader) (jpki.PIN, error) {
	line, err := readSecret(path, stdin)
	if err != nil {
		return jpki.PIN{}, err
	}
	return jpki.ParsePIN(line)
}

// readSecret reads a file of one line. Errors never repeat what it holds.
func readSecret(path string, stdin io.Reader) (string, error) {
	in := stdin
	if path != "-" {
		f, err := os.Open(path) //nolint:gosec // the caller names the file
		if err != nil {
			return "", usageError{err}
		}
		defer func() { _ = f.Close() }() // it was only read
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxPINFile))
	if err != nil {
		return "", usageError{err}
	}
	defer clear(b)
	return strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"), nil
}
