package clients

import (
	"context"
	"crypto/rand"
	"database/sql"
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

// What a client's row says of it.
const (
	statusDraft     = "draft" // has no version yet
	statusLive      = "live"
	statusSuspended = "suspended"
	statusRetired   = "retired" // deleted itself, or was ended by an operator; its id is never used again
)

func migrate(ctx context.Context, db *sqldb.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	return db.Migrate(ctx, "clients", files)
}

func selectStamp(ctx context.Context, db *sqldb.DB) (stamp int64, err error) {
	if err := db.QueryRow(ctx, `SELECT stamp FROM client_stamp WHERE id = 1`).Scan(&stamp); err != nil {
		return 0, fmt.Errorf("read client stamp: %w", err)
	}
	return stamp, nil
}

// touch redraws the stamp. At the start of a transaction it also makes writers
// wait for each other. The value is random, so that one seen in a transaction that
// was rolled back never comes again.
func touch(ctx context.Context, db *sqldb.DB) error {
	var b [8]byte
	_, _ = rand.Read(b[:]) // cannot fail since Go 1.24
	stamp := int64(binary.BigEndian.Uint64(b[:]) >> 1)
	if _, err := db.Exec(ctx, `UPDATE client_stamp SET stamp = $1 WHERE id = 1`, stamp); err != nil {
		return fmt.Errorf("change client stamp: %w", err)
	}
	return nil
}

// clientRow is a client with its newest metadata.
type clientRow struct {
	id, status, sector, metadata string
	version                      int64
	seed                         []byte   // SHA-256, or empty
	secrets                      []Secret // that are good; not in lists
	origin                       origin   // of this version, when it is stored
}

const selectClient = `SELECT c.id, c.status, c.sector, c.version, c.seed_sha256, v.metadata
	FROM client c JOIN client_version v ON v.client = c.id AND v.version = c.version`

func (r *clientRow) scan(scan func(...any) error) error {
	return scan(&r.id, &r.status, &r.sector, &r.version, &r.seed, &r.metadata)
}

// findClient returns ErrUnknown if there is none, or none with a version.
func (r *Registry) findClient(ctx context.Context, id ID) (clientRow, error) {
	var row clientRow
	err := row.scan(r.d.DB.QueryRow(ctx, selectClient+` WHERE c.id = $1`, string(id)).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return clientRow{}, ErrUnknown
	}
	if err != nil {
		return clientRow{}, fmt.Errorf("read client %s: %w", id, err)
	}
	row.secrets, err = r.goodSecrets(ctx, id)
	return row, err
}

func listClients(ctx context.Context, db *sqldb.DB) (out []clientRow, _ error) {
	rows, err := db.Query(ctx, selectClient+` WHERE c.status = $1 ORDER BY c.id`, statusLive)
	if err != nil {
		return nil, fmt.Errorf("list clients: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r clientRow
		if err := r.scan(rows.Scan); err != nil {
			return nil, fmt.Errorf("list clients: %w", err)
		}
		out = append(out, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list clients: %w", err)
	}
	return out, nil
}

// storeClient writes the newest version of a client. A client that was but drafted is live with it.
func storeClient(ctx context.Context, db *sqldb.DB, r clientRow, now time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO client (id, version, status, sector, seed_sha256, created_at, changed_at, brought_by, hidden)
		VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8)
		ON CONFLICT (id) DO UPDATE SET version = excluded.version, sector = excluded.sector,
			status = CASE WHEN client.status = 'draft' THEN excluded.status ELSE client.status END,
			seed_sha256 = excluded.seed_sha256, changed_at = excluded.changed_at`,
		r.id, r.version, r.status, r.sector, bytesOf(r.seed), now.Unix(), r.origin.by, r.origin.hidden)
	if err != nil {
		return fmt.Errorf("store client %s: %w", r.id, err)
	}
	o := r.origin
	_, err = db.Exec(ctx, `INSERT INTO client_version (client, version, metadata, created_at, asked_by, note, approved_by, exception, preflight, of_version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		r.id, r.version, r.metadata, now.Unix(), o.by, o.note, o.approvedBy, o.exception, o.preflight, o.of)
	if err != nil {
		return fmt.Errorf("store version %d of client %s: %w", r.version, r.id, err)
	}
	return nil
}

// bytesOf keeps an empty value from being stored as NULL.
func bytesOf(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
