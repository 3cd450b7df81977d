package agent

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
	"github.com/tsunagu-id/tsunagu/internal/audit"
)

// answerTimeout bounds one press of the PIN button: the card, then the hub.
const answerTimeout = cardTimeout + hubTimeout

// getLogin shows who asks, and takes the PIN.
func (a *Agent) getLogin(c echo.Context) error {
	q, err := decodeQuery(c.Request(), "challenge")
	if err != nil {
		return a.showProblem(c, nil, "", err)
	}
	ctx := c.Request().Context()
	req, err := a.prepare(ctx, q.challenge)
	if err != nil {
		return a.showProblem(c, a.unchecked(q.challenge), q.card, err)
	}
	return a.showPIN(c, req, ask{card: q.card})
}

// unchecked is what may be offered for an address whose challenge was not believed: the way back to a hub we trust.
func (a *Agent) unchecked(address string) *request {
	from, err := findChallenge(a.hubs, address)
	if err != nil {
		return nil
	}
	return &request{from: from}
}

// postLogin answers a challenge once. Whoever presses twice sees what the first press came to.
func (a *Agent) postLogin(c echo.Context) error {
	in, err := decodeLogin(c.Response(), c.Request())
	if err != nil {
		return a.showProblem(c, nil, "", err)
	}
	p, first := a.pages.take(in.page)
	if p == nil {
		return a.showProblem(c, nil, "", refuse(PageSpent, "unknown"))
	}
	if first {
		// A browser that is told to go elsewhere, or to press again, hangs up. The card is not stopped half-way.
		limit := answerTimeout
		if a.asker != nil {
			limit += askTimeout + cardTimeout
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request().Context()), limit)
		defer cancel()
		a.finish(ctx, p, in, func(key string, args ...string) string { return a.site.Text(c.Request(), key, args...) })
	}
	return a.showRepeat(c, p, in.card)
}

// showRepeat shows what the first post of a page came to.
func (a *Agent) showRepeat(c echo.Context, p *page, card string) error {
	r, ok := p.repeat(c.Request().Context(), a.now)
	if !ok {
		return a.showProblem(c, p.request, card, refuse(PageSpent, "used before"))
	}
	return a.show(c, p.request, r)
}

// finish gives the page its result, whatever happens.
func (a *Agent) finish(ctx context.Context, p *page, in loginForm, text say) {
	r := result{err: refuse(Internal, "")}
	defer func() { p.finish(r, a.now()) }()
	r = a.attempt(ctx, p, in, text)
}

// attempt is what one page is good for: one PIN, or one confirmation that the last try may be spent.
func (a *Agent) attempt(ctx context.Context, p *page, in loginForm, text say) result {
	r := result{card: in.card, lastTry: p.lastTry}
	if in.anyway {
		r.lastTry = in.card
		return r
	}
	signing := p.request.from.signing
	typed := in.pin
	if signing {
		typed = in.password
	}
	if a.asker != nil {
		var err error
		if typed, err = a.askPIN(ctx, p.request, ask{card: in.card, lastTry: p.lastTry}, text); err != nil {
			a.failed(ctx, p.request, err)
			r.err = err
			return r
		}
	}
	if signing {
		r.returnURI, r.err = a.attemptSigning(ctx, p, in.card, typed)
		return r
	}
	pin, err := jpki.ParsePIN(typed)
	if err != nil {
		r.err = err
		return r
	}
	defer pin.Wipe()
	r.returnURI, r.err = a.answer(ctx, p.request, in.card, pin, p.lastTry == in.card)
	return r
}

// show turns a result into a page or a redirect.
func (a *Agent) show(c echo.Context, req *request, r result) error {
	if r.err != nil {
		return a.showFailure(c, req, r)
	}
	if r.returnURI == "" {
		return a.showAsk(c, req, ask{card: r.card, lastTry: r.lastTry})
	}
	return c.Redirect(http.StatusSeeOther, r.returnURI)
}

// postCancel ends the login on this side. The hub is not told: its challenge ends by itself. Once the PIN was sent it
// is too late, and the citizen sees what became of it.
func (a *Agent) postCancel(c echo.Context) error {
	form, err := decodeForm(c.Response(), c.Request())
	if err != nil {
		return a.showProblem(c, nil, "", err)
	}
	p, first := a.pages.take(form.Get("page"))
	if p == nil {
		return a.showProblem(c, nil, "", refuse(PageSpent, "unknown"))
	}
	ctx := c.Request().Context()
	if first {
		p.finish(result{err: refuse(Cancelled, "")}, a.now())
		a.record(ctx, a.journal.write(ctx, audit.Event{
			Kind: kindCancelled, Client: p.request.challenge.clientID,
			Facts: map[string]string{"hub": p.request.from.hub.origin},
		}))
	}
	return a.showRepeat(c, p, "")
}
