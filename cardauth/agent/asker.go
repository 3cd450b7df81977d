package agent

import (
	"context"
	"errors"
	"net/http"
	"net/url"
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

// Ask is a login without a browser for which the PIN is asked by Config.PIN.
type Ask struct {
	Challenge string // its address
	Card      string
	Lang      string // of the question, "ja" or "en"
	LastTry   bool   // as in LoginLastTry
}

// LoginAsking is Login for a citizen who sits in front of a terminal or a window: who asks is shown before the PIN is typed.
func (a *Agent) LoginAsking(ctx context.Context, q Ask) (returnURI string, err error) {
	req, err := a.prepare(ctx, q.Challenge)
	if err != nil {
		return "", err
	}
	where := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/", RawQuery: url.Values{"lang": {q.Lang}}.Encode()}}
	to := ask{card: q.Card}
	if q.LastTry {
		to.lastTry = q.Card
	}
	typed, err := a.askPIN(ctx, req, to, func(key string, args ...string) string { return a.site.Text(where, key, args...) })
	if err != nil {
		a.failed(ctx, req, err)
		return "", err
	}
	pin, err := jpki.ParsePIN(typed)
	if err != nil {
		return "", err
	}
	defer pin.Wipe()
	return a.answer(ctx, req, q.Card, pin, q.LastTry)
}

// askPIN asks for the PIN of a card outside the page, unless it would not be given to the card anyway.
func (a *Agent) askPIN(ctx context.Context, req *request, to ask, text say) (string, error) {
	if a.asker == nil {
		return "", refuse(EntryMissing, "no way to ask was configured")
	}
	var left jpki.Tries
	err := a.cards.use(ctx, to.card, func(ctx context.Context, c *jpki.Card) (err error) {
		left, err = triesLeft(ctx, c, req.from.signing)
		return err
	})
	if err != nil {
		return "", err
	}
	blocked, last := jpki.PINBlocked, jpki.LastTry
	if req.from.signing {
		blocked, last = jpki.PasswordBlocked, jpki.LastPasswordTry
	}
	switch {
	case left == 0:
		return "", &jpki.Error{Reason: blocked}
	case left == 1 && to.lastTry != to.card:
		return "", &jpki.Error{Reason: last, Left: left}
	}
	limited, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	c := req.challenge
	title, question := "entry.title", "entry.text"
	if req.from.signing {
		title, question = "entry.sign.title", "entry.sign.text"
	}
	q := Question{
		Title: text(title),
		Text: text(question, "service", c.clientName, "domain", c.redirectHost, "hub", req.from.hub.host,
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
