package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

func startPostgres(ctx context.Context, dir string) (*server, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	owner, err := postgresOwner()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "postgres")
	if err := os.Mkdir(data, 0o700); err != nil {
		return nil, err
	}
	if owner != nil {
		if err := os.Chown(data, int(owner.Uid), int(owner.Gid)); err != nil {
			return nil, err
		}
	}

	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "tsunagu", //nolint:gosec // found above
		"--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	asOwner(initdb, data, owner)
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}

	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	dsn := "postgres://tsunagu@" + net.JoinHostPort("127.0.0.1", port) + "/postgres?sslmode=disable"
	cmd := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-p", port, //nolint:gosec,noctx // as for redis
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=500",
		"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
	asOwner(cmd, data, owner)
	// SIGINT is PostgreSQL's fast shutdown: it does not wait for clients.
	s, err := launch(ctx, cmd, syscall.SIGINT, func(ctx context.Context) error {
		db, err := sqldb.Open(ctx, dsn)
		if err != nil {
			return err
		}
		return db.Close()
	})
	if err != nil {
		return nil, err
	}
	s.env = "TSUNAGU_TEST_POSTGRES=" + dsn
	return s, nil
}

// postgresBin finds the folder of initdb and postgres: the one in PATH, or the newest of Debian's.
func postgresBin() (string, error) {
	if initdb, err := exec.LookPath("initdb"); err == nil {
		// A link leads to the folder where its companions are.
		if initdb, err = filepath.EvalSymlinks(initdb); err == nil {
			return filepath.Dir(initdb), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", &notInstalledError{"PostgreSQL (initdb)"}
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))) // 0 for a folder that is no version
		return n
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(newest), nil
}

// postgresOwner returns whom to run the server as: PostgreSQL refuses root. Nil means ourselves.
func postgresOwner() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("no user to run PostgreSQL as: neither postgres nor nobody exists")
}

// asOwner has cmd run as owner, in its data folder (ours may be closed to it), and in English.
func asOwner(cmd *exec.Cmd, data string, owner *syscall.Credential) {
	cmd.Dir = data
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+data)
	if owner != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner}
	}
}
