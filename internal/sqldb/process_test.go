package sqldb_test

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// childEnv makes the test program play a second process: "role address".
const childEnv = "TSUNAGU_SQLDB_CHILD"

func TestMain(m *testing.M) {
	role, dsn, ok := strings.Cut(os.Getenv(childEnv), " ")
	if !ok {
		os.Exit(m.Run())
	}
	if err := child(context.Background(), role, dsn); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child opens the database and migrates it, which all roles do, or then writes until it is killed.
func child(ctx context.Context, role, dsn string) error {
	db, err := sqldb.Open(ctx, dsn)
	if err != nil {
		return err
	}
	if err := db.Migrate(ctx, "step", manyFiles()); err != nil {
		return err
	}
	for n := int64(0); role == "write"; n++ {
		err := db.Tx(ctx, func(ctx context.Context) error {
			for half := range int64(2) {
				if _, err := db.Exec(ctx, `INSERT INTO pair (n, half) VALUES ($1, $2)`, n, half); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		fmt.Println(n) // the promise: this pair is there for good
	}
	return db.Close()
}

// manyFiles take a while, so that processes meet in the middle.
func manyFiles() fs.FS {
	list := []string{"0001_pair.sql", `CREATE TABLE pair (n bigint, half bigint, PRIMARY KEY (n, half)); CREATE TABLE step (n bigint PRIMARY KEY)`}
	for i := 2; i <= 30; i++ {
		list = append(list, fmt.Sprintf("%04d_step.sql", i), fmt.Sprintf(`CREATE TABLE t%d (n bigint); INSERT INTO step (n) VALUES (%d)`, i, i))
	}
	return files(list...)
}

func start(t *testing.T, role, dsn string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+role+" "+dsn)
	cmd.Stderr = os.Stderr
	return cmd
}

// TestProcessesMigrateAtOnce starts processes on a fresh database: all succeed, every migration is applied once.
func TestProcessesMigrateAtOnce(t *testing.T) {
	for name, dsn := range map[string]func(testing.TB) string{"sqlite": sqldbtest.SQLite, "postgres": sqldbtest.Postgres} {
		t.Run(name, func(t *testing.T) {
			addr := dsn(t)
			var children []*exec.Cmd
			for range 6 {
				c := start(t, "migrate", addr)
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				children = append(children, c)
			}
			for i, c := range children {
				if err := c.Wait(); err != nil {
					t.Errorf("process %d: %v", i, err)
				}
			}
			if n := steps(t, sqldbtest.OpenDSN(t, addr)); n != 29 {
				t.Errorf("%d steps", n)
			}
		})
	}
}

// TestKilledProcessKeepsItsPromises kills a writing process with SIGKILL: what it had reported as committed is there, nothing is
// there by half, and the next process can write at once.
func TestKilledProcessKeepsItsPromises(t *testing.T) {
	for name, dsn := range map[string]func(testing.TB) string{"sqlite": sqldbtest.SQLite, "postgres": sqldbtest.Postgres} {
		t.Run(name, func(t *testing.T) {
			addr := dsn(t)
			c := start(t, "write", addr)
			out, err := c.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			promised := int64(-1)
			lines := bufio.NewScanner(out)
			for lines.Scan() {
				if _, err := fmt.Sscan(lines.Text(), &promised); err != nil {
					t.Fatal(err)
				}
				if promised == 200 {
					if err := c.Process.Kill(); err != nil {
						t.Fatal(err)
					}
				}
			}
			_ = c.Wait() // killed

			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			db := sqldbtest.OpenDSN(t, addr)
			if _, err := db.Exec(ctx, `INSERT INTO pair (n, half) VALUES (-1, 0), (-1, 1)`); err != nil {
				t.Errorf("the next process cannot write: %v", err)
			}
			var rows, whole, last int64
			err = db.QueryRow(ctx, `SELECT count(*), count(DISTINCT n), max(n) FROM pair`).Scan(&rows, &whole, &last)
			if err != nil || rows != 2*whole || last < promised || whole != last+2 || promised < 200 {
				t.Errorf("promised up to %d; %d rows, %d pairs, last %d, %v", promised, rows, whole, last, err)
			}
		})
	}
}
