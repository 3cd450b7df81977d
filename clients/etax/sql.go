package etax

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

func migrate(ctx context.Context, db *sqldb.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	return db.Migrate(ctx, "etax", files)
}

// insertAccount leaves an account that exists as it is.
func insertAccount(ctx context.Context, db *sqldb.DB, n Number, hash string, now time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO etax_account (number, password, made_at) VALUES ($1, $2, $3)
		ON CONFLICT (number) DO NOTHING`, string(n), hash, now.Unix())
	return err
}

// findHash returns "" for a number that nobody has.
func findHash(ctx context.Context, db *sqldb.DB, n Number) (string, error) {
	var hash string
	err := db.QueryRow(ctx, `SELECT password FROM etax_account WHERE number = $1`, string(n)).Scan(&hash)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return hash, err
}

// findBinding returns nil for a person who is tied to no account.
func findBinding(ctx context.Context, db *sqldb.DB, sub string) (*binding, error) {
	b := binding{sub: sub}
	var bound, reported, seen, before int64
	err := db.QueryRow(ctx, `SELECT number, bound_at, reported_at, seen_at, before_at FROM etax_binding WHERE sub = $1`, sub).
		Scan(&b.number, &bound, &reported, &seen, &before)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read binding: %w", err)
	}
	b.bound, b.reported, b.before = time.Unix(bound, 0), reported != 0, time.Time{}
	if before != 0 {
		b.before = time.Unix(before, 0)
	}
	return &b, nil
}

// insertBinding reports false if the person or the account is in a binding already.
func insertBinding(ctx context.Context, db *sqldb.DB, sub string, n Number, now time.Time) (bool, error) {
	rows, err := db.Exec(ctx, `INSERT INTO etax_binding (sub, number, bound_at, reported_at, seen_at, before_at)
		VALUES ($1, $2, $3, 0, $3, 0) ON CONFLICT DO NOTHING`, sub, string(n), now.Unix())
	return rows == 1, err
}

func setReported(ctx context.Context, db *sqldb.DB, b *binding, now time.Time) error {
	_, err := db.Exec(ctx, `UPDATE etax_binding SET reported_at = $3 WHERE sub = $1 AND bound_at = $2`,
		b.sub, b.bound.Unix(), now.Unix())
	return err
}

func setSeen(ctx context.Context, db *sqldb.DB, sub string, now time.Time) error {
	_, err := db.Exec(ctx, `UPDATE etax_binding SET before_at = seen_at, seen_at = $2 WHERE sub = $1`, sub, now.Unix())
	return err
}

// deleteBinding removes the binding b and no later one.
func deleteBinding(ctx context.Context, db *sqldb.DB, b *binding) (bool, error) {
	rows, err := db.Exec(ctx, `DELETE FROM etax_binding WHERE sub = $1 AND bound_at = $2`, b.sub, b.bound.Unix())
	return rows == 1, err
}

func insertEnding(ctx context.Context, db *sqldb.DB, e ending, now time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO etax_ending (sub, refresh, tries, next_at, made_at) VALUES ($1, $2, 0, $3, $4)
		ON CONFLICT (sub) DO UPDATE SET refresh = excluded.refresh, tries = 0, next_at = excluded.next_at, made_at = excluded.made_at`,
		e.sub, e.sealed, e.next.Unix(), now.Unix())
	return err
}

// withdrawEnding removes a person's ending, whichever it is.
func withdrawEnding(ctx context.Context, db *sqldb.DB, sub string) error {
	_, err := db.Exec(ctx, `DELETE FROM etax_ending WHERE sub = $1`, sub)
	return err
}

// deleteEnding removes the ending e and no later one.
func deleteEnding(ctx context.Context, db *sqldb.DB, e ending) error {
	_, err := db.Exec(ctx, `DELETE FROM etax_ending WHERE sub = $1 AND refresh = $2`, e.sub, e.sealed)
	return err
}

// claimEnding hands a due ending to one caller, who has until hold to deal with it. It returns nil when nothing is due.
func claimEnding(ctx context.Context, db *sqldb.DB, now time.Time, hold time.Duration) (*ending, error) {
	var e ending
	err := db.QueryRow(ctx, `UPDATE etax_ending SET next_at = $2, tries = tries + 1
		WHERE sub = (SELECT sub FROM etax_ending WHERE next_at <= $1 ORDER BY next_at LIMIT 1) AND next_at <= $1
		RETURNING sub, refresh, tries`, now.Unix(), now.Add(hold).Unix()).Scan(&e.sub, &e.sealed, &e.tries)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &e, err
}

// updateEnding keeps the token and the time of the next try. It reports false if the ending sealed as old was withdrawn.
func updateEnding(ctx context.Context, db *sqldb.DB, old string, e ending) (bool, error) {
	rows, err := db.Exec(ctx, `UPDATE etax_ending SET refresh = $2, next_at = $3 WHERE sub = $1 AND refresh = $4`,
		e.sub, e.sealed, e.next.Unix(), old)
	return rows == 1, err
}
