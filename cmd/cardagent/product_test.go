package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
)

// freeOrigin is an address of our own that nobody uses.
func freeOrigin(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return "http://" + l.Addr().String()
}

// settings writes a configuration file.
func settings(t *testing.T, c config) string {
	t.Helper()
	m := map[string]any{"origin": c.Origin, "trusted": c.Trusted, "state": t.TempDir()}
	for key, value := range map[string]string{"cards": c.Cards, "card": c.Card, "pin": c.PIN} {
		if value != "" {
			m[key] = value
		}
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "c.json", string(b))
}

// decoded reads what -json printed.
func (s session) decoded(t *testing.T) map[string]any {
	t.Helper()
	out := map[string]any{}
	if err := json.Unmarshal([]byte(s.out), &out); err != nil {
		t.Fatalf("%v: %s", err, s.out)
	}
	return out
}

func TestDoctorAndInfo(t *testing.T) {
	t.Parallel()
	h, cards := newHub(t)
	origin := freeOrigin(t)
	with := func(card string) string {
		return settings(t, config{Origin: origin, Trusted: []issuer{{URL: h.URL}}, Cards: cards, Card: card})
	}
	taro, blocked, phone, expired := with("taro"), with("blocked"), with("phone"), with("expired")

	cardagent(t, "", "doctor", "-config", taro, "-lang", "en").want(t, exitFailed, "[FAIL]  The card app is not running. [T-902]", "[T-902]")
	start(t, "-config", taro)
	cardagent(t, "", "doctor", "-config", taro).want(t, exitDone, "このパソコンでカードによるログインができます", "")
	cardagent(t, "", "doctor", "-config", taro, "-json").want(t, exitDone, `"login_works": true`, "")
	cardagent(t, "", "doctor", "-config", blocked).want(t, exitCard, "[T-302]", "T-302")
	cardagent(t, "", "doctor", "-config", expired, "-lang", "en").want(t, exitCard, "[T-507]", "T-507")

	s := cardagent(t, "", "info", "-config", taro, "-json")
	s.want(t, exitDone, `"token": "card"`, "")
	card := s.decoded(t)["cards"].([]any)[0].(map[string]any)
	if card["token"] != "card" || card["pin_tries_left"] != 3.0 || card["signing_tries_left"] != 5.0 || card["auth_certificate"] != true {
		t.Errorf("%v", card)
	}
	if end, err := time.Parse(time.RFC3339, card["auth_not_after"].(string)); err != nil || !end.After(time.Now()) {
		t.Errorf("%v, %v", card["auth_not_after"], err)
	}
	cardagent(t, "", "info", "-config", phone, "-lang", "en").want(t, exitDone, "A phone's certificate", "")
	cardagent(t, "", "info", "-config", blocked, "-lang", "en").want(t, exitDone, "The 4-digit PIN is locked.", "")

	// What went wrong is remembered by its code.
	cardagent(t, "0000", "login", "-config", taro, "-challenge", h.issue(), "-pin-file", "-").want(t, exitCard, "", "pin_wrong")
	cardagent(t, "", "doctor", "-config", taro, "-json").want(t, exitDone, `"code": "T-301"`, "")
	h.Close()
	cardagent(t, "", "doctor", "-config", taro).want(t, exitHub, "[T-401]", "T-401")
}

func TestLoginAnswersPrograms(t *testing.T) {
	t.Parallel()
	h, cards := newHub(t)
	login := func(pin string, more ...string) session {
		t.Helper()
		return cardagent(t, pin, append([]string{"login", "-issuer", h.URL, "-cards", cards, "-challenge", h.issue(), "-pin-file", "-", "--json"}, more...)...)
	}
	if got := login("1234", "-card", "taro"); got.code != exitDone || got.decoded(t)["return_uri"] != h.URL+"/login/return?code=good" {
		t.Errorf("%+v", got)
	}
	if got := login("0000", "-card", "taro"); got.code != exitCard || got.decoded(t)["error"] != "pin_wrong" ||
		got.decoded(t)["tries_left"] != 2.0 || got.decoded(t)["code"] != "T-301" {
		t.Errorf("%+v", got)
	}
	if got := login("1234", "-card", "revoked"); got.code != exitHub || got.decoded(t)["error"] != "cert_revoked" || got.decoded(t)["return_uri"] == nil {
		t.Errorf("%+v", got)
	}
	if got := login("12", "-card", "taro"); got.code != exitUsage || got.decoded(t)["error"] != "pin_malformed" {
		t.Errorf("%+v", got)
	}
	if got := login("1234"); got.code != exitUsage || got.decoded(t)["error"] != "usage" {
		t.Errorf("%+v", got)
	}
}

