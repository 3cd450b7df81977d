package idp

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// Migrate brings the tables of this package up to date.
func Migrate(ctx context.Context, db *sqldb.DB) error {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return err
	}
	return db.Migrate(ctx, "idp", files)
}

// accounts are the folders, the cards that open them and the consents given from them.
type accounts struct {
	db  *sqldb.DB
	now func() time.Time
}

var errNoAccount = errors.New("no such account")

// open makes a folder for the card's owner. If two browsers do so at once, or it was opened before, the folder there is is returned.
// then runs in the transaction that makes one.
func (a accounts) open(ctx context.Context, p *cardProof, terms string, then func(context.Context, federation.AccountID) error) (id federation.AccountID, err error) {
	id = federation.AccountID(newID())
	now := a.now().Unix()
	err = a.db.Tx(ctx, func(ctx context.Context) error {
		if _, err := a.db.Exec(ctx, `INSERT INTO account (id, opened_at, terms, ended_before) VALUES ($1, $2, $3, 0)`,
			string(id), now, terms); err != nil {
			return fmt.Errorf("insert account: %w", err)
		}
		if err := a.insertBinding(ctx, succession{Proof: p, Account: id, Evidence: evidenceOpened}); err != nil {
			return err
		}
		return then(ctx, id)
	})
	if errors.Is(err, errBound) {
		return a.byCard(ctx, p)
	}
	return id, err
}

var errBound = errors.New("card is bound already")

// endAll declares every session and grant made up to now over.
func (a accounts) endAll(ctx context.Context, id federation.AccountID) error {
	// Never backwards: two processes whose clocks differ must not revive what the other ended.
	_, err := a.db.Exec(ctx, `UPDATE account SET ended_before = $1 WHERE id = $2 AND ended_before < $1`, a.now().UnixMilli(), string(id))
	return err
}

// consent is what a person agreed to hand to a service.
type consent struct {
	ID     int64
	Client clients.ID
	Scopes []string
	Since  time.Time
}

func (c consent) covers(scopes []string) bool {
	return c.ID != 0 && !slices.ContainsFunc(scopes, func(s string) bool { return !slices.Contains(c.Scopes, s) })
}

// consentFor returns the live consent, or the zero value.
func (a accounts) consentFor(ctx context.Context, id federation.AccountID, client clients.ID) (consent, error) {
	c := consent{Client: client}
	var scopes string
	var since int64
	err := a.db.QueryRow(ctx, `SELECT id, scopes, granted_at FROM consent WHERE account = $1 AND client = $2 AND ended_at IS NULL`,
		string(id), string(client)).Scan(&c.ID, &scopes, &since)
	if errors.Is(err, sql.ErrNoRows) {
		return consent{}, nil
	}
	c.Scopes, c.Since = strings.Fields(scopes), time.Unix(since, 0)
	return c, err
}

// agree widens the live consent by the scopes, or makes one and reports that: the service is new, or new again.
func (a accounts) agree(ctx context.Context, id federation.AccountID, client clients.ID, scopes []string) (first bool, err error) {
	err = a.db.Tx(ctx, func(ctx context.Context) error {
		if err := a.lock(ctx, id); err != nil {
			return err
		}
		c, err := a.consentFor(ctx, id, client)
		if err != nil {
			return err
		}
		first = c.ID == 0
		all := slices.Clone(c.Scopes)
		all = append(all, scopes...)
		slices.Sort(all)
		all = slices.Compact(all)
		now := a.now().Unix()
		_, err = a.db.Exec(ctx, `INSERT INTO consent (id, account, client, scopes, granted_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (account, client) WHERE ended_at IS NULL DO UPDATE SET scopes = excluded.scopes, granted_at = excluded.granted_at`,
			randomInt(), string(id), string(client), scopeText(all), now)
		return err
	})
	return first, err
}

// endConsent ends what a service may do, and says whether it could do anything; its grants rest on the consent and die with it. Signatures
// that it has not fetched go too: its own token rests on no consent, and they name the citizen.
func (a accounts) endConsent(ctx context.Context, id federation.AccountID, client clients.ID) (ended bool, err error) {
	err = a.db.Tx(ctx, func(ctx context.Context) error {
		if err := a.lock(ctx, id); err != nil {
			return err
		}
		n, err := a.db.Exec(ctx, `UPDATE consent SET ended_at = $1 WHERE account = $2 AND client = $3 AND ended_at IS NULL`,
			a.now().Unix(), string(id), string(client))
		if err != nil {
			return err
		}
		ended = n > 0
		_, err = a.db.Exec(ctx, `DELETE FROM signature WHERE account = $1 AND client = $2`, string(id), string(client))
		return err
	})
	return ended, err
}

// lock makes changes of one person's consents take turns: what agree read must still be so when it writes.
func (a accounts) lock(ctx context.Context, id federation.AccountID) error {
	_, err := a.db.Exec(ctx, `UPDATE account SET id = id WHERE id = $1`, string(id))
	return err
}

// consents returns the live consents of a person.
func (a accounts) consents(ctx context.Context, id federation.AccountID) ([]consent, error) {
	rows, err := a.db.Query(ctx, `SELECT id, client, scopes, granted_at FROM consent WHERE account = $1 AND ended_at IS NULL
		ORDER BY granted_at DESC LIMIT 200`, string(id))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []consent
	for rows.Next() {
		var c consent
		var client, scopes string
		var since int64
		if err := rows.Scan(&c.ID, &client, &scopes, &since); err != nil {
			return nil, err
		}
		c.Client, c.Scopes, c.Since = clients.ID(client), strings.Fields(scopes), time.Unix(since, 0)
		out = append(out, c)
	}
	return out, rows.Err()
}

// ground says whether what a grant rests on still stands: the folder of whoever signed in, not signed out everywhere since, the citizen's
// consent, the card, and the session and its browser in that their owner has not disowned them.
func (a accounts) ground(ctx context.Context, g *grant) (bool, error) {
	var ended int64
	var cut sql.NullInt64
	var revoked sql.NullString
	err := a.db.QueryRow(ctx, `SELECT a.ended_before, b.cut_ms, b.revoked FROM account a JOIN consent c ON c.account = $5
		LEFT JOIN card_binding b ON b.issuer_key = $3 AND b.serial = $4
		WHERE a.id = $1 AND c.id = $2 AND c.ended_at IS NULL AND NOT EXISTS (SELECT 1 FROM session_disowned d WHERE d.session = $6)
		AND NOT EXISTS (SELECT 1 FROM browser_disowned d WHERE d.account = a.id AND d.known_ms = $7)`,
		string(g.holder()), g.Consent, g.Card.IssuerKey, g.Card.serial(), string(g.Account), g.SID, g.Known).Scan(&ended, &cut, &revoked)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if (g.Session <= cut.Int64 || revoked.String != "") && !(g.offline() && keepsOffline(revoked.String)) {
		return false, err
	}
	return err == nil && g.Session > ended, err
}
