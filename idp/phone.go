package idp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// The phone's side of a login on a computer. Its browser is signed in to nothing by it: what it gains is the sight of how it ended.

const (
	phonePath     = "/phone"
	cookiePairing = "pairing" // which pairing this phone is in; the browser's own cookie proves that it is
)

// phoneView is the data of phone.html.
type phoneView struct {
	Pairing  string // empty: this browser is in none
	State    pairingState
	End      pairingEnd
	Refused  string // a card was refused: a cardauth.Reason
	Final    bool   // the same card will be refused again
	Service  serviceView
	Device   bool   // the computer answers for another device (RFC 8628)
	Hub      string // where the card app will say that the question comes from
	Computer string // what it is, in words
	Began    time.Time
	Slip     bool // what was typed is no number
}

// getPhoneScan is what a QR code leads to. The first browser that opens a genuine picture in its few seconds has the pairing; the same
// browser may open it again. Everybody else is told no, and the computer is told if the picture was still good.
func (p *Provider) getPhoneScan(c echo.Context) error {
	ctx := c.Request().Context()
	if fetchedAhead(c.Request()) { // nobody has looked at anything yet
		return c.NoContent(http.StatusForbidden)
	}
	if linked(c.Request()) {
		return p.refuseScan(ctx, QRLinked, "followed a link", "")
	}
	f, ok := parseFrame(c.Param("frame"))
	if !ok {
		return p.refuseScan(ctx, QRExpired, "malformed", "")
	}
	pr, err := p.pairings.get(ctx, f.pairing)
	if errors.Is(err, ephemeral.ErrNotFound) {
		return p.refuseScan(ctx, QRExpired, "unknown", "")
	}
	if err != nil {
		return fmt.Errorf("read pairing: %w", err)
	}
	if !f.genuine(pr.Key) {
		return p.refuseScan(ctx, QRExpired, "forged", "")
	}
	browser := digest(p.browserProof(c))
	if pr.Phone == browser {
		return p.toPhone(c, pr.ID)
	}
	if !f.fresh(time.Unix(pr.Began, 0), p.now()) || pr.over(p.now()) {
		return p.refuseScan(ctx, QRExpired, "old", "")
	}
	tx, err := p.pairedLogin(ctx, pr)
	if err != nil {
		return err
	}
	if tx.Browser == browser {
		return p.refuseScan(ctx, QRSameDevice, "same browser", tx.clientID())
	}
	pr, err = p.pairings.change(ctx, pr.ID, func(pr *pairing) error {
		switch {
		case pr.State != pairingShown && pr.Again:
			return errSecondPhone // which has been written down
		case pr.State != pairingShown:
			pr.Again = true
			return nil
		}
		pr.Phone, pr.Device = browser, deviceOf(c.Request().UserAgent())
		return pr.step(pairingScanned, p.now())
	})
	switch {
	case errors.Is(err, errMove), errors.Is(err, ephemeral.ErrNotFound):
		return p.refuseScan(ctx, QRExpired, "over", tx.clientID())
	case err != nil && !errors.Is(err, errSecondPhone):
		return err
	case pr.Phone != browser:
		return p.refuseScan(ctx, QRUsed, "second phone", tx.clientID())
	}
	if err := p.recordStranger(ctx, audit.Event{Kind: eventPhoneScanned, Client: tx.clientID()}); err != nil {
		return err
	}
	return p.toPhone(c, pr.ID)
}

var errSecondPhone = errors.New("another phone has the pairing")

// fetchedAhead: a browser says so when it loads a page that nobody has asked for yet (W3C Fetch Metadata, Sec-Purpose).
func fetchedAhead(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Sec-Purpose"), "prefetch") || strings.Contains(r.Header.Get("Purpose"), "prefetch")
}

// linked: another site's page, or a redirect of it, led here (W3C Fetch Metadata, Sec-Fetch-Site). What a camera opens comes from no page; a
// page that passes on the pictures of somebody's computer as they turn is how a citizen would be led to sign for that computer.
func linked(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "cross-site" || site == "same-site"
}

func (p *Provider) refuseScan(ctx context.Context, reason Reason, detail, client string) error {
	if err := p.recordStranger(ctx, audit.Event{Kind: eventPhoneRefused, Reason: reason.String(), Client: client}); err != nil {
		return err
	}
	return &Error{Reason: reason, Detail: "QR code: " + detail, Client: client}
}

