package idp_test

import (
	"crypto"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/keys"
)

// hashOf is the digest that belongs to an algorithm; for EdDSA with Ed25519 the one it uses itself.
func hashOf(alg string) crypto.Hash {
	if alg == "EdDSA" {
		return crypto.SHA512
	}
	return crypto.SHA256
}

// TestIDTokenByTheBook: OIDC Core §2, §3.1.3.6: for each algorithm, exactly these claims (no azp, for there is one audience; no acr "0", no
// member of an engine), a kid that is published, and an at_hash of the right digest (the suite's oidcc-idtoken-rs256, oidcc-idtoken-signature).
func TestIDTokenByTheBook(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{detailsClient(nil)}, Now: c.now})
	s := signedInAt{t, h, atHome(t, h, "taro")}
	signedIn := float64(c.now().Unix())
	c.advance(time.Minute)
	for _, alg := range discovered(t, h, "id_token_signing_alg_values_supported") {
		reregister(t, h, detailsClient(map[string]any{"id_token_signed_response_alg": alg}))
		r := detailsRequest("openid offline_access")
		tokens := s.tokens(r)
		header, claims := verified(t, h, tokens.Text("id_token"), alg)
		if got := slices.Sorted(maps.Keys(header)); !slices.Equal(got, []string{"alg", "kid", "typ"}) || header["typ"] != "JWT" {
			t.Errorf("%s: header %v", alg, header)
		}
		if kid, _ := header["kid"].(string); len(published(t, h).Key(kid)) != 1 {
			t.Errorf("%s: key %s is published %d times", alg, kid, len(published(t, h).Key(kid)))
		}
		now := float64(c.now().Unix())
		want := map[string]any{
			"iss": h.Issuer, "aud": detailsID, "iat": now, "exp": now + 600, "auth_time": signedIn, "nonce": r.Params.Get("nonce"), "acr": "phrh",
			"at_hash": leftHalf(hashOf(alg), tokens.Text("access_token")), "sub": claims["sub"], "amr": claims["amr"],
		}
		if jsonOf(t, claims) != jsonOf(t, want) {
			t.Errorf("%s: %s\nwant %s", alg, jsonOf(t, claims), jsonOf(t, want))
		}
		if sub, _ := claims["sub"].(string); sub == "" || len(sub) > 255 || strings.Contains(jsonOf(t, claims["amr"]), "null") {
			t.Errorf("%s: sub %v, amr %v", alg, claims["sub"], claims["amr"])
		}
	}
	// nonce only if there was one (the suite's oidcc-ensure-request-without-nonce-succeeds-for-code-flow).
	if _, there := idClaims(t, s.tokens(detailsRequest("openid", "nonce", "")).Text("id_token"))["nonce"]; there {
		t.Error("a nonce out of nowhere")
	}
}

// TestKeysRotateInTheMiddleOfASession: the suite's oidcc-server-rotate-keys, and what it does not check: the new key is published before
// it signs, what the old one signed is still good, as a token and as a hint, and tokens are signed by the new one.
func TestKeysRotateInTheMiddleOfASession(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	b := h.Browser(t)
	r := idptest.NewRequest()
	first := h.Redeem(t, h.Code(t, b, r, "taro"), r)
	old := part(t, first.Text("id_token"), 0)["kid"].(string)
	if err := h.Keys.Rotate(t.Context(), keys.ES256); err != nil {
		t.Fatal(err)
	}
	ids := func() (all []string) {
		for _, k := range published(t, h).Keys {
			all = append(all, k.KeyID)
		}
		return all
	}
	if n := len(ids()); n != len(keys.Algs())+1 || !slices.Contains(ids(), old) {
		t.Fatalf("after the announcement: %v", ids())
	}
	refresh := func(tokens idptest.Answer) idptest.Answer {
		a := h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(tokens.Text("refresh_token")))
		if a.Status != http.StatusOK {
			t.Fatalf("refresh: %d %s", a.Status, a.Raw)
		}
		return a
	}
	second := refresh(first)
	if kid := part(t, second.Text("id_token"), 0)["kid"]; kid != old {
		t.Errorf("the announced key signs already: %v", kid)
	}
	c.advance(25 * time.Hour)
	if err := h.Keys.Advance(t.Context()); err != nil {
		t.Fatal(err)
	}
	third := refresh(second)
	header, claims := verified(t, h, third.Text("id_token"), string(jose.ES256))
	if header["kid"] == old || !slices.Contains(ids(), old) {
		t.Errorf("signed by %v, published %v", header["kid"], ids())
	}
	_, before := verified(t, h, first.Text("id_token"), string(jose.ES256))
	if before["sub"] != claims["sub"] || before["sid"] != claims["sid"] {
		t.Errorf("%v became %v", before, claims)
	}
	p := b.Get(idptest.NewRequest("prompt", "none", "id_token_hint", first.Text("id_token")).Path())
	if p.URL.Query().Get("error") != "login_required" { // the session is over by now; a hint that is not believed is invalid_request
		t.Errorf("a hint signed by the old key: %s", p.URL)
	}
}

