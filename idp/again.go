package idp

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// The pages for a good card that opens no folder, where nobody said whose it is.
const (
	againPath = "/folder/again"
	joinPath  = "/folder/join"
)

// doubtful: the person may have a folder, and nobody could say so.
func (tx *transaction) doubtful() bool {
	return tx.State == Proven && !tx.First && (tx.Linkage == linkageSilent || tx.Linkage == linkageConflict)
}

// folderPage is where a login with a card that opens no folder goes on.
func (tx *transaction) folderPage() string {
	switch {
	case tx.Joins != nil:
		return joinPath
	case tx.doubtful():
		return againPath
	}
	return openPath
}

// again goes back to the choice, with a word on what did not work.
func (p *Provider) again(c echo.Context, tx *transaction, note string) error {
	tx.Joins = nil
	if err := p.transactions.save(c.Request().Context(), tx); err != nil {
		return err
	}
	q := url.Values{"tx": {tx.ID}, "note": {note}}
	return c.Redirect(http.StatusSeeOther, againPath+"?"+q.Encode())
}

// noteByPhone: a card that a phone read is tied to no folder by what is shown beside it.
const noteByPhone = "by_phone"

// againNotes are the words that the page knows of.
var againNotes = map[string]bool{noteByPhone: true, "still_silent": true, "no_folder": true, "not_same": true, "stale": true, "no_match": true}

// getFolderAgain asks the owner of a new card whether there is a folder already. It can be asked for from the page that opens one, too.
func (p *Provider) getFolderAgain(c echo.Context) error {
	tx, err := p.ownTransaction(c, c.QueryParam("tx"))
	if err != nil {
		return err
	}
	if tx.State != Proven || tx.Proof == nil {
		return p.advance(c, tx)
	}
	service, err := p.serviceOf(c, tx)
	if err != nil {
		return err
	}
	j, err := p.sessionJoins(c)
	if err != nil {
		return err
	}
	v := againView{Tx: tx.ID, Service: service, Device: tx.Device != "", Silent: tx.Linkage == linkageSilent, Conflict: tx.Linkage == linkageConflict, ByPhone: tx.Proof.ACR == ACRRemote, Session: j != nil, Passkey: p.party != nil,
		Sign: p.signing != nil && tx.Linkage == linkageSilent}
	switch note := c.QueryParam("note"); {
	case againNotes[note]:
		v.Note = note
	case refusesSignature(note):
		v.Refused = signMessage(note)
	}
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: "folder-again", Title: "again.title", OpenForm: true, Data: v})
	return nil
}

// postFolderAgain takes the choice. Nothing of it is lost on the way: whoever is wrong comes back to the same page.
func (p *Provider) postFolderAgain(c echo.Context) error {
	ctx := c.Request().Context()
	tx, err := p.ownTransaction(c, c.FormValue("tx"))
	if err != nil {
		return err
	}
	if tx.State != Proven || tx.Proof == nil {
		return p.advance(c, tx)
	}
	switch c.FormValue("way") {
	case "first":
		tx.First, tx.Joins = true, nil
		if err := p.transactions.save(ctx, tx); err != nil {
			return err
		}
		return c.Redirect(http.StatusSeeOther, openPath+"?"+pageQuery(tx))
	case "retry":
		return p.askAgain(c, tx)
	case "sign":
		if p.signing == nil || tx.Linkage != linkageSilent {
			return &Error{Reason: BadRequest, Detail: "no signature is of use here"}
		}
		if tx.Proof.ACR == ACRRemote { // see offerJoin
			return p.again(c, tx, noteByPhone)
		}
		tx.Relinks, tx.Joins = tx.Proof.ref(), nil
		if err := p.transactions.save(ctx, tx); err != nil {
			return err
		}
		return p.toRelinkSignature(c, tx, againPath+"?"+pageQuery(tx))
	case "session":
		j, err := p.sessionJoins(c)
		if err != nil {
			return err
		}
		if j == nil {
			return p.again(c, tx, "stale")
		}
		return p.offerJoin(c, tx, j)
	}
	return &Error{Reason: BadRequest, Detail: "unknown way to a folder"}
}

// offerJoin goes on to the question whether the card of a login is to open a folder whose owner is there too. A card that a phone read does
// not get there: its owner may have been led to sign for a stranger's computer, and all that she does with it later would be in his folder.
func (p *Provider) offerJoin(c echo.Context, tx *transaction, j *joining) error {
	if tx.Proof.ACR == ACRRemote {
		return p.again(c, tx, noteByPhone)
	}
	tx.Joins = j
	if err := p.transactions.save(c.Request().Context(), tx); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, joinPath+"?"+pageQuery(tx))
}

