package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
)

// called is what a run of hubctl came to.
type called struct {
	code     int
	out, err string
}

// call runs hubctl in a directory of its own.
func call(t *testing.T, dir, in string, args ...string) called {
	t.Helper()
	var out, err bytes.Buffer
	code := run(t.Context(), append([]string{"--home", dir}, args...), streams{strings.NewReader(in), &out, &err}, time.Now)
	return called{code, out.String(), err.String()}
}

const service = `{"client_id": "library", "client_name": "図書館", "client_name#en": "Library", "redirect_uris": ["https://library.example.jp/callback"], "contacts": ["it@library.example.jp"], "operator": "市立図書館"}`

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "service.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// signedIn makes the state of a login at an API that is a test's own.
func signedIn(t *testing.T, api http.HandlerFunc) (dir string) {
	t.Helper()
	srv := httptest.NewServer(api)
	t.Cleanup(srv.Close)
	dir = t.TempDir()
	a := &app{dir: dir}
	err := a.writeState(state{Current: srv.URL, Hubs: map[string]login{srv.URL: {Issuer: srv.URL, Access: "token", Until: time.Now().Add(time.Hour)}}})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestEveryMistakeHasItsExitCode(t *testing.T) {
	problem := func(status int, p adminapi.Problem) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(p)
		}
	}
	nobody := t.TempDir()
	for _, tt := range []struct {
		name string
		dir  string
		args []string
		code int
		says string
	}{
		{"no such command", nobody, []string{"client", "lst"}, exitUsage, `no command "lst"; see hubctl client --help`},
		{"no such flag", nobody, []string{"client", "list", "--stat", "live"}, exitUsage, "unknown flag"},
		{"flag left out", nobody, []string{"client", "suspend", "x"}, exitUsage, `"reason" not set`},
		{"argument left out", nobody, []string{"client", "show"}, exitUsage, "accepts 1 arg"},
		{"no hub", nobody, []string{"whoami"}, exitUsage, "hubctl login --hub"},
		{"no address", nobody, []string{"whoami", "--hub", "http://hub.example.jp"}, exitUsage, "must begin with https://"},
		{"a path", nobody, []string{"whoami", "--hub", "https://hub.example.jp/api"}, exitUsage, "is not an address"},
		{"not signed in", nobody, []string{"whoami", "--hub", "http://localhost:1"}, exitSignIn, "hubctl login"},
		{"no file", nobody, []string{"client", "check", "-f", "/nowhere.json"}, exitUsage, "no such file"},
		{"not JSON", nobody, []string{"client", "check", "-f", file(t, "{")}, exitUsage, "is not JSON"},
		{"a bad service", nobody, []string{"client", "check", "-f", file(t, strings.Replace(service, "/callback", "/callback#x", 1))}, exitUsage, "redirect_uris[0]"},
		{"a good service", nobody, []string{"client", "check", "-f", file(t, service)}, exitDone, ""},
		{"retired without a second word", nobody, []string{"client", "retire", "library", "--reason", "closed"}, exitUsage, "--confirm library"},
		{"the hub says no", signedIn(t, problem(409, adminapi.Problem{Status: 409, Reason: adminapi.Conflict, Detail: "somebody was faster", Current: &adminapi.Draft{Revision: 7, By: "op-2"}})),
			[]string{"client", "request", "library", "--revision", "6"}, exitRefused, "saved meanwhile by op-2, revision 7"},
		{"fields are wrong", signedIn(t, problem(422, adminapi.Problem{Status: 422, Reason: adminapi.Invalid, Detail: "2 fields", Errors: []adminapi.FieldError{{Field: "logo", Problem: "is no picture", Remedy: "use PNG"}}})),
			[]string{"client", "request", "library", "--revision", "6"}, exitRefused, "logo is no picture: use PNG"},
		{"no operator", signedIn(t, problem(403, adminapi.Problem{Status: 403, Reason: adminapi.NotOperator, Detail: "nobody here"})), []string{"client", "list"}, exitSignIn, "nobody here"},
		{"token over", signedIn(t, problem(401, adminapi.Problem{Status: 401, Reason: adminapi.Unauthenticated})), []string{"client", "list"}, exitSignIn, "hubctl login"},
		{"the hub's fault", signedIn(t, problem(503, adminapi.Problem{Status: 503, Reason: adminapi.Failed, Detail: "later"})), []string{"client", "list"}, exitFailed, "later"},
		{"something else listens there", signedIn(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "hello", 404) }), []string{"client", "list"}, exitFailed, "is --hub the operators' address?"},
		{"hangs up", signedIn(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), []string{"client", "list"}, exitFailed, "does not answer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := call(t, tt.dir, "", tt.args...)
			if got.code != tt.code || !strings.Contains(got.err, tt.says) {
				t.Errorf("%d %q, want %d %q", got.code, got.err, tt.code, tt.says)
			}
			if got.code != exitDone && got.out != "" {
				t.Errorf("standard output: %q", got.out)
			}
		})
	}
}

