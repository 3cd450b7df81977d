package postbox

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
	return db.Migrate(ctx, "postbox", files)
}

// openBox opens the person's box, for the first time or again. fresh reports whether it is new, tied whether the tie is this one.
func openBox(ctx context.Context, db *sqldb.DB, sub, tie string, now time.Time) (fresh, tied bool, err error) {
	rows, err := db.Exec(ctx, `INSERT INTO postbox_box (sub, tie, opened_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, sub, tie, now.Unix())
	if err != nil || rows == 1 {
		return rows == 1, rows == 1, err
	}
	rows, err = db.Exec(ctx, `UPDATE postbox_box SET tie = $2, opened_at = $3, reported_at = 0, paused_at = 0 WHERE sub = $1 AND paused_at <> 0`,
		sub, tie, now.Unix())
	return false, rows == 1, err
}

const boxColumns = `sub, tie, opened_at, reported_at, paused_at`

func scanBox(scan func(...any) error) (*box, error) {
	var b box
	var opened, reported, paused int64
	err := scan(&b.sub, &b.tie, &opened, &reported, &paused)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read box: %w", err)
	}
	b.opened, b.reported, b.paused = time.Unix(opened, 0), reported != 0, paused != 0
	return &b, nil
}

// findBox returns nil for a person who has none.
func findBox(ctx context.Context, db *sqldb.DB, sub string) (*box, error) {
	return scanBox(db.QueryRow(ctx, `SELECT `+boxColumns+` FROM postbox_box WHERE sub = $1`, sub).Scan)
}

// listTies returns ties of persons after sub, in their order.
func listTies(ctx context.Context, db *sqldb.DB, after string, limit int) (_ []rp.Tie, err error) {
	rows, err := db.Query(ctx, `SELECT `+boxColumns+` FROM postbox_box WHERE sub > $1 AND paused_at = 0 ORDER BY sub LIMIT $2`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list ties: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var all []rp.Tie
	for rows.Next() {
		b, err := scanBox(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, *b.asTie())
	}
	return all, rows.Err()
}

func setReported(ctx context.Context, db *sqldb.DB, t rp.Tie, now time.Time) error {
	_, err := db.Exec(ctx, `UPDATE postbox_box SET reported_at = $3 WHERE sub = $1 AND tie = $2`, t.Sub, t.Name, now.Unix())
	return err
}

// pauseBox leaves alone a box that was opened again meanwhile.
func pauseBox(ctx context.Context, db *sqldb.DB, t rp.Tie, now time.Time) error {
	_, err := db.Exec(ctx, `UPDATE postbox_box SET paused_at = $3 WHERE sub = $1 AND tie = $2 AND paused_at = 0`, t.Sub, t.Name, now.Unix())
	return err
}

// deleteBox removes a box with its letters, and returns what it was; nil if there was none.
func deleteBox(ctx context.Context, db *sqldb.DB, sub string) (*box, error) {
	return scanBox(db.QueryRow(ctx, `DELETE FROM postbox_box WHERE sub = $1 RETURNING `+boxColumns, sub).Scan)
}

func insertLetter(ctx context.Context, db *sqldb.DB, l letter, sealed string) error {
	_, err := db.Exec(ctx, `INSERT INTO postbox_letter (id, sub, content, arrived_at) VALUES ($1, $2, $3, $4)`, l.id, l.sub, sealed, l.arrived.Unix())
	return err
}

// listLetters returns the newest letters, at most limit, sealed.
func listLetters(ctx context.Context, db *sqldb.DB, sub string, limit int) ([]sealedLetter, error) {
	rows, err := db.Query(ctx, `SELECT id, content, arrived_at, read_at FROM postbox_letter WHERE sub = $1
		ORDER BY arrived_at DESC, id LIMIT $2`, sub, limit)
	if err != nil {
		return nil, fmt.Errorf("list letters: %w", err)
	}
	defer rows.Close()
	var all []sealedLetter
	for rows.Next() {
		l := sealedLetter{letter: letter{sub: sub}}
		var arrived, read int64
		if err := rows.Scan(&l.id, &l.sealed, &arrived, &read); err != nil {
			return nil, fmt.Errorf("read letter: %w", err)
		}
		l.arrived, l.read = time.Unix(arrived, 0), read != 0
		all = append(all, l)
	}
	return all, rows.Err()
}

// takeOut returns a letter and notes that it was opened; nil if the person has no such letter.
func takeOut(ctx context.Context, db *sqldb.DB, sub, id string, now time.Time) (*sealedLetter, error) {
	l := sealedLetter{letter: letter{id: id, sub: sub, read: true}}
	var arrived int64
	err := db.QueryRow(ctx, `UPDATE postbox_letter SET read_at = CASE read_at WHEN 0 THEN $3 ELSE read_at END
		WHERE id = $1 AND sub = $2 RETURNING content, arrived_at`, id, sub, now.Unix()).Scan(&l.sealed, &arrived)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	l.arrived = time.Unix(arrived, 0)
	return &l, err
}
