package sqldbtest

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// PostgresEnv names the environment variable that holds the address of a PostgreSQL server for tests.
const PostgresEnv = "TSUNAGU_TEST_POSTGRES"

// Open opens an empty SQLite database that lives as long as the test.
func Open(t testing.TB) *sqldb.DB {
	t.Helper()
	return OpenDSN(t, SQLite(t))
}

// Each runs fn as a subtest on every database there is, each empty. Without an address of a PostgreSQL server that subtest is
// skipped, and says so.
func Each(t *testing.T, fn func(t *testing.T, db *sqldb.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { fn(t, Open(t)) })
	t.Run("postgres", func(t *testing.T) { fn(t, OpenDSN(t, Postgres(t))) })
}

// SQLite returns the address of a database file that does not exist yet.
func SQLite(t testing.TB) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "test.db")
}

// Postgres returns the address of an empty schema of its own on the test server, which is dropped at the end of the test. It
// skips the test if there is no server.
func Postgres(t testing.TB) string {
	t.Helper()
	dsn := os.Getenv(PostgresEnv) //nolint:forbidigo // the address of the test server is given by make test
	if dsn == "" {
		t.Skipf("no PostgreSQL: %s is not set; run `make test`, or `go run ./internal/testenv go test ./...`", PostgresEnv)
	}
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatalf("%s is not a URL", PostgresEnv)
	}
	schema := "test_" + strings.ToLower(rand.Text())

	// No t.Context here: it has ended when cleanups run.
	ctx := context.Background()
	admin, err := sqldb.Open(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec(ctx, "CREATE SCHEMA "+schema); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin.Exec(ctx, "DROP SCHEMA "+schema+" CASCADE"); err != nil {
			t.Errorf("drop schema: %v", err)
		}
		if err := admin.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

// OpenDSN opens a database at an address and closes it at the end of the test.
func OpenDSN(t testing.TB, dsn string) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}
