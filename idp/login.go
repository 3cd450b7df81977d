package idp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// getLogin shows the ways to log in.
func (p *Provider) getLogin(c echo.Context) error {
	id := c.QueryParam("tx")
	if id == "" { // somebody typed the address, or the card app sent them back: their own folder is what they can want here
		return c.Redirect(http.StatusSeeOther, "/account")
	}
	tx, err := p.ownTransaction(c, id)
	if err != nil {
		return err
	}
	s, err := p.sessionFor(c, tx)
	if err != nil {
		return err
	}
	sit, _, err := p.situation(c.Request().Context(), tx, s)
	if err != nil {
		return err
	}
	step, why := next(sit, p.now())
	if step != StepLogin {
		return p.advance(c, tx) // an old tab or the back button: go on from where the login really is
	}
	service, err := p.serviceOf(c, tx)
	if err != nil {
		return err
	}
	word := whyWord(why)
	if s == nil && word == "" {
		if word, err = p.whyEnded(c); err != nil {
			return err
		}
	}
	missing, err := p.agentMissing(c.Request().Context(), tx)
	if err != nil {
		return err
	}
	_, shared := p.site.Cookie(c.Request(), cookieShared)
	noRemote, err := p.noRemote(c.Request().Context(), tx)
	if err != nil {
		return err
	}
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{
		Name: "login", Title: "login.title", OpenForm: true,
		Data: loginView{Tx: tx.ID, Service: service, Why: word, AgentMissing: missing, Demo: p.sample, Device: tx.Device != "", NoPhone: noRemote || sit.AlwaysCard, Shared: shared, Public: p.sharedComputer(c), Passkey: p.passkeyWay(c, sit)},
	})
	return nil
}

// whyWord is what the login page says about being asked although one is signed in.
func whyWord(w Why) string {
	switch w {
	case PromptLogin, MaxAgeExceeded, OtherPerson:
		return "again"
	case ACRTooLow:
		return "stepup"
	case SelectAccount:
		return "select"
	case CardUnsure:
		return "unsure"
	case CardAlways:
		return "always-card"
	case LimitReached:
		return "limit"
	case Satisfied, NoSession, FolderMissing, ConsentMissing, PromptConsent, Unconfirmed, AlreadyOver, DeviceUnconfirmed, SignatureMissing, ACRUnmet, CapacityMissing:
	}
	return ""
}

func (p *Provider) serviceOf(c echo.Context, tx *transaction) (serviceView, error) {
	if tx.Request == nil {
		return serviceView{}, nil
	}
	client, err := p.client(c.Request().Context(), tx.Request.Client)
	v := viewOfService(client, p.site.Lang(c.Request()))
	if tx.Device != "" && !v.Verified { // nothing is sent to the host that it names, which may be anybody's
		v.Domain, v.Policy, v.Terms = "", "", ""
	}
	return v, err
}

func fetchedKey(challenge string) string { return "fetched:1:" + challenge }

// agentMissing: the browser is back on the login page, and the card app never asked for the challenge it was sent with. It is not
// running.
func (p *Provider) agentMissing(ctx context.Context, tx *transaction) (bool, error) {
	if tx.Challenge == "" {
		return false, nil
	}
	_, err := p.store.Get(ctx, fetchedKey(tx.Challenge))
	if errors.Is(err, ephemeral.ErrNotFound) {
		return true, nil
	}
	return false, err
}

// postLoginCard issues a challenge and sends the browser to the card app with its address.
func (p *Provider) postLoginCard(c echo.Context) error {
	ctx := c.Request().Context()
	tx, err := p.ownTransaction(c, c.FormValue("tx"))
	if err != nil {
		return err
	}
	if tx.State == Completed || tx.State == Refused {
		return p.advance(c, tx)
	}
	ok, _, err := p.limiter.Allow(ctx, p.loginRate, tx.Browser)
	if err != nil {
		return err
	}
	if !ok {
		return &Error{Reason: TooMany, Detail: "card challenges of one browser", Client: tx.clientID()}
	}
	if err := p.stopPairing(ctx, tx, endByComputer); err != nil {
		return err
	}
	watch := c.FormValue("card_watch") == "yes"
	to, id, err := p.challenge(c, tx, ACRCard, tx.ID, watch)
	if err != nil {
		return err
	}
	p.rememberShared(c, watch)
	if err := tx.move(Authenticating); err != nil {
		return err
	}
	if c.FormValue("keep") == "1" && tx.Proof != nil { // the card that was read waits for another one to show whose folder it is
		tx.Newcomer = tx.Proof
	}
	tx.Challenge, tx.Pairing = id, ""
	if err := p.transactions.save(ctx, tx); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, to)
}

