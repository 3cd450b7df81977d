package idp

import (
	"context"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

const openPath = "/folder/open"

// termsVersion names the terms a citizen agrees to when opening the folder; it is kept with the account.
const termsVersion = "2026-11"

// getFolderOpen explains the 利用者フォルダ to a person whose card is good and who has none. Nothing is asked but the agreement.
func (p *Provider) getFolderOpen(c echo.Context) error {
	tx, err := p.ownTransaction(c, c.QueryParam("tx"))
	if err != nil {
		return err
	}
	if tx.State != Proven || tx.folderPage() != openPath {
		return p.advance(c, tx)
	}
	service, err := p.serviceOf(c, tx)
	if err != nil {
		return err
	}
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{
		Name: "folder-open", Title: "folder.title", OpenForm: true, Data: folderView{Tx: tx.ID, Service: service, Device: tx.Device != "", Asked: tx.First},
	})
	return nil
}

// postFolderOpen makes the folder and signs in. A second press, or the same card in another browser at the same moment, finds the
// folder the first one made.
func (p *Provider) postFolderOpen(c echo.Context) error {
	ctx := c.Request().Context()
	tx, err := p.ownTransaction(c, c.FormValue("tx"))
	if err != nil {
		return err
	}
	if tx.State != Proven || tx.Proof == nil || tx.folderPage() != openPath {
		return p.advance(c, tx)
	}
	id, err := p.accounts.open(ctx, tx.Proof, termsVersion, func(ctx context.Context, id federation.AccountID) error {
		return p.record(ctx, audit.Event{Kind: eventFolderOpened, Account: string(id), Facts: map[string]string{"terms": termsVersion}})
	})
	if word := refusalOf(err); word != "" { // tied in another browser meanwhile
		return p.refuseProven(c, tx, id, word)
	}
	if err != nil {
		return fmt.Errorf("open folder: %w", err)
	}
	s := sessionOf(tx.Proof)
	s.Account = id
	if err := p.signIn(c, tx, s); err != nil {
		return err
	}
	return p.resume(c, tx)
}
