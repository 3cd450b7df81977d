package cardauth

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

//go:generate go test -run ^TestVectors$ -update .

var update = flag.Bool("update", false, "make the vectors anew")

// A vector is a file of "name: value" lines, a blank line, and the input in
// base64. expect is what has to come out; comment says why. Programs in other
// languages can read them too; anchor.pem is the authority of all of them.
type vector struct {
	fields map[string]string
	body   []byte
}

const vectorDir = "testdata/vectors"

// floors: a suite that finds fewer files than this looks at the wrong place.
var floors = map[string]int{"certificate": 45, "response": 45, "ocsp": 20, "crl": 18}

func readVectors(t testing.TB, suite string) map[string]vector {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(vectorDir, suite, "*.txt"))
	if err != nil || len(files) < floors[suite] {
		t.Fatalf("%d vectors of %s, want at least %d (%v)", len(files), suite, floors[suite], err)
	}
	all := map[string]vector{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, body, found := strings.Cut(string(raw), "\n\n")
		v := vector{fields: map[string]string{}}
		for _, line := range strings.Split(head, "\n") {
			name, value, colon := strings.Cut(line, ": ")
			found = found && colon
			v.fields[name] = value
		}
		if v.body, err = base64.StdEncoding.DecodeString(body); err != nil || !found || v.fields["expect"] == "" || v.fields["comment"] == "" {
			t.Fatalf("%s is no vector: %v", file, err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".txt")] = v
	}
	return all
}

func writeVector(t testing.TB, suite, name string, v vector) {
	t.Helper()
	var b bytes.Buffer
	for _, k := range slices.Sorted(maps.Keys(v.fields)) {
		b.WriteString(k + ": " + v.fields[k] + "\n")
	}
	b.WriteString("\n")
	text := base64.StdEncoding.EncodeToString(v.body)
	for len(text) > 0 {
		n := min(76, len(text))
		b.WriteString(text[:n] + "\n")
		text = text[n:]
	}
	if err := os.WriteFile(filepath.Join(vectorDir, suite, name+".txt"), b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (v vector) bytes(t testing.TB, name string) []byte {
	t.Helper()
	b, err := hex.DecodeString(v.fields[name])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// vectorAnchors are the authority in anchor.pem, vectorClock its time.
func vectorAnchors(t testing.TB) (*Anchors, *anchor) {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(vectorDir, "anchor.pem"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := ParseAnchors(Test, file)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all.byKeyID {
		return all, a
	}
	return nil, nil
}

func vectorClock() time.Time { return noon }

// judges says, for each suite, what comes out of a vector.
func judges(t testing.TB) map[string]func(vector) string {
	anchors, authority := vectorAnchors(t)
	revocation, err := NewRevocation(RevocationDeps{Now: vectorClock})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]func(vector) string{
		"certificate": func(v vector) string {
			l, err := parseLeaf(v.body, "")
			if err == nil {
				_, err = anchors.issuerOf(l, noon)
			}
			if err == nil {
				err = l.validAt(noon)
			}
			return word(err)
		},
		"response": func(v vector) string {
			_, err := ParseResponse(v.body)
			return word(err)
		},
		"ocsp": func(v vector) string {
			one, err := revocation.judgeOCSP(v.body, vectorID(t, v, authority), v.bytes(t, "nonce"), authority)
			if err != nil {
				return "refused"
			}
			return [...]string{"good", "revoked", "unknown"}[one.status]
		},
		"crl": func(v vector) string {
			list, err := revocation.judgeList(bytes.NewReader(v.body), listKey{point: digestPoint(v.bytes(t, "point"))}, authority)
			if err != nil {
				return "refused"
			}
			if _, revoked := list.entries.find(vectorID(t, v, authority).serial); revoked {
				return "listed"
			}
			return "absent"
		},
	}
}

func vectorID(t testing.TB, v vector, a *anchor) certID {
	t.Helper()
	id := certID{nameHash: a.nameHash, keyHash: a.keyHash}
	for _, b := range v.bytes(t, "serial") {
		id.serial = id.serial<<8 | uint32(b)
	}
	return id
}

func word(err error) string {
	if err == nil {
		return "ok"
	}
	if refusal, ok := errors.AsType[*Error](err); ok {
		return refusal.Reason.String()
	}
	return err.Error()
}

func TestVectors(t *testing.T) {
	if *update {
		makeVectors(t)
	}
	for suite, judge := range judges(t) {
		t.Run(suite, func(t *testing.T) {
			for name, v := range readVectors(t, suite) {
				if got := judge(v); got != v.fields["expect"] {
					t.Errorf("%s (%s): %s, want %s", name, v.fields["comment"], got, v.fields["expect"])
				}
			}
		})
	}
}
