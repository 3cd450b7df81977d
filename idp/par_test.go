package idp_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestPushStatuses: RFC 9126 §2.3. Mirrors fapi2-security-profile-final-par-attempt-invalid-http-method and
// -par-authorization-request-containing-request_uri-form-param.
func TestPushStatuses(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodPatch} {
		req, err := http.NewRequestWithContext(t.Context(), method, h.Issuer+"/par", strings.NewReader(idptest.NewRequest().Params.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		if a := send(t, req); a.Status != http.StatusMethodNotAllowed || !strings.Contains(a.Header.Get("Allow"), "POST") || a.Text("error") != "invalid_request" {
			t.Errorf("%s: %d %q %s", method, a.Status, a.Header.Get("Allow"), a.Raw)
		}
	}
	push := func(change func(*http.Request)) idptest.Answer {
		req := h.FormRequest(t, "/par", idptest.ClientID, idptest.Secret, idptest.NewRequest().Params)
		change(req)
		return send(t, req)
	}
	body := func(r *http.Request, text string, length int64) {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), length
	}
	long := idptest.NewRequest().Params.Encode() + strings.Repeat("&x=y", 20<<10)
	for _, tt := range []struct {
		name   string
		change func(*http.Request)
		status int
		error  string
	}{
		{"good", func(*http.Request) {}, 201, ""},
		{"too long", func(r *http.Request) { body(r, long, int64(len(long))) }, 413, "invalid_request"},
		{"too long, not announced", func(r *http.Request) { body(r, long, -1) }, 413, "invalid_request"},
		{"nobody", func(r *http.Request) { r.Header.Del("Authorization") }, 401, "invalid_client"},
		{"wrong secret", func(r *http.Request) { r.SetBasicAuth(idptest.ClientID, "x") }, 401, "invalid_client"},
		{"JSON", func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, 400, "invalid_request"},
		{"multipart", func(r *http.Request) { r.Header.Set("Content-Type", "multipart/form-data; boundary=x") }, 400, "invalid_request"},
		{"parameter twice", func(r *http.Request) {
			body(r, idptest.NewRequest().Params.Encode()+"&nonce=twice", -1)
		}, 400, "invalid_request"},
		{"request_uri inside", func(r *http.Request) {
			body(r, idptest.NewRequest("request_uri", "urn:example:x").Params.Encode(), -1)
		}, 400, "invalid_request"},
		{"unknown scope only", func(r *http.Request) { body(r, idptest.NewRequest("scope", "OPENID").Params.Encode(), -1) }, 400, "invalid_scope"},
	} {
		a := push(tt.change)
		if a.Status != tt.status || a.Text("error") != tt.error || a.Header.Get("Cache-Control") != "no-store" && a.Status != 413 {
			t.Errorf("%s: %d %s", tt.name, a.Status, a.Raw)
		}
		if a.Status == 401 && !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("%s: WWW-Authenticate %q", tt.name, a.Header.Get("WWW-Authenticate"))
		}
	}
}

