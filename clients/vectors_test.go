package clients

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// vectorFloor keeps a moved folder from looking like a passed test.
const vectorFloor = 200

// vector is one file of testdata/vectors: header lines, an empty line, the input.
type vector struct {
	name string
	head map[string]string
	body string
}

func readVectors(t testing.TB) []vector {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "vectors", "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) < vectorFloor {
		t.Fatalf("%d vectors, not %d or more", len(paths), vectorFloor)
	}
	out := make([]vector, len(paths))
	for i, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		head, body, ok := strings.Cut(string(b), "\n\n")
		if !ok {
			t.Fatalf("%s has no empty line", path)
		}
		v := vector{strings.TrimSuffix(filepath.Base(path), ".txt"), make(map[string]string), strings.TrimSuffix(body, "\n")}
		for line := range strings.SplitSeq(head, "\n") {
			name, value, ok := strings.Cut(line, ":")
			if !ok {
				t.Fatalf("%s: header line %q", path, line)
			}
			v.head[name] = strings.TrimSpace(value)
		}
		out[i] = v
	}
	return out
}

func TestVectors(t *testing.T) {
	for _, v := range readVectors(t) {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			want := v.head["expect"] == "ok"
			if !want && v.head["expect"] != "refused" {
				t.Fatalf("expect: %q", v.head["expect"])
			}
			switch v.head["kind"] {
			case "metadata":
				metadataVector(t, v, want)
			case "redirect":
				u, err := ParseRedirectURI(v.body)
				if (err == nil) != want || want && u.String() != v.body {
					t.Errorf("%q, %v", u, err)
				}
			case "match":
				matchVector(t, v, want)
			default:
				t.Fatalf("kind: %q", v.head["kind"])
			}
		})
	}
}

func metadataVector(t *testing.T, v vector, want bool) {
	m, err := ParseMetadata([]byte(v.body))
	if want {
		if err != nil {
			t.Fatal(err)
		}
		roundTrip(t, m)
		return
	}
	faults, ok := errors.AsType[*FieldErrors](err)
	if !ok {
		t.Fatalf("accepted, or another error: %v", err)
	}
	var fields []string
	for _, f := range faults.List {
		if f.Problem == "" || f.Remedy == "" {
			t.Errorf("%s has no problem or no remedy", f.Field)
		}
		fields = append(fields, f.Field)
	}
	if got := strings.Join(fields, ", "); got != v.head["faults"] {
		t.Errorf("faults: %s\n%v", got, err)
	}
}

// roundTrip: what was accepted is written so that it reads back the same.
func roundTrip(t *testing.T, m Metadata) {
	t.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseMetadata(b)
	if err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	if !reflect.DeepEqual(m, again) {
		t.Fatalf("wrote %s and read %+v, not %+v", b, again, m)
	}
}

func matchVector(t *testing.T, v vector, want bool) {
	b, err := json.Marshal(map[string]any{
		"client_id": "rp", "client_name": "RP", "operator": "RP", "development": true, "redirect_uris": []string{v.head["registered"]},
	})
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseMetadata(b)
	if err != nil {
		t.Fatal(err)
	}
	c, err := newClient(m, 1, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	u, err := ParseRedirectURI(v.body)
	if err != nil {
		t.Fatalf("a match vector must parse: %v", err)
	}
	if c.Allows(u) != want {
		t.Errorf("allowed: %v", !want)
	}
	if c.Allows(RedirectURI{}) {
		t.Error("the zero address is allowed")
	}
}
