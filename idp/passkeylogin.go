package idp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/idp/passkey"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// cookieWay remembers which way in was used last in this browser. It names nobody.
const (
	cookieWay  = "way"
	wayPasskey = "passkey"
	wayLife    = 180 * 24 * time.Hour
)

// getLoginPasskey is the page whose script asks the authenticator. Each view of it has a challenge of its own.
func (p *Provider) getLoginPasskey(c echo.Context) error {
	if err := p.passkeysOff(); err != nil {
		return err
	}
	ctx := c.Request().Context()
	tx, err := p.ownTransaction(c, c.QueryParam("tx"))
	if err != nil {
		return err
	}
	if ok, err := p.passkeyDue(c, tx); !ok {
		return err
	}
	if ok, _, err := p.limiter.Allow(ctx, p.loginRate, tx.Browser); err != nil {
		return err
	} else if !ok {
		return &Error{Reason: TooMany, Detail: "passkey challenges of one browser", Client: tx.clientID()}
	}
	options, challenge, err := p.party.Request()
	if err != nil {
		return err
	}
	if err := p.offerChallenge(ctx, challenge, passkeyChallenge{Tx: tx.ID}); err != nil {
		return err
	}
	service, err := p.serviceOf(c, tx)
	if err != nil {
		return err
	}
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{
		Name: "passkey-login", Title: "passkey.login.title", OpenForm: true,
		Data: passkeyLoginView{Tx: tx.ID, Service: service, Device: tx.Device != "", Challenge: challenge, Options: string(options), Beside: tx.State == Proven},
	})
	return nil
}

// passkeyDue says whether the login is where a passkey is asked for, and otherwise has answered: it is elsewhere, or needs the card.
func (p *Provider) passkeyDue(c echo.Context, tx *transaction) (bool, error) {
	s, err := p.sessionFor(c, tx)
	if err != nil {
		return false, err
	}
	sit, _, err := p.situation(c.Request().Context(), tx, s)
	if err != nil {
		return false, err
	}
	switch step, _ := next(sit, p.now()); {
	case step != StepLogin && step != StepOpenFolder:
		return false, p.advance(c, tx)
	case !passkeyServes(sit):
		return false, p.refusePasskey(c, tx, &passkey.Error{Reason: passkey.CardRequired, Detail: "the request needs the card"})
	}
	return true, nil
}

// postLoginPasskey takes the authenticator's answer. The challenge is spent before anything else is looked at.
func (p *Provider) postLoginPasskey(c echo.Context) error {
	if err := p.passkeysOff(); err != nil {
		return err
	}
	form, err := readForm(c.Request())
	if err != nil {
		return &Error{Reason: BadRequest, Detail: "passkey form", Err: err}
	}
	challenge := form.Get("challenge")
	what, spent := p.spendChallenge(c.Request().Context(), challenge)
	tx, err := p.ownTransaction(c, form.Get("tx"))
	if err != nil {
		return err
	}
	if spent == nil && what.Tx != tx.ID {
		spent = &passkey.Error{Reason: passkey.ChallengeSpent, Detail: "challenge of another login"}
	}
	if spent != nil {
		return p.refusePasskey(c, tx, spent)
	}
	if ok, err := p.passkeyDue(c, tx); !ok {
		return err
	}
	key, err := p.judgePasskey(c.Request().Context(), challenge, []byte(form.Get("credential")))
	if err != nil {
		return p.refusePasskey(c, tx, err)
	}
	if tx.State == Proven || tx.Newcomer != nil && tx.Newcomer.fresh(p.now()) {
		return p.besideCard(c, tx, key)
	}
	return p.signInByPasskey(c, tx, key)
}

// overlap is how far apart two answers of one authenticator may arrive in the other order than they were given in (§7.2 step 22 leaves that
// open). The earlier one is refused, and nothing is concluded from it.
const overlap = 10 * time.Second

// judgePasskey returns the passkey that answered the challenge, which is spent, and notes its use.
func (p *Provider) judgePasskey(ctx context.Context, challenge string, body []byte) (storedPasskey, error) {
	a, err := passkey.ParseAssertion(body)
	if err != nil {
		return storedPasskey{}, err
	}
	key, handle, err := p.passkeys.byCredential(ctx, a.CredentialID())
	if err != nil {
		return key, err
	}
	use, err := p.party.Verify(challenge, a, key.Cred, handle)
	if refused, ok := errors.AsType[*passkey.Error](err); ok && refused.Reason == passkey.Cloned {
		if p.now().Sub(key.Used) < overlap {
			return key, &passkey.Error{Reason: passkey.ChallengeSpent, Detail: "overtaken by a later use"}
		}
		if _, err := p.endSessions(ctx, key.Account, whatEnds{Passkey: key.ID, Suspect: true}, federation.LogoutPasskeyRemoved); err != nil {
			return key, err
		}
	}
	if err != nil {
		return key, err
	}
	if !key.usable() { // told to nobody but who holds it
		return key, &passkey.Error{Reason: passkey.Cloned, Detail: "suspect since an earlier use"}
	}
	return key, p.passkeys.used(ctx, key, use)
}

