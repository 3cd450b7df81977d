//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// built is the program in processes of its own, with a home of its own.
type built struct {
	t    *testing.T
	path string
	home string
}

func build(t *testing.T) built {
	t.Helper()
	b := built{t: t, path: filepath.Join(t.TempDir(), "card agent"), home: t.TempDir()}
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, b.path)
	}
	if err != nil {
		t.Fatal(err)
	}
	// A browser that writes down where it was sent.
	browser := "#!/bin/sh\nprintf '%s' \"$1\" > \"" + b.home + "/browser.$$\" && mv \"" + b.home + "/browser.$$\" \"" + b.home + "/browser\"\n"
	if err := os.WriteFile(filepath.Join(b.home, "xdg-open"), []byte(browser), 0o700); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b built) command(args ...string) *exec.Cmd {
	c := exec.CommandContext(b.t.Context(), b.path, args...)
	c.Env = append(os.Environ(), "HOME="+b.home, "XDG_CONFIG_HOME="+b.home+"/config", "XDG_DATA_HOME="+b.home+"/data",
		"XDG_STATE_HOME="+b.home+"/state", asProgram+"=1", "PATH="+b.home+":"+os.Getenv("PATH"))
	return c
}

// configure writes the user's own settings.
func (b built) configure(settings string) {
	b.t.Helper()
	dir := filepath.Join(b.home, "config", "tsunagu")
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "cardagent.json"), []byte(settings), 0o600)); err != nil {
		b.t.Fatal(err)
	}
}

func (b built) run(args ...string) string {
	b.t.Helper()
	out, err := b.command(args...).CombinedOutput()
	if err != nil {
		b.t.Fatalf("%v: %v: %s", args, err, out)
	}
	return string(out)
}

// Links that are opened at once, as a double click does, start one card app, and none of them is told that it does not start.
func TestLinksAtOnceStartOneCardApp(t *testing.T) {
	t.Parallel()
	_, cards := newHub(t)
	b, origin := build(t), freeOrigin(t)
	b.configure(fmt.Sprintf(`{"origin":%q,"trusted":[{"url":"http://localhost:8400"}],"cards":%q,"card":"taro"}`, origin, cards))
	t.Cleanup(func() { stopListener(t, origin) })
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if out, err := b.command("open", "--", "tsunagu-card:open").CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	all.Wait()
	apps := 0
	for end := time.Now().Add(10 * time.Second); apps != 1; time.Sleep(20 * time.Millisecond) {
		if apps = b.processes(); time.Now().After(end) {
			t.Fatalf("%d card apps", apps)
		}
	}
}

// processes counts what runs in this home.
func (b built) processes() (n int) {
	b.t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		b.t.Fatal(err)
	}
	for _, path := range all {
		if env, err := os.ReadFile(path); err == nil && strings.Contains(string(env), "\x00HOME="+b.home+"\x00") {
			n++
		}
	}
	return n
}

// A citizen who just got the program: it installs itself, a link starts it and opens the browser, the page takes the PIN, and the hub
// has a login. It takes seconds, and nothing but the citizen's own files was written.
func TestFirstStartToFirstLogin(t *testing.T) {
	t.Parallel()
	h, cards := newHub(t)
	b := build(t)
	origin := freeOrigin(t)
	b.configure(fmt.Sprintf(`{"origin":%q,"trusted":[{"url":%q,"name":"つなぐ"}],"cards":%q,"card":"taro"}`, origin, h.URL, cards))
	begin := time.Now()
	b.run("install")
	desktop, err := os.ReadFile(filepath.Join(b.home, "data", "applications", "tsunagu-cardagent.desktop"))
	if err != nil || !strings.Contains(string(desktop), `" open -- %u`) {
		t.Fatalf("%v: %s", err, desktop)
	}

	b.run("open", "--", "tsunagu-card:login?challenge="+url.QueryEscape(h.issue()))
	t.Cleanup(func() { stopListener(t, origin) })
	to, err := os.ReadFile(filepath.Join(b.home, "browser"))
	if err != nil || !strings.HasPrefix(string(to), origin+"/login?challenge=") {
		t.Fatalf("%v: %s", err, to)
	}
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := browser.Get(string(to))
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	token := regexp.MustCompile(`name="page" value="([^"]+)"`).FindSubmatch(page)
	if err != nil || token == nil || !strings.Contains(html.UnescapeString(string(page)), "見本e-Tax") {
		t.Fatalf("%v: %s", err, page)
	}
	form := url.Values{"page": {string(token[1])}, "card": {"taro"}, "pin": {"1234"}}
	if res, err = browser.PostForm(origin+"/login", form); err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.Header.Get("Location") != h.URL+"/login/return?code=good" {
		t.Fatalf("%d %s", res.StatusCode, res.Header.Get("Location"))
	}
	if took := time.Since(begin); took > time.Minute {
		t.Errorf("it took %v", took)
	} else {
		t.Logf("first start to first login: %v", took.Round(time.Millisecond))
	}
	if out := b.run("doctor"); strings.Contains(out, "[だめ]") || strings.Contains(out, "[注意]") {
		t.Error(out)
	}
	b.run("open", "tsunagu-card:open") // it runs already
	if to, err = os.ReadFile(filepath.Join(b.home, "browser")); err != nil || string(to) != origin+"/" {
		t.Errorf("%v: %s", err, to)
	}
}

