package federation

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

func insertQueued(ctx context.Context, db *sqldb.DB, q queued) error {
	always := 0
	if q.Always {
		always = 1
	}
	_, err := db.Exec(ctx, `INSERT INTO signal_event (id, stream, type, account, body, delivery, always, state, reason, tries, next_ms, created_ms)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', '', 0, $8, $9)`,
		q.ID, q.Stream, string(q.Type), string(q.Account), q.sealed, q.Delivery, always, q.next.UnixMilli(), q.created.UnixMilli())
	if err != nil {
		return fmt.Errorf("store event: %w", err)
	}
	return nil
}

// listQueued returns the rows that match where, which also orders and limits them.
func listQueued(ctx context.Context, db *sqldb.DB, where string, args ...any) (_ []queued, err error) {
	rows, err := db.Query(ctx, `SELECT id, stream, type, account, body, delivery, always, tries, next_ms, created_ms FROM signal_event WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var all []queued
	for rows.Next() {
		var q queued
		var always int
		var next, created int64
		if err := rows.Scan(&q.ID, &q.Stream, &q.Type, &q.Account, &q.sealed, &q.Delivery, &always, &q.Tries, &next, &created); err != nil {
			return nil, fmt.Errorf("list events: %w", err)
		}
		q.Always, q.next, q.created = always == 1, time.UnixMilli(next), time.UnixMilli(created)
		all = append(all, q)
	}
	return all, rows.Err()
}

// waitingIn returns what a receiver may have now, the oldest first.
func waitingIn(ctx context.Context, db *sqldb.DB, st stream, limit int) ([]queued, error) {
	only := ""
	if st.Status != streamEnabled {
		only = ` AND always = 1`
	}
	return listQueued(ctx, db, `stream = $1 AND state = 'pending'`+only+` ORDER BY created_ms, id LIMIT $2`, st.ID, limit)
}

// dueStreams returns the clients whose streams have something to push, the one that waits longest first.
func dueStreams(ctx context.Context, db *sqldb.DB, now time.Time) (_ []string, err error) {
	rows, err := db.Query(ctx, `SELECT s.client FROM signal_event e JOIN signal_stream s ON s.id = e.stream
		WHERE e.state = 'pending' AND e.next_ms <= $1 AND s.method = $2 AND (s.status = 'enabled' OR e.always = 1)
		GROUP BY s.client ORDER BY MIN(e.next_ms)`, now.UnixMilli(), methodPush)
	if err != nil {
		return nil, fmt.Errorf("list due streams: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var all []string
	for rows.Next() {
		var client string
		if err := rows.Scan(&client); err != nil {
			return nil, fmt.Errorf("list due streams: %w", err)
		}
		all = append(all, client)
	}
	return all, rows.Err()
}

// claimQueued makes the next try of a row the caller's, and reports false if somebody else has it, or had it since it was read.
func claimQueued(ctx context.Context, db *sqldb.DB, q queued, lease time.Time) (bool, error) {
	n, err := db.Exec(ctx, `UPDATE signal_event SET tries = tries + 1, next_ms = $3 WHERE id = $1 AND state = 'pending' AND tries = $2`,
		q.ID, q.Tries, lease.UnixMilli())
	if err != nil {
		return false, fmt.Errorf("claim event: %w", err)
	}
	return n == 1, nil
}

func postponeQueued(ctx context.Context, db *sqldb.DB, q queued, next time.Time) error {
	_, err := db.Exec(ctx, `UPDATE signal_event SET next_ms = $3 WHERE id = $1 AND state = 'pending' AND tries = $2`, q.ID, q.Tries, next.UnixMilli())
	if err != nil {
		return fmt.Errorf("postpone event: %w", err)
	}
	return nil
}

// settle ends the wait of an event of a stream, once, and returns it; false if it was not waiting. What was told is not kept in
// full: its body goes.
func settle(ctx context.Context, db *sqldb.DB, stream, id, state, reason string, now time.Time) (queued, bool, error) {
	q := queued{ID: id, Stream: stream}
	err := db.QueryRow(ctx, `UPDATE signal_event SET state = $3, reason = $4, done_at = $5, body = $6
		WHERE id = $1 AND stream = $2 AND state = 'pending' RETURNING type, account, delivery`, id, stream, state, reason, now.Unix(), []byte{}).
		Scan(&q.Type, &q.Account, &q.Delivery)
	if errors.Is(err, sql.ErrNoRows) {
		return q, false, nil
	}
	if err != nil {
		return q, false, fmt.Errorf("settle event: %w", err)
	}
	return q, true, nil
}

// dropQueued forgets what waits in a stream, except what is always told.
func dropQueued(ctx context.Context, db *sqldb.DB, stream string) error {
	if _, err := db.Exec(ctx, `DELETE FROM signal_event WHERE stream = $1 AND state = 'pending' AND always = 0`, stream); err != nil {
		return fmt.Errorf("drop events: %w", err)
	}
	return nil
}

// countQueued counts what waits in a stream.
func countQueued(ctx context.Context, db *sqldb.DB, stream string) (n int, err error) {
	err = db.QueryRow(ctx, `SELECT COUNT(*) FROM signal_event WHERE stream = $1 AND state = 'pending'`, stream).Scan(&n)
	return n, err
}

// staleQueued returns events that have waited too long: pushed ones since before, all others since long before.
func staleQueued(ctx context.Context, db *sqldb.DB, before, longBefore time.Time, limit int) ([]queued, error) {
	return listQueued(ctx, db, `state = 'pending' AND created_ms <= $1 AND (created_ms <= $2 OR tries > 0 AND stream IN
		(SELECT id FROM signal_stream WHERE method = $3 AND status = 'enabled')) ORDER BY created_ms LIMIT $4`,
		before.UnixMilli(), longBefore.UnixMilli(), methodPush, limit)
}

// deleteSettled forgets what ended before a time.
func deleteSettled(ctx context.Context, db *sqldb.DB, before time.Time, limit int) (int64, error) {
	n, err := db.Exec(ctx, `DELETE FROM signal_event WHERE id IN
		(SELECT id FROM signal_event WHERE state <> 'pending' AND done_at <= $1 ORDER BY done_at LIMIT $2)`, before.Unix(), limit)
	if err != nil {
		return 0, fmt.Errorf("delete old events: %w", err)
	}
	return n, nil
}
