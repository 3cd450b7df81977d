package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// asProgram makes the test binary the program.
const asProgram = "CARDAGENT_TEST_AS_PROGRAM"

// Nothing of the user's own is read or written.
func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	home, err := os.MkdirTemp("", "cardagent-home-")
	if err != nil {
		panic(err)
	}
	for name, value := range map[string]string{
		"HOME": home, "XDG_CONFIG_HOME": filepath.Join(home, "config"), "XDG_DATA_HOME": filepath.Join(home, "data"),
		"XDG_STATE_HOME": filepath.Join(home, "state"), "XDG_RUNTIME_DIR": filepath.Join(home, "run"), "LANG": "ja_JP.UTF-8", "LC_ALL": "",
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	code := m.Run()
	_ = os.RemoveAll(home)
	os.Exit(code)
}

// session runs the program once, as a shell would.
type session struct {
	code     int
	out, err string
}

func cardagent(t *testing.T, stdin string, args ...string) session {
	t.Helper()
	var out, err bytes.Buffer
	code := run(t.Context(), args, streams{strings.NewReader(stdin), &out, &err}, time.Now)
	if s := err.String(); strings.Count(s, "\n") > 1 {
		t.Errorf("more than one line: %q", s)
	}
	return session{code, out.String(), err.String()}
}

