package idp_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/keys"
)

const (
	registrationToken = "initial-access-token-0123456789-0123456789-0"
	ownRedirect       = "https://rp.example/callback"
)

func registering(t *testing.T) clients.Policy {
	t.Helper()
	token, err := clients.PolicyToken(keys.NewSecret([]byte(registrationToken)))
	if err != nil {
		t.Fatal(err)
	}
	return clients.Policy{Name: "test", Token: token, PKCEOptional: true, MaxClients: 1000, PerMinute: 1000}
}

// callJSON calls a machine endpoint with a token and a JSON body, which may be nil.
func callJSON(t *testing.T, h *idptest.Hub, method, address, token string, body any) idptest.Answer {
	t.Helper()
	var reader io.Reader = http.NoBody
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		reader = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, address, reader)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := h.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := idptest.Answer{Status: resp.StatusCode, Header: resp.Header, Raw: string(b)}
	if len(b) > 0 {
		if err := json.Unmarshal(b, &a.JSON); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

func register(t *testing.T, h *idptest.Hub, more map[string]any) idptest.Answer {
	t.Helper()
	body := map[string]any{
		"client_name": "登録したサービス", "grant_types": []string{"authorization_code", "refresh_token"}, "response_types": []string{"code"},
		"redirect_uris": []string{ownRedirect}, "token_endpoint_auth_method": "client_secret_basic",
	}
	maps.Copy(body, more)
	a := callJSON(t, h, http.MethodPost, h.Issuer+"/register", registrationToken, body)
	if a.Status != http.StatusCreated {
		t.Fatalf("%d %s", a.Status, a.Raw)
	}
	return a
}

// TestRegisteredClientSignsACitizenIn without PKCE, as the suite's Basic plan does, and the citizen reads that nobody vouches for it.
func TestRegisteredClientSignsACitizenIn(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Policies: []clients.Policy{registering(t)}})
	client := register(t, h, nil)
	r := idptest.NewRequest("client_id", client.Text("client_id"), "redirect_uri", ownRedirect, "code_challenge", "", "code_challenge_method", "")
	b := h.Browser(t)
	page := b.Get(r.Path())
	if !strings.Contains(page.Body, "運営者は未確認") || !strings.Contains(page.Body, "rp.example") {
		t.Errorf("the login page does not say that nobody checked: %s", page.Body)
	}
	page = b.Get(b.CardLogin(page, "taro"))
	if strings.Contains(page.Body, `id="open-folder"`) {
		page = b.Post("/folder/open", url.Values{"tx": {page.Tx()}})
	}
	if !strings.Contains(page.Body, "運営者は未確認") {
		t.Errorf("the consent page does not say that nobody checked: %s", page.Body)
	}
	code := b.Finish(page).URL.Query().Get("code")
	form := idptest.CodeForm(code, r)
	form.Del("code_verifier")
	got := h.PostForm(t, "/token", client.Text("client_id"), client.Text("client_secret"), form)
	if got.Status != http.StatusOK || got.Text("id_token") == "" {
		t.Errorf("%d %s", got.Status, got.Raw)
	}
}

// TestDeletedClientsTokensStopWorking: RFC 7592 §2.3.
func TestDeletedClientsTokensStopWorking(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now, Policies: []clients.Policy{registering(t)}})
	client := register(t, h, nil)
	id, secret := client.Text("client_id"), client.Text("client_secret")
	b := h.Browser(t)
	request := func() idptest.Request { return idptest.NewRequest("client_id", id, "redirect_uri", ownRedirect) }
	first, second := request(), request()
	tokens := h.PostForm(t, "/token", id, secret, idptest.CodeForm(h.Code(t, b, first, "taro"), first))
	if tokens.Text("refresh_token") == "" || h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("access_token")).Status != http.StatusOK {
		t.Fatalf("%s", tokens.Raw)
	}
	code := h.Code(t, b, second, "taro")

	if a := callJSON(t, h, http.MethodDelete, client.Text("registration_client_uri"), client.Text("registration_access_token"), nil); a.Status != http.StatusNoContent {
		t.Fatalf("%d %s", a.Status, a.Raw)
	}
	if a := h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("access_token")); a.Status != http.StatusUnauthorized {
		t.Errorf("access token: %d", a.Status)
	}
	for name, form := range map[string]url.Values{"refresh token": idptest.RefreshForm(tokens.Text("refresh_token")), "code": idptest.CodeForm(code, second)} {
		if a := h.PostForm(t, "/token", id, secret, form); a.Status != http.StatusUnauthorized || a.Text("error") != "invalid_client" {
			t.Errorf("%s: %d %s", name, a.Status, a.Raw)
		}
	}
	if p := b.Get(request().Path()); p.Error() != "unknown_client" {
		t.Errorf("authorize: %d %s", p.Status, p.Error())
	}
	if p := b.Get("/account"); p.Status != http.StatusOK {
		t.Errorf("account page: %d %s", p.Status, p.Error())
	}
	if a := callJSON(t, h, http.MethodGet, client.Text("registration_client_uri"), client.Text("registration_access_token"), nil); a.Status != http.StatusUnauthorized {
		t.Errorf("read: %d", a.Status)
	}
	c.advance(time.Second)
	if n := count(t, h, "client.registered") + count(t, h, "client.deleted"); n != 2 {
		t.Errorf("%d audit rows", n)
	}
}

