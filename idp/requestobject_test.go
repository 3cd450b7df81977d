package idp_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestRequestObjectIsTheWholeRequest: OIDC Core §6.1, RFC 9101 §6: at the authorization endpoint only what the client signed counts.
// Mirrors fapi2-security-profile-final-state-only-outside-request-object-not-used and
// -ensure-different-nonce-inside-and-outside-request-object.
func TestRequestObjectIsTheWholeRequest(t *testing.T) {
	_, clients, h := signedHub(t, map[string]map[string]any{"shop": nil})
	shop, b := clients["shop"], h.Browser(t)
	b.SignIn(b.Get(shop.request().Path()), "taro")
	r := shop.request("state", "")
	outside := url.Values{
		"client_id": {"shop"}, "request": {shop.object(t, r, nil)}, "state": {"outside"}, "nonce": {"outside"}, "prompt": {"login"},
		"redirect_uri": {"https://evil.example/"}, "response_type": {"code"}, "scope": {"openid"}, "response_mode": {"form_post"},
	}
	p := b.Get("/authorize?" + outside.Encode())
	q := p.URL.Query()
	if q.Get("code") == "" || q.Has("state") || !strings.HasPrefix(p.URL.String(), "https://shop.example/cb?") {
		t.Fatalf("%d %s %s", p.Status, p.URL, p.Error())
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {q.Get("code")}, "redirect_uri": {"https://shop.example/cb"}, "code_verifier": {r.Verifier}}
	tokens := shop.post(t, "/token", form)
	if claims := idTokenClaims(t, tokens.Text("id_token")); claims["nonce"] != r.Params.Get("nonce") || claims["s_hash"] != nil {
		t.Errorf("%v", claims)
	}
	// The same by POST, and once more: a visit can be repeated.
	for range 2 {
		if p := b.Post("/authorize", outside); p.URL.Query().Get("code") == "" {
			t.Errorf("POST: %s %s", p.URL, p.Error())
		}
	}
}

// TestRequestObjectParametersHaveTheirTypes: numbers, objects and lists inside are parameters like any other, and nothing else passes for one.
func TestRequestObjectParametersHaveTheirTypes(t *testing.T) {
	c, clients, h := signedHub(t, map[string]map[string]any{"shop": {"resources": []string{"https://api.example/one"}, "authorization_details_types": []string{"exchange"}}})
	shop, b := clients["shop"], h.Browser(t)
	b.SignIn(b.Get(shop.request().Path()), "taro")
	c.advance(20 * time.Minute)
	exchange := []any{map[string]any{"type": "exchange", "datatypes": []string{"income"}, "purpose": "test"}}
	for _, tt := range []struct {
		name string
		more map[string]any
		want string // error, or the path of a page, or "" for a code
	}{
		{"max_age", map[string]any{"max_age": 60}, "/login"},
		{"max_age zero", map[string]any{"max_age": 0}, "/login"},
		{"max_age is text", map[string]any{"max_age": "60"}, "invalid_request_object"},
		{"max_age has a fraction", map[string]any{"max_age": 1.5}, "invalid_request_object"},
		{"claims", map[string]any{"claims": map[string]any{"id_token": map[string]any{"acr": map[string]any{"essential": true, "value": "urn:other"}}}}, "unmet_authentication_requirements"},
		{"claims are text", map[string]any{"claims": `{"id_token":{}}`}, "invalid_request_object"},
		{"resource", map[string]any{"resource": "https://api.example/one"}, ""},
		{"resources", map[string]any{"resource": []string{"https://api.example/one", h.Issuer}}, ""},
		{"resource is a number", map[string]any{"resource": 1}, "invalid_request_object"},
		{"foreign resource", map[string]any{"resource": []string{"https://api.example/two"}}, "invalid_target"},
		{"details", map[string]any{"authorization_details": exchange}, "/consent"},
		{"details are text", map[string]any{"authorization_details": "[]"}, "invalid_request_object"},
		{"state is a number", map[string]any{"state": 1}, "invalid_request_object"},
		{"nothing but text is unknown", map[string]any{"unheard_of": map[string]any{"of": 1}}, ""},
		{"registration", map[string]any{"registration": map[string]any{}}, "registration_not_supported"},
	} {
		object := shop.object(t, shop.request(), tt.more)
		p := b.Get("/authorize?" + url.Values{"client_id": {"shop"}, "request": {object}}.Encode())
		got := p.URL.Query().Get("error")
		if p.Body != "" {
			got = p.URL.Path
		}
		if got != tt.want || tt.want == "" && p.URL.Query().Get("code") == "" {
			t.Errorf("%s: %s %s", tt.name, p.URL, p.Error())
		}
	}
}

