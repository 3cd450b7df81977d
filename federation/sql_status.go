package federation

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

type statusList struct {
	id     string
	client clients.ID
	seed   [32]byte
	opened time.Time
	closes time.Time
}

type statusEntry struct {
	list    string
	idx     int
	client  clients.ID
	account AccountID
	session string
	look    time.Time
}

func insertList(ctx context.Context, db *sqldb.DB, l statusList) error {
	_, err := db.Exec(ctx, `INSERT INTO status_list (id, client, seed, opened_at, closes_at) VALUES ($1, $2, $3, $4, $5)`,
		l.id, string(l.client), l.seed[:], l.opened.Unix(), l.closes.Unix())
	if err != nil {
		return fmt.Errorf("open status list: %w", err)
	}
	return nil
}

func openList(ctx context.Context, db *sqldb.DB, client clients.ID, now time.Time) (statusList, bool, error) {
	return oneList(ctx, db, `client = $1 AND closes_at > $2 ORDER BY opened_at DESC, id LIMIT 1`, string(client), now.Unix())
}

func findList(ctx context.Context, db *sqldb.DB, id string) (statusList, bool, error) {
	return oneList(ctx, db, `id = $1`, id)
}

func oneList(ctx context.Context, db *sqldb.DB, where string, args ...any) (l statusList, found bool, err error) {
	var seed []byte
	var opened, closes int64
	err = db.QueryRow(ctx, `SELECT id, client, seed, opened_at, closes_at FROM status_list WHERE `+where, args...).
		Scan(&l.id, &l.client, &seed, &opened, &closes)
	if errors.Is(err, sql.ErrNoRows) {
		return l, false, nil
	}
	if err != nil {
		return l, false, fmt.Errorf("read status list: %w", err)
	}
	if len(seed) != len(l.seed) {
		return l, false, fmt.Errorf("status list %s: seed of %d bytes", l.id, len(seed))
	}
	copy(l.seed[:], seed)
	l.opened, l.closes = time.Unix(opened, 0), time.Unix(closes, 0)
	return l, true, nil
}

// closeList takes no new sessions from now on.
func closeList(ctx context.Context, db *sqldb.DB, id string, now time.Time) error {
	if _, err := db.Exec(ctx, `UPDATE status_list SET closes_at = $2 WHERE id = $1 AND closes_at > $2`, id, now.Unix()); err != nil {
		return fmt.Errorf("close status list: %w", err)
	}
	return nil
}

