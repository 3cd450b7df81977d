package clients

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func basic(joined string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(joined))
}

// unsigned is an assertion good enough to be parsed.
func unsigned(payload string) string {
	e := base64.RawURLEncoding.EncodeToString
	return e([]byte(`{"alg":"ES256"}`)) + "." + e([]byte(payload)) + "." + e([]byte("signature"))
}

func TestParseCredentials(t *testing.T) {
	assertion := unsigned(`{"iss":"a","sub":"a"}`)
	for _, c := range []struct {
		name   string
		header []string
		form   url.Values
		want   Reason // 0: accepted
		id     ID
		method Method
		proof  string
	}{
		{"basic", []string{basic("a:s")}, nil, 0, "a", SecretBasic, "s"},
		{"basic, other case", []string{"bAsIc " + base64.StdEncoding.EncodeToString([]byte("a:s"))}, nil, 0, "a", SecretBasic, "s"},
		{"basic with the same client_id", []string{basic("a:s")}, url.Values{"client_id": {"a"}}, 0, "a", SecretBasic, "s"},
		{"basic, form-encoded (RFC 6749 §2.3.1)", []string{basic("a%2Db:%2B+%25%3A:x")}, nil, 0, "a-b", SecretBasic, "+ %::x"},
		{"basic, empty secret", []string{basic("a:")}, nil, 0, "a", SecretBasic, ""},
		{"post", nil, url.Values{"client_id": {"a"}, "client_secret": {"s"}}, 0, "a", SecretPost, "s"},
		{"assertion", nil, url.Values{"client_assertion": {assertion}, "client_assertion_type": {assertionType}}, 0, "a", PrivateKeyJWT, assertion},
		{"assertion with client_id", nil, url.Values{"client_id": {"a"}, "client_assertion": {assertion}, "client_assertion_type": {assertionType}}, 0, "a", PrivateKeyJWT, assertion},
		{"none", nil, url.Values{"client_id": {"a"}}, 0, "a", None, ""},
		{"empty parameters count as left out (RFC 6749 §3.1)", nil, url.Values{"client_id": {"a"}, "client_secret": {""}, "client_assertion": {""}}, 0, "a", None, ""},

		{"nothing", nil, nil, NoCredentials, "", "", ""},
		{"empty client_id", nil, url.Values{"client_id": {""}}, NoCredentials, "", "", ""},
		{"secret without client_id", nil, url.Values{"client_secret": {"s"}}, NoCredentials, "", "", ""},
		{"basic with another client_id", []string{basic("a:s")}, url.Values{"client_id": {"b"}}, ClientMismatch, "", "", ""},
		{"assertion with another client_id", nil, url.Values{"client_id": {"b"}, "client_assertion": {assertion}, "client_assertion_type": {assertionType}}, ClientMismatch, "", "", ""},
		{"basic and post", []string{basic("a:s")}, url.Values{"client_id": {"a"}, "client_secret": {"s"}}, MultipleMethods, "", "", ""},
		{"basic and assertion", []string{basic("a:s")}, url.Values{"client_assertion": {assertion}, "client_assertion_type": {assertionType}}, MultipleMethods, "", "", ""},
		{"post and assertion", nil, url.Values{"client_id": {"a"}, "client_secret": {"s"}, "client_assertion": {assertion}, "client_assertion_type": {assertionType}}, MultipleMethods, "", "", ""},
		{"basic twice", []string{basic("a:s"), basic("a:s")}, nil, Malformed, "", "", ""},
		{"client_id twice", nil, url.Values{"client_id": {"a", "a"}}, Malformed, "", "", ""},
		{"secret twice", nil, url.Values{"client_id": {"a"}, "client_secret": {"s", "s"}}, Malformed, "", "", ""},
		{"assertion twice", nil, url.Values{"client_assertion": {assertion, assertion}, "client_assertion_type": {assertionType}}, Malformed, "", "", ""},
		{"another scheme", []string{"Bearer abc"}, url.Values{"client_id": {"a"}}, Malformed, "", "", ""},
		{"empty header", []string{""}, url.Values{"client_id": {"a"}}, Malformed, "", "", ""},
		{"basic without colon", []string{basic("a")}, nil, Malformed, "", "", ""},
		{"basic, empty id", []string{basic(":s")}, nil, Malformed, "", "", ""},
		{"basic, not base64", []string{"Basic a:s"}, nil, Malformed, "", "", ""},
		{"basic, base64url", []string{"Basic _-_-"}, nil, Malformed, "", "", ""},
		{"basic, line break", []string{"Basic YTpz\r\n"}, nil, Malformed, "", "", ""},
		{"basic, unused bits", []string{"Basic YTp="}, nil, Malformed, "", "", ""},
		{"basic, bad escape in the id", []string{basic("%zz:s")}, nil, Malformed, "", "", ""},
		{"basic, bad escape in the secret", []string{basic("a:%zz")}, nil, Malformed, "", "", ""},
		{"basic, secret is not UTF-8", []string{basic("a:%ff")}, nil, Malformed, "", "", ""},
		{"basic, too long", []string{basic("a:" + strings.Repeat("s", maxBasic))}, nil, Malformed, "", "", ""},
		{"odd client_id", nil, url.Values{"client_id": {"a b"}}, Malformed, "", "", ""},
		{"long client_id", nil, url.Values{"client_id": {strings.Repeat("a", maxID+1)}}, Malformed, "", "", ""},
		{"assertion without type", nil, url.Values{"client_assertion": {assertion}}, Malformed, "", "", ""},
		{"type without assertion", nil, url.Values{"client_id": {"a"}, "client_assertion_type": {assertionType}}, Malformed, "", "", ""},
		{"SAML assertion", nil, url.Values{"client_assertion": {assertion}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}}, Malformed, "", "", ""},
		{"assertion without iss", nil, url.Values{"client_id": {"a"}, "client_assertion": {unsigned(`{}`)}, "client_assertion_type": {assertionType}}, Malformed, "", "", ""},
		{"assertion of two parts", nil, url.Values{"client_assertion": {"a.b"}, "client_assertion_type": {assertionType}}, Malformed, "", "", ""},
		{"assertion, not JSON", nil, url.Values{"client_assertion": {unsigned(`x`)}, "client_assertion_type": {assertionType}}, Malformed, "", "", ""},
		{"assertion, not base64", nil, url.Values{"client_assertion": {"a.?.c"}, "client_assertion_type": {assertionType}}, Malformed, "", "", ""},
		{"assertion, too long", nil, url.Values{"client_assertion": {strings.Repeat("a", maxAssertion+1)}, "client_assertion_type": {assertionType}}, Malformed, "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseCredentials(http.Header{"Authorization": c.header}, c.form)
			if reasonOf(err) != c.want || (c.want == 0) != (err == nil) {
				t.Fatalf("%v", err)
			}
			if got.ClientID() != string(c.id) || got.Method() != c.method || string(got.proof.Reveal()) != c.proof {
				t.Errorf("%q %q %q", got.ClientID(), got.Method(), got.proof.Reveal())
			}
		})
	}
}

func TestCredentialsDoNotPrint(t *testing.T) {
	const word = "hunter2hunter2"
	for _, form := range []url.Values{
		{"client_id": {"a"}, "client_secret": {word}},
		{"client_assertion": {unsigned(`{"iss":"a","jti":"` + word + `"}`)}, "client_assertion_type": {assertionType}},
	} {
		cred, err := ParseCredentials(nil, form)
		must(t, err)
		b, err := json.Marshal([]any{cred})
		must(t, err)
		var out strings.Builder
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "cred", cred)
		out.Write(b)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			fmt.Fprintf(&out, verb, cred)
		}
		text := out.String()
		if assertion := form.Get("client_assertion"); strings.Contains(text, word) || assertion != "" && strings.Contains(text, assertion) {
			t.Errorf("printed: %s", text)
		}
	}
}
