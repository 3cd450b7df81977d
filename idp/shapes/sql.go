package shapes

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

func migrate(ctx context.Context, db *sqldb.DB) error {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return err
	}
	return db.Migrate(ctx, "shapes", files)
}

// keep adds the counts of a bucket, in one transaction: all of them, or none.
func keep(ctx context.Context, db *sqldb.DB, at bucket, t *tally) error {
	return db.Tx(ctx, func(ctx context.Context) error {
		room := map[bool]int64{} // by proved
		beyond := int64(0)
		// In one order, so that processes that flush the same bucket wait for each other only one way.
		for _, text := range slices.Sorted(maps.Keys(t.counts)) {
			n := t.counts[text]
			digest := sha256.Sum256([]byte(text))
			if text == beyondText {
				beyond += n
				continue
			}
			added, err := db.Exec(ctx, `UPDATE request_shape SET count = count + $4 WHERE client = $1 AND hour = $2 AND digest = $3`,
				string(at.client), at.hour, digest[:], n)
			if err != nil {
				return fmt.Errorf("count shape: %w", err)
			}
			if added > 0 {
				continue
			}
			s, err := decode(text)
			if err != nil {
				return err
			}
			proved := s.proved()
			if _, asked := room[proved]; !asked {
				if room[proved], err = roomIn(ctx, db, at, proved); err != nil {
					return err
				}
			}
			if room[proved] == 0 {
				beyond += n
				continue
			}
			room[proved]--
			if err := insert(ctx, db, at, text, proved, n); err != nil {
				return err
			}
		}
		if beyond == 0 {
			return nil
		}
		return insert(ctx, db, at, beyondText, true, beyond)
	})
}

func insert(ctx context.Context, db *sqldb.DB, at bucket, text string, proved bool, n int64) error {
	digest := sha256.Sum256([]byte(text))
	_, err := db.Exec(ctx, `INSERT INTO request_shape (client, hour, digest, shape, proved, count) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (client, hour, digest) DO UPDATE SET count = request_shape.count + excluded.count`, string(at.client), at.hour, digest[:], text, proved, n)
	if err != nil {
		return fmt.Errorf("keep shape: %w", err)
	}
	return nil
}

// roomIn says how many shapes may still be added to a bucket, of those that only the client can cause or of the others. Processes that ask at once may add a few more.
func roomIn(ctx context.Context, db *sqldb.DB, at bucket, proved bool) (int64, error) {
	var n int64
	if err := db.QueryRow(ctx, `SELECT count(*) FROM request_shape WHERE client = $1 AND hour = $2 AND proved = $3`, string(at.client), at.hour, proved).Scan(&n); err != nil {
		return 0, fmt.Errorf("count shapes: %w", err)
	}
	return max(0, maxKept-n), nil
}

func read(ctx context.Context, db *sqldb.DB, client clients.ID, first int64) (_ []Counted, err error) {
	rows, err := db.Query(ctx, `SELECT min(shape), sum(count) FROM request_shape WHERE client = $1 AND hour >= $2
		GROUP BY digest ORDER BY sum(count) DESC, digest LIMIT $3`, string(client), first, maxRead)
	if err != nil {
		return nil, fmt.Errorf("read shapes: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []Counted
	for rows.Next() {
		var text string
		var n sql.NullInt64
		if err := rows.Scan(&text, &n); err != nil {
			return nil, fmt.Errorf("read shapes: %w", err)
		}
		s, err := decode(text)
		if err != nil {
			return nil, err
		}
		out = append(out, Counted{s, n.Int64})
	}
	return out, rows.Err()
}

// sweep deletes the hours before one.
func sweep(ctx context.Context, db *sqldb.DB, before int64) error {
	_, err := db.Exec(ctx, `DELETE FROM request_shape WHERE hour < $1`, before)
	return err
}
