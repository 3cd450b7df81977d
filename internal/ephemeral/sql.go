package ephemeral

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// SQL keeps records in the SQL database. Processes that share it must agree on the time to within the shortest life that
// matters; seconds do.
type SQL struct {
	db  *sqldb.DB
	now func() time.Time
}

// NewSQL returns a store on db and brings its table up to date. Somebody must run [SQL.Run].
func NewSQL(ctx context.Context, db *sqldb.DB, now func() time.Time) (*SQL, error) {
	if db == nil || now == nil {
		return nil, errors.New("ephemeral: database and clock are needed")
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx, "ephemeral", files); err != nil {
		return nil, err
	}
	return &SQL{db: db, now: now}, nil
}

// Get implements [Store].
func (s *SQL) Get(ctx context.Context, key string) (Record, error) {
	if !storable(key) {
		return Record{}, ErrNotFound
	}
	var r Record
	err := s.db.QueryRow(ctx, `SELECT value, version FROM ephemeral WHERE key = $1 AND expires_ms > $2`,
		key, s.now().UnixMilli()).Scan(&r.Value, &r.Version)
	if errors.Is(err, sql.ErrNoRows) {
		return Record{}, ErrNotFound
	}
	if err != nil {
		return Record{}, fmt.Errorf("ephemeral: get: %w", err)
	}
	return r, nil
}

// Create implements [Store]. A record past its time is overwritten; two callers who do so meet at the row.
func (s *SQL) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := checkWrite(key, value, ttl); err != nil {
		return err
	}
	now := s.now()
	n, err := s.db.Exec(ctx, `INSERT INTO ephemeral (key, value, version, count, expires_ms) VALUES ($1, $2, $3, 0, $4)
		ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = excluded.version, count = 0, expires_ms = excluded.expires_ms
		WHERE ephemeral.expires_ms <= $5`,
		key, notNull(value), newVersion(), now.Add(ttl).UnixMilli(), now.UnixMilli())
	if err != nil {
		return fmt.Errorf("ephemeral: create: %w", err)
	}
	if n == 0 {
		return ErrExists
	}
	return nil
}

// Swap implements [Store].
func (s *SQL) Swap(ctx context.Context, key string, old Version, value []byte, ttl time.Duration) error {
	if !storable(key) {
		return ErrConflict
	}
	if err := checkSwap(key, value, ttl); err != nil {
		return err
	}
	now := s.now()
	args := []any{key, old, now.UnixMilli(), notNull(value), newVersion()}
	query := `UPDATE ephemeral SET value = $4, version = $5 WHERE key = $1 AND version = $2 AND expires_ms > $3`
	if ttl != KeepLife {
		query = `UPDATE ephemeral SET value = $4, version = $5, expires_ms = $6 WHERE key = $1 AND version = $2 AND expires_ms > $3`
		args = append(args, now.Add(ttl).UnixMilli())
	}
	n, err := s.db.Exec(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("ephemeral: swap: %w", err)
	}
	if n == 0 {
		return ErrConflict
	}
	return nil
}

// Take implements [Store].
func (s *SQL) Take(ctx context.Context, key string) ([]byte, error) {
	if !storable(key) {
		return nil, ErrNotFound
	}
	var value []byte
	err := s.db.QueryRow(ctx, `DELETE FROM ephemeral WHERE key = $1 AND expires_ms > $2 RETURNING value`,
		key, s.now().UnixMilli()).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("ephemeral: take: %w", err)
	}
	return value, nil
}

// Delete implements [Store].
func (s *SQL) Delete(ctx context.Context, key string) error {
	if !storable(key) {
		return nil
	}
	if _, err := s.db.Exec(ctx, `DELETE FROM ephemeral WHERE key = $1`, key); err != nil {
		return fmt.Errorf("ephemeral: delete: %w", err)
	}
	return nil
}

// Increment implements [Store].
func (s *SQL) Increment(ctx context.Context, key string, by int64, ttl time.Duration) (int64, error) {
	if err := checkWrite(key, nil, ttl); err != nil {
		return 0, err
	}
	now := s.now()
	var sum int64
	err := s.db.QueryRow(ctx, `INSERT INTO ephemeral (key, value, version, count, expires_ms) VALUES ($1, $2, 0, $3, $4)
		ON CONFLICT (key) DO UPDATE SET
			count = CASE WHEN ephemeral.expires_ms > $5 THEN ephemeral.count + excluded.count ELSE excluded.count END,
			expires_ms = CASE WHEN ephemeral.expires_ms > $5 THEN ephemeral.expires_ms ELSE excluded.expires_ms END
		RETURNING count`,
		key, []byte{}, by, now.Add(ttl).UnixMilli(), now.UnixMilli()).Scan(&sum)
	if err != nil {
		return 0, fmt.Errorf("ephemeral: increment: %w", err)
	}
	return sum, nil
}

// notNull makes an empty value out of a missing one.
func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
