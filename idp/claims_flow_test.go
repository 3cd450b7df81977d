package idp_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestClaimsParameterInUserinfo: OIDC Core §5.5, the suite's oidcc-claims-essential: the name that was asked for comes from the userinfo
// endpoint and not in the ID token, whatever way it was asked for, and nothing else comes with it.
func TestClaimsParameterInUserinfo(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{detailsClient(nil)}})
	s := signedInAt{t, h, atHome(t, h, "taro")}
	s.b.Post("/account/details", detailsForm())
	for _, c := range []struct {
		scope, claims string
		want          []string
	}{
		{"openid", `{"userinfo":{"name":{"essential":true}}}`, []string{"name"}},
		{"openid", `{"userinfo":{"name":null}}`, []string{"name"}},
		{"openid", `{"userinfo":{"name":{}}}`, []string{"name"}},
		{"openid", `{"userinfo":{"name":{"essential":false},"nobody_knows":null,"name#ja":null}}`, []string{"name"}},
		{"openid email", `{"userinfo":{"nickname":{"x":"y"}},"elsewhere":{"name":null}}`, []string{"email", "email_verified", "nickname"}},
		{"openid", `{"userinfo":{"email_verified":null,"address":null,"updated_at":null}}`, []string{"address", "email_verified", "updated_at"}},
		{"openid", `{"userinfo":{"name":{"value":"somebody else"},"nickname":{"values":["x","たろう"]}}}`, []string{"nickname"}},
		{"openid", `{"userinfo":{"acr":null,"auth_time":{"essential":true},"sub":null}}`, []string{"acr", "auth_time"}},
		{"openid", `{"userinfo":null}`, nil},
	} {
		tokens := s.tokens(detailsRequest(c.scope, "claims", c.claims))
		want := append(slices.Clone(c.want), "sub")
		slices.Sort(want)
		if got := claimNames(h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("access_token"))); !slices.Equal(got, want) {
			t.Errorf("%s %s: userinfo has %v, want %v", c.scope, c.claims, got, want)
		}
		if id := idClaims(t, tokens.Text("id_token")); id["name"] != nil || id["email"] != nil || id["address"] != nil || id["nickname"] != nil {
			t.Errorf("%s %s: the ID token has %v", c.scope, c.claims, id)
		}
		if tokens.Text("scope") != c.scope {
			t.Errorf("%s %s: scope %s", c.scope, c.claims, tokens.Text("scope"))
		}
	}
}

// TestClaimsParameterInIDToken: what was asked for in the ID token is there with the same value as at the userinfo endpoint, also after a
// refresh (the suite's fapi2-…-test-claims-parameter-identity-claims asks for everything in both).
func TestClaimsParameterInIDToken(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{detailsClient(nil)}})
	s := signedInAt{t, h, atHome(t, h, "taro")}
	s.b.Post("/account/details", detailsForm())
	var asks []string
	var names []string
	for i, name := range discovered(t, h, "claims_supported") {
		asks = append(asks, `"`+name+`":`+[]string{"null", "{}", `{"essential":true}`, `{"k":"v"}`, `{"essential":false}`}[i%5])
		if !slices.Contains([]string{"iss", "aud", "exp", "iat", "nonce", "sid", "at_hash", "act", "acr", "amr", "auth_time"}, name) {
			names = append(names, name)
		}
	}
	every := "{" + strings.Join(asks, ",") + "}"
	tokens := s.tokens(detailsRequest("openid offline_access", "claims", `{"userinfo":`+every+`,"id_token":`+every+`,"random":{"x":null}}`))
	info := h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("access_token"))
	again := h.PostForm(t, "/token", detailsID, "", idptest.RefreshForm(tokens.Text("refresh_token")))
	for what, id := range map[string]map[string]any{"ID token": idClaims(t, tokens.Text("id_token")), "refreshed ID token": idClaims(t, again.Text("id_token"))} {
		if len(names) != 20 {
			t.Fatalf("%d standard claims", len(names))
		}
		for _, name := range names {
			if one, two := jsonOf(t, id[name]), jsonOf(t, info.JSON[name]); one != two || one == "null" {
				t.Errorf("%s: %s is %s, at userinfo %s", what, name, one, two)
			}
		}
	}
	// Only what is asked for here.
	id := idClaims(t, s.tokens(detailsRequest("openid profile email", "claims", `{"id_token":{"email":null}}`)).Text("id_token"))
	if id["email"] != "taro@example.jp" || id["email_verified"] != nil || id["name"] != nil {
		t.Errorf("email alone: %v", id)
	}
}

