package openapi

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

type sample struct {
	Name  string          `json:"name" minLength:"2" maxLength:"4"`
	Kinds []string        `json:"kinds,omitempty" enum:"a,b" uniqueItems:"true" maxItems:"2"`
	Count int64           `json:"count,omitempty" minimum:"1" maximum:"9"`
	Any   json.RawMessage `json:"any,omitempty" type:"object"`
	At    time.Time       `json:"at,omitzero"`
	Since time.Time       `json:"since" readOnly:"true"`
	Inner *inner          `json:"inner,omitempty"`
	embedded
}

type embedded struct {
	ID string `json:"id,omitempty" pattern:"^[a-z]+$"`
}

type inner struct {
	Yes    bool             `json:"yes"`
	Counts map[string]int64 `json:"counts"`
	List   []inner          `json:"list"`
}

func check(t testing.TB, document string) ([]Fault, error) {
	t.Helper()
	s := NewSchemas()
	c := s.Of(reflect.TypeFor[sample]())
	v, err := Decode([]byte(document))
	if err != nil {
		return nil, err
	}
	return s.Check(c, "", v), nil
}

// TestCheckNamesTheField that is wrong, and nothing else.
func TestCheckNamesTheField(t *testing.T) {
	for document, field := range map[string]string{
		`{"name":"ab"}`: "",
		`{"name":"ab","kinds":["a","b"],"count":9,"any":{"x":[1]},"at":"2026-01-01T00:00:00Z","id":"a","inner":{"yes":true,"counts":{"x":1},"list":[]}}`: "",
		`{}`:                                                    "name",
		`{"name":"a"}`:                                          "name",
		`{"name":"あいうえお"}`:                                      "name",
		`{"name":null}`:                                         "name",
		`{"name":"ab","kinds":["c"]}`:                           "kinds[0]",
		`{"name":"ab","kinds":["a","a"]}`:                       "kinds[1]",
		`{"name":"ab","kinds":["a","b","a"]}`:                   "kinds",
		`{"name":"ab","kinds":null}`:                            "kinds",
		`{"name":"ab","count":10}`:                              "count",
		`{"name":"ab","count":1e0}`:                             "count",
		`{"name":"ab","any":3}`:                                 "any",
		`{"name":"ab","at":"yesterday"}`:                        "at",
		`{"name":"ab","id":"A"}`:                                "id",
		`{"name":"ab","inner":{"yes":1,"counts":{},"list":[]}}`: "inner.yes",
		`{"name":"ab","inner":{"yes":true,"counts":{"x":"1"},"list":[]}}`:      "inner.counts.x",
		`{"name":"ab","inner":{"yes":true,"counts":{},"list":[{"yes":true}]}}`: "inner.list[0].counts",
		`{"name":"ab","Name":"ab"}`:                                            "Name",
		`[]`:                                                                   "(body)",
	} {
		faults, err := check(t, document)
		switch {
		case err != nil:
			t.Errorf("%s: %v", document, err)
		case field == "" && len(faults) > 0, field != "" && (len(faults) == 0 || faults[0].Field != field):
			t.Errorf("%s: %+v", document, faults)
		}
	}
}

// TestDecodeRefusesWhatHasTwoMeanings.
func TestDecodeRefusesWhatHasTwoMeanings(t *testing.T) {
	for _, document := range []string{"", "{", `{"a":1,"a":2}`, `{"a":{"b":1,"b":1}}`, `{} {}`, "{}x", "\"\xff\"", strings.Repeat("[", 100) + strings.Repeat("]", 100), `{"a"}`, `[1,]`} {
		if v, err := Decode([]byte(document)); err == nil {
			t.Errorf("%q is %v", document, v)
		}
	}
}

// TestMarshalWritesWhatIsDescribed: lists and objects that are nil are empty, times are UTC, and the value itself stays as it was.
func TestMarshalWritesWhatIsDescribed(t *testing.T) {
	in := sample{Name: "ab", Inner: &inner{}, Since: time.Date(2026, 1, 1, 9, 0, 0, 0, time.FixedZone("", 9*3600))}
	b, err := Marshal(in)
	if want := `{"name":"ab","since":"2026-01-01T00:00:00Z","inner":{"yes":false,"counts":{},"list":[]}}`; err != nil || string(b) != want {
		t.Errorf("%s, %v", b, err)
	}
	if in.Inner.List != nil {
		t.Error("the value changed")
	}
}

// FuzzCheck: whatever is accepted is what encoding/json reads into the type, and is accepted again as it writes it.
func FuzzCheck(f *testing.F) {
	f.Add(`{"name":"ab","kinds":["a"],"count":9,"any":{"x":[1]},"inner":{"yes":true,"counts":{"x":1},"list":[]}}`)
	f.Add(`{"name":"ab","at":"2026-01-01T00:00:00Z","id":"a"}`)
	f.Fuzz(func(t *testing.T, document string) {
		faults, err := check(t, document)
		if err != nil || faults != nil {
			return
		}
		var v sample
		if err := json.Unmarshal([]byte(document), &v); err != nil {
			t.Fatalf("accepted %q: %v", document, err)
		}
		b, err := Marshal(v)
		if err != nil {
			return // a time that JSON cannot write
		}
		if faults, err := check(t, string(b)); err != nil || faults != nil {
			t.Fatalf("%q became %s: %v %v", document, b, faults, err)
		}
	})
}
