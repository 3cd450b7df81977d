// Command testenv runs a command with a Redis server and a PostgreSQL server of its own:
//
//	go run ./internal/testenv go test ./...
//
// Both listen on free loopback ports, keep their files in a temporary directory and are stopped, and their files removed, when
// the command ends, fails or is interrupted. The command finds them through TSUNAGU_TEST_REDIS (host:port) and
// TSUNAGU_TEST_POSTGRES (a URL); its exit code becomes testenv's. A server that is not installed is left out with a message, and
// the tests that need it skip themselves.
//
// The servers trust everybody on the machine and give up durability for speed: for tests only. If testenv itself is killed with
// SIGKILL on Linux the servers die with it and only the directory (tsunagu-testenv-…) stays behind.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

func main() {
	// Servers are told to die with the thread that started them; this one lives as long as the program.
	runtime.LockOSThread()
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: testenv COMMAND [ARGUMENT…]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	ctx, orphaned := context.WithCancel(ctx)
	go watchParent(ctx, orphaned)
	code, err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "testenv:", err)
	}
	os.Exit(code)
}

// run starts the servers, runs the command and stops the servers. The first result is the exit code.
func run(ctx context.Context, command []string) (_ int, err error) {
	dir, err := os.MkdirTemp("", "tsunagu-testenv-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // another user passes through to its own directory
		return 1, err
	}

	env := os.Environ()
	for _, start := range []func(context.Context, string) (*server, error){startRedis, startPostgres} {
		s, err := start(ctx, dir)
		if missing, ok := errors.AsType[*notInstalledError](err); ok {
			fmt.Fprintf(os.Stderr, "testenv: %v; the tests that need it will be skipped\n", missing)
			continue
		}
		if err != nil {
			return 1, err
		}
		defer s.stop()
		env = append(env, s.env)
	}
	return runCommand(ctx, command, env)
}

// runCommand runs the command in a process group of its own, so that its children end with it, and returns its exit code.
func runCommand(ctx context.Context, command, env []string) (int, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) // #nosec G204 G702 -- running what it is told to is its purpose
	cmd.Env = env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	err := cmd.Run()
	if ctx.Err() != nil {
		if cmd.Process != nil { // whoever ignored the first signal; an empty group is no matter
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		}
		return 130, errors.New("interrupted")
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return max(exit.ExitCode(), 1), nil
	}
	if err != nil {
		return 127, err
	}
	return 0, nil
}

// watchParent calls orphaned when the process that started us is gone: "go run" dies of a SIGTERM without passing it on.
func watchParent(ctx context.Context, orphaned func()) {
	parent := os.Getppid()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if os.Getppid() != parent {
				orphaned()
			}
		}
	}
}

// freePort returns a loopback port that nobody listens on at the moment.
func freePort(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}
