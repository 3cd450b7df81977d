package idp

import (
	"context"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

const (
	cookieSession = "session"
	cookieBrowser = "browser"
	cookieShared  = "shared" // somebody wanted the card to be watched here; says nothing of who
	cookiePublic  = "public" // somebody said that others use this computer too
)

// browserProof returns the secret that tells this browser from every other, and gives it one if it has none. All logins of one
// browser share it, so that two tabs do not spoil each other's.
func (p *Provider) browserProof(c echo.Context) string {
	if v, ok := c.Get(cookieBrowser).(string); ok { // given in this answer already
		return v
	}
	if v, ok := p.site.Cookie(c.Request(), cookieBrowser); ok && isBase64URL(v, 43) {
		return v
	}
	v := newSecret()
	c.Set(cookieBrowser, v)
	p.site.SetCookie(c.Response(), web.Cookie{Name: cookieBrowser, Value: v})
	return v
}

// ownTransaction returns the transaction named in the request if this browser started it.
func (p *Provider) ownTransaction(c echo.Context, id string) (*transaction, error) {
	ctx := c.Request().Context()
	tx, err := p.transactions.get(ctx, id)
	if err != nil {
		return nil, err
	}
	proof, ok := p.site.Cookie(c.Request(), cookieBrowser)
	if !ok && (c.Path() == "/login" || c.Path() == "/device/confirm") { // the page a service's visitor is sent to first: the cookie was set one redirect ago
		return nil, &Error{Reason: CookiesOff, Detail: "no browser cookie came back"}
	}
	if !ok || !sameDigest(tx.Browser, digest(proof)) {
		if err := p.recordStranger(ctx, audit.Event{Kind: eventOtherBrowser, Client: tx.clientID(), Reason: OtherBrowser.String()}); err != nil {
			return nil, err
		}
		return nil, &Error{Reason: OtherBrowser, Detail: "transaction of another browser", Client: tx.clientID()}
	}
	return tx, nil
}

func (tx *transaction) clientID() string {
	if tx.Request == nil {
		return ""
	}
	return string(tx.Request.Client)
}

// signIn signs the owner of a proven card in and gives the browser a new cookie. The transaction decides: if another request moved it
// on meanwhile, nothing has happened. A session of somebody else that the browser had is over, and its services are told.
func (p *Provider) signIn(c echo.Context, tx *transaction, s *session) error {
	ctx := c.Request().Context()
	old, err := p.takeSlot(c, tx, s)
	if err != nil {
		return err
	}
	s.Device = deviceOf(c.Request().UserAgent())
	s.Shared, s.Apart = p.sharedComputer(c), s.slot == slotApart
	if err := p.recognize(c, s); err != nil {
		return err
	}
	again := old != nil && old.Account == s.Account
	if s.ID = newID(); again {
		s.ID = old.ID
	}
	if err := tx.move(Authenticated); err != nil {
		return err
	}
	// A crash after this line leaves a login that names a session which does not exist yet: the citizen is asked for the card again.
	tx.SID, tx.Login, tx.Proof, tx.Decided = s.ID, s.AuthTime, nil, false
	tx.Newcomer, tx.Joins = nil, nil
	if err := p.transactions.save(ctx, tx); err != nil {
		return err
	}
	if err := p.watchLogin(ctx, tx, s); err != nil {
		return err
	}
	if again && acrRank[s.ACR] < acrRank[old.ACR] {
		if err := p.tellLevel(ctx, old, s); err != nil {
			return err
		}
	}
	cookie, err := p.startSession(ctx, old, s, again)
	if err != nil {
		return err
	}
	if again && acrRank[s.ACR] > acrRank[old.ACR] {
		if err := p.tellLevel(ctx, old, s); err != nil {
			return err
		}
	}
	if err := p.bindRemoval(ctx, s); err != nil {
		return err
	}
	if err := p.meetBrowser(c, tx, s); err != nil {
		return err
	}
	p.site.SetCookie(c.Response(), web.Cookie{Name: string(s.slot), Value: cookie})
	if err := p.clearOther(c, s); err != nil {
		return err
	}
	p.rememberWay(c, s)
	if !again {
		p.setBrowserState(c, newSecret(), p.sessions.remaining(s))
	}
	p.figures.logins.Inc(s.ACR)
	return p.record(ctx, audit.Event{Kind: eventLogin, Account: string(s.Account), Client: tx.clientID(), Session: s.ID,
		Facts: map[string]string{"acr": s.ACR, "revocation": s.Source}})
}

// takeSlot chooses where the session of a login will be, and returns the one that is there.
func (p *Provider) takeSlot(c echo.Context, tx *transaction, s *session) (old *session, err error) {
	ctx := c.Request().Context()
	var client *clients.Client
	if tx.Request != nil {
		if client, err = p.client(ctx, tx.Request.Client); err != nil {
			return nil, err
		}
	}
	if s.slot, err = p.slotFor(ctx, s.Account, client); err != nil {
		return nil, err
	}
	return p.sessionIn(c, s.slot)
}

// clearOther ends what somebody else has in the browser's other place.
func (p *Provider) clearOther(c echo.Context, s *session) error {
	other, err := p.sessionIn(c, s.slot.other())
	if err != nil || other == nil || other.Account == s.Account {
		return err
	}
	p.site.ClearCookie(c.Response(), string(other.slot), "/")
	_, err = p.endSessions(c.Request().Context(), other.Account, whatEnds{Session: other.ID}, federation.LogoutOtherPerson)
	return err
}

// startSession stores the session, in place of the one the browser had, and ends the person's oldest if there are too many.
func (p *Provider) startSession(ctx context.Context, old, s *session, again bool) (cookie string, err error) {
	var over []string
	if again {
		cookie, over, err = p.sessions.renew(ctx, old, s)
	} else {
		cookie, over, err = p.sessions.open(ctx, s)
	}
	if err != nil {
		return "", err
	}
	if err := p.makeRoom(ctx, s.Account, over); err != nil || old == nil || again {
		return cookie, err
	}
	_, err = p.endSessions(ctx, old.Account, whatEnds{Session: old.ID}, federation.LogoutOtherPerson) // the browser tells nobody: what it shows next is the new login's
	return cookie, err
}

// sessionOf makes the session that a proof deserves. A phone's own certificate is hardware behind a PIN like the card's, and no smart card
// (RFC 8176 §2).
func sessionOf(proof *cardProof) *session {
	amr := []string{"sc", "pin", "hwk", "mfa"}
	if proof.Kind == cardauth.Phone.String() {
		amr = amr[1:]
	}
	return &session{AuthTime: proof.At, ACR: proof.ACR, AMR: amr, Source: proof.Source, Card: proof.ref(), Removal: proof.Removal, proof: proof}
}

// deviceOf says in plain words what a browser is. The words are all of ours: nothing of the header is kept.
func deviceOf(agent string) string {
	browser, system := "", ""
	for _, m := range []struct{ mark, name string }{{"Edg/", "Edge"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}} {
		if strings.Contains(agent, m.mark) {
			browser = m.name
			break
		}
	}
	for _, m := range []struct{ mark, name string }{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"Mac OS", "Mac"}, {"Linux", "Linux"}} {
		if strings.Contains(agent, m.mark) {
			system = m.name
			break
		}
	}
	return strings.Trim(system+"・"+browser, "・")
}