// oldLists returns lists that closed before a time and hold no session that may still live.
func oldLists(ctx context.Context, db *sqldb.DB, before time.Time, limit int) (_ []string, err error) {
	rows, err := db.Query(ctx, `SELECT id FROM status_list l WHERE closes_at <= $1 AND NOT EXISTS
		(SELECT 1 FROM status_entry e WHERE e.list = l.id AND e.ended_at IS NULL) ORDER BY closes_at LIMIT $2`, before.Unix(), limit)
	if err != nil {
		return nil, fmt.Errorf("list old status lists: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("list old status lists: %w", err)
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

func deleteList(ctx context.Context, db *sqldb.DB, id string) error {
	return db.Tx(ctx, func(ctx context.Context) error {
		if _, err := db.Exec(ctx, `DELETE FROM status_entry WHERE list = $1`, id); err != nil {
			return fmt.Errorf("delete status list: %w", err)
		}
		if _, err := db.Exec(ctx, `DELETE FROM status_list WHERE id = $1`, id); err != nil {
			return fmt.Errorf("delete status list: %w", err)
		}
		return nil
	})
}

// insertEntry reports false if the position is taken, or the person has one in the session.
func insertEntry(ctx context.Context, db *sqldb.DB, e statusEntry) (bool, error) {
	n, err := db.Exec(ctx, `INSERT INTO status_entry (list, idx, client, account, session, look_ms) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT DO NOTHING`, e.list, e.idx, string(e.client), string(e.account), e.session, e.look.UnixMilli())
	if err != nil {
		return false, fmt.Errorf("give a status position: %w", err)
	}
	return n == 1, nil
}

func liveEntry(ctx context.Context, db *sqldb.DB, account AccountID, session string, client clients.ID) (statusEntry, bool, error) {
	e := statusEntry{account: account, session: session, client: client}
	err := db.QueryRow(ctx, `SELECT list, idx FROM status_entry WHERE session = $1 AND client = $2 AND account = $3 AND ended_at IS NULL`,
		session, string(client), string(account)).Scan(&e.list, &e.idx)
	if errors.Is(err, sql.ErrNoRows) {
		return e, false, nil
	}
	if err != nil {
		return e, false, fmt.Errorf("read status position: %w", err)
	}
	return e, true, nil
}

// endEntries ends one session at a client, or all of a person's, and reports whether there was any, ended before or not.
func endEntries(ctx context.Context, db *sqldb.DB, n Notice, now time.Time) (bool, error) {
	which, args := `session = $2`, []any{string(n.Client), n.Session}
	if n.Session == "" {
		which, args[1] = `account = $2`, string(n.Account)
	}
	changed, err := db.Exec(ctx, `UPDATE status_entry SET ended_at = $3 WHERE client = $1 AND `+which+` AND ended_at IS NULL`, append(args, now.Unix())...)
	if err != nil {
		return false, fmt.Errorf("end status positions: %w", err)
	}
	return changed > 0, nil
}

func endEntry(ctx context.Context, db *sqldb.DB, e statusEntry, now time.Time) error {
	if _, err := db.Exec(ctx, `UPDATE status_entry SET ended_at = $3 WHERE list = $1 AND idx = $2 AND ended_at IS NULL`, e.list, e.idx, now.Unix()); err != nil {
		return fmt.Errorf("end status position: %w", err)
	}
	return nil
}

func dueEntries(ctx context.Context, db *sqldb.DB, now time.Time, limit int) (_ []statusEntry, err error) {
	rows, err := db.Query(ctx, `SELECT list, idx, client, account, session FROM status_entry
		WHERE ended_at IS NULL AND look_ms <= $1 ORDER BY look_ms LIMIT $2`, now.UnixMilli(), limit)
	if err != nil {
		return nil, fmt.Errorf("list status positions: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var all []statusEntry
	for rows.Next() {
		var e statusEntry
		if err := rows.Scan(&e.list, &e.idx, &e.client, &e.account, &e.session); err != nil {
			return nil, fmt.Errorf("list status positions: %w", err)
		}
		all = append(all, e)
	}
	return all, rows.Err()
}

func lookLater(ctx context.Context, db *sqldb.DB, e statusEntry, at time.Time) error {
	if _, err := db.Exec(ctx, `UPDATE status_entry SET look_ms = $3 WHERE list = $1 AND idx = $2`, e.list, e.idx, at.UnixMilli()); err != nil {
		return fmt.Errorf("look at status position: %w", err)
	}
	return nil
}

// countEnded reports false for a list that is not there.
func countEnded(ctx context.Context, db *sqldb.DB, list string) (n int, found bool, err error) {
	err = db.QueryRow(ctx, `SELECT (SELECT COUNT(*) FROM status_entry WHERE list = l.id AND ended_at IS NOT NULL) FROM status_list l WHERE id = $1`, list).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("count ended sessions: %w", err)
	}
	return n, true, nil
}

func endedOf(ctx context.Context, db *sqldb.DB, list string) (_ []int, err error) {
	rows, err := db.Query(ctx, `SELECT idx FROM status_entry WHERE list = $1 AND ended_at IS NOT NULL`, list)
	if err != nil {
		return nil, fmt.Errorf("list ended sessions: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var all []int
	for rows.Next() {
		var i int
		if err := rows.Scan(&i); err != nil {
			return nil, fmt.Errorf("list ended sessions: %w", err)
		}
		all = append(all, i)
	}
	return all, rows.Err()
}
