package rp

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// FuzzCallbackQuery: what is accepted has no parameter of the protocol twice; what is refused is a malformed response.
func FuzzCallbackQuery(f *testing.F) {
	for _, s := range []string{"code=a&state=b&iss=c", "state=a&state=b", "%zz", "code=a;state=b", strings.Repeat("a=b&", 3000), "error=x&error_description=y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		query, err := callbackQuery(raw)
		if err != nil {
			if e, ok := asReason(err); !ok || e.Reason != ResponseMalformed {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		for _, name := range []string{"state", "iss", "code", "error", "error_description"} {
			if len(query[name]) > 1 {
				t.Errorf("%s %d times", name, len(query[name]))
			}
		}
	})
}

// FuzzLogoutToken: a form and a token that no hub signed are refused for what they are, and a form that is accepted held that token
// alone.
func FuzzLogoutToken(f *testing.F) {
	p := &Party{alg: "ES256"}
	for _, s := range []string{"logout_token=a.b.c", "logout_token=a&logout_token=b", "", "%zz", "logout_token=eyJhbGciOiJub25lIiwidHlwIjoibG9nb3V0K2p3dCJ9.e30."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, PathBackchannel, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		raw, err := logoutTokenOf(httptest.NewRecorder(), r)
		if err == nil {
			form, bad := url.ParseQuery(body)
			if bad != nil || len(form["logout_token"]) != 1 || form.Get("logout_token") != raw {
				t.Errorf("%q gave %q", body, raw)
			}
			if err = p.logoutType(raw); err == nil && strings.Count(raw, ".") != 2 {
				t.Errorf("%q passes for a token", raw)
			}
		}
		if e, ok := asReason(err); err != nil && (!ok || e.Reason != TokenInvalid) {
			t.Fatalf("refused with %v", err)
		}
	})
}

// FuzzSecurityEventToken: a body and a token that no hub signed are refused for what they are.
func FuzzSecurityEventToken(f *testing.F) {
	p := &Party{alg: "ES256"}
	for _, s := range []string{"a.b.c", "", "eyJhbGciOiJub25lIiwidHlwIjoic2VjZXZlbnQrand0In0.e30.", "{}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, PathSignals, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/secevent+jwt")
		raw, err := setOf(httptest.NewRecorder(), r)
		if err == nil && raw != body {
			t.Errorf("%q gave %q", body, raw)
		}
		if err == nil && p.explicitType(raw, setType) == nil && strings.Count(raw, ".") != 2 {
			t.Errorf("%q passes for a token", raw)
		}
		if e, ok := asReason(err); err != nil && (!ok || e.Reason != TokenInvalid) {
			t.Fatalf("refused with %v", err)
		}
	})
}

// FuzzProof: a request is taken for proven only if its proof verifies with the key that it is then compared by, and names this request.
func FuzzProof(f *testing.F) {
	const address = "https://office.example/items/TM00000000000041"
	p := &Party{now: func() time.Time { return time.Unix(1_800_000_000, 0) }}
	for _, s := range []string{"", "a.b.c", "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6Im5vbmUifQ.e30.", "eyJhbGciOiJFUzI1NiIsInR5cCI6ImRwb3Arand0IiwiandrIjp7fX0.e30.AA"} {
		f.Add(s, "DPoP x")
	}
	f.Fuzz(func(t *testing.T, proof, authorization string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/items/TM00000000000041", http.NoBody)
		r.Header["Authorization"], r.Header["Dpop"] = []string{authorization}, []string{proof}
		token, err := presented(r)
		if err == nil && (token == "" || strings.ContainsAny(token, " ,")) {
			t.Errorf("token %q", token)
		}
		if got, err := p.proofOf(r, address, token); err == nil {
			t.Errorf("nobody signed %q, and it proves %+v", proof, got)
		} else if e, ok := asReason(err); !ok || e.Reason != TokenInvalid {
			t.Errorf("refused with %v", err)
		}
	})
}
