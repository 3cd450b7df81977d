package etax

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
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
	err := db.QueryRow(ctx, `SELECT number, tie, bound_at, reported_at, seen_at, before_at FROM etax_binding WHERE sub = $1`, sub).
		Scan(&b.number, &b.tie, &bound, &reported, &seen, &before)
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
func insertBinding(ctx context.Context, db *sqldb.DB, sub string, n Number, tie string, now time.Time) (bool, error) {
	rows, err := db.Exec(ctx, `INSERT INTO etax_binding (sub, number, tie, bound_at, reported_at, seen_at, before_at)
		VALUES ($1, $2, $3, $4, 0, $4, 0) ON CONFLICT DO NOTHING`, sub, string(n), tie, now.Unix())
	return rows == 1, err
}

func setReported(ctx context.Context, db *sqldb.DB, t rp.Tie, now time.Time) error {
	_, err := db.Exec(ctx, `UPDATE etax_binding SET reported_at = $3 WHERE sub = $1 AND tie = $2`, t.Sub, t.Name, now.Unix())
	return err
}

func setSeen(ctx context.Context, db *sqldb.DB, sub string, now time.Time) error {
	_, err := db.Exec(ctx, `UPDATE etax_binding SET before_at = seen_at, seen_at = $2 WHERE sub = $1`, sub, now.Unix())
	return err
}

// deleteBinding removes the binding of a tie and no later one.
func deleteBinding(ctx context.Context, db *sqldb.DB, t rp.Tie) (bool, error) {
	rows, err := db.Exec(ctx, `DELETE FROM etax_binding WHERE sub = $1 AND tie = $2`, t.Sub, t.Name)
	return rows == 1, err
}

// listTies returns ties of persons after sub, in their order.
func listTies(ctx context.Context, db *sqldb.DB, after string, limit int) (_ []rp.Tie, err error) {
	rows, err := db.Query(ctx, `SELECT sub, tie, bound_at, reported_at FROM etax_binding WHERE sub > $1 ORDER BY sub LIMIT $2`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list ties: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var all []rp.Tie
	for rows.Next() {
		var t rp.Tie
		var bound, reported int64
		if err := rows.Scan(&t.Sub, &t.Name, &bound, &reported); err != nil {
			return nil, fmt.Errorf("list ties: %w", err)
		}
		t.Made, t.Reported = time.Unix(bound, 0), reported != 0
		all = append(all, t)
	}
	return all, rows.Err()
}
