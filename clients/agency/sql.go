package agency

import (
	"context"
	"database/sql"
	"embed"
	"errors"
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
	return db.Migrate(ctx, "agency", files)
}

func insertInvitation(ctx context.Context, db *sqldb.DB, digest string, expires time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO agency_invitation (digest, expires_at) VALUES ($1, $2)`, digest, expires.Unix())
	return err
}

// spendInvitation reports whether the code was good until now.
func spendInvitation(ctx context.Context, db *sqldb.DB, digest string, now time.Time) (bool, error) {
	rows, err := db.Exec(ctx, `UPDATE agency_invitation SET used_at = $2 WHERE digest = $1 AND used_at = 0 AND expires_at > $2`, digest, now.Unix())
	return rows == 1, err
}

func insertStaff(ctx context.Context, db *sqldb.DB, sub string, now time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO agency_staff (sub, since_at) VALUES ($1, $2) ON CONFLICT (sub) DO NOTHING`, sub, now.Unix())
	return err
}

func isStaff(ctx context.Context, db *sqldb.DB, sub string) (bool, error) {
	return found(db.QueryRow(ctx, `SELECT 1 FROM agency_staff WHERE sub = $1`, sub))
}

func anyStaff(ctx context.Context, db *sqldb.DB) (bool, error) {
	return found(db.QueryRow(ctx, `SELECT 1 FROM agency_staff LIMIT 1`))
}

func found(row *sql.Row) (bool, error) {
	var one int
	err := row.Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// moment is a time of the database; 0 is none.
func moment(unix int64) time.Time {
	if unix == 0 {
		return time.Time{}
	}
	return time.Unix(unix, 0)
}