// TestClaimNeedsConsentOfItsScope: a claim asked for by name is asked of the citizen like the scope that covers it, and asked anew when it
// is new.
func TestClaimNeedsConsentOfItsScope(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{detailsClient(nil)}})
	s := signedInAt{t, h, atHome(t, h, "taro")}
	s.b.Post("/account/details", detailsForm())
	s.tokens(detailsRequest("openid"))
	email := detailsRequest("openid", "claims", `{"id_token":{"email":null}}`)
	if p := s.b.Get(email.Path() + "&prompt=none"); p.URL.Query().Get("error") != "consent_required" {
		t.Errorf("prompt=none before consent: %s", p.URL)
	}
	p := s.b.Get(email.Path())
	if p.URL.Path != "/consent" || !strings.Contains(p.Body, "taro@example.jp") || strings.Contains(p.Body, "山田") {
		t.Fatalf("consent: %s", p.URL)
	}
	if p = s.b.Post("/consent", url.Values{"tx": {p.Tx()}, "decision": {"deny"}}); p.URL.Query().Get("error") != "access_denied" {
		t.Errorf("denied: %s", p.URL)
	}
	if id := idClaims(t, s.tokens(email).Text("id_token")); id["email"] != "taro@example.jp" {
		t.Errorf("agreed: %v", id)
	}
	if p := s.b.Get(email.Path()); p.Body != "" {
		t.Errorf("asked again for the same: %s", p.URL)
	}
	if p := s.b.Get(detailsRequest("openid", "claims", `{"userinfo":{"phone_number":null}}`).Path()); p.URL.Path != "/consent" {
		t.Errorf("not asked for a new claim: %s", p.URL)
	}
}

// TestClaimOfAnUnregisteredScopeIsIgnored: the service may not have it, so nobody is asked for it.
func TestClaimOfAnUnregisteredScopeIsIgnored(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{detailsClient(map[string]any{"scope": "openid email", "grant_types": []string{"authorization_code"}})}})
	s := signedInAt{t, h, atHome(t, h, "taro")}
	s.b.Post("/account/details", detailsForm())
	r := detailsRequest("openid", "claims", `{"id_token":{"name":{"essential":true}},"userinfo":{"name":null,"email":null}}`)
	p := s.b.Get(r.Path())
	if p.URL.Path != "/consent" || strings.Contains(p.Body, "山田") {
		t.Fatalf("consent: %s", p.URL)
	}
	tokens := s.tokens(r)
	if got := claimNames(h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("access_token"))); !slices.Equal(got, []string{"email", "sub"}) || idClaims(t, tokens.Text("id_token"))["name"] != nil {
		t.Errorf("userinfo has %v", got)
	}
}

// TestConsentIsForWhatWasShown: the registration grows while the citizen reads; she agreed to the page she saw.
func TestConsentIsForWhatWasShown(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{detailsClient(map[string]any{"scope": "openid email", "grant_types": []string{"authorization_code"}})}})
	b := atHome(t, h, "taro")
	b.Post("/account/details", detailsForm())
	p := b.Get(detailsRequest("openid email", "claims", `{"userinfo":{"phone_number":null}}`).Path())
	if strings.Contains(p.Body, "819012345678") {
		t.Fatal("a claim that the service may not have is shown")
	}
	reregister(t, h, detailsClient(map[string]any{"scope": "openid email phone", "grant_types": []string{"authorization_code"}}))
	p = b.Post("/consent", url.Values{"tx": {p.Tx()}, "decision": {"allow"}})
	if p.URL.Path != "/consent" || !strings.Contains(p.Body, "819012345678") {
		t.Errorf("after the registration grew: %s", p.URL)
	}
}