func TestChangePIN(t *testing.T) {
	t.Parallel()
	h, cards := newHub(t)
	change := func(lines string, more ...string) session {
		t.Helper()
		return cardagent(t, lines, append([]string{"change-pin", "-cards", cards, "-card", "taro", "-issuer", h.URL, "-pin-file", "-", "-lang", "en"}, more...)...)
	}
	login := func(pin string) session {
		t.Helper()
		return cardagent(t, pin, "login", "-issuer", h.URL, "-cards", cards, "-card", "taro", "-challenge", h.issue(), "-pin-file", "-")
	}
	for _, bad := range []string{"1234\n", "1234\n12345\n", "1234\n1234\n", "abcd\n1234\n", "1234\n5678\n5678\n"} {
		if s := change(bad); s.code != exitUsage {
			t.Errorf("%q: %+v", bad, s)
		}
	}
	login("1234").want(t, exitDone, "code=good", "") // no try was spent: it would say so below
	change("0000\n8642\n").want(t, exitCard, "", "pin_wrong: tries left: 2")
	change("１２３４\r\n8642\r\n").want(t, exitDone, "Changed.", "")
	login("1234").want(t, exitCard, "", "tries left: 2")
	login("8642").want(t, exitDone, "code=good", "")
	change("1111\n2222\n").want(t, exitCard, "", "tries left: 2")
	change("1111\n2222\n").want(t, exitCard, "", "tries left: 1")
	change("8642\n2222\n").want(t, exitCard, "", "pin_last_try: tries left: 1")
	change("8642\n2222\n", "-last-try", "--json").want(t, exitDone, `"changed": true`, "")

	password := func(lines string) session { return change(lines, "-secret", "password") }
	password("ABC123\nonlyletters\n").want(t, exitUsage, "", "password_malformed")
	password("WRONG1\nnew1pass\n").want(t, exitCard, "", "password_wrong: tries left: 4")
	password("abc123\nnew1pass\n").want(t, exitDone, "Changed.", "")
	password("ABC123\nother2pass\n").want(t, exitCard, "", "password_wrong: tries left: 4")
	change("x\ny\n", "-secret", "both").want(t, exitUsage, "", "-secret")
	if s := change("1234\n0000\n", "--json"); s.code != exitCard || s.decoded(t)["changed"] != false || s.decoded(t)["tries_left"] != 2.0 {
		t.Errorf("%+v", s)
	}
}

func TestAnotherCardAppIsRecognised(t *testing.T) {
	t.Parallel()
	h, cards := newHub(t)
	path := settings(t, config{Origin: freeOrigin(t), Trusted: []issuer{{URL: h.URL}}, Cards: cards, Card: "taro"})
	start(t, "-config", path)
	cardagent(t, "", "-config", path).want(t, exitRunning, "", "already running")

	nameless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, programName+"\n") }))
	defer nameless.Close()
	if version, ok := (config{Origin: nameless.URL}).running(t.Context()); !ok || version != "" {
		t.Errorf("a card app that tells no version: %q, %v", version, ok)
	}

	l, err := net.Listen("tcp", "127.0.0.1:0") // somebody else's
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
			_ = conn.Close()
		}
	}()
	path = settings(t, config{Origin: "http://" + l.Addr().String(), Trusted: []issuer{{URL: h.URL}}, Cards: cards, Card: "taro"})
	cardagent(t, "", "-config", path).want(t, exitFailed, "", "address already in use")
}

func TestOpenRefusesWhatIsNoLinkOfATrustedHub(t *testing.T) {
	t.Parallel()
	h, cards := newHub(t)
	path := settings(t, config{Origin: freeOrigin(t), Trusted: []issuer{{URL: h.URL}}, Cards: cards, Card: "taro"})
	open := func(link ...string) session {
		return cardagent(t, "", append([]string{"open", "-config", path, "--"}, link...)...)
	}
	open("tsunagu-card:login?challenge=http://stranger.example/card/challenges/"+strings.Repeat("a", 43)).want(t, exitNotAsked, "", "issuer_untrusted")
	open("tsunagu-card:install").want(t, exitFailed, "", "invalid_request")
	open("-check").want(t, exitFailed, "", "invalid_request")
	open().want(t, exitUsage, "", "one link")
	open("tsunagu-card:open", "x").want(t, exitUsage, "", "one link")
	if s := cardagent(t, "", "open", "-config", path, "--json", "--", "x:y"); s.decoded(t)["opened"] != false || s.decoded(t)["code"] != "T-101" {
		t.Errorf("%+v", s)
	}
}

