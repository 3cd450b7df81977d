package idp

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// FuzzClaimsParameter: what is accepted is bounded, and encodes to a claims parameter that is accepted and says the same.
func FuzzClaimsParameter(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"userinfo":{"name":null,"email":{"essential":true}},"id_token":{"acr":{"values":["phr","phrh"]},"sub":{"value":"x"}}}`,
		`{"userinfo":{"a":{"essential":null}}}`, `{"id_token":{"a":{"values":[]}}}`, `{"userinfo":{"a":null,"a":null}}`, `[]`, `null`, `{"userinfo":1}`, "\xff",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseClaims(s)
		if err != nil {
			return
		}
		if len(c.Userinfo)+len(c.IDToken) > maxClaims {
			t.Fatalf("%d claims", len(c.Userinfo)+len(c.IDToken))
		}
		one, err := c.encoded()
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseClaims(string(one))
		if err != nil && len(one) <= maxClaimsBytes { // escaping may have made it longer
			t.Fatalf("%s: %v", one, err)
		}
		if err == nil {
			if two, _ := again.encoded(); !bytes.Equal(one, two) {
				t.Errorf("%s became %s", one, two)
			}
		}
		for _, ask := range c.IDToken {
			if ask == nil || len(ask.Values) > maxClaimValues {
				t.Errorf("%+v", ask)
			}
			ask.wanted()
		}
	})
}

// FuzzAuthorizationDetails: what is accepted has only members of its type, and encodes to details that are accepted and say the same.
func FuzzAuthorizationDetails(f *testing.F) {
	for _, s := range []string{
		`[{"type":"application","actions":["read"],"identifier":"a","locations":["https://a.example/"]}]`, `[{"type":"exchange","datatypes":["a"],"purpose":"x"}]`,
		`[]`, `null`, `[null]`, `[{}]`, `[{"type":"x"}]`, `[{"type":"exchange","datatypes":["a"],"purpose":"\u202e"}]`, `[[[[]]]]`, "[\xff]",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list, err := parseDetails(s)
		if err != nil {
			return
		}
		if len(list) == 0 || len(list) > maxDetails {
			t.Fatalf("%d elements", len(list))
		}
		for _, d := range list {
			if detailTypes[d.Type].must == nil || strings.ContainsAny(d.Purpose, "\r\n\u202e") || len(d.Identifier) > maxDetailCode {
				t.Errorf("%+v", d)
			}
		}
		one, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := parseDetails(string(one)); err == nil {
			if two, _ := json.Marshal(again); !bytes.Equal(one, two) {
				t.Errorf("%s became %s", one, two)
			}
		} else if len(one) <= maxDetailsBytes {
			t.Errorf("%s: %v", one, err)
		}
		detailText(one)
	})
}

// FuzzRequestObjectParameters: whatever a client signs becomes parameters of the form that readForm makes, or an invalid_request_object.
func FuzzRequestObjectParameters(f *testing.F) {
	for _, s := range []string{
		`{"client_id":"a","scope":"openid","max_age":300,"claims":{"userinfo":{}},"resource":["a","b"],"authorization_details":[{}]}`,
		`{"max_age":"1"}`, `{"request":"x"}`, `{"state":null}`, `{"resource":{}}`, `{}`, `[]`, `{"a":1,"a":2}`, `{"claims": { } }`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		form, bad := objectParameters([]byte(s))
		if bad != nil && bad.code != "invalid_request_object" {
			t.Fatalf("%v", bad)
		}
		for name, values := range form {
			if len(values) != 1 && name != "resource" || name == "request" || name == "request_uri" {
				t.Errorf("%s: %q", name, values)
			}
		}
		if v := form.Get("claims"); v != "" && !json.Valid([]byte(v)) {
			t.Errorf("claims %q", v)
		}
	})
}
