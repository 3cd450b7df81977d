package keys

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// errLost means that another process made the same move first. Nothing is wrong:
// the transaction is given up and the keys are read again.
var errLost = errors.New("another process moved the key")

func migrate(ctx context.Context, db *sqldb.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	return db.Migrate(ctx, "keys", files)
}

type keyRow struct {
	kid, alg, state string
	sealed          []byte
	changed         time.Time
}

// selectKeys reads the stamp first: should a change fall between the two reads,
// the stamp is the older of the two and the next look reads again.
func selectKeys(ctx context.Context, db *sqldb.DB) (stamp int64, out []keyRow, err error) {
	if stamp, err = selectStamp(ctx, db); err != nil {
		return 0, nil, err
	}
	rows, err := db.Query(ctx, `SELECT kid, alg, state, sealed, changed_at FROM signing_key ORDER BY alg, changed_at DESC, kid`)
	if err != nil {
		return 0, nil, fmt.Errorf("read signing keys: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r keyRow
		var changed int64
		if err := rows.Scan(&r.kid, &r.alg, &r.state, &r.sealed, &changed); err != nil {
			return 0, nil, fmt.Errorf("read signing keys: %w", err)
		}
		r.changed = time.Unix(changed, 0)
		out = append(out, r)
	}
	if err := rows.Err(); err != nil {
		return 0, nil, fmt.Errorf("read signing keys: %w", err)
	}
	return stamp, out, nil
}

func selectStamp(ctx context.Context, db *sqldb.DB) (stamp int64, err error) {
	if err := db.QueryRow(ctx, `SELECT stamp FROM signing_key_stamp WHERE id = 1`).Scan(&stamp); err != nil {
		return 0, fmt.Errorf("read signing key stamp: %w", err)
	}
	return stamp, nil
}

// touch changes the stamp. It is drawn at random so that a value seen in a
// transaction that was rolled back never comes again.
func touch(ctx context.Context, db *sqldb.DB) error {
	var b [8]byte
	_, _ = rand.Read(b[:]) // cannot fail since Go 1.24
	stamp := int64(binary.BigEndian.Uint64(b[:]) >> 1)
	if _, err := db.Exec(ctx, `UPDATE signing_key_stamp SET stamp = $1 WHERE id = 1`, stamp); err != nil {
		return fmt.Errorf("change signing key stamp: %w", err)
	}
	return nil
}

// insertKey reports false if the algorithm already has a key in that state.
func insertKey(ctx context.Context, db *sqldb.DB, r keyRow) (bool, error) {
	n, err := db.Exec(ctx, `INSERT INTO signing_key (kid, alg, state, sealed, changed_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT DO NOTHING`, r.kid, r.alg, r.state, r.sealed, r.changed.Unix())
	if err != nil {
		return false, fmt.Errorf("store signing key %s: %w", r.kid, err)
	}
	if n == 0 {
		return false, nil
	}
	return true, touch(ctx, db)
}

// moveKey changes a key's state and its sealed form, if it still is in state
// from; otherwise the error is errLost.
func moveKey(ctx context.Context, db *sqldb.DB, from string, to keyRow) error {
	n, err := db.Exec(ctx, `UPDATE signing_key SET state = $3, sealed = $4, changed_at = $5 WHERE kid = $1 AND state = $2`,
		to.kid, from, to.state, to.sealed, to.changed.Unix())
	if err != nil {
		return fmt.Errorf("move signing key %s to %s: %w", to.kid, to.state, err)
	}
	if n != 1 {
		return errLost
	}
	return touch(ctx, db)
}

// deleteKey removes a retired key; otherwise the error is errLost.
func deleteKey(ctx context.Context, db *sqldb.DB, kid string) error {
	n, err := db.Exec(ctx, `DELETE FROM signing_key WHERE kid = $1 AND state = $2`, kid, stateRetired)
	if err != nil {
		return fmt.Errorf("delete signing key %s: %w", kid, err)
	}
	if n != 1 {
		return errLost
	}
	return touch(ctx, db)
}