// toPhone sends the phone's browser to its page: the address of the QR code does not stay in front of the next reload.
func (p *Provider) toPhone(c echo.Context, id string) error {
	p.site.SetCookie(c.Response(), web.Cookie{Name: cookiePairing, Value: id, MaxAge: transactionLife})
	return c.Redirect(http.StatusSeeOther, phonePath+"?"+url.Values{"pairing": {id}}.Encode())
}

// pairedLogin returns the login that a pairing is for, if it still wants it.
func (p *Provider) pairedLogin(ctx context.Context, pr *pairing) (*transaction, error) {
	tx, err := p.transactions.get(ctx, pr.Tx)
	if err != nil {
		return nil, err
	}
	if tx.Pairing != pr.ID || tx.State != Authenticating {
		return nil, &Error{Reason: QRExpired, Detail: "the login goes another way", Client: tx.clientID()}
	}
	return tx, nil
}

// ownPairing returns the pairing if this browser is its phone.
func (p *Provider) ownPairing(c echo.Context, id string) (*pairing, error) {
	ctx := c.Request().Context()
	pr, err := p.pairings.get(ctx, id)
	if errors.Is(err, ephemeral.ErrNotFound) {
		return nil, &Error{Reason: LoginExpired, Detail: "no such pairing"}
	}
	if err != nil {
		return nil, fmt.Errorf("read pairing: %w", err)
	}
	proof, ok := p.site.Cookie(c.Request(), cookieBrowser)
	if !ok || pr.Phone == "" || !sameDigest(pr.Phone, digest(proof)) {
		if err := p.recordStranger(ctx, audit.Event{Kind: eventOtherBrowser, Reason: OtherBrowser.String()}); err != nil {
			return nil, err
		}
		return nil, &Error{Reason: OtherBrowser, Detail: "pairing of another browser"}
	}
	return pr, nil
}

// getPhone shows the phone where it stands: who asks and for what number, then the way to the card app, then how it ended.
func (p *Provider) getPhone(c echo.Context) error {
	id := c.QueryParam("pairing")
	if id == "" { // the way back from the card app
		id, _ = p.site.Cookie(c.Request(), cookiePairing)
	}
	if id == "" {
		p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: "phone", Title: "phone.none.title", Data: phoneView{}})
		return nil
	}
	pr, err := p.ownPairing(c, id)
	if err != nil {
		return err
	}
	return p.showPhone(c, pr, http.StatusOK, phoneView{})
}

// showPhone shows the page of a pairing; v says what happened just now.
func (p *Provider) showPhone(c echo.Context, pr *pairing, status int, v phoneView) error {
	v.Pairing, v.State, v.End, v.Computer, v.Began = pr.ID, pr.State, pr.end(p.now()), pr.Computer, time.Unix(pr.Began, 0)
	v.Hub = hostOf(p.issuer)
	if v.End == "" && pr.State != pairingSpent {
		tx, err := p.pairedLogin(c.Request().Context(), pr)
		var gone *Error
		if errors.As(err, &gone) {
			v.End = endByComputer
		} else if err != nil {
			return err
		} else if v.Service, err = p.serviceOf(c, tx); err != nil {
			return err
		} else {
			v.Device = tx.Device != ""
		}
	}
	page := web.Page{Name: "phone", Title: "phone." + string(v.State) + ".title", OpenForm: true, Data: v}
	switch {
	case v.End != "":
		page.Title, page.Error = "phone.end."+string(v.End)+".title", string(v.End)
	case v.Refused != "":
		page.Title, page.Error = "refused."+v.Refused+".title", v.Refused
	case v.Slip:
		page.Error = "number_malformed"
	case pr.State == pairingSigned:
		page.Refresh = 5
	}
	p.site.Render(c.Response(), c.Request(), status, page)
	return nil
}

// postPhoneNumber takes the number that the citizen sees on the computer. One that is not it ends the pairing.
func (p *Provider) postPhoneNumber(c echo.Context) error {
	ctx := c.Request().Context()
	pr, err := p.ownPairing(c, c.FormValue("pairing"))
	if err != nil {
		return err
	}
	number, ok := parseNumber(c.FormValue("number"))
	if !ok && pr.State == pairingScanned {
		return p.showPhone(c, pr, http.StatusUnprocessableEntity, phoneView{Slip: true})
	}
	pr, err = p.pairings.change(ctx, pr.ID, func(pr *pairing) error {
		if pr.State != pairingScanned {
			return errMove
		}
		if number != pr.Number {
			pr.End = endNumberWrong
			return pr.step(pairingEnded, p.now())
		}
		return pr.step(pairingMatched, p.now())
	})
	if err != nil && !errors.Is(err, errMove) {
		return err
	}
	if err == nil && pr.End == endNumberWrong {
		if err := p.recordStranger(ctx, audit.Event{Kind: eventPhoneRefused, Reason: string(endNumberWrong)}); err != nil {
			return err
		}
	}
	return p.toPhone(c, pr.ID)
}