func TestDirectoriesOfFiles(t *testing.T) {
	path := file(t, service)
	if got := call(t, t.TempDir(), "", "client", "check", "-f", filepath.Dir(path)); got.code != exitDone || got.out != "library: good\n" {
		t.Errorf("%+v", got)
	}
	if got := call(t, t.TempDir(), "", "client", "check", "-f", t.TempDir()); got.code != exitUsage || !strings.Contains(got.err, "holds no *.json") {
		t.Errorf("%+v", got)
	}
	if got := call(t, t.TempDir(), service, "client", "check", "-f", "-"); got.code != exitDone {
		t.Errorf("%+v", got)
	}
}

// A slip in the last file stops everything, before the first service is sent.
func TestNothingIsAppliedIfOneFileIsWrong(t *testing.T) {
	asked := 0
	dir := signedIn(t, func(http.ResponseWriter, *http.Request) { asked++ })
	bad := file(t, strings.Replace(service, "https://", "ftp://", 1))
	if got := call(t, dir, "", "client", "apply", "-f", file(t, service), "-f", bad); got.code != exitUsage || asked != 0 {
		t.Errorf("%+v, %d calls", got, asked)
	}
}

func TestStateIsNobodyElses(t *testing.T) {
	dir := signedIn(t, func(http.ResponseWriter, *http.Request) {})
	path := filepath.Join(dir, "state.json")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info, err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := call(t, dir, "", "whoami"); got.code != exitUsage || !strings.Contains(got.err, "can be read by others") {
		t.Errorf("%+v", got)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := call(t, dir, "", "whoami"); got.code != exitUsage || !strings.Contains(got.err, "damaged") {
		t.Errorf("%+v", got)
	}
}

// What strangers wrote into a name steers no terminal and breaks no table.
func TestTextsOfOthersAreHarmless(t *testing.T) {
	dir := signedIn(t, func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(adminapi.ClientList{Items: []adminapi.Client{{ClientID: "x", Name: "\x1b]0;gone\x07\u202eevil\tname\nline", State: "live"}}, Total: 1})
	})
	got := call(t, dir, "", "client", "list")
	if got.code != exitDone || strings.ContainsAny(got.out, "\x1b\x07\u202e") || strings.Count(got.out, "\n") != 2 {
		t.Errorf("%+v", got)
	}
}

func TestDiffNamesWhatChanges(t *testing.T) {
	d, err := diffOf(json.RawMessage(`{"a":1,"b":[1,2],"c":"x"}`), json.RawMessage(`{"a":1,"b":[1],"d":true}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%s", d.Changes); got != `[{b [1,2] [1]} {d null true} {c "x" null}]` {
		t.Error(got)
	}
}

func TestShellsComplete(t *testing.T) {
	dir := signedIn(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/clients" || r.URL.Query().Get("q") != "lib" {
			t.Errorf("%s", r.URL)
		}
		_ = json.NewEncoder(w).Encode(adminapi.ClientList{Items: []adminapi.Client{{ClientID: "library", Name: "図書館"}, {ClientID: "city-library", Name: "市立"}}})
	})
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if got := call(t, dir, "", "completion", shell); got.code != exitDone || !strings.Contains(got.out, "hubctl") {
			t.Errorf("%s: %d %.100s", shell, got.code, got.err)
		}
	}
	got := call(t, dir, "", "__complete", "client", "show", "lib")
	if !strings.Contains(got.out, "library\t図書館") || strings.Contains(got.out, "city-library") {
		t.Errorf("%+v", got)
	}
	if got := call(t, dir, "", "__complete", "client", "list", "--state", ""); !strings.Contains(got.out, "suspended") {
		t.Errorf("%+v", got)
	}
}

func FuzzReadService(f *testing.F) {
	f.Add([]byte(service))
	f.Add([]byte(`[` + service + `]`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		a := &app{streams: streams{in: bytes.NewReader(b)}}
		list, err := a.readServices("-")
		if err != nil {
			return
		}
		for _, d := range list {
			if p, err := parseService(d); err == nil {
				if again, err := parseService(p.canonical); err != nil || !bytes.Equal(again.canonical, p.canonical) {
					t.Errorf("%s: %v", p.canonical, err)
				}
			}
		}
	})
}