// stopListener ends the card app at an address, which is nobody's child any more.
func stopListener(t *testing.T, origin string) {
	t.Helper()
	port := origin[strings.LastIndex(origin, ":")+1:]
	dirs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range dirs {
		b, err := os.ReadFile(path)
		if self, _ := os.Executable(); err != nil || strings.TrimRight(string(b), "\x00") != self {
			continue
		}
		var pid int
		if _, err := fmt.Sscanf(path, "/proc/%d/", &pid); err != nil {
			t.Error(err)
		}
		if listensOn(pid, port) {
			_ = syscall.Kill(pid, syscall.SIGTERM)
		}
	}
}

// listensOn says whether a process has the socket of a port (proc(5), /proc/net/tcp).
func listensOn(pid int, port string) bool {
	var n int
	if _, err := fmt.Sscan(port, &n); err != nil {
		return false
	}
	b, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return false
	}
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 10 || !strings.HasSuffix(f[1], fmt.Sprintf(":%04X", n)) || f[3] != "0A" {
			continue
		}
		for _, fd := range fds {
			if to, err := os.Readlink(fd); err == nil && to == "socket:["+f[9]+"]" {
				return true
			}
		}
	}
	return false
}

// console is a terminal whose person this test is.
type console struct {
	t      *testing.T
	person *os.File
	tty    *os.File
	seen   *bufio.Reader
}

func openConsole(t *testing.T) *console {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
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
	return &console{t: t, person: person, tty: tty, seen: bufio.NewReader(person)}
}

func (c *console) echoes() bool {
	c.t.Helper()
	s, err := unix.IoctlGetTermios(int(c.tty.Fd()), unix.TCGETS)
	if err != nil {
		c.t.Fatal(err)
	}
	return s.Lflag&unix.ECHO != 0
}

// start runs a command in the terminal, which belongs to it: Ctrl-C reaches it.
func (c *console) start(cmd *exec.Cmd) {
	c.t.Helper()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.tty, c.tty, c.tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
}

// until waits for a text and returns what was shown up to it.
func (c *console) until(text string) string {
	c.t.Helper()
	var b strings.Builder
	for !strings.Contains(b.String(), text) {
		r, _, err := c.seen.ReadRune()
		if err != nil {
			c.t.Fatalf("%v after %q", err, b.String())
		}
		b.WriteRune(r)
	}
	return b.String()
}

func (c *console) press(keys string) {
	c.t.Helper()
	for end := time.Now().Add(5 * time.Second); c.echoes(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatal("the terminal shows what is typed")
		}
	}
	if _, err := c.person.WriteString(keys); err != nil {
		c.t.Fatal(err)
	}
}

func TestTerminalOfACitizen(t *testing.T) {
	t.Parallel()
	h, cards := newHub(t)
	b := build(t)
	login := func() (*console, *exec.Cmd) {
		c := openConsole(t)
		cmd := b.command("login", "-issuer", h.URL, "-cards", cards, "-card", "taro", "-challenge", h.issue(), "-lang", "en")
		c.start(cmd)
		return c, cmd
	}
	c, cmd := login()
	if shown := c.until("3 tries left.: "); !strings.Contains(shown, "見本e-Tax (localhost:8402)") {
		t.Errorf("%q", shown)
	}
	c.press("1234\n")
	if shown := c.until("code=good"); strings.Contains(shown, "1234") {
		t.Errorf("the terminal showed the PIN: %q", shown)
	}
	if err := cmd.Wait(); err != nil || !c.echoes() {
		t.Errorf("%v, echo %v", err, c.echoes())
	}

	c, cmd = login()
	c.until("3 tries left.: ")
	c.press("\x03") // Ctrl-C
	if err := cmd.Wait(); err == nil || !c.echoes() {
		t.Errorf("%v, echo %v", err, c.echoes())
	}
	c.until("cancelled")

	// The old one, the new one, and the new one again.
	c = openConsole(t)
	cmd = b.command("change-pin", "-cards", cards, "-card", "taro", "-lang", "en")
	c.start(cmd)
	for _, step := range []string{"now (3 tries left): |1234", "The new one: |8642", "again: |8643"} {
		text, typed, _ := strings.Cut(step, "|")
		c.until(text)
		c.press(typed + "\n")
	}
	c.until("not the same")
	if err := cmd.Wait(); err == nil {
		t.Error("two different ones were taken")
	}

	// The first start says what begins, whom it trusts and how to change it.
	c = openConsole(t)
	origin := freeOrigin(t)
	cmd = b.command("-config", write(t, "c.json", fmt.Sprintf(`{"origin":%q,"trusted":[{"url":%q,"name":"Tsunagu"}],"cards":%q,"card":"taro"}`, origin, h.URL, cards)))
	cmd.Env = append(cmd.Env, "LANG=en_US.UTF-8")
	c.start(cmd)
	shown := c.until("ready " + origin)
	for _, want := range []string{origin + "/", "Answers sign-ins from: Tsunagu " + h.URL, "Settings: ", "cardagent install"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not in %q", want, shown)
		}
	}
	if _, err := c.person.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
