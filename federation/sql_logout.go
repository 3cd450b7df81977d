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

func insertDelivery(ctx context.Context, db *sqldb.DB, batch string, r Delivery) error {
	done := sql.NullInt64{Int64: r.Done.Unix(), Valid: !r.Done.IsZero()}
	_, err := db.Exec(ctx, `INSERT INTO logout_delivery
		(id, batch, account, client, session, sub, sid, reason, state, tries, next_ms, created_at, done_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $11, $12)`,
		r.ID, batch, string(r.Account), string(r.Client), r.Session, r.sub, r.sid, string(r.Reason), string(r.State),
		r.Next.UnixMilli(), r.Created.Unix(), done)
	return err
}

// listDeliveries returns the rows that match where, which also orders and limits them.
func listDeliveries(ctx context.Context, db *sqldb.DB, where string, args ...any) (_ []Delivery, err error) {
	rows, err := db.Query(ctx, `SELECT id, account, client, session, sub, sid, reason, state, tries, next_ms, created_at, done_at, answer
		FROM logout_delivery WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("list logout deliveries: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var all []Delivery
	for rows.Next() {
		var r Delivery
		var next, created int64
		var done sql.NullInt64
		if err := rows.Scan(&r.ID, &r.Account, &r.Client, &r.Session, &r.sub, &r.sid, &r.Reason, &r.State, &r.Tries, &next, &created, &done, &r.Answer); err != nil {
			return nil, fmt.Errorf("list logout deliveries: %w", err)
		}
		r.Next, r.Created = time.UnixMilli(next), time.Unix(created, 0)
		if done.Valid {
			r.Done = time.Unix(done.Int64, 0)
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

// dueClients returns the services that something is due for, the one that waits longest first. There are never more than are
// registered.
func dueClients(ctx context.Context, db *sqldb.DB, now time.Time) (_ []clients.ID, err error) {
	rows, err := db.Query(ctx, `SELECT client FROM logout_delivery WHERE state = 'pending' AND next_ms <= $1
		GROUP BY client ORDER BY MIN(next_ms)`, now.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("list due clients: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var all []clients.ID
	for rows.Next() {
		var id clients.ID
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("list due clients: %w", err)
		}
		all = append(all, id)
	}
	return all, rows.Err()
}

// claimDelivery makes the next try of a row the caller's, and reports false if somebody else has it, or had it since the row
// was read.
func claimDelivery(ctx context.Context, db *sqldb.DB, r Delivery, lease time.Time) (bool, error) {
	n, err := db.Exec(ctx, `UPDATE logout_delivery SET tries = tries + 1, next_ms = $3
		WHERE id = $1 AND state = 'pending' AND tries = $2`, r.ID, r.Tries, lease.UnixMilli())
	if err != nil {
		return false, fmt.Errorf("claim logout delivery: %w", err)
	}
	return n == 1, nil
}

// finishDelivery also counts when the lease was over: that a service confirmed is true whoever heard it. So is it after the hub
// had given up.
func finishDelivery(ctx context.Context, db *sqldb.DB, id string, state DeliveryState, answer string, now time.Time) error {
	_, err := db.Exec(ctx, `UPDATE logout_delivery SET state = $2, done_at = $3, answer = $4
		WHERE id = $1 AND state IN ('pending', 'failed')`, id, string(state), now.Unix(), answer)
	if err != nil {
		return fmt.Errorf("finish logout delivery: %w", err)
	}
	return nil
}

// collectDelivery says what became of a sign-out that a service was to learn of from its stream.
func collectDelivery(ctx context.Context, db *sqldb.DB, id string, state DeliveryState, now time.Time) error {
	_, err := db.Exec(ctx, `UPDATE logout_delivery SET state = $2, done_at = $3 WHERE id = $1 AND state = 'collects'`, id, string(state), now.Unix())
	if err != nil {
		return fmt.Errorf("note collected sign-out: %w", err)
	}
	return nil
}

// postponeDelivery changes nothing if the try is not the caller's any more.
func postponeDelivery(ctx context.Context, db *sqldb.DB, r Delivery, answer string, next time.Time) error {
	_, err := db.Exec(ctx, `UPDATE logout_delivery SET next_ms = $3, answer = $4 WHERE id = $1 AND state = 'pending' AND tries = $2`,
		r.ID, r.Tries, next.UnixMilli(), answer)
	if err != nil {
		return fmt.Errorf("postpone logout delivery: %w", err)
	}
	return nil
}

// failDeliveries gives up on the oldest rows made before a time, and returns them.
func failDeliveries(ctx context.Context, db *sqldb.DB, before, now time.Time, limit int) (_ []Delivery, err error) {
	rows, err := db.Query(ctx, `UPDATE logout_delivery SET state = 'failed', done_at = $2 WHERE state = 'pending' AND id IN
		(SELECT id FROM logout_delivery WHERE state = 'pending' AND created_at <= $1 ORDER BY created_at LIMIT $3)
		RETURNING id, account, client, session, reason`, before.Unix(), now.Unix(), limit)
	if err != nil {
		return nil, fmt.Errorf("fail logout deliveries: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var all []Delivery
	for rows.Next() {
		r := Delivery{State: Failed, Done: now}
		if err := rows.Scan(&r.ID, &r.Account, &r.Client, &r.Session, &r.Reason); err != nil {
			return nil, fmt.Errorf("fail logout deliveries: %w", err)
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

// deleteDeliveries forgets receipts from before a time.
func deleteDeliveries(ctx context.Context, db *sqldb.DB, before time.Time, limit int) (int64, error) {
	n, err := db.Exec(ctx, `DELETE FROM logout_delivery WHERE id IN
		(SELECT id FROM logout_delivery WHERE state <> 'pending' AND done_at <= $1 ORDER BY done_at LIMIT $2)`, before.Unix(), limit)
	if err != nil {
		return 0, fmt.Errorf("delete old receipts: %w", err)
	}
	return n, nil
}