// postPhoneCard issues a challenge for the card, whose level the card signs, and sends the phone to its card app.
func (p *Provider) postPhoneCard(c echo.Context) error {
	ctx := c.Request().Context()
	pr, err := p.ownPairing(c, c.FormValue("pairing"))
	if err != nil {
		return err
	}
	if pr.State != pairingMatched || pr.over(p.now()) {
		return p.toPhone(c, pr.ID)
	}
	tx, err := p.pairedLogin(ctx, pr)
	if err != nil {
		return err
	}
	ok, _, err := p.limiter.Allow(ctx, p.loginRate, pr.Phone)
	if err != nil {
		return err
	}
	if !ok {
		return &Error{Reason: TooMany, Detail: "card challenges of one phone", Client: tx.clientID()}
	}
	to, _, err := p.challenge(c, tx, ACRRemote, boundToPairing(tx.ID, pr.ID), false)
	if err != nil {
		return err
	}
	_, err = p.pairings.change(ctx, pr.ID, func(pr *pairing) error { return pr.step(pairingMatched, p.now()) })
	if errors.Is(err, errMove) {
		return p.toPhone(c, pr.ID)
	}
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, to)
}

// postPhoneStop ends the pairing from the phone.
func (p *Provider) postPhoneStop(c echo.Context) error {
	ctx := c.Request().Context()
	pr, err := p.ownPairing(c, c.FormValue("pairing"))
	if err != nil {
		return err
	}
	stopped, err := p.pairings.stop(ctx, pr.ID, endByPhone)
	if err != nil {
		return err
	}
	if stopped {
		if err := p.recordStranger(ctx, audit.Event{Kind: eventPhoneStopped, Reason: string(endByPhone)}); err != nil {
			return err
		}
	}
	return p.toPhone(c, pr.ID)
}

// getPhoneReturn is where the phone's browser comes back from the card app. Here too the response alone does nothing: a citizen who was
// lured into signing the challenge of a phone that is not hers ends here, and the computer hears of nothing.
func (p *Provider) getPhoneReturn(c echo.Context) error {
	ctx := c.Request().Context()
	ret, err := p.takeReturn(c)
	if err != nil {
		return err
	}
	if ret.Pairing == "" {
		return p.refuseReturn(ctx, ReturnUnknown, eventReturnUnknown)
	}
	pr, err := p.ownPairing(c, ret.Pairing)
	if err != nil {
		return err
	}
	if ret.Refused != "" {
		return c.Redirect(http.StatusSeeOther, phonePath+"/refused?"+url.Values{"pairing": {pr.ID}, "reason": {ret.Refused}}.Encode())
	}
	if ret.Proof.ACR != ACRRemote {
		return fmt.Errorf("a card that signed for %q came back through a phone", ret.Proof.ACR)
	}
	tx, err := p.pairedLogin(ctx, pr)
	if err != nil {
		return err
	}
	owner, err := p.heir(ctx, tx, ret.Proof)
	if err != nil {
		return err
	}
	_, err = p.pairings.change(ctx, pr.ID, func(pr *pairing) error {
		pr.Proof, pr.Owner = ret.Proof, owner
		return pr.step(pairingSigned, p.now())
	})
	if err != nil && !errors.Is(err, errMove) {
		return err
	}
	return p.toPhone(c, pr.ID) // which says what has become of it
}

// getPhoneRefused shows why a card was refused; another may be tried.
func (p *Provider) getPhoneRefused(c echo.Context) error {
	pr, err := p.ownPairing(c, c.QueryParam("pairing"))
	if err != nil {
		return err
	}
	reason, ok := cardauth.ParseReason(c.QueryParam("reason"))
	if !ok {
		return &Error{Reason: NotFound}
	}
	if pr.State != pairingMatched || pr.over(p.now()) {
		return p.toPhone(c, pr.ID)
	}
	return p.showPhone(c, pr, cardStatus(reason), phoneView{Refused: reason.String(), Final: finalRefusal(reason)})
}

// boundToPairing ties a challenge to a login and the pairing in it; splitBound takes it apart again. A challenge of a card on this device is bound to
// its login alone.
func boundToPairing(tx, pairing string) string { return tx + "." + pairing }

func splitBound(bound string) (tx, pairing string) {
	tx, pairing, _ = strings.Cut(bound, ".")
	return tx, pairing
}