// TestRefusedRequestObjectAtAuthorize: the client is told where it can be trusted to be told: at a registered address outside of an object
// that nobody can believe, or inside one that the client signed; otherwise the citizen sees a page.
func TestRefusedRequestObjectAtAuthorize(t *testing.T) {
	c, clients, h := signedHub(t, map[string]map[string]any{"shop": nil, "rival": nil})
	shop, rival, b := clients["shop"], clients["rival"], h.Browser(t)
	r := shop.request()
	good := shop.object(t, r, nil)
	broken := good[:len(good)-4] + "AAAA"
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + good[strings.Index(good, "."):strings.LastIndex(good, ".")+1]
	signed := func(more map[string]any) string { return shop.object(t, r, more) }
	past := map[string]any{"exp": c.now().Add(-time.Minute).Unix()}
	for _, tt := range []struct {
		name, object, outside string // address outside of the object
		state                 string // that comes back; "page" for a page
	}{
		{"bad signature", broken, "https://shop.example/cb", "outside"},
		{"bad signature, nothing outside", broken, "", "page"},
		{"bad signature, foreign address outside", broken, "https://evil.example/", "page"},
		{"alg none", none, "https://shop.example/cb", "outside"},
		{"alg none, nothing outside", none, "", "page"},
		{"another client's key", rival.object(t, r, map[string]any{"iss": "shop"}), "", "page"},
		{"no JWS at all", "e30", "", "page"},
		{"encrypted", "a.b.c.d.e", "", "page"},
		{"expired", signed(past), "", r.Params.Get("state")},
		{"expired, foreign address inside", signed(map[string]any{"exp": 1, "redirect_uri": "https://evil.example/"}), "https://shop.example/cb", "page"},
		{"for another hub", signed(map[string]any{"aud": "https://other.example"}), "", r.Params.Get("state")},
		{"of another client", signed(map[string]any{"iss": "rival"}), "", r.Params.Get("state")},
		{"request inside", signed(map[string]any{"request": "x"}), "", r.Params.Get("state")},
		{"request_uri inside", signed(map[string]any{"request_uri": "https://shop.example/r"}), "", r.Params.Get("state")},
		{"client_id inside is another", signed(map[string]any{"client_id": "rival"}), "", r.Params.Get("state")},
	} {
		form := url.Values{"client_id": {"shop"}, "request": {tt.object}, "state": {"outside"}, "response_type": {"code"}, "scope": {"openid"}}
		if tt.outside != "" {
			form.Set("redirect_uri", tt.outside)
		}
		p := b.Get("/authorize?" + form.Encode())
		q := p.URL.Query()
		if tt.state == "page" {
			if p.Status != http.StatusBadRequest || p.Error() != "invalid_request" {
				t.Errorf("%s: %d %s %q", tt.name, p.Status, p.URL, p.Error())
			}
			continue
		}
		if q.Get("error") != "invalid_request_object" || q.Get("state") != tt.state || q.Get("iss") != h.Issuer || !strings.HasPrefix(p.URL.String(), "https://shop.example/cb?") {
			t.Errorf("%s: %d %s %q", tt.name, p.Status, p.URL, p.Error())
		}
	}
	mixed := url.Values{"client_id": {"shop"}, "request": {good}, "response_type": {"token"}}
	if p := b.Get("/authorize?" + mixed.Encode()); p.URL.Query().Get("error") != "invalid_request_object" {
		t.Errorf("another response_type outside: %s", p.URL)
	}
	both := url.Values{"client_id": {"shop"}, "request": {good}, "request_uri": {"https://shop.example/r"}}
	if p := b.Get("/authorize?" + both.Encode()); p.URL.Query().Get("error") != "invalid_request" {
		t.Errorf("request and request_uri: %s", p.URL)
	}
	twice := url.Values{"client_id": {"shop"}, "request": {good, good}, "redirect_uri": {"https://shop.example/cb"}}
	if p := b.Get("/authorize?" + twice.Encode()); p.URL.Query().Get("error") != "invalid_request" {
		t.Errorf("two objects: %s %s", p.URL, p.Error())
	}
}