// askAgain asks the linkage service once more about the card that is still proven.
func (p *Provider) askAgain(c echo.Context, tx *transaction) error {
	ctx := c.Request().Context()
	ok, _, err := p.limiter.Allow(ctx, p.loginRate, tx.Browser)
	if err != nil {
		return err
	}
	if !ok {
		return &Error{Reason: TooMany, Detail: "linkage questions of one browser", Client: tx.clientID()}
	}
	if !tx.Proof.fresh(p.now()) { // what opens a folder is a card that was good a moment ago
		return p.again(c, tx, "stale")
	}
	if err := tx.move(Authenticating); err != nil {
		return err
	}
	if err := p.transactions.save(ctx, tx); err != nil {
		return err
	}
	return p.proven(c, tx, tx.Proof)
}

// sessionJoins is the folder of whoever is signed in in this browser since a moment ago, or nil.
func (p *Provider) sessionJoins(c echo.Context) (*joining, error) {
	s, err := p.currentSession(c)
	if err != nil || s == nil || s.ACR == ACRRemote { // made through a phone: perhaps for a stranger's computer
		return nil, err
	}
	j := &joining{Account: s.Account, Way: "session", Card: s.Card, At: s.AuthTime}
	if !j.fresh(p.now()) {
		return nil, nil
	}
	return j, nil
}

// joinsStill says whether what the citizen is about to confirm is still so: both proofs fresh, and the session, if it was one, hers.
func (p *Provider) joinsStill(c echo.Context, tx *transaction) (bool, error) {
	if tx.State != Proven || tx.Proof == nil || tx.Joins == nil || !tx.Proof.fresh(p.now()) || !tx.Joins.fresh(p.now()) {
		return false, nil
	}
	switch tx.Joins.Way {
	case "card":
		return true, nil
	case "passkey":
		return p.passkeys.stands(c.Request().Context(), tx.Joins.Passkey)
	}
	j, err := p.sessionJoins(c)
	return j != nil && j.Account == tx.Joins.Account && j.Card == tx.Joins.Card, err
}

// getFolderJoin says what is about to happen: this card will open that folder.
func (p *Provider) getFolderJoin(c echo.Context) error {
	tx, err := p.ownTransaction(c, c.QueryParam("tx"))
	if err != nil {
		return err
	}
	if tx.State != Proven || tx.Joins == nil {
		return p.advance(c, tx)
	}
	ok, err := p.joinsStill(c, tx)
	if err != nil {
		return err
	}
	if !ok {
		return p.again(c, tx, "stale")
	}
	v := joinView{Tx: tx.ID, Kind: tx.Proof.Kind, Way: tx.Joins.Way}
	if v.Service, err = p.serviceOf(c, tx); err != nil {
		return err
	}
	v.Device = tx.Device != ""
	if v.Services, err = p.serviceNames(c.Request().Context(), tx.Joins.Account, p.site.Lang(c.Request())); err != nil {
		return err
	}
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: "folder-join", Title: "join.title", OpenForm: true, Data: v})
	return nil
}

// serviceNames are the services of a folder, by which its owner knows it.
func (p *Provider) serviceNames(ctx context.Context, id federation.AccountID, lang string) ([]string, error) {
	list, err := p.accounts.consents(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read consents: %w", err)
	}
	var out []string
	for _, con := range list {
		name, _, err := p.displayName(ctx, con.Client, lang)
		if err != nil {
			return nil, err
		}
		out = append(out, name)
	}
	return out, nil
}

// postFolderJoin takes the answer.
func (p *Provider) postFolderJoin(c echo.Context) error {
	tx, err := p.ownTransaction(c, c.FormValue("tx"))
	if err != nil {
		return err
	}
	if tx.State != Proven || tx.Joins == nil {
		return p.advance(c, tx)
	}
	switch c.FormValue("decision") {
	case "yes":
		ok, err := p.joinsStill(c, tx)
		if err != nil {
			return err
		}
		if !ok {
			return p.again(c, tx, "stale")
		}
		return p.join(c, tx)
	case "no":
		tx.Joins = nil
		if err := p.transactions.save(c.Request().Context(), tx); err != nil {
			return err
		}
		return c.Redirect(http.StatusSeeOther, againPath+"?"+pageQuery(tx))
	}
	return &Error{Reason: BadRequest, Detail: "decision is neither yes nor no"}
}
