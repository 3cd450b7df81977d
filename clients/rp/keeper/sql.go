package keeper

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
	return db.Migrate(ctx, "ties", files)
}

// insertEnding notes that a tie ended. told is when the hub knew; zero: it has to be told, from next on.
func insertEnding(ctx context.Context, db *sqldb.DB, e ending, told, now time.Time) error {
	at := int64(0)
	if !told.IsZero() {
		at = told.Unix()
	}
	_, err := db.Exec(ctx, `INSERT INTO tie_ended (sub, tie, tries, next_at, made_at, told_at) VALUES ($1, $2, 0, $3, $4, $5)
		ON CONFLICT (sub, tie) DO NOTHING`, e.sub, e.tie, e.next.Unix(), now.Unix(), at)
	return err
}

// withdrawEndings keeps a person's endings as they are, and tells the hub of none.
func withdrawEndings(ctx context.Context, db *sqldb.DB, sub string, now time.Time) error {
	_, err := db.Exec(ctx, `UPDATE tie_ended SET told_at = $2 WHERE sub = $1 AND told_at = 0`, sub, now.Unix())
	return err
}

func setTold(ctx context.Context, db *sqldb.DB, e ending, now time.Time) error {
	_, err := db.Exec(ctx, `UPDATE tie_ended SET told_at = $3 WHERE sub = $1 AND tie = $2 AND told_at = 0`, e.sub, e.tie, now.Unix())
	return err
}

// stillDue reports whether an ending has not been withdrawn since it was claimed.
func stillDue(ctx context.Context, db *sqldb.DB, e ending) (bool, error) {
	var one int
	err := db.QueryRow(ctx, `SELECT 1 FROM tie_ended WHERE sub = $1 AND tie = $2 AND told_at = 0`, e.sub, e.tie).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// claimEnding hands a due ending to one caller, who has until hold to deal with it. It returns nil when nothing is due.
func claimEnding(ctx context.Context, db *sqldb.DB, now time.Time, hold time.Duration) (*ending, error) {
	var e ending
	err := db.QueryRow(ctx, `UPDATE tie_ended SET next_at = $2, tries = tries + 1
		WHERE (sub, tie) = (SELECT sub, tie FROM tie_ended WHERE told_at = 0 AND next_at <= $1 ORDER BY next_at LIMIT 1) AND told_at = 0 AND next_at <= $1
		RETURNING sub, tie, tries`, now.Unix(), now.Add(hold).Unix()).Scan(&e.sub, &e.tie, &e.tries)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &e, err
}

func postponeEnding(ctx context.Context, db *sqldb.DB, e ending) error {
	_, err := db.Exec(ctx, `UPDATE tie_ended SET next_at = $3 WHERE sub = $1 AND tie = $2 AND told_at = 0`, e.sub, e.tie, e.next.Unix())
	return err
}

// forgetEndings forgets what ended before a time, if the hub knows.
func forgetEndings(ctx context.Context, db *sqldb.DB, before time.Time) error {
	_, err := db.Exec(ctx, `DELETE FROM tie_ended WHERE told_at <> 0 AND made_at < $1`, before.Unix())
	return err
}

func tieEnded(ctx context.Context, db *sqldb.DB, sub, tie string) (bool, error) {
	var one int
	err := db.QueryRow(ctx, `SELECT 1 FROM tie_ended WHERE sub = $1 AND tie = $2`, sub, tie).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// turn is one of the two things that one process at a time does.
type turn string

const (
	turnFollow turn = "follow_at"
	turnCensus turn = "census_at"
)

// takeTurn reports whether the turn is due and the caller's. It is the next one's at the time given.
func takeTurn(ctx context.Context, db *sqldb.DB, t turn, now, next time.Time) (bool, error) {
	query := `UPDATE tie_turn SET follow_at = $2 WHERE id = 1 AND follow_at <= $1`
	if t == turnCensus {
		query = `UPDATE tie_turn SET census_at = $2 WHERE id = 1 AND census_at <= $1`
	}
	n, err := db.Exec(ctx, query, now.Unix(), next.Unix())
	return n == 1, err
}

func findCursor(ctx context.Context, db *sqldb.DB) (cursor string, err error) {
	err = db.QueryRow(ctx, `SELECT seen FROM tie_turn WHERE id = 1`).Scan(&cursor)
	return cursor, err
}

func setCursor(ctx context.Context, db *sqldb.DB, cursor string) error {
	_, err := db.Exec(ctx, `UPDATE tie_turn SET seen = $1 WHERE id = 1`, cursor)
	return err
}
