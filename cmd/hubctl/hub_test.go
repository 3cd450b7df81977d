package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/idp/admin/admintest"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

var shown = regexp.MustCompile(`type this code: (\S+)`)

// loginAt signs the person of a card in at a running hub, as she would: hubctl shows a code, a browser takes it.
func loginAt(t *testing.T, h *admintest.Hub, dir, card string) called {
	t.Helper()
	said, write := io.Pipe()
	var out, all bytes.Buffer
	done := make(chan int, 1)
	go func() {
		code := run(t.Context(), []string{"--home", dir, "--hub", h.URL, "login"}, streams{strings.NewReader(""), &out, write}, time.Now)
		_ = write.Close()
		done <- code
	}()
	b := make([]byte, 4096)
	for !shown.Match(all.Bytes()) {
		n, err := said.Read(b)
		all.Write(b[:n])
		if err != nil {
			t.Fatalf("%s %v", all.String(), err)
		}
	}
	h.Browser(t).Approve(shown.FindStringSubmatch(all.String())[1], card)
	rest, err := io.ReadAll(said)
	if err != nil {
		t.Fatal(err)
	}
	return called{<-done, out.String(), all.String() + string(rest)}
}

func must(t *testing.T, c called) called {
	t.Helper()
	if c.code != exitDone {
		t.Fatalf("%+v", c)
	}
	return c
}

// From a hub without operators to a service that waits for approval, by what is typed alone.
func TestFirstOperatorRegistersAService(t *testing.T) {
	t.Parallel() // it waits for the hub's polling interval
	dsn := sqldbtest.SQLite(t)
	h := admintest.Start(t, idptest.Options{DB: sqldbtest.OpenDSN(t, dsn)})
	dir := t.TempDir()

	if got := loginAt(t, h, dir, "hanako"); got.code != exitSignIn || !strings.Contains(got.err, "no operator yet") {
		t.Fatalf("%+v", got)
	}
	invited := must(t, call(t, dir, "", "operator", "invite", "--name", "hanako", "--role", "editor,security", "--database", dsn))
	if strings.Contains(invited.err, strings.TrimSpace(invited.out)) {
		t.Error("the code stands among messages")
	}
	if got := call(t, dir, "AAAA-AAAA-AAAA\n", "operator", "join"); got.code != exitRefused && got.code != exitUsage {
		t.Fatalf("%+v", got)
	}
	must(t, call(t, dir, invited.out, "operator", "join"))
	if got := must(t, call(t, dir, "", "whoami")); !strings.Contains(got.out, "hanako") || !strings.Contains(got.out, "editor, security") {
		t.Errorf("%+v", got)
	}

	path := file(t, service)
	if got := call(t, dir, "", "client", "apply", "--dry-run", "-f", path); got.code != exitDiffers || !strings.Contains(got.out, `+ redirect_uris: ["https://library.example.jp/callback"]`) {
		t.Errorf("%+v", got)
	}
	if got := must(t, call(t, dir, "", "client", "apply", "-f", path, "--note", "new")); got.out != "library: drafted\n" {
		t.Errorf("%+v", got)
	}
	if got := must(t, call(t, dir, "", "client", "apply", "-f", path, "--request")); got.out != "library: requested\n" {
		t.Errorf("%+v", got)
	}
	before := must(t, call(t, dir, "", "client", "show", "library", "--json"))
	if got := must(t, call(t, dir, "", "client", "apply", "-f", path, "--request")); got.out != "library: requested\n" {
		t.Errorf("%+v", got)
	}
	if after := must(t, call(t, dir, "", "client", "show", "library", "--json")); after.out != before.out {
		t.Errorf("the second time changed something:\n%s\n%s", before.out, after.out)
	}
	if got := call(t, dir, "", "client", "approve", "library", "--revision", "1"); got.code != exitRefused {
		t.Errorf("without the role: %+v", got)
	}
	if got := must(t, call(t, dir, "", "client", "list", "-q", "図書")); !strings.Contains(got.out, "library") {
		t.Errorf("%+v", got)
	}
	if got := call(t, dir, "", "client", "show", "nobody"); got.code != exitRefused {
		t.Errorf("%+v", got)
	}
	must(t, call(t, dir, "", "logout"))
	if got := call(t, dir, "", "whoami", "--hub", h.URL); got.code != exitSignIn {
		t.Errorf("%+v", got)
	}
}

