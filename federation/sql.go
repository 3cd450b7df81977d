package federation

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

func migrate(ctx context.Context, db *sqldb.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	return db.Migrate(ctx, "federation", files)
}

// findSubject returns "" when the person has no name in the sector yet.
func findSubject(ctx context.Context, db *sqldb.DB, sector string, account AccountID) (string, error) {
	var sub string
	err := db.QueryRow(ctx, `SELECT sub FROM federation_subject WHERE sector = $1 AND account = $2`,
		sector, string(account)).Scan(&sub)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return sub, err
}

// insertSubject does nothing when another request was first.
func insertSubject(ctx context.Context, db *sqldb.DB, sector string, account AccountID, sub string, now time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO federation_subject (sector, account, sub, created_at)
		VALUES ($1, $2, $3, $4) ON CONFLICT (sector, account) DO NOTHING`,
		sector, string(account), sub, now.Unix())
	return err
}

func findAccount(ctx context.Context, db *sqldb.DB, sector, sub string) (AccountID, error) {
	var account string
	err := db.QueryRow(ctx, `SELECT account FROM federation_subject WHERE sector = $1 AND sub = $2`,
		sector, sub).Scan(&account)
	if errors.Is(err, sql.ErrNoRows) {
		return "", &Error{Reason: SubjectUnknown, Detail: "no such subject in " + sector}
	}
	return AccountID(account), err
}

// findLink returns a link in state None when there is no row.
func findLink(ctx context.Context, db *sqldb.DB, account AccountID, client clients.ID) (Link, error) {
	l := Link{Account: account, Client: client, State: None}
	var since int64
	err := db.QueryRow(ctx, `SELECT state, since, moves FROM federation_link WHERE account = $1 AND client = $2`,
		string(account), string(client)).Scan(&l.State, &since, &l.moves)
	if errors.Is(err, sql.ErrNoRows) {
		return l, nil
	}
	if err != nil {
		return Link{}, fmt.Errorf("read link: %w", err)
	}
	l.Since = time.Unix(since, 0)
	return l, nil
}

func listLinks(ctx context.Context, db *sqldb.DB, account AccountID) (_ []Link, err error) {
	rows, err := db.Query(ctx, `SELECT client, state, since, moves FROM federation_link
		WHERE account = $1 ORDER BY client`, string(account))
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var links []Link
	for rows.Next() {
		l := Link{Account: account}
		var since int64
		if err := rows.Scan(&l.Client, &l.State, &since, &l.moves); err != nil {
			return nil, fmt.Errorf("list links: %w", err)
		}
		l.Since = time.Unix(since, 0)
		links = append(links, l)
	}
	return links, rows.Err()
}

// storeLink writes l over the row that had one move less, or as the first row.
// It reports false when another request moved the link in between.
func storeLink(ctx context.Context, db *sqldb.DB, l Link) (bool, error) {
	if l.moves == 1 {
		n, err := db.Exec(ctx, `INSERT INTO federation_link (account, client, state, since, moves)
			VALUES ($1, $2, $3, $4, 1) ON CONFLICT (account, client) DO NOTHING`,
			string(l.Account), string(l.Client), string(l.State), l.Since.Unix())
		return n == 1, err
	}
	n, err := db.Exec(ctx, `UPDATE federation_link SET state = $3, since = $4, moves = $5
		WHERE account = $1 AND client = $2 AND moves = $5 - 1`,
		string(l.Account), string(l.Client), string(l.State), l.Since.Unix(), l.moves)
	return n == 1, err
}

func insertMove(ctx context.Context, db *sqldb.DB, l Link, m Move) error {
	_, err := db.Exec(ctx, `INSERT INTO federation_link_move
		(account, client, move, from_state, to_state, actor, why, moved_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		string(l.Account), string(l.Client), l.moves, string(m.From), string(m.To), string(m.By), string(m.Why), m.At.Unix())
	return err
}

func listMoves(ctx context.Context, db *sqldb.DB, account AccountID, client clients.ID, limit int) (_ []Move, err error) {
	rows, err := db.Query(ctx, `SELECT from_state, to_state, actor, why, moved_at FROM federation_link_move
		WHERE account = $1 AND client = $2 ORDER BY move DESC LIMIT $3`, string(account), string(client), limit)
	if err != nil {
		return nil, fmt.Errorf("list moves: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var all []Move
	for rows.Next() {
		var m Move
		var at int64
		if err := rows.Scan(&m.From, &m.To, &m.By, &m.Why, &at); err != nil {
			return nil, fmt.Errorf("list moves: %w", err)
		}
		m.At = time.Unix(at, 0)
		all = append(all, m)
	}
	return all, rows.Err()
}
