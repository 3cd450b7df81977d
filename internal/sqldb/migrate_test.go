package sqldb_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// files makes a file system out of names and texts in turn.
func files(nameAndText ...string) fs.FS {
	m := fstest.MapFS{}
	for i := 0; i < len(nameAndText); i += 2 {
		m[nameAndText[i]] = &fstest.MapFile{Data: []byte(nameAndText[i+1])}
	}
	return m
}

const (
	one   = `CREATE TABLE step (n bigint PRIMARY KEY); INSERT INTO step (n) VALUES (1);`
	two   = "-- Needs the first.\nINSERT INTO step (n)\n  SELECT n + 1 FROM step WHERE n = 1;"
	three = `ALTER TABLE step ADD COLUMN note text; UPDATE step SET note = 'three'`
)

func steps(t *testing.T, db *sqldb.DB) (n int) {
	t.Helper()
	if err := db.QueryRow(t.Context(), `SELECT count(*) FROM step`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestMigrateInOrderOnce(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		grow := [][]string{
			{"0001_one.sql", one},
			{"0001_one.sql", one, "0002_two.sql", two},
			{"0001_one.sql", one, "0002_two.sql", two},
			{"0001_one.sql", strings.ReplaceAll(one, "\n", "\r\n"), "0002_two.sql", strings.ReplaceAll(two, "\n", "\r\n")},
			{"0003_three.sql", three, "0002_two.sql", two, "0001_one.sql", one},
		}
		for i, g := range grow {
			if err := db.Migrate(t.Context(), "step", files(g...)); err != nil {
				t.Fatalf("round %d: %v", i, err)
			}
		}
		var note string
		if err := db.QueryRow(t.Context(), `SELECT note FROM step WHERE n = 2`).Scan(&note); err != nil || note != "three" {
			t.Error(note, err)
		}
		// Another area counts from one again and does not see the first.
		if err := db.Migrate(t.Context(), "other", files("0001_x.sql", `CREATE TABLE other (n bigint)`)); err != nil {
			t.Error(err)
		}
	})
}

// TestFailedMigrationLeavesNothing: neither half of its statements nor a mark that it ran, and those before it stay.
func TestFailedMigrationLeavesNothing(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		broken := files("0001_one.sql", one, "0002_two.sql", `CREATE TABLE half (n bigint); INSERT INTO step (n) VALUES (2); INSERT INTO nowhere (n) VALUES (1);`)
		err := db.Migrate(t.Context(), "step", broken)
		if err == nil || !strings.Contains(err.Error(), "migrate step: 0002_two.sql") {
			t.Fatal(err)
		}
		if n := steps(t, db); n != 1 {
			t.Errorf("%d rows", n)
		}
		// Repaired, it is applied as if it had never been tried.
		repaired := files("0001_one.sql", one, "0002_two.sql", `CREATE TABLE half (n bigint); INSERT INTO step (n) VALUES (2);`)
		if err := db.Migrate(t.Context(), "step", repaired); err != nil {
			t.Fatal(err)
		}
		if n := steps(t, db); n != 2 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestMigrateRefuses(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		applied := []string{"0001_one.sql", one, "0002_two.sql", two}
		if err := db.Migrate(t.Context(), "step", files(applied...)); err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			name  string
			files fs.FS
			want  string
		}{
			{"altered", files("0001_one.sql", one, "0002_two.sql", two+" ", "0003_three.sql", three), "0002_two.sql was applied and has changed"},
			{"first altered", files("0001_one.sql", one+"\n", "0002_two.sql", two), "0001_one.sql was applied and has changed"},
			{"renamed", files("0001_uno.sql", one, "0002_two.sql", two), "0001_one.sql was applied and has changed"},
			{"gone", files("0001_one.sql", one), "newer than this program"},
			{"gap", files("0001_one.sql", one, "0003_three.sql", three), "0003_three.sql follows number 1"},
			{"not from one", files("0002_two.sql", two), "0002_two.sql follows number 0"},
			{"same number", files("0001_one.sql", one, "0001_two.sql", two), "0001_two.sql follows number 1"},
			{"bad name", files("0001_one.sql", one, "two.sql", two), "two.sql is not named"},
			{"short number", files("1_one.sql", one), "1_one.sql is not named"},
			{"no files", files(), "no migrations"},
		} {
			err := db.Migrate(t.Context(), "step", tt.files)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
			}
		}
		// Nothing of the refused sets was applied.
		if _, err := db.Exec(t.Context(), `SELECT note FROM step`); err == nil {
			t.Error("0003 was applied")
		}
		if err := db.Migrate(t.Context(), "step", files(applied...)); err != nil {
			t.Error(err)
		}
	})
}

func TestMigrateReportsUnreadableFiles(t *testing.T) {
	db := sqldbtest.Open(t)
	err := db.Migrate(t.Context(), "step", errFS{})
	if !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
}

// errFS cannot be read.
type errFS struct{}

func (errFS) Open(string) (fs.File, error) { return nil, fs.ErrPermission }
