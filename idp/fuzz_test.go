package idp

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// FuzzReadForm: what is accepted is bounded, has no parameter twice but those that may, and says the same when it is encoded again.
func FuzzReadForm(f *testing.F) {
	for _, s := range []string{"a=b&c=d", "client_id=x&client_id=y", "resource=a&resource=b", "state=", "%zz=1", "a=b;c=d", "code=%00", strings.Repeat("a=1&", 80)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/token", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		form, err := readForm(r)
		if err != nil {
			var bad *errForm
			if !errors.As(err, &bad) {
				t.Fatalf("error of type %T", err)
			}
			return
		}
		for name, values := range form {
			if len(values) != 1 && name != "resource" && name != "audience" {
				t.Errorf("%q has %d values", name, len(values))
			}
		}
		again, err := url.ParseQuery(form.Encode())
		if err != nil || again.Encode() != form.Encode() {
			t.Errorf("%q does not survive encoding", body)
		}
	})
}

// FuzzTokens: a token names a grant only if it is exactly of the form we make; what does so keeps its grant through its signature.
func FuzzTokens(f *testing.F) {
	f.Add(newToken(kindCode, newID()))
	f.Add(newToken(kindAccess, newID()))
	f.Add("tsr_")
	f.Add(strings.Repeat("=", tokenLength))
	f.Fuzz(func(t *testing.T, token string) {
		for _, k := range []kind{kindCode, kindAccess, kindRefresh, kindDevice} {
			id := grantOf(k, token)
			if id == "" {
				continue
			}
			if !wellFormedID(id) || token[:4] != string(k) || len(token) != tokenLength {
				t.Errorf("%q passes as a %s", token, k)
			}
			if signatureGrant(k, signatureOf(token)) != id {
				t.Errorf("signature of %q is of another grant", token)
			}
		}
	})
}

// FuzzGrantRecord: a record that decodes encodes to one that decodes to the same.
func FuzzGrantRecord(f *testing.F) {
	g := &grant{Client: "app", Account: "a", Scopes: []string{"openid"}, Code: codeRecord{Digest: "d", Exp: 1}, Refresh: []refreshRecord{{Digest: "r", Exp: 2}}}
	b, err := g.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("{}"))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := decodeGrant("id", b)
		if err != nil {
			if !errors.Is(err, errGrantCorrupt) {
				t.Errorf("error %v", err)
			}
			return
		}
		g.prune(0)
		one, err := g.encode()
		if err != nil {
			t.Fatal(err)
		}
		h, err := decodeGrant("id", one)
		if err != nil {
			t.Fatal(err)
		}
		if two, _ := h.encode(); string(one) != string(two) {
			t.Errorf("%s became %s", one, two)
		}
	})
}

// FuzzPrompt: what is accepted is a set of the four values, none of them twice in meaning.
func FuzzPrompt(f *testing.F) {
	for _, s := range []string{"none", "login consent", "none login", " ", "select_account", "LOGIN"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePrompt(s)
		if err == nil && p.has(promptNone) && p != promptNone {
			t.Errorf("%q combines none", s)
		}
		if err != nil && p != 0 {
			t.Errorf("%q refused and accepted", s)
		}
	})
}

// FuzzProofAddress: an htu is ours only if it names our scheme, host and path, whatever else stands in it.
func FuzzProofAddress(f *testing.F) {
	const own = "https://id.example/token"
	for _, s := range []string{own, own + "?a=b#c", "HTTPS://ID.EXAMPLE:443/token", "https://id.example.evil/token", "https://id.example@evil/token", "//id.example/token", "https://id.example/token/", "%zz", "https://id.example/%74oken"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, htu string) {
		if !sameAddress(htu, own) {
			return
		}
		u, err := url.Parse(htu)
		if err != nil || !strings.EqualFold(u.Scheme, "https") || !strings.EqualFold(u.Hostname(), "id.example") || u.User != nil ||
			(u.Port() != "" && u.Port() != "443") || u.EscapedPath() != "/token" {
			t.Errorf("%q passes for %q", htu, own)
		}
	})
}