func TestInstallCommand(t *testing.T) {
	home := t.TempDir()
	for name, dir := range map[string]string{"XDG_CONFIG_HOME": "config", "XDG_DATA_HOME": "data", "XDG_RUNTIME_DIR": "run"} {
		t.Setenv(name, filepath.Join(home, dir))
	}
	path := settings(t, config{Origin: freeOrigin(t), Trusted: []issuer{{URL: "http://localhost:8400"}}})
	install := func(args ...string) session {
		t.Helper()
		return cardagent(t, "", append([]string{"install", "-config", path, "-os", "linux", "-program", "/opt/cardagent"}, args...)...)
	}
	install("-dry-run").want(t, exitDone, "x-scheme-handler/tsunagu-card", "")
	if _, err := os.Stat(filepath.Join(home, "config")); err == nil {
		t.Error("a dry run wrote something")
	}
	install().want(t, exitDone, "new "+filepath.Join(home, "data", "applications", "tsunagu-cardagent.desktop"), "")
	s := install("--json")
	s.want(t, exitDone, `"unchanged"`, "")
	if strings.Contains(s.out, `"new"`) || strings.Contains(s.out, `"changed"`) {
		t.Errorf("the second time: %s", s.out)
	}
	// What starts at login works as the one that was installed does.
	cardagent(t, "", "install", "-dry-run", "-phone", "-program", "/opt/cardagent").want(t, exitDone, `ExecStart="/opt/cardagent" "-phone"`, "")
	cardagent(t, "", "install", "-pin", "terminal", "-program", "/opt/cardagent").want(t, exitUsage, "", "terminal")
	s = cardagent(t, "", "install", "-json", "-program", "relative")
	s.want(t, exitUsage, `"error": "usage"`, "absolute")
	if link, auto, known := registered(); !link || !auto || !known {
		t.Errorf("link %v, start %v, known %v", link, auto, known)
	}
	cardagent(t, "", "uninstall", "--json").want(t, exitDone, `"removed"`, "")
	cardagent(t, "", "uninstall").want(t, exitDone, "", "")
	if link, auto, _ := registered(); link || auto {
		t.Error("still there")
	}
	dir := filepath.Join(home, "out")
	for system, program := range map[string]string{"darwin": "/Applications/cardagent", "windows": `C:\cardagent.exe`} {
		cardagent(t, "", "install", "-os", system, "-program", program, "-dir", dir).want(t, exitDone, "install.", "")
		cardagent(t, "", "install", "-os", system).want(t, exitUsage, "", "-program")
	}
	cardagent(t, "", "install", "-os", "windows", "-program", `C:\cardagent.exe`, "-card", "x", "-ca", `C:\ca.pem`, "-dir", dir, "-dry-run").
		want(t, exitUsage, "", "another system") // whose files these are nobody here can tell
	cardagent(t, "", "install", "-os", "plan9").want(t, exitUsage, "", "plan9")
}

