//go:build linux

package pinentry

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tsunagu-id/tsunagu/cardauth/agent"
)

// window is a stand-in for the program that shows windows: it writes down how it was called and types what a file says.
const window = `#!/bin/sh
printf '%s\n' "$@" > "$(dirname "$0")/called"
answer=$(cat "$(dirname "$0")/answer")
case "$answer" in
cancel) exit 1 ;;
slow) exec sleep 60 ;;
esac
printf '%s\n' "$answer"
`

var windows string

// The library looks for its program once.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "pinentry-")
	if err == nil {
		windows = dir
		err = os.WriteFile(filepath.Join(dir, "qarma"), []byte(window), 0o700)
	}
	if err == nil {
		err = os.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func answer(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(windows, "answer"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, err error, r agent.Reason) {
	t.Helper()
	if e, ok := errors.AsType[*agent.Error](err); !ok || e.Reason != r {
		t.Errorf("%v, want %v", err, r)
	}
}

func TestWindowTakesThePIN(t *testing.T) {
	q := agent.Question{Title: "Card", Text: "e-Tax --help; <b>PIN</b>"}
	if !(Dialog{}).Available() {
		t.Fatal("no window")
	}
	answer(t, "４938")
	if typed, err := (Dialog{}).Ask(t.Context(), q); err != nil || typed != "４938" {
		t.Errorf("%q, %v", typed, err)
	}
	b, err := os.ReadFile(filepath.Join(windows, "called"))
	if err != nil {
		t.Fatal(err)
	}
	if called := string(b); !strings.Contains(called, "--hide-text") || !strings.Contains(called, "--text\ne-Tax") || strings.Contains(called, "4938") {
		t.Errorf("%s", called)
	}
	// The programs behind the window read a backslash as the begin of an escape: a line end, or a letter that turns the text around.
	q.Text = `e-Tax\nSHA-256: 00 \342\200\256`
	answer(t, "4938")
	if _, err := (Dialog{}).Ask(t.Context(), q); err != nil {
		t.Error(err)
	}
	if b, err = os.ReadFile(filepath.Join(windows, "called")); err != nil || bytes.ContainsRune(b, '\\') || !bytes.Contains(b, []byte("e-Tax＼nSHA-256")) {
		t.Errorf("%s, %v", b, err)
	}
	answer(t, "cancel")
	_, err = Dialog{}.Ask(t.Context(), q)
	want(t, err, agent.Cancelled)
	answer(t, "slow")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err = Dialog{}.Ask(ctx, q)
	want(t, err, agent.EntryMissing)
	if time.Since(start) > 5*time.Second {
		t.Error("it did not end with its context")
	}
}

// console is a terminal: what a person at it sees and types.
type console struct {
	t      *testing.T
	person *os.File
	tty    *os.File
	lines  *bufio.Reader
}

func openConsole(t *testing.T) *console {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = person.Close() })
	if err = unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tty.Close() })
	return &console{t: t, person: person, tty: tty, lines: bufio.NewReader(person)}
}

func (c *console) echoes() bool {
	c.t.Helper()
	s, err := unix.IoctlGetTermios(int(c.tty.Fd()), unix.TCGETS)
	if err != nil {
		c.t.Fatal(err)
	}
	return s.Lflag&unix.ECHO != 0
}

func (c *console) until(what string, is func() bool) {
	c.t.Helper()
	for end := time.Now().Add(5 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatal("not in time: ", what)
		}
	}
}

func (c *console) typeLine(s string) {
	c.t.Helper()
	if _, err := c.person.WriteString(s + "\n"); err != nil {
		c.t.Fatal(err)
	}
}

func TestTerminalTakesThePINWithoutEcho(t *testing.T) {
	c := openConsole(t)
	if !IsTerminal(c.tty) || IsTerminal(nil) {
		t.Fatal("not seen as a terminal")
	}
	file, err := os.Open(filepath.Join(windows, "qarma"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	_, err = NewTerminal(file, c.tty).Ask(t.Context(), agent.Question{})
	want(t, err, agent.EntryMissing)
	var seen strings.Builder
	terminal := NewTerminal(c.tty, &seen)
	go func() {
		c.until("echo off", func() bool { return !c.echoes() })
		c.typeLine("4938")
	}()
	typed, err := terminal.Ask(t.Context(), agent.Question{Title: "Card", Text: "PIN"})
	if err != nil || typed != "4938" {
		t.Fatalf("%q, %v", typed, err)
	}
	c.until("echo on", c.echoes)
	c.typeLine("end")
	for line := ""; !strings.Contains(line, "end"); {
		if line, err = c.lines.ReadString('\n'); err != nil || strings.Contains(line, "4938") {
			t.Fatalf("the terminal showed %q, %v", line, err)
		}
	}
	if s := seen.String(); !strings.Contains(s, "Card\nPIN: ") || strings.Contains(s, "4938") {
		t.Errorf("%q", s)
	}
}

// Whoever gives up, with Ctrl-C or by waiting too long, finds the terminal as it was; and what is typed late answers no question.
func TestTerminalIsRestoredWhenItIsGivenUp(t *testing.T) {
	c := openConsole(t)
	terminal := NewTerminal(c.tty, new(strings.Builder))
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		c.until("echo off", func() bool { return !c.echoes() })
		stop()
	}()
	_, err := terminal.Ask(ctx, agent.Question{})
	want(t, err, agent.Cancelled)
	if !c.echoes() {
		t.Error("the terminal stays dark")
	}
	go func() {
		c.typeLine("0000") // too late
		c.until("echo off", func() bool { return !c.echoes() })
		c.typeLine("4938")
	}()
	if typed, err := terminal.Ask(t.Context(), agent.Question{}); err != nil || typed != "4938" {
		t.Errorf("%q, %v", typed, err)
	}
	terminal.Restore()
	if !c.echoes() {
		t.Error("the terminal stays dark")
	}
}
