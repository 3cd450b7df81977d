package idp

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
)

// TestDetailsAreNarrowedToWhatWasGranted: RFC 9396 §6: elements may be left out, not altered; the order of members does not matter.
func TestDetailsAreNarrowedToWhatWasGranted(t *testing.T) {
	granted := json.RawMessage(`[{"type":"a","actions":["read","submit"],"identifier":"x"},{"type":"b","datatypes":["1"]}]`)
	for _, tt := range []struct{ name, asked, want string }{ // want "": refused
		{"one of two", `[{"identifier":"x","type":"a","actions":["read","submit"]}]`, `[{"actions":["read","submit"],"identifier":"x","type":"a"}]`},
		{"both", `[{"type":"b","datatypes":["1"]},{"type":"a","actions":["read","submit"],"identifier":"x"}]`, `[{"datatypes":["1"],"type":"b"},{"actions":["read","submit"],"identifier":"x","type":"a"}]`},
		{"fewer actions are another element", `[{"type":"a","actions":["read"],"identifier":"x"}]`, ""},
		{"a member more", `[{"type":"b","datatypes":["1"],"purpose":"x"}]`, ""},
		{"another number", `[{"type":"b","datatypes":[1]}]`, ""},
		{"not granted", `[{"type":"c"}]`, ""},
		{"an object", `{"type":"a"}`, ""},
		{"null", `null`, ""},
		{"a bracket more", `[{"type":"b","datatypes":["1"]}] ]`, ""},
		{"one twice", `[{"type":"b","datatypes":["1"]},{"datatypes":["1"],"type":"b"}]`, `[{"datatypes":["1"],"type":"b"}]`},
		{"null inside", `[null]`, ""},
		{"two texts", `[] []`, ""},
		{"nonsense", `[`, ""},
	} {
		got, err := narrowDetails(granted, tt.asked)
		var o *oauthError
		switch {
		case tt.want == "" && (!errors.As(err, &o) || o.code != "invalid_authorization_details"):
			t.Errorf("%s: %s, %v", tt.name, got, err)
		case tt.want != "" && (err != nil || string(got) != tt.want):
			t.Errorf("%s: %s, %v", tt.name, got, err)
		}
	}
	if got, err := narrowDetails(granted, ""); got != nil || err != nil {
		t.Errorf("nothing asked: %s, %v", got, err)
	}
	if _, err := narrowDetails(nil, `[{"type":"a"}]`); err == nil {
		t.Error("something of nothing")
	}
}

// TestDetailsOfOtherPlacesAreLeftOut: RFC 9396 §9.1: a resource is not told what is meant for another.
func TestDetailsOfOtherPlacesAreLeftOut(t *testing.T) {
	granted := json.RawMessage(`[{"type":"a"},{"type":"b","locations":["https://one.example/"]},{"type":"c","locations":["https://two.example/"]}]`)
	if got := string(detailsFor(granted, []string{"https://one.example/"})); got != `[{"type":"a"},{"locations":["https://one.example/"],"type":"b"}]` {
		t.Errorf("%s", got)
	}
	if got := detailsFor(json.RawMessage(`[{"type":"c","locations":["https://two.example/"]}]`), []string{"https://one.example/"}); got != nil {
		t.Errorf("%s", got)
	}
}

// FuzzNarrowDetails: what comes out was granted, element for element.
func FuzzNarrowDetails(f *testing.F) {
	granted := json.RawMessage(`[{"type":"a","n":1e3,"l":["x"]},{"type":"b"}]`)
	for _, s := range []string{`[{"type":"b"}]`, `[{"type":"a","n":1e3,"l":["x"]}]`, `[{"type":"a","n":1000,"l":["x"]}]`, `[{"type":"b","type":"a"}]`, `[]`, `null`, `[[]]`, ` [{"type":"b"}] x`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, asked string) {
		got, err := narrowDetails(granted, asked)
		if err != nil || got == nil {
			return
		}
		have, err := decodeDetails(granted)
		if err != nil {
			t.Fatal(err)
		}
		out, err := decodeDetails(got)
		if err != nil {
			t.Fatalf("%s cannot be read again: %v", got, err)
		}
		for _, o := range out {
			if !reflect.DeepEqual(o, have[0]) && !reflect.DeepEqual(o, have[1]) {
				t.Errorf("%s was never granted", got)
			}
		}
	})
}

// FuzzExchangedScopes: whatever is asked, nothing comes out that the subject token has not, or that means nothing to a resource.
func FuzzExchangedScopes(f *testing.F) {
	f.Add("link")
	f.Add("openid link  link")
	f.Add("links")
	f.Fuzz(func(t *testing.T, asked string) {
		got, err := exchangedScopes([]string{"openid", "offline_access", "link"}, asked)
		if err != nil {
			return
		}
		for _, s := range got {
			if s != "link" {
				t.Errorf("%q yields %q", asked, got)
			}
		}
	})
}
