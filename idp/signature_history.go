package idp

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

const signaturesPath = "/account/signatures"

// historyLife is how long a citizen sees that she signed something: as long as a signature certificate can last, and a little more.
const historyLife = 6 * 365 * 24 * time.Hour

// historyPage is how many signatures a page of the list has.
const historyPage = 20

// signedOnce is one line of a citizen's list: when, for whom, and what the document was called.
type signedOnce struct {
	ID     string
	Client clients.ID
	Made   int64 // Unix seconds
	Name   string
}

// nameSeal binds a sealed name to its line.
func (r signatureRecord) nameSeal() []byte {
	return []byte("signature-name/1\x00" + r.ID + "\x00" + string(r.Account) + "\x00" + string(r.Client))
}

// remember writes a line of the citizen's list, and deletes those that have grown old. It runs in keep's transaction.
func (s signatures) remember(ctx context.Context, r signatureRecord, name string) error {
	now := s.now()
	if _, err := s.db.Exec(ctx, `DELETE FROM signature_history WHERE made_at <= $1`, now.Add(-historyLife).Unix()); err != nil {
		return fmt.Errorf("delete old signature history: %w", err)
	}
	if _, err := s.db.Exec(ctx, `INSERT INTO signature_history (id, account, client, made_at, name) VALUES ($1, $2, $3, $4, $5)`,
		r.ID, string(r.Account), string(r.Client), now.Unix(), s.seal.Seal([]byte(name), r.nameSeal())); err != nil {
		return fmt.Errorf("store signature history: %w", err)
	}
	return nil
}

// historyPlace is where a page of the list begins: after this line. The zero place is the beginning, with the newest.
type historyPlace struct {
	made int64
	id   string
}

// parseHistoryPlace reads what String wrote; anything else is the beginning.
func parseHistoryPlace(s string) historyPlace {
	made, id, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(made, 10, 64)
	if err != nil || n <= 0 || !isBase64URL(id, len(newID())) {
		return historyPlace{}
	}
	return historyPlace{n, id}
}

// String is the place in an address.
func (h historyPlace) String() string { return strconv.FormatInt(h.made, 10) + "." + h.id }

// history returns a page of what an account has signed, the newest first, and where the next page begins; more is false on the last one.
func (s signatures) history(ctx context.Context, account federation.AccountID, from historyPlace) (list []signedOnce, next historyPlace, more bool, err error) {
	if from.id == "" {
		from = historyPlace{made: 1<<63 - 1}
	}
	rows, err := s.db.Query(ctx, `SELECT id, client, made_at, name FROM signature_history
		WHERE account = $1 AND made_at > $2 AND (made_at < $3 OR made_at = $3 AND id < $4)
		ORDER BY made_at DESC, id DESC LIMIT $5`,
		string(account), s.now().Add(-historyLife).Unix(), from.made, from.id, historyPage+1)
	if err != nil {
		return nil, next, false, fmt.Errorf("read signature history: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var one signedOnce
		var sealed []byte
		if err := rows.Scan(&one.ID, &one.Client, &one.Made, &sealed); err != nil {
			return nil, next, false, fmt.Errorf("read signature history: %w", err)
		}
		name, err := s.seal.Open(sealed, signatureRecord{ID: one.ID, Account: account, Client: one.Client}.nameSeal())
		if err != nil {
			return nil, next, false, fmt.Errorf("open signature history: %w", err)
		}
		one.Name = string(name)
		list = append(list, one)
	}
	if err := rows.Err(); err != nil {
		return nil, next, false, fmt.Errorf("read signature history: %w", err)
	}
	if len(list) > historyPage {
		list = list[:historyPage]
		last := list[historyPage-1]
		return list, historyPlace{last.Made, last.ID}, true, nil
	}
	return list, next, false, nil
}

// signatureHistoryView is the data of signatures.html.
type signatureHistoryView struct {
	List  []signedView
	Older string // address of the next page; empty: there is none
	First bool   // this is the first page
}

type signedView struct {
	At            time.Time
	Service, Name string
}

// getSignatures shows a citizen what she signed: when, for which service, and the document's name. What was signed is not here.
func (p *Provider) getSignatures(c echo.Context) error {
	ctx, from := c.Request().Context(), parseHistoryPlace(c.QueryParam("after"))
	path := signaturesPath
	if from.id != "" {
		path += "?" + url.Values{"after": {from.String()}}.Encode()
	}
	s, err := p.ownPage(c, path)
	if err != nil || s == nil {
		return err
	}
	if p.signing == nil {
		return &Error{Reason: NotFound}
	}
	list, next, more, err := p.signatures.history(ctx, s.Account, from)
	if err != nil {
		return err
	}
	v := signatureHistoryView{First: from.id == ""}
	if more {
		v.Older = signaturesPath + "?" + url.Values{"after": {next.String()}}.Encode()
	}
	for _, one := range list {
		name, _, err := p.displayName(ctx, one.Client, p.site.Lang(c.Request()))
		if err != nil {
			return err
		}
		v.List = append(v.List, signedView{At: time.Unix(one.Made, 0), Service: name, Name: one.Name})
	}
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: "signatures", Title: "signatures.title", SignedIn: true, Data: v})
	return nil
}
