package conf_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/conf"
)

type name string

// sample has one field of every shape that configurations use.
type sample struct {
	Issuer  string          `json:"issuer"`
	Port    uint16          `json:"port,omitempty"`
	Debug   bool            `json:"debug"`
	Life    conf.Duration   `json:"life"`
	Secret  conf.SecretFile `json:"secret"`
	Clients []client        `json:"clients"`
	Labels  map[name]string `json:"labels"`
	Redis   *client         `json:"redis"`
	Since   time.Time       `json:"since"`
	Blob    []byte          `json:"blob"`
	Raw     json.RawMessage `json:"raw"`
	Plain   int
	Hidden  int `json:"-"`
	private int //nolint:unused // its key must be refused
}

type client struct {
	Name string   `json:"name"`
	URIs []string `json:"uris"`
}

func TestParse(t *testing.T) {
	const text = `{
		"issuer": "https://hub.example", "port": 8400, "debug": true, "life": "1m30s", "secret": {"file": "x"},
		"clients": [{"name": "a", "uris": ["u", "v"]}, {}], "labels": {"k": "v", "k.2": ""}, "redis": {"name": "r"},
		"since": "2026-04-01T09:00:00Z", "blob": "AAE=", "raw": {"any": [1]}, "Plain": -3
	}`
	got := sample{Port: 1, Labels: map[name]string{"gone": ""}, Hidden: 7}
	if err := conf.Parse([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	want := sample{
		Issuer: "https://hub.example", Port: 8400, Debug: true, Life: conf.Duration(90 * time.Second),
		Secret: conf.SecretFile{File: "x"}, Clients: []client{{"a", []string{"u", "v"}}, {}},
		Labels: map[name]string{"k": "v", "k.2": ""}, Redis: &client{Name: "r"},
		Since: time.Date(2026, 4, 1, 9, 0, 0, 0, time.UTC), Blob: []byte{0, 1}, Raw: json.RawMessage(`{"any": [1]}`), Plain: -3, Hidden: 7,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// Base is embedded by TestParseEmbedded.
type Base struct {
	Issuer string `json:"issuer"`
}

// What a struct embeds are keys of its own, as strict as the others.
func TestParseEmbedded(t *testing.T) {
	type whole struct {
		Base
		Port int `json:"port"`
	}
	var got whole
	if err := conf.Parse([]byte(`{"issuer": "x", "port": 1}`), &got); err != nil || got.Issuer != "x" || got.Port != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	for _, text := range []string{`{"Base": {}}`, `{"issuer": "x", "issuer": "y"}`, `{"issuers": "x"}`} {
		if err := conf.Parse([]byte(text), &got); err == nil {
			t.Errorf("%s was accepted", text)
		}
	}
}

func TestParseKeepsDefaults(t *testing.T) {
	got := sample{Issuer: "default", Redis: &client{Name: "kept", URIs: []string{"old"}}}
	if err := conf.Parse([]byte(`{"redis": {"uris": []}}`), &got); err != nil {
		t.Fatal(err)
	}
	if got.Issuer != "default" || got.Redis.Name != "kept" || len(got.Redis.URIs) != 0 {
		t.Errorf("%+v %+v", got, got.Redis)
	}
}

// TestParseRefuses asserts the whole error: it is what an operator reads.
func TestParseRefuses(t *testing.T) {
	deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	for _, tt := range []struct{ name, text, want string }{
		{"unknown", `{"isuer": ""}`, "isuer: unknown key"},
		{"other case", `{"Issuer": ""}`, "Issuer: unknown key"},
		{"unknown below", `{"clients": [{}, {"nam": ""}]}`, "clients[1].nam: unknown key"},
		{"unknown in pointer", `{"redis": {"addr": ""}}`, "redis.addr: unknown key"},
		{"hidden", `{"Hidden": 1}`, "Hidden: unknown key"},
		{"dash", `{"-": 1}`, "-: unknown key"},
		{"unexported", `{"private": 1}`, "private: unknown key"},
		{"odd key", `{"a.b": 1}`, `"a.b": unknown key`},
		{"escape in key", `{"\u001b[31m": 1}`, `"\x1b[31m": unknown key`},
		{"long key", `{"` + strings.Repeat("k", 500) + `": 1}`, `"` + strings.Repeat("k", 80) + `...": unknown key`},
		{"twice", `{"port": 1, "port": 1}`, "port: key stands twice"},
		{"twice by escape", `{"port": 1, "\u0070ort": 1}`, "port: key stands twice"},
		{"twice in map", `{"labels": {"a": "", "a": ""}}`, "labels.a: key stands twice"},
		{"null", `{"issuer": null}`, "issuer: null is no value; leave the key out"},
		{"null in array", `{"clients": [null]}`, "clients[0]: null is no value; leave the key out"},
		{"null as a whole", `null`, "null is no value; leave the key out"},
		{"wrong type", `{"clients": [{"uris": ["a", 1]}]}`, "clients[0].uris[1]: number where string is expected"},
		{"too large", `{"port": 65536}`, "port: number 65536 where uint16 is expected"},
		{"huge", `{"port": ` + strings.Repeat("9", 500) + `}`, "999... where uint16"},
		{"fraction", `{"port": 1.5}`, "port: number 1.5 where uint16 is expected"},
		{"string for number", `{"port": "1"}`, "port: string where uint16 is expected"},
		{"object for array", `{"clients": {}}`, "clients: an array is expected"},
		{"array for object", `{"secret": []}`, "secret: an object is expected"},
		{"secret in place", `{"secret": "hunter2"}`, "secret: an object is expected"},
		{"duration without unit", `{"life": 90}`, `life: a duration with its unit is expected, such as "90s"`},
		{"duration of nothing", `{"life": ""}`, `life: a duration with its unit is expected, such as "90s"`},
		{"negative duration", `{"life": "-1s"}`, "life: a duration cannot be negative"},
		{"bad time", `{"since": "yesterday"}`, "since: parsing time"},
		{"bad base64", `{"blob": "*"}`, "blob: illegal base64"},
		{"more after", "{}\n{}", "line 2: more after the end"},
		{"garbage after", "{}x", "line 1: more after the end"},
		{"syntax", "{\n\"port\": 1,\n}", "line 3: invalid character '}'"},
		{"comment", "{} // no", "line 1: more after the end"},
		{"cut", `{"port": 1`, "ends in the middle"},
		{"empty", ``, "ends in the middle"},
		{"array", `[]`, "an object is expected"},
		{"bad utf8", "{\"issuer\": \"\xff\"}", "not UTF-8"},
		{"byte order mark", "\ufeff{}", "line 1: invalid character"},
		{"deep in raw is the owner's", `{"raw": ` + deep + `}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := conf.Parse([]byte(tt.text), new(sample))
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %s", err, tt.want)
			}
			if _, ok := errors.AsType[*conf.KeyError](err); !ok {
				t.Errorf("%T", err)
			}
		})
	}
}

// nest can be as deep as one likes.
type nest struct {
	In *nest `json:"in"`
}

func TestParseBoundsDepth(t *testing.T) {
	text := func(n int) []byte { return []byte(strings.Repeat(`{"in":`, n) + "{}" + strings.Repeat("}", n)) }
	if err := conf.Parse(text(31), new(nest)); err != nil {
		t.Error(err)
	}
	if err := conf.Parse(text(32), new(nest)); !errors.Is(err, conf.ErrDeep) {
		t.Error(err)
	}
}

// TestParseRefusesTypes: a configuration type that cannot be strict is a mistake of ours that a test of the program finds.
func TestParseRefusesTypes(t *testing.T) {
	for _, into := range []any{
		nil, sample{}, new(int), (*sample)(nil),
		&struct{ A any }{}, &struct{ A map[int]string }{}, &struct{ client }{}, &struct{ A func() }{}, &struct{ A [2]int }{},
		&struct {
			Base
			Other string `json:"issuer"`
		}{}, &struct{ *Base }{},
	} {
		if err := conf.Parse([]byte(`{"A": {}}`), into); err == nil {
			t.Errorf("%T was accepted", into)
		}
	}
}

func write(t *testing.T, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return path
}

func TestLoad(t *testing.T) {
	var got sample
	if err := conf.Load(write(t, `{"port": 1}`, 0o644), &got); err != nil || got.Port != 1 {
		t.Error(got.Port, err)
	}
	path := write(t, `{"prt": 1}`, 0o644)
	if err := conf.Load(path, &got); err == nil || err.Error() != path+": prt: unknown key" {
		t.Error(err)
	}
	if err := conf.Load(write(t, `{}`+strings.Repeat(" ", conf.MaxSize), 0o644), &got); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Error(err)
	}
	if err := conf.Load(t.TempDir(), &got); err == nil {
		t.Error("loaded a directory")
	}
	if err := conf.Load(filepath.Join(t.TempDir(), "none"), &got); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestSecretFile(t *testing.T) {
	for _, tt := range []struct {
		name, content string
		mode          os.FileMode
		want, err     string
	}{
		{"plain", "s3cret", 0o600, "s3cret", ""},
		{"one newline goes", "s3cret\n", 0o400, "s3cret", ""},
		{"one crlf goes", "s3cret\r\n", 0o600, "s3cret", ""},
		{"the second stays", "s3cret\n\n", 0o600, "s3cret\n", ""},
		{"spaces and lone cr stay", " s3cret \r", 0o600, " s3cret \r", ""},
		{"empty", "", 0o600, "", "empty"},
		{"only newline", "\n", 0o600, "", "empty"},
		{"group may read", "s3cret", 0o640, "", "mode 0640"},
		{"world may read", "s3cret", 0o604, "", "mode 0604"},
		{"group may write", "s3cret", 0o620, "", "mode 0620"},
		{"too large", strings.Repeat("s3cret", 20000), 0o600, "", "larger than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := conf.SecretFile{File: write(t, tt.content, tt.mode)}.Read()
			if tt.err == "" && (err != nil || string(got) != tt.want) {
				t.Errorf("%q, %v", got, err)
			}
			if tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "s3cret")) {
				t.Errorf("%q, %v; want %s", got, err, tt.err)
			}
		})
	}
	if _, err := (conf.SecretFile{}).Read(); err == nil {
		t.Error("read no file")
	}
}

func TestDurationRoundTrip(t *testing.T) {
	for _, s := range []string{`"0s"`, `"90ms"`, `"1m30s"`, `"720h0m0s"`} {
		var d conf.Duration
		if err := json.Unmarshal([]byte(s), &d); err != nil {
			t.Fatal(err)
		}
		if b, err := json.Marshal(d); err != nil || string(b) != s {
			t.Errorf("%s came back as %s, %v", s, b, err)
		}
	}
}

// FuzzParse: whatever is parsed is parsed the same by encoding/json, survives being written and parsed again, and whatever is
// refused is refused with a KeyError of bounded length.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"issuer": "x", "port": 1, "life": "1s"}`, `{"clients": [{"name": "a", "uris": ["b"]}]}`, `{"labels": {"a.b": "c"}}`,
		`{"redis": {}, "blob": "AAE=", "raw": [1e3], "since": "2026-04-01T09:00:00Z"}`, `{"port": 1, "port": 2}`, `null`, `{"a"`,
		`{"issuer": "\ud800"}`, `{"Plain": 1e2}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var got sample
		if err := conf.Parse(b, &got); err != nil {
			if _, ok := errors.AsType[*conf.KeyError](err); !ok {
				t.Fatalf("%T: %v", err, err)
			}
			if len(err.Error()) > 4096 {
				t.Fatalf("error of %d bytes", len(err.Error()))
			}
			return
		}
		var std sample
		if err := json.Unmarshal(b, &std); err != nil {
			t.Fatalf("accepted what encoding/json refuses: %v", err)
		}
		if !reflect.DeepEqual(got, std) {
			t.Fatalf("%+v, encoding/json says %+v", got, std)
		}
	})
}
