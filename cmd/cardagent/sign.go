package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/ades"
	"github.com/tsunagu-id/tsunagu/cardauth/agent"
	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

// signed is what sign answers programs.
type signed struct {
	ReturnURI string `json:"return_uri,omitempty"`
	Service   string `json:"service,omitempty"`
	Domain    string `json:"domain,omitempty"`
	Document  string `json:"document,omitempty"` // its name
	Digest    string `json:"digest,omitempty"`   // SHA-256, hex in groups of four
	outcome
}

// sign makes one signature and prints where the browser that started it has to arrive. What is signed is shown before the password is
// asked for; a program that brings the password in a file has to have shown it.
func sign(ctx context.Context, args []string, s streams, now func() time.Time) (err error) {
	var f flags
	var out output
	var request, file string
	var lastTry bool
	if err := parse("cardagent sign", args, func(set *flag.FlagSet) {
		f.add(set)
		out.add(set)
		set.StringVar(&request, "request", "", "")
		set.StringVar(&file, "pin-file", "", "")
		set.BoolVar(&lastTry, "last-try", false, "")
	}); err != nil {
		return err
	}
	var answer signed
	defer func() {
		if out.json {
			answer.outcome = outcomeOf(err)
			out.print(s.out, answer)
		} else if answer.ReturnURI != "" {
			_, _ = fmt.Fprintln(s.out, answer.ReturnURI)
		}
	}()
	if request == "" {
		return usageError{errors.New("-request is required; see -help")}
	}
	c, err := f.load()
	if err != nil {
		return err
	}
	if file != "" {
		c.PIN = pinOnPage // nobody is asked
	} else if c.PIN == pinOnPage {
		c.PIN = pinInTerminal
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
	what, err := p.agent.Preview(ctx, request)
	if err != nil {
		return err
	}
	answer.Service, answer.Domain, answer.Digest = what.Service, what.Domain, what.Digest
	if what.Document != nil {
		answer.Document = what.Document.Name
	}
	password, err := c.password(ctx, s, file, question(what, out.lang()))
	if err != nil {
		return err
	}
	defer password.Wipe()
	do := p.agent.Sign
	if lastTry {
		do = p.agent.SignLastTry
	}
	answer.ReturnURI, err = do(ctx, request, card, password)
	if refused, ok := errors.AsType[*agent.Refusal](err); ok {
		answer.ReturnURI = refused.ReturnURI // where the hub explains it
	}
	return err
}

// question shows what is signed, and for whom.
func question(what agent.Preview, lang string) agent.Question {
	lines := []string{in(lang, "求めている相手: ", "Asked by: ") + what.Service + " (" + what.Domain + ")"}
	switch {
	case what.Document != nil:
		lines = append(lines, in(lang, "文書: ", "Document: ")+what.Document.Name, "SHA-256: "+what.Digest)
	case what.Purpose == ades.PurposeAttributes:
		lines = append(lines, in(lang, "文書はありません。名前、住所、生年月日、性別を伝えます。", "No document: it tells your name, address, date of birth and sex."))
	default:
		lines = append(lines, in(lang, "文書はありません。本人の確認だけです。", "No document: it only shows who you are."))
	}
	return agent.Question{
		Title: in(lang, "マイナンバーカードで署名する", "Sign with your My Number Card"),
		Text: strings.Join(lines, "\n") + "\n" +
			in(lang, "署名用の暗証番号（英数字6〜16文字）", "Signing password (6 to 16 letters and digits)"),
	}
}

// password comes from a file of one line, or from whoever is asked.
func (c config) password(ctx context.Context, s streams, file string, q agent.Question) (jpki.Password, error) {
	if file != "" {
		line, err := readSecret(file, s.in)
		if err != nil {
			return jpki.Password{}, err
		}
		return jpki.ParsePassword(line)
	}
	asker, terminal, err := c.asker(s)
	if err != nil {
		return jpki.Password{}, usageError{err}
	}
	if terminal != nil {
		defer terminal.Restore()
	}
	typed, err := asker.Ask(ctx, q)
	if err != nil {
		return jpki.Password{}, err
	}
	return jpki.ParsePassword(typed)
}