// want fails the test unless the program ended so; an empty text means that nothing was printed there.
func (s session) want(t *testing.T, code int, out, err string) {
	t.Helper()
	if s.code != code || !strings.Contains(s.out, out) || !strings.Contains(s.err, err) || (out == "") != (s.out == "") || (err == "") != (s.err == "") {
		t.Errorf("code %d, out %q, err %q; want %d, %q, %q", s.code, s.out, s.err, code, out, err)
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoginCommand(t *testing.T) {
	t.Parallel()
	h, cards := newHub(t)
	right, wrong := write(t, "pin", "1234\n"), write(t, "pin", "0000")
	login := func(card, pinFile string, more ...string) session {
		t.Helper()
		return cardagent(t, "１２３４\r\n", append([]string{"login", "-issuer", h.URL, "-cards", cards, "-card", card,
			"-challenge", h.issue(), "-pin-file", pinFile}, more...)...)
	}
	back := h.URL + "/login/return?code="
	login("taro", right).want(t, exitDone, back+"good\n", "")
	login("taro", "-").want(t, exitDone, back+"good\n", "")
	login("phone", right).want(t, exitDone, back+"good\n", "")
	login("revoked", right).want(t, exitHub, back+"cert_revoked\n", "cert_revoked")
	login("expired", right).want(t, exitHub, back+"cert_expired\n", "cert_expired")
	login("blocked", right).want(t, exitCard, "", "pin_locked")
	login("nobody", right).want(t, exitUsage, "", "nobody")
	login("taro", write(t, "pin", "123")).want(t, exitUsage, "", "pin_malformed")
	login("taro", write(t, "pin", strings.Repeat("1", 1000))).want(t, exitUsage, "", "pin_malformed")
	login("taro", "/nowhere").want(t, exitUsage, "", "/nowhere")

	login("taro", wrong).want(t, exitCard, "", "pin_wrong: tries left: 2\n")
	login("taro", wrong).want(t, exitCard, "", "pin_wrong: tries left: 1\n")
	login("taro", wrong).want(t, exitCard, "", "pin_last_try: tries left: 1\n")
	login("taro", right, "-last-try").want(t, exitDone, back+"good\n", "")
}

func TestLoginCommandRefusesStrangers(t *testing.T) {
	t.Parallel()
	h, cards := newHub(t)
	pin := write(t, "pin", "1234")
	login := func(challenge string, more ...string) session {
		t.Helper()
		return cardagent(t, "", append([]string{"login", "-cards", cards, "-card", "taro", "-challenge", challenge, "-pin-file", pin}, more...)...)
	}
	login(h.issue()).want(t, exitNotAsked, "", "issuer_untrusted")
	login("nonsense", "-issuer", h.URL).want(t, exitNotAsked, "", "challenge_address")
	login(h.URL+"/card/challenges/"+strings.Repeat("a", 43), "-issuer", h.URL).want(t, exitHub, "", "challenge_unknown")
	challenge := h.issue()
	h.Close()
	login(challenge, "-issuer", h.URL).want(t, exitFailed, "", "hub_unreachable")
}

func TestUsage(t *testing.T) {
	t.Parallel()
	_, cards := newHub(t)
	for _, c := range []struct {
		args []string
		code int
		text string
	}{
		{[]string{"dance"}, exitUsage, `no command "dance"`},
		{[]string{"-nonsense"}, exitUsage, "nonsense"},
		{[]string{"-check", "-cards", t.TempDir()}, exitUsage, "auth-ca.pem"},
		{[]string{"-check", "-cards", cards, "extra"}, exitUsage, "extra"},
		{[]string{"-check", "-cards", cards, "-card", "nobody"}, exitUsage, "nobody"},
		{[]string{"-check", "-cards", cards, "-card", "taro", "-issuer", "http://hub.example"}, exitUsage, "loopback"},
		{[]string{"-check", "-cards", cards, "-card", "taro", "-ca", write(t, "ca.pem", "nothing")}, exitUsage, "no certificate"},
		{[]string{"-check", "-config", write(t, "c.json", `{"home_page":"x"}`)}, exitUsage, "home_page"},
		{[]string{"-check", "-config", write(t, "c.json", `{"cards":"`+cards+`","card":"taro","origin":"https://127.0.0.1:8404"}`)}, exitUsage, "certificate_file"},
		{[]string{"-check", "-config", write(t, "c.json", `{"cards":"`+cards+`","key_file":"x"}`)}, exitUsage, "belong together"},
		{[]string{"login"}, exitUsage, "-challenge"},
		{[]string{"login", "-challenge", "x", "-pin-file", "y", "-cards", cards}, exitUsage, "-card"},
	} {
		cardagent(t, "", c.args...).want(t, c.code, "", c.text)
	}
	cardagent(t, "", "-help").want(t, exitDone, "usage:", "")
	cardagent(t, "", "login", "-h").want(t, exitDone, "usage:", "")
	cardagent(t, "", "-check", "-cards", cards, "-card", "taro").want(t, exitDone, "", "")
}

// The program serves its pages, and its journal can be verified afterwards.
func TestServe(t *testing.T) {
	t.Parallel()
	h, cards := newHub(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	origin := "http://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	journal := filepath.Join(t.TempDir(), "journal.db")
	path := write(t, "c.json", `{"origin":"`+origin+`","trusted":[{"url":"`+h.URL+`","name":"つなぐ"}],"cards":"`+cards+
		`","card":"taro","journal":"`+journal+`"}`)
	ctx, stop := context.WithCancel(t.Context())
	out, ready := io.Pipe()
	ended := make(chan int, 1)
	var failures bytes.Buffer
	go func() { ended <- run(ctx, []string{"-config", path}, streams{nil, ready, &failures}, time.Now) }()
	line := make([]byte, 100)
	n, err := out.Read(line)
	if err != nil || string(line[:n]) != "ready "+origin+"\n" {
		t.Fatalf("%q, %v", line[:n], err)
	}
	for target, status := range map[string]int{
		"/": http.StatusOK, "/healthz": http.StatusOK, "/readyz": http.StatusOK, "/login?challenge=" + h.issue(): http.StatusOK,
		"/login?challenge=http://stranger.example/card/challenges/" + strings.Repeat("a", 43): http.StatusForbidden,
	} {
		res, err := http.Get(origin + target)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != status {
			t.Errorf("%s: status %d, want %d", target, res.StatusCode, status)
		}
	}
	stop()
	if code := <-ended; code != exitDone || failures.Len() > 0 {
		t.Errorf("code %d, %q", code, failures.String())
	}
	db, err := sqldb.Open(t.Context(), "sqlite:"+journal)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	chain, err := audit.New(t.Context(), db, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := chain.List(t.Context(), audit.Query{Limit: 10})
	if err != nil || len(rows) != 1 || rows[0].Kind != "agent.issuer_untrusted" {
		t.Errorf("%+v, %v", rows, err)
	}
	if err := chain.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}
