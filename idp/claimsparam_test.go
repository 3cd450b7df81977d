package idp_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestClaimsParameterSyntax: OIDC Core §5.5: what cannot be read is refused, what nobody knows is ignored.
func TestClaimsParameterSyntax(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	h.Code(t, b, idptest.NewRequest(), "taro")
	many := map[string]any{}
	for i := range 65 {
		many[fmt.Sprint("c", i)] = nil
	}
	text := func(v any) string {
		s, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(s)
	}
	for _, tt := range []struct {
		name, claims string
		ok           bool
	}{
		{"empty", `{}`, true},
		{"every form of asking", `{"userinfo":{"zoneinfo_of_nobody":null,"auth_time":{"essential":true}},"id_token":{"auth_time":{"essential":false,"value":1,"values":[1,"x"],"unknown":[]}}}`, true},
		{"unknown places", `{"verified_by":{"x":1},"_claims":[]}`, true},
		{"null places", `{"userinfo":null,"id_token":null}`, true},
		{"no JSON", `claims`, false},
		{"list", `[]`, false},
		{"two texts", `{}{}`, false},
		{"member twice", `{"userinfo":{},"userinfo":{}}`, false},
		{"claim twice", `{"userinfo":{"sub":null,"sub":null}}`, false},
		{"place is a list", `{"userinfo":[]}`, false},
		{"claim is text", `{"userinfo":{"sub":"x"}}`, false},
		{"essential is text", `{"userinfo":{"sub":{"essential":"true"}}}`, false},
		{"essential is null", `{"userinfo":{"sub":{"essential":null}}}`, false},
		{"values are no list", `{"id_token":{"acr":{"values":"phrh"}}}`, false},
		{"no values", `{"id_token":{"acr":{"values":[]}}}`, false},
		{"17 values", `{"id_token":{"acr":{"values":[` + strings.TrimSuffix(strings.Repeat(`"a",`, 17), ",") + `]}}}`, false},
		{"65 claims", text(map[string]any{"userinfo": many}), false},
		{"more than 8 KiB", `{"x":"` + strings.Repeat("x", 8<<10) + `"}`, false},
		{"two subjects", `{"id_token":{"sub":{"values":["a","b"]}}}`, false},
		{"a subject that is a number", `{"id_token":{"sub":{"value":1}}}`, false},
	} {
		p := b.Get(idptest.NewRequest("claims", tt.claims).Path())
		if q := p.URL.Query(); (q.Get("code") != "") != tt.ok || !tt.ok && q.Get("error") != "invalid_request" {
			t.Errorf("%s: %s %s", tt.name, p.URL, p.Error())
		}
	}
}

// TestClaimsSubject: a sub with a value names who must be there, like id_token_hint (OIDC Core §5.5.1, §3.1.2.1).
func TestClaimsSubject(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	r := idptest.NewRequest()
	hint := h.Redeem(t, h.Code(t, b, r, "taro"), r).Text("id_token")
	sub, _ := idTokenClaims(t, hint)["sub"].(string)
	ask := func(place, member string, value any) string {
		s, err := json.Marshal(map[string]any{place: map[string]any{"sub": map[string]any{member: value}}})
		if err != nil {
			t.Fatal(err)
		}
		return string(s)
	}
	for _, tt := range []struct{ name, claims, hint, want string }{
		{"own", ask("id_token", "value", sub), "", ""},
		{"own, as the one of a list", ask("userinfo", "values", []string{sub}), "", ""},
		{"own, and the hint says so too", ask("id_token", "value", sub), hint, ""},
		{"another", ask("id_token", "value", "somebody"), "", "login_required"},
		{"another at userinfo", ask("userinfo", "value", "somebody"), "", "login_required"},
		{"another than in the hint", ask("id_token", "value", "somebody"), hint, "login_required"},
		{"whoever it is", ask("id_token", "essential", true), "", ""},
	} {
		p := b.Get(idptest.NewRequest("claims", tt.claims, "prompt", "none", "id_token_hint", tt.hint).Path())
		if q := p.URL.Query(); q.Get("error") != tt.want || (q.Get("code") != "") != (tt.want == "") {
			t.Errorf("%s: %s %s", tt.name, p.URL, p.Error())
		}
	}
	other := h.Browser(t)
	if end := other.SignIn(other.Get(idptest.NewRequest("claims", ask("id_token", "value", sub)).Path()), "hanako"); end.URL.Query().Get("error") != "login_required" {
		t.Errorf("another person's card: %s %s", end.URL, end.Error())
	}
}

// TestEssentialACR: OIDC Core §5.5.1.1: met, or the login fails with unmet_authentication_requirements; a wish is a wish. Mirrors
// oidcc-ensure-request-with-acr-values-succeeds and fapi2-security-profile-final-test-essential-acr-sca-claim.
func TestEssentialACR(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	h.Code(t, b, idptest.NewRequest(), "taro")
	acr := func(s string) string { return `{"id_token":{"acr":` + s + `}}` }
	for _, tt := range []struct{ name, claims, error, acr string }{
		{"met", acr(`{"essential":true,"value":"phrh"}`), "", "phrh"},
		{"met by better, and told as asked", acr(`{"essential":true,"values":["urn:other","phr"]}`), "", "phr"},
		{"any", acr(`{"essential":true}`), "", "phrh"},
		{"any at all", acr(`null`), "", "phrh"},
		{"unmet", acr(`{"essential":true,"value":"urn:other"}`), "unmet_authentication_requirements", ""},
		{"unmet, of several", acr(`{"essential":true,"values":["urn:other","0"]}`), "unmet_authentication_requirements", ""},
		{"no text", acr(`{"essential":true,"value":3}`), "unmet_authentication_requirements", ""},
		{"a wish nobody can fulfil", acr(`{"value":"urn:other"}`), "", "phrh"},
		{"a wish for less", acr(`{"values":["phr"]}`), "", "phrh"},
	} {
		for _, prompt := range []string{"", "none"} {
			r := idptest.NewRequest("claims", tt.claims, "prompt", prompt)
			p := b.Get(r.Path())
			q := p.URL.Query()
			if q.Get("error") != tt.error || q.Get("iss") != h.Issuer {
				t.Errorf("%s: %s %s", tt.name, p.URL, p.Error())
			}
			if tt.error != "" {
				continue
			}
			if got := idTokenClaims(t, h.Redeem(t, q.Get("code"), r).Text("id_token"))["acr"]; got != tt.acr {
				t.Errorf("%s: acr %v", tt.name, got)
			}
		}
	}
	// Nobody is sent to log in for a level that cannot be reached.
	stranger := h.Browser(t)
	if p := stranger.Get(idptest.NewRequest("claims", acr(`{"essential":true,"value":"urn:other"}`)).Path()); p.URL.Query().Get("error") != "unmet_authentication_requirements" {
		t.Errorf("%s", p.URL)
	}
	// An essential level stands above the wish beside it.
	r := idptest.NewRequest("claims", acr(`{"essential":true,"value":"urn:other"}`), "acr_values", "phrh")
	if p := b.Get(r.Path()); p.URL.Query().Get("error") != "unmet_authentication_requirements" {
		t.Errorf("%s", p.URL)
	}
	if p := b.Get("/authorize?" + url.Values{"client_id": {idptest.ClientID}, "request_uri": {"https://app.example/r"}, "redirect_uri": {idptest.RedirectURI}}.Encode()); p.URL.Query().Get("error") != "request_uri_not_supported" {
		t.Errorf("by reference, without openid: %s", p.URL)
	}
}
