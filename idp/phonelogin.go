package idp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// The computer's side of a login through a phone: it shows the QR code, then the number, and at last asks whether the card that signed is
// the citizen's own. docs/card-login.md numbers the steps.

const phoneLoginPath = "/login/phone"

// phoneLoginView is the data of phone-login.html.
type phoneLoginView struct {
	Tx      string
	Service serviceView
	Device  bool // another device asked (RFC 8628)
	State   pairingState
	End     pairingEnd // it ended without success
	QR      qrView
	Address string // what the QR code says; in the demo it can be opened in another browser
	Minutes int    // left for this step, rounded up
	Number  string // to be typed on the phone
	Again   bool   // another phone read the code too
	Phone   string // what it is, in words
	Owner   ownerView
}

// ownerView is what the computer's user recognizes her own folder by. It names nobody to somebody else.
type ownerView struct {
	New    bool // there is no folder yet
	Opened time.Time
	Name   string // the first letter of the name she wrote of herself; empty: none
}

// noRemote says whether a login cannot be made through a phone: the service takes none, or wants a level that a card on this device reaches
// and a phone does not. Nor do a page of the hub that wants the card itself, or a card that is to show whose folder a new one joins: what is
// tied to a folder stays, and a citizen can be led to sign for a stranger's computer.
func (p *Provider) noRemote(ctx context.Context, tx *transaction) (bool, error) {
	if tx.Request == nil || tx.Newcomer != nil {
		return tx.Card || tx.Newcomer != nil, nil
	}
	client, err := p.client(ctx, tx.Request.Client)
	if err != nil {
		return false, err
	}
	return client.RefusesRemoteCard() || client.AlwaysCard() || attainable(tx.Request.ACR) && !acrSatisfied(tx.Request.ACR, ACRRemote), nil
}

// postPhoneLogin begins a pairing; one that this login had before is over.
func (p *Provider) postPhoneLogin(c echo.Context) error {
	ctx := c.Request().Context()
	tx, err := p.ownTransaction(c, c.FormValue("tx"))
	if err != nil {
		return err
	}
	if tx.State == Completed || tx.State == Refused {
		return p.advance(c, tx)
	}
	if no, err := p.noRemote(ctx, tx); err != nil {
		return err
	} else if no { // the page offers no button for it, and says why
		return p.resume(c, tx)
	}
	ok, _, err := p.limiter.Allow(ctx, p.loginRate, tx.Browser)
	if err != nil {
		return err
	}
	if !ok {
		return &Error{Reason: TooMany, Detail: "pairings of one browser", Client: tx.clientID()}
	}
	if err := p.stopPairing(ctx, tx, endOfOtherLogin); err != nil {
		return err
	}
	pr, err := p.pairings.create(ctx, tx.ID, deviceOf(c.Request().UserAgent()))
	if err != nil {
		return err
	}
	if err := tx.move(Authenticating); err != nil {
		return err
	}
	// A crash before this line leaves a pairing that its login does not name: nobody can use it.
	tx.Pairing, tx.Challenge = pr.ID, ""
	if err := p.transactions.save(ctx, tx); err != nil {
		return err
	}
	return p.toPhoneLogin(c, tx)
}

func (p *Provider) toPhoneLogin(c echo.Context, tx *transaction) error {
	return c.Redirect(http.StatusSeeOther, phoneLoginPath+"?"+pageQuery(tx))
}

// stopPairing ends the pairing of a login, if it has one that is not over.
func (p *Provider) stopPairing(ctx context.Context, tx *transaction, why pairingEnd) error {
	if tx.Pairing == "" {
		return nil
	}
	stopped, err := p.pairings.stop(ctx, tx.Pairing, why)
	if err != nil || !stopped {
		return err
	}
	return p.recordStranger(ctx, audit.Event{Kind: eventPhoneStopped, Client: tx.clientID(), Reason: string(why)})
}

