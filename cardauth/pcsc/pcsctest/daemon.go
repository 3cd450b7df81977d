//go:build linux

package pcsctest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// driver is the card driver of Debian's package vsmartcard-vpcd.
const driver = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"

// Daemon is a running pcscd.
type Daemon struct {
	Addresses [2]string // where a virtual card is plugged in, for each reader
	Readers   [2]string // the readers' names
	t         testing.TB
	cmd       *exec.Cmd
	config    string
}

// home is one directory for the whole test binary, there while a service runs: the client library remembers the first
// socket it was told of.
var home = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "pcscd-") }) // short: a socket's path has 107 bytes

// Start runs a service until the test ends and points the PC/SC clients of this process and its children to it. The
// test is skipped when something is not installed, naming it. Tests that use it cannot be parallel.
func Start(t testing.TB) *Daemon {
	t.Helper()
	d := prepare(t)
	d.Start()
	return d
}

// StartWithoutReaders is Start for a service that has no reader.
func StartWithoutReaders(t testing.TB) *Daemon {
	t.Helper()
	d := prepare(t)
	if err := os.Remove(filepath.Join(d.config, "vpcd")); err != nil {
		t.Fatal(err)
	}
	d.Start()
	return d
}

// Absent points the clients to a service that does not run. Start of the result runs it.
func Absent(t testing.TB) *Daemon {
	t.Helper()
	return prepare(t)
}

func prepare(t testing.TB) *Daemon {
	t.Helper()
	need(t)
	dir, err := home()
	if err != nil {
		t.Fatal(err)
	}
	d := &Daemon{t: t, config: t.TempDir()}
	port := freePorts(t)
	for i := range d.Addresses {
		d.Addresses[i] = net.JoinHostPort("127.0.0.1", strconv.Itoa(port+i))
		d.Readers[i] = fmt.Sprintf("Tsunagu test 00 %02d", i)
	}
	// One stanza is two readers, the second on the next port.
	stanza := fmt.Sprintf("FRIENDLYNAME \"Tsunagu test\"\nDEVICENAME /dev/null:%d\nLIBPATH %s\nCHANNELID %d\n", port, driver, port)
	if err := os.WriteFile(filepath.Join(d.config, "vpcd"), []byte(stanza), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PCSCLITE_CSOCK_NAME", filepath.Join(dir, "pcscd.comm"))
	t.Cleanup(d.Stop)
	return d
}

// Start runs a service that was stopped, or Absent until now, with the same readers.
func (d *Daemon) Start() {
	d.t.Helper()
	dir, err := home()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		d.t.Fatal(err)
	}
	// pcscd puts its socket into /run/pcscd, which is this directory to it alone.
	d.cmd = exec.CommandContext(d.t.Context(), "unshare", append(ownMounts(), "sh", "-c", //nolint:gosec // a test's own directories
		`mkdir -p /run/pcscd && mount --bind "$0" /run/pcscd && exec "$1" --foreground --config "$2"`, dir, pcscd(), d.config)...)
	log := &strings.Builder{}
	d.cmd.Stdout, d.cmd.Stderr = log, log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) { //nolint:forbidigo // another program's time
		conn, err := new(net.Dialer).DialContext(d.t.Context(), "unix", filepath.Join(dir, "pcscd.comm"))
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(end) { //nolint:forbidigo // another program's time
			d.Stop()
			d.t.Fatalf("pcscd does not start: %v: %s", err, log)
		}
	}
}

// Stop ends the service as a crash does, leaving nothing behind that would keep the next one from starting.
func (d *Daemon) Stop() {
	d.t.Helper()
	if d.cmd == nil {
		return
	}
	// The directory is private, so that nothing has to be left in order; SIGTERM takes seconds.
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
	d.cmd = nil
	dir, err := home()
	if err == nil {
		err = os.RemoveAll(dir)
	}
	if err != nil {
		d.t.Error(err)
	}
}

// need skips the test unless everything is installed.
func need(t testing.TB) {
	t.Helper()
	var missing []string
	if pcscd() == "" {
		missing = append(missing, "pcscd")
	}
	if _, err := os.Stat(driver); err != nil {
		missing = append(missing, "vsmartcard-vpcd")
	}
	if _, err := exec.LookPath("unshare"); err != nil {
		missing = append(missing, "util-linux (unshare)")
	}
	if missing != nil {
		t.Skipf("not installed: %s", strings.Join(missing, ", "))
	}
	out, err := exec.CommandContext(t.Context(), "unshare", append(ownMounts(), "true")...).CombinedOutput() //nolint:gosec // constants
	if err != nil {
		t.Skipf("no mount namespace of our own: %v: %s", err, out)
	}
}

// ownMounts are the arguments that make unshare give a program mounts of its own.
func ownMounts() []string {
	if os.Getuid() != 0 {
		return []string{"--user", "--map-root-user", "--mount"}
	}
	return []string{"--mount"}
}

// pcscd finds the program, which is not on everybody's path.
func pcscd() string {
	for _, name := range []string{"pcscd", "/usr/sbin/pcscd"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// freePorts finds two neighbouring ports that nobody uses.
func freePorts(t testing.TB) int {
	t.Helper()
	for range 100 {
		first, err := new(net.ListenConfig).Listen(t.Context(), "tcp", ":0")
		if err != nil {
			t.Fatal(err)
		}
		port := first.Addr().(*net.TCPAddr).Port
		second, err := new(net.ListenConfig).Listen(t.Context(), "tcp", fmt.Sprintf(":%d", port+1))
		_ = first.Close()
		if err == nil {
			_ = second.Close()
			return port
		}
	}
	t.Fatal("no two neighbouring ports are free")
	return 0
}
