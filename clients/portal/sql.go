package portal

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"io/fs"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

func migrate(ctx context.Context, db *sqldb.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	return db.Migrate(ctx, "portal", files)
}

func countVisit(ctx context.Context, db *sqldb.DB, sub string) error {
	_, err := db.Exec(ctx, `INSERT INTO portal_person (sub, visits) VALUES ($1, 1)
		ON CONFLICT (sub) DO UPDATE SET visits = portal_person.visits + 1`, sub)
	return err
}

func visits(ctx context.Context, db *sqldb.DB, sub string) (n int64, err error) {
	err = db.QueryRow(ctx, `SELECT visits FROM portal_person WHERE sub = $1`, sub).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, err
}
