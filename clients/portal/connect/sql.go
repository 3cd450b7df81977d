package connect

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

func migrate(ctx context.Context, db *sqldb.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	return db.Migrate(ctx, "connect", files)
}

func noteOpened(ctx context.Context, db *sqldb.DB, sub, client string, now time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO connect_opened (sub, client, opened_at) VALUES ($1, $2, $3)
		ON CONFLICT (sub, client) DO UPDATE SET opened_at = excluded.opened_at`, sub, client, now.Unix())
	return err
}

func forgetOpened(ctx context.Context, db *sqldb.DB, sub, client string) error {
	_, err := db.Exec(ctx, `DELETE FROM connect_opened WHERE sub = $1 AND client = $2`, sub, client)
	return err
}

// opened returns when each service was last opened, in Unix seconds.
func opened(ctx context.Context, db *sqldb.DB, sub string) (_ map[string]int64, err error) {
	rows, err := db.Query(ctx, `SELECT client, opened_at FROM connect_opened WHERE sub = $1`, sub)
	if err != nil {
		return nil, fmt.Errorf("read opened: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	at := map[string]int64{}
	for rows.Next() {
		var client string
		var when int64
		if err := rows.Scan(&client, &when); err != nil {
			return nil, fmt.Errorf("read opened: %w", err)
		}
		at[client] = when
	}
	return at, rows.Err()
}