// TestSubjectIsOfTheSector: OIDC Core §8.1: services of one sector know a citizen by one name, those of two by two, and the name is the
// same for ever and at every endpoint.
func TestSubjectIsOfTheSector(t *testing.T) {
	shop := func(id, uri string) map[string]any {
		return map[string]any{"client_id": id, "client_name": id, "operator": id, "redirect_uris": []string{uri}, "scope": "openid", "token_endpoint_auth_method": "none"}
	}
	uris := map[string]string{"shop": "https://shop.example/a", "till": "https://shop.example/b", "bank": "https://bank.example/a"}
	var list []map[string]any
	for id, uri := range uris {
		list = append(list, shop(id, uri))
	}
	h := idptest.Start(t, idptest.Options{Clients: list})
	subject := func(b *idptest.Browser, id string) string {
		r := idptest.NewRequest("client_id", id, "redirect_uri", uris[id], "scope", "openid")
		a := signedInAt{t, h, b}.tokens(r)
		sub, _ := idClaims(t, a.Text("id_token"))["sub"].(string)
		if info := h.Bearer(t, http.MethodGet, "/userinfo", a.Text("access_token")); info.Text("sub") != sub || sub == "" {
			t.Errorf("%s: %q in the ID token, %q at userinfo", id, sub, info.Text("sub"))
		}
		return sub
	}
	taro, hanako := atHome(t, h, "taro"), atHome(t, h, "hanako")
	first := subject(taro, "shop")
	if sub := subject(taro, "till"); sub != first {
		t.Errorf("one sector, two names: %s and %s", first, sub)
	}
	if sub := subject(taro, "bank"); sub == first {
		t.Errorf("two sectors, one name: %s", sub)
	}
	if sub := subject(atHome(t, h, "taro"), "shop"); sub != first {
		t.Errorf("in another browser %s, in the first %s", sub, first)
	}
	if sub := subject(hanako, "shop"); sub == first {
		t.Error("two citizens, one name")
	}
}

// TestACRIsAnsweredAsAsked: the suite's oidcc-ensure-request-with-acr-values-succeeds asks for all that the discovery document advertises,
// and wants one of them back.
func TestACRIsAnsweredAsAsked(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	all := discovered(t, h, "acr_values_supported")
	for _, asked := range []url.Values{
		{"acr_values": {strings.Join(all, " ")}}, {"claims": {`{"id_token":{"acr":{"essential":true,"values":` + jsonOf(t, all) + `},"auth_time":{"essential":true}}}`}},
	} {
		r := idptest.NewRequest()
		maps.Copy(r.Params, asked)
		id := idClaims(t, h.Redeem(t, h.Code(t, h.Browser(t), r, "taro"), r).Text("id_token"))
		if acr, _ := id["acr"].(string); !slices.Contains(all, acr) || id["auth_time"] == nil {
			t.Errorf("%v: %v", asked, id)
		}
	}
}
