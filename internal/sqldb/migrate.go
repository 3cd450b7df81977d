package sqldb

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
)

// migrationName is the one accepted spelling of a migration's file name.
var migrationName = regexp.MustCompile(`^([0-9]{4})_[a-z0-9_]+\.sql$`)

// migrationTable remembers what was applied. The digest is hex, for people who look.
const migrationTable = `CREATE TABLE IF NOT EXISTS sqldb_migration (
	area   text   NOT NULL,
	number bigint NOT NULL,
	name   text   NOT NULL,
	digest text   NOT NULL,
	PRIMARY KEY (area, number)
)`

// migration is one file.
type migration struct {
	number int64
	name   string
	digest string
	text   string
}

// Migrate brings the tables of an area, which is the name of the package that owns them, up to date. The root of files holds
// 0001_name.sql, 0002_name.sql and so on, without gaps; each is applied once, in order, in a transaction of its own, and
// remembered with its digest. It is an error if a file that was applied has changed or is gone (a program older than its
// database), and nothing is applied then.
//
// Programs that start at once take turns. One that is killed leaves the migrations before the one it was in.
func (d *DB) Migrate(ctx context.Context, area string, files fs.FS) error {
	list, err := readMigrations(files)
	if err != nil {
		return fmt.Errorf("migrate %s: %w", area, err)
	}
	err = d.migrating(ctx, func(ctx context.Context) error {
		return d.checkApplied(ctx, area, list)
	})
	if err != nil {
		return fmt.Errorf("migrate %s: %w", area, err)
	}
	for _, m := range list {
		err := d.migrating(ctx, func(ctx context.Context) error { return d.apply(ctx, area, m) })
		if err != nil {
			return fmt.Errorf("migrate %s: %s: %w", area, m.name, err)
		}
	}
	return nil
}

// migrating runs fn in a transaction in which no other process migrates.
func (d *DB) migrating(ctx context.Context, fn func(ctx context.Context) error) error {
	return d.Tx(ctx, func(ctx context.Context) error {
		if d.lock != "" {
			if _, err := d.Exec(ctx, d.lock); err != nil {
				return err
			}
		}
		// Under the lock: PostgreSQL's IF NOT EXISTS is not safe against another session that creates it.
		if _, err := d.Exec(ctx, migrationTable); err != nil {
			return err
		}
		return fn(ctx)
	})
}

// apply runs one migration unless it was applied before, by whomever.
func (d *DB) apply(ctx context.Context, area string, m migration) error {
	var digest string
	err := d.QueryRow(ctx, `SELECT digest FROM sqldb_migration WHERE area = $1 AND number = $2`, area, m.number).Scan(&digest)
	switch {
	case err == nil && digest != m.digest:
		return errors.New("applied with a different text")
	case err == nil:
		return nil
	case !errors.Is(err, sql.ErrNoRows):
		return err
	}
	if _, err := d.Exec(ctx, m.text); err != nil {
		return err
	}
	_, err = d.Exec(ctx, `INSERT INTO sqldb_migration (area, number, name, digest) VALUES ($1, $2, $3, $4)`,
		area, m.number, m.name, m.digest)
	return err
}

// checkApplied compares everything that was applied with the files, before anything new is applied.
func (d *DB) checkApplied(ctx context.Context, area string, list []migration) (err error) {
	rows, err := d.Query(ctx, `SELECT number, name, digest FROM sqldb_migration WHERE area = $1 ORDER BY number`, area)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var number int64
		var name, digest string
		if err := rows.Scan(&number, &name, &digest); err != nil {
			return err
		}
		if number > int64(len(list)) {
			return fmt.Errorf("%s was applied and is not among the files: the database is newer than this program", name)
		}
		if m := list[number-1]; m.digest != digest || m.name != name {
			return fmt.Errorf("%s was applied and has changed since; write a new migration instead", name)
		}
	}
	return rows.Err()
}

// readMigrations reads all files. fs.ReadDir sorts by name, which is by number.
func readMigrations(files fs.FS) ([]migration, error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, err
	}
	var list []migration
	for _, e := range entries {
		m := migrationName.FindStringSubmatch(e.Name())
		if m == nil {
			return nil, fmt.Errorf("%s is not named like 0001_name.sql", e.Name())
		}
		number, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil {
			return nil, err
		}
		if want := int64(len(list) + 1); number != want {
			return nil, fmt.Errorf("%s follows number %d", e.Name(), want-1)
		}
		text, err := fs.ReadFile(files, e.Name())
		if err != nil {
			return nil, err
		}
		// A checkout with converted line ends is the same migration.
		text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
		digest := sha256.Sum256(text)
		list = append(list, migration{number, e.Name(), hex.EncodeToString(digest[:]), string(text)})
	}
	if len(list) == 0 {
		return nil, errors.New("no migrations")
	}
	return list, nil
}
