package federation

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

const linkColumns = `account, client, state, since, moves, tie, seq, linked_seq`

func scanLink(scan func(...any) error) (Link, error) {
	var l Link
	var since int64
	err := scan(&l.Account, &l.Client, &l.State, &since, &l.moves, &l.Tie, &l.seq, &l.tied)
	l.Since = time.Unix(since, 0)
	return l, err
}

// findLink returns a link in state None when there is no row.
func findLink(ctx context.Context, db *sqldb.DB, account AccountID, client clients.ID) (Link, error) {
	l, err := scanLink(db.QueryRow(ctx, `SELECT `+linkColumns+` FROM federation_link WHERE account = $1 AND client = $2`,
		string(account), string(client)).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return Link{Account: account, Client: client, State: None}, nil
	}
	if err != nil {
		return Link{}, fmt.Errorf("read link: %w", err)
	}
	return l, nil
}

// listLinks returns the links that a condition names.
func listLinks(ctx context.Context, db *sqldb.DB, where string, args ...any) (_ []Link, err error) {
	rows, err := db.Query(ctx, `SELECT `+linkColumns+` FROM federation_link WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var links []Link
	for rows.Next() {
		l, err := scanLink(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("list links: %w", err)
		}
		links = append(links, l)
	}
	return links, rows.Err()
}

// tick takes the next number of a client's clock, which is the caller's until its transaction ends.
func tick(ctx context.Context, db *sqldb.DB, client clients.ID) (seq int64, err error) {
	err = db.QueryRow(ctx, `INSERT INTO federation_link_clock (client, seq) VALUES ($1, 1)
		ON CONFLICT (client) DO UPDATE SET seq = federation_link_clock.seq + 1 RETURNING seq`, string(client)).Scan(&seq)
	return seq, err
}

// storeLink writes l over the row that had one move less, or as the first row.
// It reports false when another request moved the link in between.
func storeLink(ctx context.Context, db *sqldb.DB, l Link) (bool, error) {
	if l.moves == 1 {
		n, err := db.Exec(ctx, `INSERT INTO federation_link (account, client, state, since, moves, tie, seq, linked_seq)
			VALUES ($1, $2, $3, $4, 1, $5, $6, $7) ON CONFLICT (account, client) DO NOTHING`,
			string(l.Account), string(l.Client), string(l.State), l.Since.Unix(), l.Tie, l.seq, l.tied)
		return n == 1, err
	}
	n, err := db.Exec(ctx, `UPDATE federation_link SET state = $3, since = $4, moves = $5, tie = $6, seq = $7, linked_seq = $8
		WHERE account = $1 AND client = $2 AND moves = $5 - 1`,
		string(l.Account), string(l.Client), string(l.State), l.Since.Unix(), l.moves, l.Tie, l.seq, l.tied)
	return n == 1, err
}

func insertMove(ctx context.Context, db *sqldb.DB, l Link, m Move) error {
	_, err := db.Exec(ctx, `INSERT INTO federation_link_move
		(account, client, move, from_state, to_state, actor, why, moved_at, tie, seq, mark)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		string(l.Account), string(l.Client), l.moves, string(m.From), string(m.To), string(m.By), string(m.Why), m.At.Unix(), m.tie, l.seq, rand.Text())
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

// tieSeen reports whether a link ever had a tie of that name.
func tieSeen(ctx context.Context, db *sqldb.DB, account AccountID, client clients.ID, tie string) (bool, error) {
	var one int
	err := db.QueryRow(ctx, `SELECT 1 FROM federation_link_move WHERE account = $1 AND client = $2 AND to_state = 'linked' AND tie = $3 LIMIT 1`,
		string(account), string(client), tie).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read ties: %w", err)
	}
	return true, nil
}

// markOf returns the mark of a client's move, "" if it has none of that number.
func markOf(ctx context.Context, db *sqldb.DB, client clients.ID, seq int64) (mark string, err error) {
	err = db.QueryRow(ctx, `SELECT mark FROM federation_link_move WHERE client = $1 AND seq = $2`, string(client), seq).Scan(&mark)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read mark: %w", err)
	}
	return mark, nil
}

// insertCensus also forgets those from before a time and all but the newest openCensuses, but for the last that ended.
func insertCensus(ctx context.Context, db *sqldb.DB, client clients.ID, seq int64, mark string, now, before time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO federation_census (client, seq, mark, began_at) VALUES ($1, $2, $3, $4)`, string(client), seq, mark, now.Unix())
	if err != nil {
		return fmt.Errorf("begin census: %w", err)
	}
	_, err = db.Exec(ctx, `DELETE FROM federation_census WHERE client = $1 AND (began_at < $2
		OR seq <= COALESCE((SELECT n.seq FROM federation_census n WHERE n.client = $1 ORDER BY n.seq DESC LIMIT 1 OFFSET $3), 0))
		AND seq <> COALESCE((SELECT MAX(c.seq) FROM federation_census c WHERE c.client = $1 AND c.ended_at IS NOT NULL), 0)`,
		string(client), before.Unix(), openCensuses)
	if err != nil {
		return fmt.Errorf("forget old censuses: %w", err)
	}
	return nil
}

// openCensus reports whether a census began here and has not ended.
func openCensus(ctx context.Context, db *sqldb.DB, client clients.ID, seq int64, mark string) (bool, error) {
	var one int
	err := db.QueryRow(ctx, `SELECT 1 FROM federation_census WHERE client = $1 AND seq = $2 AND mark = $3 AND ended_at IS NULL`,
		string(client), seq, mark).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read census: %w", err)
	}
	return true, nil
}

func endCensus(ctx context.Context, db *sqldb.DB, client clients.ID, seq int64, now time.Time) error {
	_, err := db.Exec(ctx, `UPDATE federation_census SET ended_at = $3 WHERE client = $1 AND seq = $2 AND ended_at IS NULL`, string(client), seq, now.Unix())
	if err != nil {
		return fmt.Errorf("end census: %w", err)
	}
	return nil
}

// affirm notes that a census named the tie of a link, unless the link moved since it was read. A later census is not undone by an earlier one.
func affirm(ctx context.Context, db *sqldb.DB, l Link, census int64) error {
	_, err := db.Exec(ctx, `UPDATE federation_link SET affirmed = $4 WHERE account = $1 AND client = $2 AND moves = $3 AND affirmed < $4`,
		string(l.Account), string(l.Client), l.moves, census)
	if err != nil {
		return fmt.Errorf("affirm: %w", err)
	}
	return nil
}

// silentClients returns services that went through their ties once, and last before a time.
func silentClients(ctx context.Context, db *sqldb.DB, before time.Time) (_ []clients.ID, err error) {
	rows, err := db.Query(ctx, `SELECT client FROM federation_census WHERE ended_at IS NOT NULL GROUP BY client HAVING MAX(ended_at) < $1`, before.Unix())
	if err != nil {
		return nil, fmt.Errorf("list silent services: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var all []clients.ID
	for rows.Next() {
		var id clients.ID
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("list silent services: %w", err)
		}
		all = append(all, id)
	}
	return all, rows.Err()
}
