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

// claimLaunch makes the next try of a service the caller's until lease, if one is due.
func claimLaunch(ctx context.Context, db *sqldb.DB, client clients.ID, now, lease time.Time) (launchState, bool, error) {
	_, err := db.Exec(ctx, `INSERT INTO federation_health (client, health, since, failures, next_ms, good_ms) VALUES ($1, 'unknown', 0, 0, 0, 0)
		ON CONFLICT (client) DO NOTHING`, string(client))
	if err != nil {
		return launchState{}, false, fmt.Errorf("note service: %w", err)
	}
	var s launchState
	var since int64
	err = db.QueryRow(ctx, `UPDATE federation_health SET next_ms = $3 WHERE client = $1 AND next_ms <= $2 RETURNING health, since, failures`,
		string(client), now.UnixMilli(), lease.UnixMilli()).Scan(&s.Health, &since, &s.failures)
	if errors.Is(err, sql.ErrNoRows) {
		return launchState{}, false, nil
	}
	if err != nil {
		return launchState{}, false, fmt.Errorf("claim launch: %w", err)
	}
	s.Since, s.lease = time.Unix(since, 0), lease
	return s, true, nil
}

// storeLaunch writes what came of a try, unless the lease is over and the next is somebody else's.
func storeLaunch(ctx context.Context, db *sqldb.DB, client clients.ID, s launchState, next, good, lease time.Time) error {
	_, err := db.Exec(ctx, `UPDATE federation_health SET health = $2, since = $3, failures = $4, next_ms = $5, good_ms = $6 WHERE client = $1 AND next_ms = $7`,
		string(client), string(s.Health), s.Since.Unix(), s.failures, next.UnixMilli(), good.UnixMilli(), lease.UnixMilli())
	if err != nil {
		return fmt.Errorf("store launch: %w", err)
	}
	return nil
}

func listHealth(ctx context.Context, db *sqldb.DB, now time.Time) (_ map[clients.ID]Standing, err error) {
	rows, err := db.Query(ctx, `SELECT client, health, since FROM federation_health WHERE good_ms >= $1 AND health <> 'unknown'`, now.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("list health: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	all := map[clients.ID]Standing{}
	for rows.Next() {
		var id clients.ID
		var s Standing
		var since int64
		if err := rows.Scan(&id, &s.Health, &since); err != nil {
			return nil, fmt.Errorf("list health: %w", err)
		}
		s.Since = time.Unix(since, 0)
		all[id] = s
	}
	return all, rows.Err()
}
