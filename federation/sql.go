package federation

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
	return db.Migrate(ctx, "federation", files)
}

// findSubject returns "" when the person has no name in the sector yet.
func findSubject(ctx context.Context, db *sqldb.DB, sector string, account AccountID) (string, error) {
	var sub string
	err := db.QueryRow(ctx, `SELECT sub FROM federation_subject WHERE sector = $1 AND account = $2`,
		sector, string(account)).Scan(&sub)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return sub, err
}

// insertSubject does nothing when another request was first.
func insertSubject(ctx context.Context, db *sqldb.DB, sector string, account AccountID, sub string, now time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO federation_subject (sector, account, sub, created_at)
		VALUES ($1, $2, $3, $4) ON CONFLICT (sector, account) DO NOTHING`,
		sector, string(account), sub, now.Unix())
	return err
}

func findAccount(ctx context.Context, db *sqldb.DB, sector, sub string) (AccountID, error) {
	var account string
	err := db.QueryRow(ctx, `SELECT account FROM federation_subject WHERE sector = $1 AND sub = $2`,
		sector, sub).Scan(&account)
	if errors.Is(err, sql.ErrNoRows) {
		return "", &Error{Reason: SubjectUnknown, Detail: "no such subject in " + sector}
	}
	return AccountID(account), err
}