// TestPushedRequestObject: FAPI 2.0 Message Signing §5.3, RFC 9126 §3. Mirrors the modules
// fapi2-security-profile-final-ensure-request-object-*, -par-authorization-request-containing-request_uri and
// -ensure-unsigned-request-at-par-endpoint-fails.
func TestPushedRequestObject(t *testing.T) {
	c, clients, h := signedHub(t, map[string]map[string]any{
		"bank": {"profile": "fapi2", "require_signed_request_object": true}, "rival": {"profile": "fapi2"},
	})
	bank, b := clients["bank"], h.Browser(t)
	r := bank.request()
	object := bank.object(t, r, nil)
	pushed := bank.post(t, "/par", url.Values{"request": {object}})
	if pushed.Status != http.StatusCreated {
		t.Fatalf("%d %s", pushed.Status, pushed.Raw)
	}
	p := b.SignIn(b.Get(bank.visit(pushed.Text("request_uri"))), "taro")
	if q := p.URL.Query(); q.Get("code") == "" || q.Get("state") != r.Params.Get("state") {
		t.Fatalf("%s %s", p.URL, p.Error())
	}
	at := func(d time.Duration) int64 { return c.now().Add(d).Unix() }
	for _, tt := range []struct {
		name, object, want string
	}{
		{"pushed before", object, "invalid_request_object"},
		{"another client's key", clients["rival"].object(t, r, map[string]any{"iss": "bank"}), "invalid_request_object"},
		{"no exp", bank.object(t, r, map[string]any{"exp": nil}), "invalid_request_object"},
		{"no nbf", bank.object(t, r, map[string]any{"nbf": nil}), "invalid_request_object"},
		{"expired", bank.object(t, r, map[string]any{"exp": at(-time.Minute)}), "invalid_request_object"},
		{"70 minutes old", bank.object(t, r, map[string]any{"nbf": at(-70 * time.Minute)}), "invalid_request_object"},
		{"for 70 minutes", bank.object(t, r, map[string]any{"exp": at(70 * time.Minute)}), "invalid_request_object"},
		{"8 seconds early", bank.object(t, r, map[string]any{"nbf": at(8 * time.Second)}), ""},
		{"several audiences", bank.object(t, r, map[string]any{"aud": []string{h.Issuer, "https://other1.example.com"}}), ""},
		{"foreign audience", bank.object(t, r, map[string]any{"aud": "https://other1.example.com"}), "invalid_request_object"},
		{"request_uri inside", bank.object(t, r, map[string]any{"request_uri": "urn:example:x"}), "invalid_request_object"},
		{"no redirect_uri", bank.object(t, r, map[string]any{"redirect_uri": nil}), "invalid_request"},
		{"unregistered redirect_uri", bank.object(t, r, map[string]any{"redirect_uri": "https://evil.example/"}), "invalid_request"},
		{"no challenge", bank.object(t, r, map[string]any{"code_challenge": nil}), "invalid_request"},
		{"no jti, any number of times", bank.object(t, r, map[string]any{"jti": nil}), ""},
	} {
		a := bank.post(t, "/par", url.Values{"request": {tt.object}})
		if a.Text("error") != tt.want || (tt.want == "") != (a.Status == http.StatusCreated) || tt.want != "" && a.Status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", tt.name, a.Status, a.Raw)
		}
	}
	// Parameters beside the object do not stand in for missing ones.
	beside := url.Values{"request": {bank.object(t, r, map[string]any{"redirect_uri": nil})}, "redirect_uri": {"https://bank.example/cb"}}
	if a := bank.post(t, "/par", beside); a.Text("error") != "invalid_request" {
		t.Errorf("redirect_uri outside: %d %s", a.Status, a.Raw)
	}
	if a := bank.post(t, "/par", r.Params); a.Text("error") != "invalid_request" || a.Status != http.StatusBadRequest {
		t.Errorf("unsigned: %d %s", a.Status, a.Raw)
	}
	if a := clients["rival"].post(t, "/par", clients["rival"].request().Params); a.Status != http.StatusCreated {
		t.Errorf("unsigned, of a client that may: %d %s", a.Status, a.Raw)
	}
	if p := b.Get("/authorize?" + url.Values{"client_id": {"bank"}, "request": {bank.object(t, r, nil)}}.Encode()); p.URL.Query().Get("error") != "invalid_request" {
		t.Errorf("signed but not pushed: %s", p.URL)
	}
	if p := b.Get(r.Path()); p.URL.Query().Get("error") != "invalid_request" {
		t.Errorf("neither: %s", p.URL)
	}
}

