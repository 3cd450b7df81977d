package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// DB is an open database. It is safe for concurrent use.
type DB struct {
	write *sql.DB
	read  *sql.DB // the same as write on PostgreSQL
	// lock holds off other processes that migrate until the transaction ends. Empty where BEGIN already does.
	lock string
}

// Open opens the database that dsn names and makes sure it answers. "sqlite:" and a file path, which is created (mode 0600)
// if absent in a directory that must exist; or a "postgres://" URL as libpq and pgx understand it.
func Open(ctx context.Context, dsn string) (*DB, error) {
	var db *DB
	var err error
	scheme, rest, _ := strings.Cut(dsn, ":")
	switch scheme {
	case "sqlite":
		db, err = openSQLite(rest)
	case "postgres", "postgresql":
		db, err = openPostgres(dsn)
	default:
		// The text is not repeated: it may hold a password.
		return nil, errors.New(`open database: address must begin with "sqlite:" or "postgres://"`)
	}
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := db.Ping(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", err), db.Close())
	}
	return db, nil
}

// Close closes all connections. Statements under way are waited for.
func (d *DB) Close() error {
	if d.read == d.write {
		return d.write.Close()
	}
	// The writer last: SQLite folds the write-ahead log into the file when the last connection closes.
	return errors.Join(d.read.Close(), d.write.Close())
}

// Ping reports whether the database answers. It does not wait behind a writer on SQLite.
func (d *DB) Ping(ctx context.Context) error {
	var one int
	return d.read.QueryRowContext(ctx, "SELECT 1").Scan(&one)
}
