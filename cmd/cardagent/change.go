package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/agent"
	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

// maxChangeFile bounds a file with the old and the new secret, in bytes.
const maxChangeFile = 256

// What change-pin changes.
const (
	changesPIN      = "pin"
	changesPassword = "password"
)

// change is a change of the PIN or of the signing password that is under way.
type change struct {
	secret  string
	lastTry bool
	lang    string
}

// changePIN asks for the old secret and twice for the new one, and gives both to the card. What cannot be a new one is refused before
// the card is touched; what the card refuses is not tried again.
func changePIN(ctx context.Context, args []string, s streams, now func() time.Time) (err error) {
	var f flags
	var out output
	var ch change
	var file string
	if err := parse("cardagent change-pin", args, func(set *flag.FlagSet) {
		f.add(set)
		out.add(set)
		set.StringVar(&ch.secret, "secret", changesPIN, "")
		set.StringVar(&file, "pin-file", "", "")
		set.BoolVar(&ch.lastTry, "last-try", false, "")
	}); err != nil {
		return err
	}
	ch.lang = out.lang()
	defer func() {
		switch {
		case out.json:
			out.print(s.out, struct {
				Changed bool `json:"changed"`
				outcome
			}{err == nil, outcomeOf(err)})
		case err == nil:
			_, _ = fmt.Fprintln(s.out, in(ch.lang, "変更しました。次から新しいものを使ってください。", "Changed. Use the new one from now on."))
		}
	}()
	if ch.secret != changesPIN && ch.secret != changesPassword {
		return usageError{fmt.Errorf("-secret: %q is neither pin nor password", ch.secret)}
	}
	c, err := f.load()
	if err != nil {
		return err
	}
	if c.PIN == pinOnPage && file == "" {
		c.PIN = pinInTerminal
	} else if file != "" {
		c.PIN = pinOnPage // nobody is asked
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
	if file != "" {
		before, after, err := readChange(file, s.in)
		if err != nil {
			return err
		}
		return ch.apply(ctx, p.agent, card, before, after)
	}
	asker, _, err := c.asker(s)
	if err != nil {
		return usageError{err}
	}
	return ch.ask(ctx, p.agent, card, asker)
}

// ask asks three times. One try left is said before anything is typed.
func (ch change) ask(ctx context.Context, a *agent.Agent, card string, asker agent.Asker) error {
	facts, err := a.Inspect(ctx, card)
	if err != nil {
		return err
	}
	left, last, blocked := facts.PINTries, jpki.LastTry, jpki.PINBlocked
	what := in(ch.lang, "暗証番号（数字4桁）", "4-digit PIN")
	if ch.secret == changesPassword {
		left, last, blocked = facts.PasswordTries, jpki.LastPasswordTry, jpki.PasswordBlocked
		what = in(ch.lang, "署名用の暗証番号（英数字6〜16文字）", "signing password (6 to 16 letters and digits)")
	}
	switch {
	case left == 0:
		return &jpki.Error{Reason: blocked}
	case left == 1 && !ch.lastTry:
		return &jpki.Error{Reason: last, Left: left}
	}
	title := in(ch.lang, "カードの"+what+"を変える", "Change the card's "+what)
	var typed [3]string
	for i, text := range [3]string{
		in(ch.lang, fmt.Sprintf("今のもの（あと%d回）", left), fmt.Sprintf("The one it has now (%d tries left)", left)),
		in(ch.lang, "新しいもの", "The new one"), in(ch.lang, "新しいものをもう一度", "The new one again"),
	} {
		if typed[i], err = asker.Ask(ctx, agent.Question{Title: title, Text: text}); err != nil {
			return err
		}
	}
	if typed[1] != typed[2] {
		return ch.malformed("the two new ones are not the same")
	}
	return ch.apply(ctx, a, card, typed[0], typed[1])
}

func (ch change) malformed(detail string) error {
	if ch.secret == changesPassword {
		return &jpki.Error{Reason: jpki.PasswordMalformed, Detail: detail}
	}
	return &jpki.Error{Reason: jpki.PINMalformed, Detail: detail}
}

func (ch change) apply(ctx context.Context, a *agent.Agent, card, before, after string) error {
	if ch.secret == changesPassword {
		old, err := jpki.ParsePassword(before)
		if err != nil {
			return err
		}
		defer old.Wipe()
		fresh, err := jpki.ParsePassword(after)
		if err != nil {
			return err
		}
		defer fresh.Wipe()
		return a.ChangePassword(ctx, card, jpki.PasswordChange{Old: old, New: fresh, LastTry: ch.lastTry})
	}
	old, err := jpki.ParsePIN(before)
	if err != nil {
		return err
	}
	defer old.Wipe()
	fresh, err := jpki.ParsePIN(after)
	if err != nil {
		return err
	}
	defer fresh.Wipe()
	return a.ChangePIN(ctx, card, jpki.PINChange{Old: old, New: fresh, LastTry: ch.lastTry})
}

// readChange reads two lines. Errors never repeat what they hold.
func readChange(path string, stdin io.Reader) (before, after string, err error) {
	in := stdin
	if path != "-" {
		f, err := os.Open(path) //nolint:gosec // the caller names the file
		if err != nil {
			return "", "", usageError{err}
		}
		defer func() { _ = f.Close() }() // it was only read
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxChangeFile))
	if err != nil {
		return "", "", usageError{err}
	}
	defer clear(b)
	lines := strings.Split(strings.TrimSuffix(strings.ReplaceAll(string(b), "\r\n", "\n"), "\n"), "\n")
	if len(lines) != 2 {
		return "", "", usageError{errors.New("-pin-file: two lines are expected, the old one and the new one")}
	}
	return lines[0], lines[1], nil
}