// TestProofBesideARequestObject: the key of the proof that came with the push binds the code, though it stands outside of the object; a
// dpop_jkt inside that names another key is refused.
func TestProofBesideARequestObject(t *testing.T) {
	_, clients, h := signedHub(t, map[string]map[string]any{"bank": {"profile": "fapi2"}})
	bank, b := clients["bank"], h.Browser(t)
	stranger := newProver(t, bank.now)
	r := bank.request()
	at := h.Issuer + "/par"
	if a := bank.post(t, "/par", url.Values{"request": {bank.object(t, r, map[string]any{"dpop_jkt": stranger.thumbprint(t)})}}, bank.proof(t, http.MethodPost, at, nil)); a.Text("error") != "invalid_dpop_proof" {
		t.Errorf("dpop_jkt of another key: %d %s", a.Status, a.Raw)
	}
	pushed := bank.post(t, "/par", url.Values{"request": {bank.object(t, r, nil)}}, bank.proof(t, http.MethodPost, at, nil))
	if pushed.Status != http.StatusCreated {
		t.Fatalf("%d %s", pushed.Status, pushed.Raw)
	}
	p := b.SignIn(b.Get(bank.visit(pushed.Text("request_uri"))), "taro")
	form := url.Values{"grant_type": {"authorization_code"}, "code": {p.URL.Query().Get("code")}, "redirect_uri": {"https://bank.example/cb"}, "code_verifier": {r.Verifier}}
	nonce := bank.post(t, "/token", form, bank.proof(t, http.MethodPost, h.Issuer+"/token", nil)).Header.Get("DPoP-Nonce")
	proof := func(p *prover) string {
		return p.proof(t, http.MethodPost, h.Issuer+"/token", map[string]any{"nonce": nonce})
	}
	if a := bank.post(t, "/token", form, proof(stranger)); a.Text("error") != "invalid_dpop_proof" {
		t.Errorf("another key: %d %s", a.Status, a.Raw)
	}
	if a := bank.post(t, "/token", form, proof(bank.prover)); a.Status != http.StatusOK {
		t.Errorf("the key: %d %s", a.Status, a.Raw)
	}
}