// An access token that is over is renewed, unasked; one that the hub refuses as well.
func TestOldTokensAreRenewed(t *testing.T) {
	t.Parallel() // as above
	h := admintest.Start(t, idptest.Options{})
	dir := t.TempDir()
	h.Operator(t, "taro", "", adminapi.Viewer)
	must(t, loginAt(t, h, dir, "taro"))
	a := &app{dir: dir}
	for _, spoil := range []func(*login){
		func(l *login) { l.Until = time.Now().Add(-time.Hour) },
		func(l *login) { l.Access = "spoiled" },
	} {
		s, err := a.readState()
		if err != nil {
			t.Fatal(err)
		}
		l := s.Hubs[h.URL]
		old := l.Refresh
		spoil(&l)
		s.Hubs[h.URL] = l
		if err := a.writeState(s); err != nil {
			t.Fatal(err)
		}
		must(t, call(t, dir, "", "whoami"))
		if s, err = a.readState(); err != nil || s.Hubs[h.URL].Refresh == old || s.Hubs[h.URL].Access == l.Access {
			t.Errorf("not renewed: %v", err)
		}
	}
}

// A pipeline is an operator with a key, writes drafts, and approves nothing.
func TestProgramAppliesAndNeverApproves(t *testing.T) {
	h := admintest.Start(t, idptest.Options{})
	dir := t.TempDir()
	key := filepath.Join(t.TempDir(), "ci.pem")
	jwks := must(t, call(t, dir, "", "operator", "key", key)).out
	token, _ := h.Operator(t, "taro", "", adminapi.Security)
	registration, err := json.Marshal([]map[string]any{{
		"client_id": "ci", "client_name": "配備", "operator": "つなぐ運営", "grant_types": []string{"client_credentials"}, "scope": "admin",
		"token_endpoint_auth_method": "private_key_jwt", "jwks": json.RawMessage(jwks),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Clients.Seed(t.Context(), registration); err != nil {
		t.Fatal(err)
	}
	as := []string{"--hub", h.URL, "--client", "ci", "--key", key}
	if got := call(t, dir, "", append(as, "whoami")...); got.code != exitSignIn {
		t.Errorf("before it is an operator: %+v", got)
	}
	h.Call(t, token, http.MethodPost, "/api/operators", adminapi.NewOperator{Name: "pipeline", Roles: []adminapi.Role{adminapi.Editor}, Client: "ci"}).Into(t, nil)
	must(t, call(t, dir, "", append(as, "client", "apply", "--request", "-f", file(t, service))...))
	if got := call(t, dir, "", append(as, "client", "approve", "library", "--revision", "1")...); got.code != exitRefused {
		t.Errorf("%+v", got)
	}
	if got := call(t, dir, "", "whoami", "--hub", h.URL, "--client", "ci"); got.code != exitUsage {
		t.Errorf("a program without key: %+v", got)
	}
}

// An auditor trusts neither the hub nor its operators: what she kept is enough.
func TestAnExportIsJudgedByWhoKeptACheckpoint(t *testing.T) {
	t.Parallel() // as above
	h := admintest.Start(t, idptest.Options{})
	dir := t.TempDir()
	h.Operator(t, "taro", "", adminapi.Security)
	must(t, loginAt(t, h, dir, "taro"))
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("checkpoint", must(t, call(t, dir, "", "audit", "checkpoint", "create")).out)
	must(t, call(t, dir, "", "audit", "verify", "--checkpoint", at("checkpoint")))
	must(t, call(t, dir, "", "audit", "export", "-o", at("audit.jsonl")))
	if got := call(t, dir, "", "audit", "export", "-o", at("audit.jsonl")); got.code != exitUsage {
		t.Errorf("an export over another: %+v", got)
	}
	resp, err := idptest.Client().Get(h.Issuer + "/jwks")
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	write("jwks", string(jwks))
	check := func(file string) called {
		return call(t, dir, "", "audit", "check", "-f", at(file), "--checkpoint", at("checkpoint"), "--jwks", at("jwks"))
	}
	if got := must(t, check("audit.jsonl")); !strings.Contains(got.out, "all as they were written") {
		t.Errorf("%+v", got)
	}
	exported, err := os.ReadFile(at("audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(exported), "\n")
	write("altered.jsonl", strings.Replace(string(exported), `"actor":"`, `"actor":"x`, 1))
	write("short.jsonl", strings.Join(lines[:3], ""))
	write("gap.jsonl", strings.Join(lines[:3], "")+strings.Join(lines[4:], ""))
	write("torn.jsonl", strings.Join(lines[:3], "")+lines[3][:20])
	for file, want := range map[string]struct {
		code int
		says string
	}{
		"altered.jsonl": {exitDiffers, "altered"},
		"short.jsonl":   {exitDiffers, "checkpoint"},
		"gap.jsonl":     {exitDiffers, "row 4: missing"},
		"torn.jsonl":    {exitUsage, "line 4: is no row"},
		"none.jsonl":    {exitUsage, "no such file"},
	} {
		if got := check(file); got.code != want.code || !strings.Contains(got.err, want.says) {
			t.Errorf("%s: %+v", file, got)
		}
	}
	write("jwks", must(t, call(t, dir, "", "operator", "key", at("other.pem"))).out)
	if got := check("audit.jsonl"); got.code != exitDiffers || !strings.Contains(got.err, "not signed by these keys") {
		t.Errorf("foreign keys: %+v", got)
	}
}
