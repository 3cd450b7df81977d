package idp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// entries knows, in the database, which services were entered in which sessions. A session that ends by itself leaves nothing else behind
// that says whom to tell.
type entries struct {
	db *sqldb.DB
}

// enter writes down that a service is about to be entered, in a session that ends at a time unless it is used.
func (e entries) enter(ctx context.Context, n *session, client clients.ID, ends time.Time) error {
	_, err := e.db.Exec(ctx, `INSERT INTO session_service (session, client, account, ends_ms) VALUES ($1, $2, $3, $4)
		ON CONFLICT (session, client) DO UPDATE SET ends_ms = excluded.ends_ms`, n.ID, string(client), string(n.Account), ends.UnixMilli())
	if err != nil {
		return fmt.Errorf("write service of session: %w", err)
	}
	return nil
}

// left forgets one service of a session. It joins the transaction that promises to tell it.
func (e entries) left(ctx context.Context, id string, client clients.ID) error {
	if _, err := e.db.Exec(ctx, `DELETE FROM session_service WHERE session = $1 AND client = $2`, id, string(client)); err != nil {
		return fmt.Errorf("forget service of session: %w", err)
	}
	return nil
}

// ended forgets a session that ends, and returns its services. It joins the transaction that promises to tell them: of all who do so at
// once, one gets them.
func (e entries) ended(ctx context.Context, id string) (out []clients.ID, err error) {
	rows, err := e.db.Query(ctx, `DELETE FROM session_service WHERE session = $1 RETURNING client`, id)
	if err != nil {
		return nil, fmt.Errorf("forget session: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var client clients.ID
		if err := rows.Scan(&client); err != nil {
			return nil, fmt.Errorf("forget session: %w", err)
		}
		out = append(out, client)
	}
	return out, rows.Err()
}

// later puts off the next look at a session that has been used.
func (e entries) later(ctx context.Context, id string, ends time.Time) error {
	if _, err := e.db.Exec(ctx, `UPDATE session_service SET ends_ms = $2 WHERE session = $1`, id, ends.UnixMilli()); err != nil {
		return fmt.Errorf("put off end of session: %w", err)
	}
	return nil
}

// anyDue says whether there is a session to look at. It does not wait behind a writer.
func (e entries) anyDue(ctx context.Context, now time.Time) (bool, error) {
	var n int
	if err := e.db.QueryRow(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM session_service WHERE ends_ms <= $1 LIMIT 1) due`, now.UnixMilli()).Scan(&n); err != nil {
		return false, fmt.Errorf("look for ended sessions: %w", err)
	}
	return n > 0, nil
}

// claim gives the caller sessions to look at, until the lease is over: nobody else gets them before.
func (e entries) claim(ctx context.Context, now, lease time.Time, limit int) (out map[string]federation.AccountID, err error) {
	rows, err := e.db.Query(ctx, `UPDATE session_service SET ends_ms = $1 WHERE ends_ms <= $2 AND session IN
			(SELECT session FROM session_service WHERE ends_ms <= $2 ORDER BY ends_ms LIMIT $3)
		RETURNING session, account`, lease.UnixMilli(), now.UnixMilli(), limit)
	if err != nil {
		return nil, fmt.Errorf("claim ended sessions: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	out = map[string]federation.AccountID{}
	for rows.Next() {
		var id string
		var account federation.AccountID
		if err := rows.Scan(&id, &account); err != nil {
			return nil, fmt.Errorf("claim ended sessions: %w", err)
		}
		out[id] = account
	}
	return out, rows.Err()
}
