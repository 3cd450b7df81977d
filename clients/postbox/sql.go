package postbox

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
	return db.Migrate(ctx, "postbox", files)
}

// openBox opens the person's box, for the first time or again, and reports whether it is new.
func openBox(ctx context.Context, db *sqldb.DB, sub string, now time.Time) (fresh bool, err error) {
	rows, err := db.Exec(ctx, `INSERT INTO postbox_box (sub, opened_at) VALUES ($1, $2) ON CONFLICT DO NOTHING`, sub, now.Unix())
	if err != nil || rows == 1 {
		return rows == 1, err
	}
	_, err = db.Exec(ctx, `UPDATE postbox_box SET opened_at = $2, reported_at = 0, paused_at = 0 WHERE sub = $1 AND paused_at <> 0`, sub, now.Unix())
	return false, err
}

// findBox returns nil for a person who has none.
func findBox(ctx context.Context, db *sqldb.DB, sub string) (*box, error) {
	b := box{sub: sub}
	var opened, reported, paused int64
	err := db.QueryRow(ctx, `SELECT opened_at, reported_at, paused_at FROM postbox_box WHERE sub = $1`, sub).Scan(&opened, &reported, &paused)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read box: %w", err)
	}
	b.opened, b.reported, b.paused = time.Unix(opened, 0), reported != 0, paused != 0
	return &b, nil
}

func setReported(ctx context.Context, db *sqldb.DB, b *box, now time.Time) error {
	_, err := db.Exec(ctx, `UPDATE postbox_box SET reported_at = $3 WHERE sub = $1 AND opened_at = $2`, b.sub, b.opened.Unix(), now.Unix())
	return err
}

// pauseBox leaves alone a box that was opened again meanwhile.
func pauseBox(ctx context.Context, db *sqldb.DB, b *box, now time.Time) error {
	_, err := db.Exec(ctx, `UPDATE postbox_box SET paused_at = $3 WHERE sub = $1 AND opened_at = $2`, b.sub, b.opened.Unix(), now.Unix())
	return err
}

// deleteBox removes a box with its letters.
func deleteBox(ctx context.Context, db *sqldb.DB, sub string) (bool, error) {
	rows, err := db.Exec(ctx, `DELETE FROM postbox_box WHERE sub = $1`, sub)
	return rows == 1, err
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

func insertClosing(ctx context.Context, db *sqldb.DB, sub string, now, next time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO postbox_closing (sub, tries, next_at, closed_at) VALUES ($1, 0, $3, $2)
		ON CONFLICT (sub) DO UPDATE SET tries = 0, next_at = excluded.next_at, closed_at = excluded.closed_at`, sub, now.Unix(), next.Unix())
	return err
}

// claimClosing hands a due closing to one caller, who has until hold to deal with it. It returns nil when nothing is due.
func claimClosing(ctx context.Context, db *sqldb.DB, now time.Time, hold time.Duration) (*closing, error) {
	var c closing
	err := db.QueryRow(ctx, `UPDATE postbox_closing SET next_at = $2, tries = tries + 1
		WHERE sub = (SELECT sub FROM postbox_closing WHERE next_at <= $1 ORDER BY next_at LIMIT 1) AND next_at <= $1
		RETURNING sub, tries`, now.Unix(), now.Add(hold).Unix()).Scan(&c.sub, &c.tries)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &c, err
}

func putOffClosing(ctx context.Context, db *sqldb.DB, sub string, next time.Time) error {
	_, err := db.Exec(ctx, `UPDATE postbox_closing SET next_at = $2 WHERE sub = $1`, sub, next.Unix())
	return err
}

func deleteClosing(ctx context.Context, db *sqldb.DB, sub string) error {
	_, err := db.Exec(ctx, `DELETE FROM postbox_closing WHERE sub = $1`, sub)
	return err
}