// rememberShared keeps the citizen's word that others use this browser too, for whoever comes next.
func (p *Provider) rememberShared(c echo.Context, shared bool) {
	if shared {
		p.site.SetCookie(c.Response(), web.Cookie{Name: cookieShared, Value: "1", MaxAge: sharedLife})
	} else if _, ok := p.site.Cookie(c.Request(), cookieShared); ok {
		p.site.ClearCookie(c.Response(), cookieShared, "/")
	}
}

// sharedLife is the longest that browsers keep a cookie.
const sharedLife = 400 * 24 * time.Hour

// challenge issues a challenge for a login and returns where the browser finds the card app with it; with watch the card app is to stay, and
// to report that the card was taken out.
func (p *Provider) challenge(c echo.Context, tx *transaction, acr, bound string, watch bool) (to, id string, err error) {
	ctx := c.Request().Context()
	ask := cardauth.Request{ClientID: p.issuer, ClientName: p.site.Text(c.Request(), "site.name"), RedirectHost: hostOf(p.issuer), ACR: acr, Bound: bound, Watch: watch}
	if tx.Request != nil {
		client, err := p.client(ctx, tx.Request.Client)
		if err != nil {
			return "", "", err
		}
		ask.ClientID, ask.ClientName = string(client.ID()), client.Name(p.site.Lang(c.Request()))
		if tx.Device == "" { // else it ends at this hub: nobody is sent on
			ask.RedirectHost = hostOf(tx.Request.Redirect)
		}
	}
	if id, err = p.challenges.Issue(ctx, ask); err != nil {
		return "", "", err
	}
	return p.agentURL + "/login?" + url.Values{"challenge": {p.issuer + "/card/challenges/" + id}}.Encode(), id, nil
}

// postLoginCancel ends the login and returns to the service.
func (p *Provider) postLoginCancel(c echo.Context) error {
	tx, err := p.ownTransaction(c, c.FormValue("tx"))
	if err != nil {
		return err
	}
	if tx.State == Completed || tx.State == Refused {
		return p.advance(c, tx)
	}
	if err := p.stopPairing(c.Request().Context(), tx, endByComputer); err != nil {
		return err
	}
	if err := p.recordStranger(c.Request().Context(), audit.Event{Kind: eventCancelled, Client: tx.clientID()}); err != nil {
		return err
	}
	return p.refuse(c, tx, &oauthError{code: "access_denied", description: "the citizen stopped the sign-in"})
}

// ownPage starts a login for one of the hub's own pages, or returns the session.
func (p *Provider) ownPage(c echo.Context, path string) (*session, error) {
	s, err := p.currentSession(c)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return nil, p.advance(c, &transaction{State: Received, Return: path, StartedAt: p.now().Unix()})
	}
	if err := p.sessions.touch(c.Request().Context(), s, ""); err != nil && !errors.Is(err, errSessionEnded) {
		return nil, err
	}
	p.showSession(c, s)
	return s, nil
}

// displayName is the client's name for the citizen.
func (p *Provider) displayName(ctx context.Context, id clients.ID, lang string) (name, operator string, err error) {
	cl, err := p.clients.Get(ctx, id)
	if errors.Is(err, clients.ErrUnknown) { // retired since: its id is all that is left
		return string(id), "", nil
	}
	if err != nil && !errors.Is(err, clients.ErrSuspended) {
		return "", "", fmt.Errorf("read client: %w", err)
	}
	return cl.Name(lang), cl.Operator(), nil
}
