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

const streamColumns = `id, client, method, endpoint, credential, requested, description, status, reason, created_at, seen_at, verified_ms`

func scanStream(row interface{ Scan(...any) error }) (stream, error) {
	var s stream
	var requested string
	var created, seen int64
	err := row.Scan(&s.ID, &s.Client, &s.Method, &s.Endpoint, &s.credential, &requested, &s.Description, &s.Status, &s.Reason, &created, &seen, &s.verified)
	s.Requested, s.Created, s.Seen = splitTypes(requested), time.Unix(created, 0), time.Unix(seen, 0)
	return s, err
}

// listStreams returns all streams that are not disabled, in the order of their ids. There is one for each client at most.
func listStreams(ctx context.Context, db *sqldb.DB) (_ []stream, err error) {
	rows, err := db.Query(ctx, `SELECT `+streamColumns+` FROM signal_stream WHERE status <> 'disabled' ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("list streams: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var all []stream
	for rows.Next() {
		s, err := scanStream(rows)
		if err != nil {
			return nil, fmt.Errorf("list streams: %w", err)
		}
		all = append(all, s)
	}
	return all, rows.Err()
}

// findStream returns the stream of a client, or StreamUnknown.
func findStream(ctx context.Context, db *sqldb.DB, client clients.ID) (stream, error) {
	s, err := scanStream(db.QueryRow(ctx, `SELECT `+streamColumns+` FROM signal_stream WHERE client = $1`, string(client)))
	if errors.Is(err, sql.ErrNoRows) {
		return stream{}, &Error{Reason: StreamUnknown, Detail: "no such stream"}
	}
	if err != nil {
		return stream{}, fmt.Errorf("read stream: %w", err)
	}
	return s, nil
}

// insertStream reports false if the client has one.
func insertStream(ctx context.Context, db *sqldb.DB, s stream) (bool, error) {
	n, err := db.Exec(ctx, `INSERT INTO signal_stream (`+streamColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0)
		ON CONFLICT (client) DO NOTHING`, s.ID, string(s.Client), s.Method, s.Endpoint, nonNil(s.credential), joinTypes(s.Requested), s.Description,
		string(s.Status), s.Reason, s.Created.Unix(), s.Seen.Unix())
	if err != nil {
		return false, fmt.Errorf("store stream: %w", err)
	}
	return n == 1, nil
}

func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// updateStream writes what a receiver may change. It reports false if the stream is gone.
func updateStream(ctx context.Context, db *sqldb.DB, s stream) (bool, error) {
	n, err := db.Exec(ctx, `UPDATE signal_stream SET method = $2, endpoint = $3, credential = $4, requested = $5, description = $6, seen_at = $7 WHERE id = $1`,
		s.ID, s.Method, s.Endpoint, nonNil(s.credential), joinTypes(s.Requested), s.Description, s.Seen.Unix())
	if err != nil {
		return false, fmt.Errorf("update stream: %w", err)
	}
	return n == 1, nil
}

func setStreamStatus(ctx context.Context, db *sqldb.DB, id string, status streamStatus, reason string) (bool, error) {
	n, err := db.Exec(ctx, `UPDATE signal_stream SET status = $2, reason = $3 WHERE id = $1`, id, string(status), reason)
	if err != nil {
		return false, fmt.Errorf("set status of stream: %w", err)
	}
	return n == 1, nil
}

// deleteStream removes a stream and all that waits in it.
func deleteStream(ctx context.Context, db *sqldb.DB, id string) (bool, error) {
	var n int64
	err := db.Tx(ctx, func(ctx context.Context) (err error) {
		for _, statement := range []string{
			`DELETE FROM signal_event WHERE stream = $1`, `DELETE FROM signal_exclusion WHERE stream = $1`, `DELETE FROM signal_stream WHERE id = $1`,
		} {
			if n, err = db.Exec(ctx, statement, id); err != nil {
				return fmt.Errorf("delete stream: %w", err)
			}
		}
		return nil
	})
	return n == 1, err
}

// heardOf notes that the receiver of a stream is there, once a minute at most.
func heardOf(ctx context.Context, db *sqldb.DB, id string, now time.Time) error {
	if _, err := db.Exec(ctx, `UPDATE signal_stream SET seen_at = $2 WHERE id = $1 AND seen_at < $3`, id, now.Unix(), now.Add(-time.Minute).Unix()); err != nil {
		return fmt.Errorf("note receiver of stream: %w", err)
	}
	return nil
}

// claimVerification reports whether nobody has asked for one lately.
func claimVerification(ctx context.Context, db *sqldb.DB, id string, now time.Time) (bool, error) {
	n, err := db.Exec(ctx, `UPDATE signal_stream SET verified_ms = $2 WHERE id = $1 AND verified_ms <= $3`, id, now.UnixMilli(), now.Add(-verifyEvery).UnixMilli())
	if err != nil {
		return false, fmt.Errorf("claim verification: %w", err)
	}
	return n == 1, nil
}

func excluded(ctx context.Context, db *sqldb.DB, stream string, account AccountID) (bool, error) {
	var one int
	err := db.QueryRow(ctx, `SELECT 1 FROM signal_exclusion WHERE stream = $1 AND account = $2`, stream, string(account)).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func exclude(ctx context.Context, db *sqldb.DB, stream string, account AccountID, now time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO signal_exclusion (stream, account, since) VALUES ($1, $2, $3) ON CONFLICT (stream, account) DO NOTHING`,
		stream, string(account), now.Unix())
	return err
}

func include(ctx context.Context, db *sqldb.DB, stream string, account AccountID) error {
	_, err := db.Exec(ctx, `DELETE FROM signal_exclusion WHERE stream = $1 AND account = $2`, stream, string(account))
	return err
}

// streamByID returns a stream by its id; of one that is gone, nothing but the id.
func streamByID(ctx context.Context, db *sqldb.DB, id string) (stream, error) {
	s, err := scanStream(db.QueryRow(ctx, `SELECT `+streamColumns+` FROM signal_stream WHERE id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return stream{ID: id}, nil
	}
	return s, err
}