// What was installed and runs does not go on running when it is taken away.
func TestUninstallStopsWhatRuns(t *testing.T) {
	home := t.TempDir()
	for name, dir := range map[string]string{"XDG_CONFIG_HOME": "config", "XDG_DATA_HOME": "data", "XDG_RUNTIME_DIR": "run"} {
		t.Setenv(name, filepath.Join(home, dir))
	}
	t.Setenv("PATH", home+":"+os.Getenv("PATH"))
	called := filepath.Join(home, "called")
	systemctl := fmt.Sprintf("#!/bin/sh\nls %s/config/systemd/user | grep -c cardagent >> %s\necho \"$@\" >> %[2]s\n", home, called)
	if err := errors.Join(
		os.MkdirAll(filepath.Join(home, "run", "systemd", "private"), 0o700), os.WriteFile(filepath.Join(home, "systemctl"), []byte(systemctl), 0o700),
	); err != nil {
		t.Fatal(err)
	}
	commands := func() string {
		t.Helper()
		b, err := os.ReadFile(called)
		if err = errors.Join(err, os.Remove(called)); err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	cardagent(t, "", "install", "-program", "/opt/cardagent").want(t, exitDone, "new ", "")
	if got := commands(); got != "1\n--user daemon-reload\n1\n--user restart tsunagu-cardagent.service\n" {
		t.Errorf("install: %q", got)
	}
	cardagent(t, "", "uninstall").want(t, exitDone, "removed", "")
	if got := commands(); got != "1\n--user stop tsunagu-cardagent.service\n0\n--user daemon-reload\n" {
		t.Errorf("uninstall: %q", got)
	}
}

func TestVersionAndCompletion(t *testing.T) {
	t.Parallel()
	cardagent(t, "", "version").want(t, exitDone, "tsunagu-cardagent ", "")
	cardagent(t, "", "version", "--json").want(t, exitDone, `"name": "tsunagu-cardagent"`, "")
	cardagent(t, "", "completion", "bash").want(t, exitDone, "change-pin", "")
	cardagent(t, "", "completion", "fish").want(t, exitUsage, "", "bash")
}

// A card is taken out, put back and swapped while the program runs.
func TestVirtualCardIsSwappedWhileItRuns(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
			_, _ = conn.Write([]byte{0, 1, 1, 0, 1, 4}) // power on; ATR?
		}
	}()
	addr := l.Addr().String()
	dir := t.TempDir()
	if _, err := cardtest.LoadOrCreatePKI(dir, time.Now, ""); err != nil {
		t.Fatal(err)
	}
	lines := "out\nout\nin\nin hanako\nin nobody\nnonsense\n"
	var out, complaints strings.Builder
	ctx := t.Context()
	v := func() error {
		pki, err := cardtest.LoadOrCreatePKI(dir, time.Now, "")
		if err != nil {
			return err
		}
		s := &slot{drawer: pki.Drawer(), addr: addr, out: &out, err: &complaints}
		said := words(strings.NewReader(lines))
		if err := s.insert(ctx, "taro"); err != nil {
			return err
		}
		for w := range said {
			if err := s.obey(ctx, w); err != nil {
				return err
			}
		}
		s.pull()
		return nil
	}
	if err := v(); err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll("inserted taro A\nremoved taro A\ninserted taro A\ninserted hanako A\n", "A", addr)
	if out.String() != want {
		t.Errorf("%s\nwant\n%s", &out, want)
	}
	if s := complaints.String(); strings.Count(s, "\n") != 2 || !strings.Contains(s, "nobody") {
		t.Errorf("%q", s)
	}
	if _, ok := aliasOfVirtual([]string{"-virtual"}); ok {
		t.Error("a card without a name")
	}
	args, _ := aliasOfVirtual([]string{"-virtual", "taro", "-pki", dir, "-vpcd", addr})
	b := start(t, append([]string{"virtual"}, args...)...)
	if b.line != "inserted taro "+addr+"\n" {
		t.Errorf("%q %s", b.line, b.err)
	}
}

func TestSignCommand(t *testing.T) {
	t.Parallel()
	h, cards := newHub(t)
	sign := func(password string, more ...string) session {
		t.Helper()
		return cardagent(t, password, append([]string{"sign", "-issuer", h.URL, "-cards", cards, "-card", "taro",
			"-request", h.ask("確定申告書"), "-pin-file", "-"}, more...)...)
	}
	sign("abc123\n").want(t, exitDone, h.URL+"/sign/return?code=good\n", "")
	if s := sign("ABC123", "--json"); s.code != exitDone || s.decoded(t)["document"] != "確定申告書" || s.decoded(t)["service"] != "見本e-Tax" {
		t.Errorf("%+v", s)
	}
	sign("1234").want(t, exitUsage, "", "password_malformed")
	sign("WRONG1").want(t, exitCard, "", "password_wrong: tries left: 4")
	sign("ABC123", "-card", "nobody").want(t, exitUsage, "", "nobody")
	cardagent(t, "ABC123", "sign", "-cards", cards, "-card", "taro", "-request", h.ask("x"), "-pin-file", "-").want(t, exitNotAsked, "", "issuer_untrusted")
	cardagent(t, "", "sign").want(t, exitUsage, "", "-request")
	cardagent(t, "", "sign", "-issuer", h.URL, "-cards", cards, "-card", "taro", "-request", h.ask("x")).want(t, exitUsage, "", "no terminal")
}