// signInByPasskey signs the owner in, if the person still has a good card: a passkey stands in for the card, and falls with it.
func (p *Provider) signInByPasskey(c echo.Context, tx *transaction, key storedPasskey) error {
	ctx := c.Request().Context()
	if err := p.goodCard(ctx, key.Account); err != nil {
		return p.refusePasskey(c, tx, err)
	}
	if tx.State == Authenticated || tx.State == Consented { // signed out meanwhile, or asked again
		if err := tx.move(Authenticating); err != nil {
			return err
		}
	}
	s := &session{Account: key.Account, AuthTime: p.now().Unix(), ACR: ACRPasskey, AMR: amrOfPasskey(key.Cred), Passkey: key.ID}
	if err := p.signIn(c, tx, s); err != nil {
		return err
	}
	// Whoever removed the passkey between our reading of it and the session's birth has not seen the session.
	if ok, err := p.passkeys.stands(ctx, key.ID); err != nil {
		return err
	} else if !ok {
		if _, err := p.endSessions(ctx, s.Account, whatEnds{Session: s.ID}, federation.LogoutPasskeyRemoved); err != nil {
			return err
		}
	}
	return p.resume(c, tx)
}

// amrOfPasskey are the methods (RFC 8176 §2): a key was proved, the citizen was there, and the authenticator asked her for a second thing.
// A key that is copied between devices is in software as far as we know; of one that is not, nobody vouches for the hardware, because no
// attestation is asked for, so it is never called "hwk".
func amrOfPasskey(c passkey.Credential) []string {
	if eligible, _ := c.Synced(); eligible {
		return []string{"swk", "user", "mfa"}
	}
	return []string{"pop", "user", "mfa"}
}

// besideCard goes on with a login whose card opens no folder, and whose owner has shown by passkey which folder is hers: to the question
// whether the card is to join it. The passkey does not rest on a card here: that the old one's time is over is why people come.
func (p *Provider) besideCard(c echo.Context, tx *transaction, key storedPasskey) error {
	if tx.State != Proven {
		if err := tx.move(Proven); err != nil {
			return err
		}
		tx.Proof, tx.Newcomer = tx.Newcomer, nil
	}
	return p.offerJoin(c, tx, &joining{Account: key.Account, Way: "passkey", Passkey: key.ID, At: p.now().Unix()})
}

// rememberWay keeps in the browser which way in was used last.
func (p *Provider) rememberWay(c echo.Context, s *session) {
	_, had := p.site.Cookie(c.Request(), cookieWay)
	switch {
	case s.Passkey != "" && !s.Shared:
		p.site.SetCookie(c.Response(), web.Cookie{Name: cookieWay, Value: wayPasskey, MaxAge: wayLife})
	case had:
		p.site.ClearCookie(c.Response(), cookieWay, "/")
	}
}

// passkeyWay says how the login page speaks of passkeys: "" not at all, "first", "later", or "refused" because the service wants the card.
func (p *Provider) passkeyWay(c echo.Context, sit situation) string {
	switch way, _ := p.site.Cookie(c.Request(), cookieWay); {
	case p.party == nil:
		return ""
	case !passkeyServes(sit):
		return "refused"
	case way == wayPasskey:
		return "first"
	}
	return "later"
}

// refusePasskey ends this try and not the login: the page it leads to offers the card.
func (p *Provider) refusePasskey(c echo.Context, tx *transaction, err error) error {
	reason, err := p.notePasskeyRefused(c, err, audit.Event{Client: tx.clientID()})
	if err != nil {
		return err
	}
	// The outcome has an address of its own, so that a reload shows it again.
	return c.Redirect(http.StatusSeeOther, "/login/passkey/refused?"+url.Values{"tx": {tx.ID}, "reason": {reason.String()}}.Encode())
}

// getPasskeyRefused says why a passkey did not do, and what does.
func (p *Provider) getPasskeyRefused(c echo.Context) error {
	if err := p.passkeysOff(); err != nil {
		return err
	}
	tx, err := p.ownTransaction(c, c.QueryParam("tx"))
	if err != nil {
		return err
	}
	reason, ok := passkey.ParseReason(c.QueryParam("reason"))
	if !ok || !passkeyAtLogin(reason) {
		return &Error{Reason: NotFound}
	}
	service, err := p.serviceOf(c, tx)
	if err != nil {
		return err
	}
	p.site.Render(c.Response(), c.Request(), passkeyStatus(reason), web.Page{
		Name: "passkey-refused", Title: fmt.Sprintf("refused.%s.title", reason), Error: reason.String(), OpenForm: true,
		Data: passkeyRefusedView{Tx: tx.ID, Reason: reason.String(), Service: service, Device: tx.Device != "", Again: passkeyAgain(reason)},
	})
	return nil
}
