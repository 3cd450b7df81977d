package clients

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// What is accepted is written back as a document that is accepted and means the
// same, and makes a client; a refusal lists fields.
func FuzzParseMetadata(f *testing.F) {
	for _, v := range readVectors(f) {
		if v.head["kind"] == "metadata" {
			f.Add([]byte(v.body))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMetadata(b)
		if err != nil {
			faults, ok := errors.AsType[*FieldErrors](err)
			if !ok || len(faults.List) == 0 || len(faults.List) > maxFaults {
				t.Fatalf("%v", err)
			}
			return
		}
		roundTrip(t, m)
		c, err := newClient(m, 1, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.Sector() == "" || c.Domain() == "" && len(c.RedirectURIs()) > 0 || c.Name("ja") == "" || c.Public() && !c.RequirePKCE() {
			t.Fatalf("%+v", m)
		}
		for _, u := range c.RedirectURIs() {
			if u.Loopback() && !m.Development && m.ApplicationType != "native" {
				t.Fatalf("loopback: %s", u)
			}
		}
	})
}

// What is accepted comes back unchanged, is absolute, and means to net/url what it
// means to us.
func FuzzParseRedirectURI(f *testing.F) {
	for _, v := range readVectors(f) {
		if v.head["kind"] != "metadata" {
			f.Add(v.body)
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ParseRedirectURI(s)
		if err != nil {
			return
		}
		p, err := url.Parse(s)
		if err != nil || u.String() != s || p.String() != s {
			t.Fatalf("%q becomes %q, %v", s, u, err)
		}
		if p.Host != u.Host() || p.User != nil || p.Fragment != "" || strings.ContainsAny(s, "#*\\@ \t\r\n") && !strings.Contains(p.RequestURI(), "@") {
			t.Fatalf("%q", s)
		}
		if p.Scheme != "https" && (p.Scheme != "http" || !u.Loopback()) {
			t.Fatalf("%q has scheme %s", s, p.Scheme)
		}
		again, err := ParseRedirectURI(u.String())
		if err != nil || again != u {
			t.Fatalf("%q reads differently: %v", s, err)
		}
	})
}

// What is accepted names a client that could exist and exactly one method; a
// refusal is typed.
func FuzzParseCredentials(f *testing.F) {
	f.Add("Basic YTpz", "")
	f.Add(basic("a%2Db:%2B+%25%3A:x"), "client_id=a-b")
	f.Add("", "client_id=a&client_secret=s")
	f.Add("", "client_assertion_type="+url.QueryEscape(assertionType)+"&client_assertion="+unsigned(`{"iss":"a"}`))
	f.Add("Bearer x", "client_id=a&client_id=b")
	f.Fuzz(func(t *testing.T, header, body string) {
		form, err := url.ParseQuery(body)
		if err != nil {
			return
		}
		h := http.Header{}
		if header != "" {
			h.Set("Authorization", header)
		}
		c, err := ParseCredentials(h, form)
		if err != nil {
			if reasonOf(err) == 0 {
				t.Fatalf("untyped: %v", err)
			}
			return
		}
		if _, err := ParseID(c.ClientID()); err != nil {
			t.Fatalf("client %q: %v", c.ClientID(), err)
		}
		if id := form.Get("client_id"); id != "" && id != c.ClientID() {
			t.Fatalf("client_id %q became %q", id, c.ClientID())
		}
		switch c.Method() {
		case SecretBasic:
			if header == "" || form.Get("client_secret") != "" || form.Get("client_assertion") != "" {
				t.Fatal("two methods")
			}
		case SecretPost, PrivateKeyJWT:
			if header != "" || c.proof.Empty() {
				t.Fatal("two methods, or none")
			}
		case None:
			if header != "" || !c.proof.Empty() {
				t.Fatal("a method was overlooked")
			}
		case TLSClientAuth, SelfSignedTLS: // a form carries no certificate
			t.Fatal("a method out of nothing")
		default:
			t.Fatalf("method %q", c.Method())
		}
	})
}

// What a stranger sends makes a client that its policy allows, or faults.
func FuzzRegistration(f *testing.F) {
	for _, more := range []map[string]any{nil, {"scope": "openid"}, {"client_name#ja": "あ"}, {"verified": true}, {"software_statement": "a.b.c"}, {"redirect_uris": nil}} {
		b, err := json.Marshal(basicBody(more))
		must(f, err)
		f.Add(b)
	}
	for _, v := range readVectors(f) {
		if v.head["kind"] == "metadata" {
			f.Add([]byte(v.body))
		}
	}
	policy := Policy{Name: "fuzz", PKCEOptional: true}.withDefaults()
	f.Fuzz(func(t *testing.T, body []byte) {
		request, err := parseRegistration(body)
		m := request.m
		if err == nil {
			m, err = policy.judge(request.m, "d-FUZZ")
		}
		if err != nil {
			refused, ok := errors.AsType[*registrationError](refusedMetadata(&m, err))
			if !ok || refused.status != http.StatusBadRequest || strings.ContainsFunc(refused.description, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
				t.Fatalf("%v", err)
			}
			return
		}
		c, err := newClient(m, 1, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.Verified() || c.Listed() || c.FirstParty() || c.Profile() != OIDC || c.ID() != "d-FUZZ" || c.Operator() == "" || c.Name("ja") == "" || c.Public() || m.loopback() {
			t.Fatalf("%+v", m)
		}
		roundTrip(t, m)
		if _, err := json.Marshal(registered(c)); err != nil {
			t.Fatal(err)
		}
	})
}