// getPhoneLogin shows where the pairing stands. Read again, it shows that again, or what has become of it: it asks for nothing but the
// cookie, and a browser without script reads it every few seconds.
func (p *Provider) getPhoneLogin(c echo.Context) error {
	ctx := c.Request().Context()
	tx, err := p.ownTransaction(c, c.QueryParam("tx"))
	if err != nil {
		return err
	}
	if tx.Pairing == "" || tx.State != Authenticating {
		return p.resume(c, tx)
	}
	pr, err := p.pairings.get(ctx, tx.Pairing)
	if errors.Is(err, ephemeral.ErrNotFound) {
		return p.resume(c, tx)
	}
	if err != nil {
		return fmt.Errorf("read pairing: %w", err)
	}
	if pr.State == pairingSpent { // the hub stopped between the two writes: the login is where it was
		return p.resume(c, tx)
	}
	v := phoneLoginView{Tx: tx.ID, Device: tx.Device != "", State: pr.State, End: pr.end(p.now()), Again: pr.Again}
	v.Phone = cmp.Or(pr.Device, p.site.Text(c.Request(), "phone_login.phone.unknown"))
	if v.Service, err = p.serviceOf(c, tx); err != nil {
		return err
	}
	page := web.Page{Name: "phone-login", Title: "phone_login.title", OpenForm: true}
	switch {
	case v.End != "":
		page.Title, page.Error = "phone.end."+string(v.End)+".title", string(v.End)
	case pr.State == pairingShown:
		v.Minutes = int(pr.Until-p.now().Unix()+59) / 60
		v.Address = p.issuer + phonePath + "/" + pr.frame(p.now()).String()
		if v.QR, err = drawQR(v.Address); err != nil {
			return err
		}
		page.Refresh = 5
	case pr.State == pairingScanned:
		v.Number = pr.Number
		page.Title, page.Refresh = "phone_login.scanned.title", 4
	case pr.State == pairingMatched:
		page.Title, page.Refresh = "phone_login.matched.title", 4
	case pr.State == pairingSigned:
		page.Title = "phone_login.signed.title"
		if v.Owner, err = p.ownerOf(ctx, pr); err != nil {
			return err
		}
	}
	page.Data = v
	p.site.Render(c.Response(), c.Request(), http.StatusOK, page)
	return nil
}

// ownerOf is what is shown of the folder that a card opens, before anybody is signed in to it.
func (p *Provider) ownerOf(ctx context.Context, pr *pairing) (ownerView, error) {
	id, err := p.accounts.byCard(ctx, pr.Proof)
	switch {
	case errors.Is(err, errNoAccount):
		if id = pr.Owner; id == "" {
			return ownerView{New: true}, nil
		}
	case errors.Is(err, errReplaced), errors.Is(err, errCooling): // it is that folder which says no, on the next page
	case err != nil:
		return ownerView{}, fmt.Errorf("account of card: %w", err)
	}
	stand, err := p.accounts.footing(ctx, id, pr.Proof.ref())
	if err != nil {
		return ownerView{}, fmt.Errorf("read account: %w", err)
	}
	said, err := p.attributes.of(ctx, id)
	if err != nil {
		return ownerView{}, err
	}
	v := ownerView{Opened: stand.OpenedAt}
	for _, name := range []attribute{attrName, attrFamilyName, attrGivenName} {
		if v.Name = firstLetter(said.values[name]); v.Name != "" {
			break
		}
	}
	return v, nil
}

// heir is the folder that a card which opens none will be tied to when the computer says yes, if the authority names one now. It ties
// nothing; if nobody can say, the folder is asked for after the yes, as with any new card.
func (p *Provider) heir(ctx context.Context, tx *transaction, proof *cardProof) (federation.AccountID, error) {
	if _, err := p.accounts.byCard(ctx, proof); !errors.Is(err, errNoAccount) {
		return "", nil
	}
	older, err := p.predecessors(ctx, tx, proof)
	if _, ok := errors.AsType[*cardauth.LinkageError](err); ok || cardauth.Unlinked(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	_, owners, err := p.heritage(ctx, proof, older)
	if err != nil || len(owners) != 1 {
		return "", err
	}
	return owners[0], nil
}

// firstLetter is all of a name that is shown to somebody who may not be its owner.
func firstLetter(name string) string {
	for _, r := range name {
		return string(r)
	}
	return ""
}

// postPhoneLoginEnd takes the answer of the computer's user to what the phone did: go on, or it was not she. Her pressing "no", or stopping
// while the phone is at it, ends the pairing.
func (p *Provider) postPhoneLoginEnd(c echo.Context) error {
	ctx := c.Request().Context()
	tx, err := p.ownTransaction(c, c.FormValue("tx"))
	if err != nil {
		return err
	}
	if tx.State != Authenticating || tx.Pairing == "" {
		return p.resume(c, tx)
	}
	switch c.FormValue("decision") {
	case "yes":
		return p.phoneProven(c, tx)
	case "no":
		err = p.stopPairing(ctx, tx, endNotMine)
	case "stop":
		err = p.stopPairing(ctx, tx, endByComputer)
	default:
		return &Error{Reason: BadRequest, Detail: "decision is neither yes, no nor stop"}
	}
	if err != nil {
		return err
	}
	return p.toPhoneLogin(c, tx)
}

// phoneProven spends the pairing and goes on as after a card on this device. Of all who ask at once, one goes on.
func (p *Provider) phoneProven(c echo.Context, tx *transaction) error {
	pr, err := p.pairings.change(c.Request().Context(), tx.Pairing, func(pr *pairing) error { return pr.step(pairingSpent, p.now()) })
	if errors.Is(err, errMove) || errors.Is(err, ephemeral.ErrNotFound) {
		return p.toPhoneLogin(c, tx) // which says where it stands
	}
	if err != nil {
		return err
	}
	return p.proven(c, tx, pr.Proof)
}
