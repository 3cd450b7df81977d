package federation

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
)

func decodeText(contentType, body string) (string, error) {
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	return decode(r, "client_id")
}

func TestDecode(t *testing.T) {
	const good = `{"client_id":"etax"}`
	for name, c := range map[string]struct {
		contentType, body string
		ok                bool
	}{
		"good":                    {"application/json", good, true},
		"with charset":            {"application/json; charset=utf-8", good, true},
		"escaped":                 {"application/json", `{"client\u005fid":"et\u0061x"}`, true},
		"empty object":            {"application/json", `{}`, false},
		"white space around":      {"application/json", " " + good + "\n", true},
		"form":                    {"application/x-www-form-urlencoded", good, false}, // what a foreign page can send unasked
		"no type":                 {"", good, false},
		"text":                    {"text/plain", good, false},
		"empty":                   {"application/json", ``, false},
		"array":                   {"application/json", `[]`, false},
		"string":                  {"application/json", `"etax"`, false},
		"unknown member":          {"application/json", `{"client_id":"etax","x":"y"}`, false},
		"member twice":            {"application/json", `{"client_id":"etax","client_id":"bank"}`, false},
		"member twice by escapes": {"application/json", `{"client_id":"etax","client\u005fid":"bank"}`, false},
		"other case":              {"application/json", `{"Client_ID":"etax"}`, false},
		"other case twice":        {"application/json", `{"client_id":"etax","Client_ID":"bank"}`, false},
		"number":                  {"application/json", `{"client_id":1}`, false},
		"nested":                  {"application/json", `{"client_id":{"client_id":"etax"}}`, false},
		"second document":         {"application/json", good + good, false},
		"cut off":                 {"application/json", `{"client_id":"etax"`, false},
		"too long":                {"application/json", `{"client_id":"` + strings.Repeat("a", maxBody) + `"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := decodeText(c.contentType, c.body)
			if c.ok != (err == nil) || c.ok != (got == "etax") {
				t.Fatalf("got %q, %v, want ok %v", got, err, c.ok)
			}
			if e, ok := errors.AsType[*Error](err); !c.ok && (!ok || e.Reason != RequestMalformed) {
				t.Errorf("got %v, want RequestMalformed", err)
			}
		})
	}
}

// FuzzDecode: what is accepted means the same to any other JSON parser, and
// what is refused is refused as malformed.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"client_id":"etax"}`, `{}`, `[]`, `{"client_id":"a","client_id":"b"}`, `{"CLIENT_ID":"a"}`, `{"client_id":"\ud800"}`, "{\"client_id\":\"\xff\"}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got, err := decodeText("application/json", body)
		if err != nil {
			if e, ok := errors.AsType[*Error](err); !ok || e.Reason != RequestMalformed {
				t.Fatalf("got %v, want RequestMalformed", err)
			}
			return
		}
		var other map[string]string
		if err := json.Unmarshal([]byte(body), &other); err != nil {
			t.Fatalf("accepted %q, which is not JSON: %v", body, err)
		}
		if len(other) != 1 || other["client_id"] != got {
			t.Fatalf("read %q as %q, another parser as %v", body, got, other)
		}
	})
}
