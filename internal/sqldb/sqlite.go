package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"modernc.org/sqlite"
)

// busyTimeout is how long a statement waits for another process that writes to the file.
const busyTimeout = 10 * time.Second

func openSQLite(path string) (*DB, error) {
	if path == "" || path == ":memory:" {
		return nil, errors.New("sqlite: a file path is needed")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	// SQLite would create the file with the umask's mode; its companions (-wal, -shm) take the mode of the file.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // #nosec G304 -- the operator names the file
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}

	write, err := newSQLiteConnector(path, "_txlock", "immediate")
	if err != nil {
		return nil, err
	}
	read, err := newSQLiteConnector(path, "_query_only", "1")
	if err != nil {
		return nil, err
	}
	db := &DB{write: sql.OpenDB(write), read: sql.OpenDB(read)}
	setConns(db.write, 1)
	setConns(db.read, max(4, runtime.GOMAXPROCS(0)))
	return db, nil
}

// setConns keeps exactly up to n connections, open for good: a file has no reason to lose them, and each holds its page cache
// and prepared statements.
func setConns(db *sql.DB, n int) {
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
}

// sqliteConnector opens connections to one file.
type sqliteConnector struct{ driver.Connector }

func newSQLiteConnector(path string, key, value string) (sqliteConnector, error) {
	q := url.Values{
		key:             {value},
		"_busy_timeout": {fmt.Sprint(busyTimeout.Milliseconds())},
		"_dqs":          {"0"},
		"_defensive":    {"1"},
		"_error_rc":     {"1"},
		"_pragma": {
			"journal_mode(WAL)",
			"synchronous(NORMAL)",
			"foreign_keys(1)",
			"trusted_schema(0)",
			"temp_store(MEMORY)",
			"cache_size(-8000)",            // KiB, per connection
			"journal_size_limit(67108864)", // give back disk after a burst
			"wal_autocheckpoint(4000)",     // pages of 4 KiB: fewer, larger folds than the default 1000
		},
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	c, err := sqlite.NewConnector(u.String())
	return sqliteConnector{c}, err
}

// Connect opens one connection.
//
// Turning a fresh file to WAL, and recovering the log of a process that was killed, need the file alone for a moment, and
// SQLite does not always wait for that by itself. So two programs that start at once meet here.
func (c sqliteConnector) Connect(ctx context.Context) (driver.Conn, error) {
	const pause = 20 * time.Millisecond
	for tries := busyTimeout / pause; ; tries-- {
		conn, err := c.Connector.Connect(ctx)
		if err == nil {
			return newCachingConn(conn)
		}
		if tries <= 0 || !isBusy(err) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}
