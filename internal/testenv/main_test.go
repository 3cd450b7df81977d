package main

import (
	"bufio"
	"net"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// childEnv makes the test program be testenv.
const childEnv = "TSUNAGU_TESTENV_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// testenv prepares a run of testenv whose files go to dir.
func testenv(t *testing.T, dir string, command ...string) *exec.Cmd {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("no redis-server: run `make test`, which installs it")
	}
	if _, err := postgresBin(); err != nil {
		t.Skip("no PostgreSQL: run `make test`, which installs it")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], command...)
	cmd.Env = append(os.Environ(), childEnv+"=1", "TMPDIR="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

// report is a shell line that prints both addresses.
const report = `echo "$TSUNAGU_TEST_REDIS"; echo "$TSUNAGU_TEST_POSTGRES"; `

// addresses reads what report prints.
func addresses(t *testing.T, lines *bufio.Scanner) []string {
	t.Helper()
	var list []string
	for range 2 {
		if !lines.Scan() {
			t.Fatal("the command was not run")
		}
		line := lines.Text()
		if u, err := url.Parse(line); err == nil && u.Host != "" {
			line = u.Host
		}
		if !answers(line) {
			t.Fatalf("nobody listens on %q", line)
		}
		list = append(list, line)
	}
	return list
}

func answers(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	return c.Close() == nil
}

// gone waits until nobody listens any more.
func gone(t *testing.T, list []string) {
	t.Helper()
	for _, addr := range list {
		for tries := 100; answers(addr); tries-- {
			if tries == 0 {
				t.Errorf("%s is still there", addr)
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// begin starts a command and waits for its addresses.
func begin(t *testing.T, cmd *exec.Cmd) []string {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return addresses(t, bufio.NewScanner(out))
}

// openDir is a temporary directory that another user may pass through, unlike t.TempDir.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "testenv-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

func empty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("left %v, %v", entries, err)
	}
}

func TestExitCodeIsTheCommands(t *testing.T) {
	dir := openDir(t)
	cmd := testenv(t, dir, "sh", "-c", report+"cat; exit 7")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	list := begin(t, cmd)
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 7 {
		t.Errorf("exit code %d", code)
	}
	gone(t, list)
	empty(t, dir)
}

func TestInterruptStopsEverything(t *testing.T) {
	dir := openDir(t)
	cmd := testenv(t, dir, "sh", "-c", report+"sleep 600 & wait")
	list := begin(t, cmd)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d", code)
	}
	gone(t, list)
	empty(t, dir)
}

func TestKilledLeavesNoServer(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ends the children of a killed process")
	}
	cmd := testenv(t, openDir(t), "sh", "-c", report+"sleep 2")
	list := begin(t, cmd)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	gone(t, list)
}

func TestUsage(t *testing.T) {
	cmd := testenv(t, openDir(t))
	if out, err := cmd.Output(); err == nil || cmd.ProcessState.ExitCode() != 2 || strings.TrimSpace(string(out)) != "" {
		t.Errorf("%q, %v", out, err)
	}
}
