package agent

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

// Asker takes a secret in another way than a page: a window of the system, or a terminal.
type Asker interface {
	// Ask shows a question and returns what was typed. A citizen who does not want to is an *Error with Cancelled, a way that cannot
	// be used one with EntryMissing. It returns soon after ctx ends.
	Ask(ctx context.Context, q Question) (string, error)
}

// Question is what an Asker shows. It is text of ours and names that were checked (isName).
type Question struct{ Title, Text string }

// askTimeout bounds the wait for a citizen who types; a challenge lives two minutes.
const askTimeout = 100 * time.Second

// say is a message in the language of the page.
type say func(key string, args ...string) string

// askPIN asks for the PIN of a card outside the page.
func (a *Agent) askPIN(ctx context.Context, p *page, card string, text say) (string, error) {
	var left jpki.Tries
	err := a.cards.use(ctx, card, func(ctx context.Context, c *jpki.Card) (err error) {
		left, err = triesLeft(ctx, c, p.request.from.signing)
		return err
	})
	if err != nil {
		return "", err
	}
	limited, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	c := p.request.challenge
	title, question := "entry.title", "entry.text"
	if p.request.from.signing {
		title, question = "entry.sign.title", "entry.sign.text"
	}
	q := Question{
		Title: text(title),
		Text: text(question, "service", c.clientName, "domain", c.redirectHost, "hub", p.request.from.hub.host,
			"left", strconv.Itoa(int(left))),
	}
	typed, err := a.asker.Ask(limited, q)
	if err != nil {
		if own, ok := errors.AsType[*Error](err); ok {
			return "", own
		}
		return "", &Error{Reason: EntryMissing, Err: err}
	}
	return typed, nil
}
