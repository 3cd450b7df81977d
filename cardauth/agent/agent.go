package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// Agent is the card app. It is safe for concurrent use.
type Agent struct {
	origin   *url.URL
	hubs     []*hub
	cards    *cards
	pages    *pages
	journal  *journal
	site     *web.Site
	demo     bool
	phone    bool // logins on other devices may be signed
	shared   bool // every login ends when its card is taken out
	version  string
	watcher  *watcher
	tray     Tray      // nil: cards are taken out by hand
	asker    Asker     // nil: the PIN is typed into the page
	troubles *Troubles // nil: nothing is remembered
	now      func() time.Time
	log      *slog.Logger
}

// New returns a card app ready to serve, or an error naming what is wrong with c. It talks to nobody yet.
func New(c Config) (*Agent, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	origin, err := parseOwnOrigin(c.Origin)
	if err != nil {
		return nil, err
	}
	a := &Agent{
		origin: origin, demo: c.Demo, phone: c.Phone, shared: c.Shared, tray: c.Tray, watcher: newWatcher(), version: c.Version, asker: c.PIN, troubles: c.Troubles, now: c.Now, log: c.Log,
		pages:   newPages(c.Now),
		journal: &journal{append: c.Journal, now: c.Now, last: map[audit.Kind]time.Time{}},
	}
	if a.log == nil {
		a.log = slog.Default()
	}
	a.cards = &cards{reader: c.Reader, log: a.log, locks: map[string]lock{}}
	client := quietClient(c.HTTP)
	for i, issuer := range c.Trusted {
		h, err := newHub(issuer, client, c.Now)
		if err != nil {
			return nil, fmt.Errorf("agent: Trusted[%d]: %w", i, err)
		}
		a.hubs = append(a.hubs, h)
	}
	a.site, err = newSite(origin.Scheme == "https", c.Demo, a.log)
	return a, err
}

// quietClient is the caller's client without what could carry a request somewhere else or tie two together.
func quietClient(c *http.Client) *http.Client {
	if c == nil {
		c = defaultClient()
	}
	own := *c
	own.Jar = nil
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// request is a challenge that was fetched and found good. What is shown and what is signed comes from here.
type request struct {
	from      challengeURL
	challenge challenge
}

// wayBack is the hub's page where the login goes on: on a phone, the one that says what it is paired with.
func (r *request) wayBack() string {
	if r.challenge.remote() {
		return r.from.hub.origin + "/phone"
	}
	return r.from.hub.loginURL()
}

// Login makes one login without a browser: it fetches and checks the challenge, has the card sign, hands the response
// to the hub, and returns the address at which the browser that started the login has to arrive. It never spends the
// card's last try (jpki.LastTry). The error is an *Error, a *jpki.Error or a *Refusal; see Word.
func (a *Agent) Login(ctx context.Context, challengeURL, card string, pin jpki.PIN) (returnURI string, err error) {
	return a.login(ctx, challengeURL, card, pin, false)
}

// LoginLastTry is Login for a citizen who was told that one try is left and confirmed that it may be spent.
func (a *Agent) LoginLastTry(ctx context.Context, challengeURL, card string, pin jpki.PIN) (returnURI string, err error) {
	return a.login(ctx, challengeURL, card, pin, true)
}

func (a *Agent) login(ctx context.Context, challengeURL, card string, pin jpki.PIN, lastTry bool) (string, error) {
	req, err := a.prepare(ctx, challengeURL)
	if err != nil {
		return "", err
	}
	return a.answer(ctx, req, card, pin, lastTry)
}

// prepare finds out who asks and for what. Nothing of it depends on a card.
func (a *Agent) prepare(ctx context.Context, address string) (*request, error) {
	from, err := findChallenge(a.hubs, address)
	if err == nil {
		var c challenge
		if c, err = from.hub.challenge(ctx, from); err == nil && c.remote() && !a.phone {
			// Whoever can send this browser to an address of ours could have the card sign for a browser of his own.
			err = refuse(RemoteRefused, "a login on another device")
		}
		if err == nil {
			return &request{from: from, challenge: c}, nil
		}
	}
	a.failed(ctx, nil, err)
	return nil, err
}

// answer has the card sign the challenge and hands the response to the hub.
func (a *Agent) answer(ctx context.Context, req *request, card string, pin jpki.PIN, lastTry bool) (string, error) {
	returnURI, err := a.trySigning(ctx, req, card, pin, lastTry)
	if err != nil {
		a.failed(ctx, req, err)
	}
	return returnURI, err
}

func (a *Agent) trySigning(ctx context.Context, req *request, card string, pin jpki.PIN, lastTry bool) (string, error) {
	// A try is not spent on a challenge that the hub would refuse.
	if err := req.challenge.fresh(a.now()); err != nil {
		return "", err
	}
	hub := req.from.hub
	var seat CardChoice // as it lay before it signed
	watching := a.watches(req.challenge)
	if watching {
		var err error
		if seat, err = a.cards.seat(ctx, card); err != nil {
			return "", err
		}
	}
	sealed, err := a.cards.sign(ctx, card, pin, lastTry, func(der []byte) (response, error) {
		return newResponse(hub.origin, req.challenge, der, a.now())
	})
	if err != nil {
		return "", err
	}
	signed := audit.Event{
		Kind: kindSigned, Client: req.challenge.clientID,
		Facts: map[string]string{"hub": hub.origin, "acr": req.challenge.acr},
	}
	if err := a.journal.write(ctx, signed); err != nil {
		return "", &Error{Reason: Internal, Detail: "journal", Err: err}
	}
	to, err := hub.answer(ctx, req.from, sealed, watching)
	if err == nil && to.removal != "" {
		a.watcher.add(&watch{hub: hub, card: seat, token: to.removal, until: a.now().Add(watchLife)})
	}
	return to.returnURI, err
}

// watches says whether the login is to end when its card is taken out, and this program can see to it.
func (a *Agent) watches(c challenge) bool {
	return (c.watch || a.shared) && !c.remote() && a.watcher.runs()
}

// record notes that an event could not be written. Only a signature depends on its event.
func (a *Agent) record(ctx context.Context, err error) {
	if err != nil {
		a.log.ErrorContext(ctx, "journal", "err", err, "trace", web.Trace(ctx))
	}
}