// TestClaimNobodyWasAskedForStaysIgnored: a claim of a scope that the service registers for after the citizen agreed was never on her page.
func TestClaimNobodyWasAskedForStaysIgnored(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{detailsClient(map[string]any{"scope": "openid email offline_access"})}})
	s := signedInAt{t, h, atHome(t, h, "taro")}
	s.b.Post("/account/details", detailsForm())
	ask := `{"name":null,"phone_number":{"essential":true},"email":null,"acr":null}`
	tokens := s.tokens(detailsRequest("openid offline_access", "claims", `{"userinfo":`+ask+`,"id_token":`+ask+`}`))
	reregister(t, h, detailsClient(nil))
	if got := claimNames(h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("access_token"))); !slices.Equal(got, []string{"acr", "email", "sub"}) {
		t.Errorf("userinfo has %v", got)
	}
	again := h.PostForm(t, "/token", detailsID, "", idptest.RefreshForm(tokens.Text("refresh_token")))
	if id := idClaims(t, again.Text("id_token")); id["name"] != nil || id["phone_number"] != nil || id["email"] != "taro@example.jp" {
		t.Errorf("the refreshed ID token has %v", id)
	}
}

// TestFullestIDTokenIsStillAHint: whatever a citizen wrote, and however it is escaped, an ID token with all of it stays within what is read
// when it comes back.
func TestFullestIDTokenIsStillAHint(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{detailsClient(nil)}})
	s := signedInAt{t, h, atHome(t, h, "taro")}
	form, address := url.Values{}, "https://a.example/?"+strings.Repeat("&", 181)
	for name := range detailsForm() {
		form.Set(name, strings.Repeat("<", 60))
		if strings.HasPrefix(name, "address-") {
			form.Set(name, strings.Repeat("<", 80))
		}
	}
	for name, value := range map[string]string{
		"profile": address, "picture": address, "website": address, "email": strings.Repeat("&", 64) + "@" + strings.Repeat("a.", 90) + "jp", "phone_number": "+123456789012345",
		"gender": "female", "birthdate": "1990-05-17", "zoneinfo": "America/Argentina/ComodRivadavia", "locale": "ja-Jpan-JP",
	} {
		form.Set(name, value)
	}
	if p := s.b.Post("/account/details", form); p.Status != http.StatusOK {
		t.Fatalf("the longest of everything: %d %v", p.Status, regexp.MustCompile(`href="#[^"]*"`).FindAllString(p.Body, -1))
	}
	every, err := json.Marshal(map[string]any{"id_token": map[string]any{
		"name": nil, "family_name": nil, "given_name": nil, "middle_name": nil, "nickname": nil, "preferred_username": nil, "profile": nil, "picture": nil, "website": nil,
		"gender": nil, "birthdate": nil, "zoneinfo": nil, "locale": nil, "updated_at": nil, "email": nil, "email_verified": nil, "phone_number": nil, "phone_number_verified": nil, "address": nil,
	}})
	if err != nil {
		t.Fatal(err)
	}
	token := s.tokens(detailsRequest("openid", "claims", string(every))).Text("id_token")
	r := detailsRequest("openid", "claims", string(every), "prompt", "none", "id_token_hint", token)
	p := s.b.Post("/authorize", r.Params)
	if p.URL.Query().Get("code") == "" {
		t.Errorf("a token of %d bytes as a hint: %s", len(token), p.URL.Query().Get("error_description"))
	}
}