// TestDiscoveryNamesTheRegistrationEndpointOnlyIfSomebodyMayRegister, and without a policy nobody may.
func TestDiscoveryNamesTheRegistrationEndpointOnlyIfSomebodyMayRegister(t *testing.T) {
	with := idptest.Start(t, idptest.Options{Policies: []clients.Policy{registering(t)}})
	if got := with.Bearer(t, http.MethodGet, "/.well-known/openid-configuration", "").Text("registration_endpoint"); got != with.Issuer+"/register" {
		t.Errorf("registration_endpoint %q", got)
	}
	without := idptest.Start(t, idptest.Options{})
	if _, there := without.Bearer(t, http.MethodGet, "/.well-known/openid-configuration", "").JSON["registration_endpoint"]; there {
		t.Error("registration_endpoint without a policy")
	}
	if a := callJSON(t, without, http.MethodPost, without.Issuer+"/register", registrationToken, map[string]any{"redirect_uris": []string{ownRedirect}}); a.Status != http.StatusUnauthorized {
		t.Errorf("registered: %d %s", a.Status, a.Raw)
	}
}

// TestTheHubAnswersNobodyAtItsOwnAddress: a page whose form posts to the hub itself would come from the hub's own origin, and do what only
// the citizen may: here, without a word to her, take away what she wrote.
func TestTheHubAnswersNobodyAtItsOwnAddress(t *testing.T) {
	policy := registering(t)
	policy.Loopback = true
	h := idptest.Start(t, idptest.Options{Policies: []clients.Policy{policy}})
	own := h.Issuer + "/account/details/delete"
	a := callJSON(t, h, http.MethodPost, h.Issuer+"/register", registrationToken, map[string]any{"redirect_uris": []string{ownRedirect, own}})
	if a.Status != http.StatusBadRequest || a.Text("error") != "invalid_redirect_uri" {
		t.Errorf("registered: %d %s", a.Status, a.Raw)
	}
	// What the operator registers by mistake is refused where it would be used.
	reregister(t, h, map[string]any{
		"client_id": "mistaken", "client_name": "まちがい", "operator": "Test", "development": true, "token_endpoint_auth_method": "none",
		"scope": "openid", "redirect_uris": []string{own},
	})
	r := idptest.NewRequest("client_id", "mistaken", "redirect_uri", own, "response_mode", "form_post", "prompt", "none")
	if p := h.Browser(t).Get(r.Path()); p.Error() != "redirect_uri_mismatch" || strings.Contains(p.Body, `action="`+own) {
		t.Errorf("%d %q: %s", p.Status, p.Error(), p.Body)
	}
}

// TestNobodyRegistersForACertificateThatCannotBeShown: a hub without a second address never sees one.
func TestNobodyRegistersForACertificateThatCannotBeShown(t *testing.T) {
	policy := registering(t)
	policy.Methods = []clients.Method{clients.SecretBasic, clients.SelfSignedTLS}
	cert := idptest.Certify(t, time.Now(), x509.Certificate{Subject: pkix.Name{CommonName: "rp"}}, nil)
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: cert.Leaf.PublicKey, Certificates: []*x509.Certificate{cert.Leaf}}}}
	for name, more := range map[string]map[string]any{
		"to authenticate with": {"token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": set},
		"to bind tokens to":    {"token_endpoint_auth_method": "client_secret_basic", "tls_client_certificate_bound_access_tokens": true},
	} {
		more["redirect_uris"] = []string{ownRedirect}
		for mutual, want := range map[*idptest.Mutual]int{nil: http.StatusBadRequest, {}: http.StatusCreated} {
			h := idptest.Start(t, idptest.Options{Policies: []clients.Policy{policy}, Mutual: mutual})
			if a := callJSON(t, h, http.MethodPost, h.Issuer+"/register", registrationToken, more); a.Status != want {
				t.Errorf("%s, second address %v: %d %s", name, mutual != nil, a.Status, a.Raw)
			}
		}
	}
}
