package idp_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestEndingALinkNeedsAFreshSignIn: RFC 9470 §3: a token that was refreshed until the sign-in is too long ago is told what to ask for, and
// a new sign-in with exactly that will do. What only reads goes on working.
func TestEndingALinkNeedsAFreshSignIn(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	b := h.Browser(t)
	r := idptest.NewRequest("scope", "openid offline_access links")
	tokens := h.Redeem(t, h.Code(t, b, r, "taro"), r)
	end := func(token string) idptest.Answer {
		return h.Bearer(t, http.MethodDelete, "/api/account/links/other", token)
	}
	if a := end(tokens.Text("access_token")); a.Status != http.StatusNoContent {
		t.Fatalf("fresh: %d %s", a.Status, a.Raw)
	}
	c.advance(13 * time.Hour)
	old := h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(tokens.Text("refresh_token"))).Text("access_token")
	a := end(old)
	challenge := a.Header.Get("WWW-Authenticate")
	if a.Status != http.StatusUnauthorized || a.Text("error") != "insufficient_user_authentication" {
		t.Errorf("thirteen hours later: %d %s", a.Status, a.Raw)
	}
	for _, want := range []string{`error="insufficient_user_authentication"`, `acr_values="phrh"`, `max_age="43200"`} {
		if !strings.Contains(challenge, want) {
			t.Errorf("challenge %q lacks %s", challenge, want)
		}
	}
	if a := h.Bearer(t, http.MethodGet, "/api/account/services", old); a.Status != http.StatusOK {
		t.Errorf("reading: %d %s", a.Status, a.Raw)
	}
	again := idptest.NewRequest("scope", "openid links", "acr_values", "phrh", "max_age", "43200")
	fresh := h.Redeem(t, h.Code(t, b, again, "taro"), again).Text("access_token")
	if a := end(fresh); a.Status != http.StatusNoContent {
		t.Errorf("after a new sign-in: %d %s", a.Status, a.Raw)
	}
}

// TestLesserLevelToldIsNoLesserSignIn: a client that insists on a lesser level is told that one; the card was read all the same, and the
// hub's API does not send the citizen to read it again.
func TestLesserLevelToldIsNoLesserSignIn(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	r := idptest.NewRequest("scope", "openid links", "claims", `{"id_token":{"acr":{"essential":true,"value":"phr"}},"userinfo":{"acr":null}}`)
	tokens := h.Redeem(t, h.Code(t, h.Browser(t), r, "taro"), r)
	token := tokens.Text("access_token")
	if id, info := idClaims(t, tokens.Text("id_token")), h.Bearer(t, http.MethodGet, "/userinfo", token); id["acr"] != "phr" || info.Text("acr") != "phr" {
		t.Errorf("told %v and %s", id["acr"], info.Raw)
	}
	if a := h.Bearer(t, http.MethodDelete, "/api/account/links/other", token); a.Status != http.StatusNoContent {
		t.Errorf("%d %s", a.Status, a.Header.Get("WWW-Authenticate"))
	}
}

// TestProtectedResourceMetadata: RFC 9728 §3.2 and §5.1: every challenge leads to the document, and the document says what is so.
func TestProtectedResourceMetadata(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	at := h.Issuer + "/.well-known/oauth-protected-resource"
	for name, a := range map[string]idptest.Answer{
		"no token": h.Bearer(t, http.MethodGet, "/api/link", ""), "a bad one": h.Bearer(t, http.MethodGet, "/userinfo", "x"),
		"scheme DPoP": userinfoWith(t, h, "DPoP", "x"), "own standing": h.Bearer(t, http.MethodGet, "/api/service", "x"),
	} {
		if a.Status != http.StatusUnauthorized || !strings.Contains(a.Header.Get("WWW-Authenticate"), `resource_metadata="`+at+`"`) {
			t.Errorf("%s: %d %q", name, a.Status, a.Header.Get("WWW-Authenticate"))
		}
	}
	a := h.Bearer(t, http.MethodGet, "/.well-known/oauth-protected-resource", "")
	if a.Text("resource") != h.Issuer || !slices.Equal(list(a.JSON["authorization_servers"]), []string{h.Issuer}) || !slices.Contains(list(a.JSON["scopes_supported"]), "service") {
		t.Errorf("%d %s", a.Status, a.Raw)
	}
	if slices.Contains(list(a.JSON["scopes_supported"]), "offline_access") {
		t.Error("offline_access is nothing of a resource's")
	}
	if !slices.Contains(list(h.Bearer(t, http.MethodGet, "/.well-known/openid-configuration", "").JSON["protected_resources"]), h.Issuer) {
		t.Error("the authorization server does not know its resource")
	}
}

// TestDiscoveryNamesTheTokenEndpointsGrants: what discovery lists is the table that decides.
func TestDiscoveryNamesTheTokenEndpointsGrants(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: resourceClients()})
	var doc struct {
		Grants        []string `json:"grant_types_supported"`
		Introspection string   `json:"introspection_endpoint"`
		Methods       []string `json:"introspection_endpoint_auth_methods_supported"`
		Algs          []string `json:"introspection_signing_alg_values_supported"`
	}
	if err := json.Unmarshal([]byte(h.Bearer(t, http.MethodGet, "/.well-known/openid-configuration", "").Raw), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Introspection != h.Issuer+"/introspect" || slices.Contains(doc.Methods, "none") || len(doc.Algs) == 0 {
		t.Errorf("%+v", doc)
	}
	for _, grant := range []string{"authorization_code", "refresh_token", "client_credentials", exchangeGrant} {
		if !slices.Contains(doc.Grants, grant) {
			t.Errorf("%s is missing", grant)
		}
	}
	for _, grant := range doc.Grants {
		a := h.PostForm(t, "/token", idptest.PublicID, "", map[string][]string{"grant_type": {grant}})
		if a.Text("error") == "unsupported_grant_type" {
			t.Errorf("%s is listed, not offered", grant)
		}
	}
}