// TestPushReadsNoQuery: neither credentials nor parameters are looked for in the address (RFC 6749 §2.3.1).
func TestPushReadsNoQuery(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	all := idptest.NewRequest().Params
	all.Set("client_id", idptest.OtherID)
	all.Set("redirect_uri", idptest.OtherURI)
	all.Set("client_secret", idptest.Secret)
	post := func(query, body url.Values) idptest.Answer {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.Issuer+"/par?"+query.Encode(), bytes.NewBufferString(body.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return send(t, req)
	}
	if a := post(url.Values{}, all); a.Status != http.StatusCreated {
		t.Fatalf("in the body: %d %s", a.Status, a.Raw)
	}
	if a := post(all, url.Values{}); a.Status != http.StatusUnauthorized || a.Text("error") != "invalid_client" {
		t.Errorf("all in the address: %d %s", a.Status, a.Raw)
	}
	secret := url.Values{"client_secret": {idptest.Secret}}
	rest := url.Values{}
	for k, v := range all {
		if k != "client_secret" {
			rest[k] = v
		}
	}
	if a := post(secret, rest); a.Status != http.StatusUnauthorized {
		t.Errorf("the secret in the address: %d %s", a.Status, a.Raw)
	}
}

// TestOtherClientsVisitBurnsNothing: a request_uri in another client's hands is refused, and still good in the right ones; so is a reload before
// the citizen has decided. Mirrors fapi2-security-profile-final-par-ensure-request-uri-is-bound-to-client and
// -par-ensure-reused-request-uri-prior-to-auth-completion-succeeds.
func TestOtherClientsVisitBurnsNothing(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	h.Code(t, b, idptest.NewRequest(), "taro")
	r := idptest.NewRequest()
	pushed := h.PostForm(t, "/par", idptest.ClientID, idptest.Secret, r.Params)
	if in, ok := pushed.JSON["expires_in"].(float64); !ok || in < 5 || in >= 600 {
		t.Errorf("expires_in %v", pushed.JSON["expires_in"])
	}
	visit := func(client string) idptest.Page {
		return b.Get("/authorize?" + url.Values{"client_id": {client}, "request_uri": {pushed.Text("request_uri")}}.Encode())
	}
	for _, client := range []string{idptest.OtherID, "nobody", ""} {
		if p := visit(client); p.Status != http.StatusBadRequest || p.Error() != "request_expired" {
			t.Errorf("%q: %d %s %q", client, p.Status, p.URL, p.Error())
		}
	}
	stranger := h.Browser(t)
	stranger.Get("/authorize?" + url.Values{"client_id": {idptest.ClientID}, "request_uri": {pushed.Text("request_uri")}}.Encode())
	p := visit(idptest.ClientID)
	if p.URL.Query().Get("code") == "" || p.URL.Query().Get("state") != r.Params.Get("state") {
		t.Fatalf("%d %s %q", p.Status, p.URL, p.Error())
	}
	if p := visit(idptest.ClientID); p.Error() != "request_expired" {
		t.Errorf("after completion: %s %q", p.URL, p.Error())
	}
}

// TestFrontChannelExtrasAreIgnored: beside a request_uri only client_id counts (RFC 9126 §4, RFC 9101 §5). Mirrors
// fapi2-security-profile-final-par-without-duplicate-parameters and -ensure-different-state-inside-and-outside-request-object.
func TestFrontChannelExtrasAreIgnored(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	h.Code(t, b, idptest.NewRequest(), "taro")
	r := idptest.NewRequest("state", "")
	pushed := h.PostForm(t, "/par", idptest.ClientID, idptest.Secret, r.Params)
	p := b.Get("/authorize?" + url.Values{
		"client_id": {idptest.ClientID}, "request_uri": {pushed.Text("request_uri")}, "state": {"outside"}, "nonce": {"outside"}, "prompt": {"login"},
		"redirect_uri": {"https://evil.example/"}, "response_type": {"token"}, "response_mode": {"form_post"}, "scope": {"nothing"},
		"code_challenge": {"x"}, "request": {"e30.e30.e30"}, "claims": {"[]"}, "resource": {"x"}, "authorization_details": {"x"}, "max_age": {"0"},
	}.Encode())
	if q := p.URL.Query(); q.Get("code") == "" || q.Has("state") || !strings.HasPrefix(p.URL.String(), idptest.RedirectURI+"?") {
		t.Fatalf("%d %s %q", p.Status, p.URL, p.Error())
	}
	if claims := idTokenClaims(t, h.Redeem(t, p.URL.Query().Get("code"), r).Text("id_token")); claims["nonce"] != r.Params.Get("nonce") || claims["s_hash"] != nil {
		t.Errorf("%v", claims)
	}
}

// TestPushedPKCE: what is wrong is said when it is pushed. Mirrors fapi2-security-profile-final-par-ensure-pkce-required and
// -par-ensure-plain-pkce-rejected.
func TestPushedPKCE(t *testing.T) {
	_, clients, _ := signedHub(t, map[string]map[string]any{"bank": {"profile": "fapi2"}})
	for name, changes := range map[string][]string{
		"none": {"code_challenge", "", "code_challenge_method", ""}, "plain": {"code_challenge_method", "plain"}, "no method": {"code_challenge_method", ""},
		"short": {"code_challenge", "abc"}, "long": {"code_challenge", strings.Repeat("A", 44)}, "not base64url": {"code_challenge", strings.Repeat("+", 43)},
	} {
		if a := clients["bank"].post(t, "/par", clients["bank"].request(changes...).Params); a.Status != http.StatusBadRequest || a.Text("error") != "invalid_request" {
			t.Errorf("%s: %d %s", name, a.Status, a.Raw)
		}
	}
	for name, changes := range map[string][]string{"token": {"response_type", "token"}, "hybrid": {"response_type", "code id_token"}} {
		if a := clients["bank"].post(t, "/par", clients["bank"].request(changes...).Params); a.Status != http.StatusBadRequest || a.Text("error") != "unsupported_response_type" {
			t.Errorf("%s: %d %s", name, a.Status, a.Raw)
		}
	}
}
