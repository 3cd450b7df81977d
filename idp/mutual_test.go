package idp_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// bank is a client that calls the second address, whichever way it is registered.
type bank struct {
	t      *testing.T
	h      *idptest.Hub
	c      *clock
	key    *prover // of its assertions and of its DPoP proofs
	cert   tls.Certificate
	signs  bool // private_key_jwt
	nonce  string
	client *http.Client // shows the certificate
}

const bankURI = "https://bank.example/cb"

// newBank starts a hub on which client "bank" is registered for a method, its tokens bound as asked.
func newBank(t *testing.T, method string, change map[string]any) *bank {
	t.Helper()
	c := newClock()
	b := &bank{t: t, c: c, key: newProver(t, c.now), signs: method == "private_key_jwt"}
	root := idptest.Certify(t, c.now(), x509.Certificate{
		Subject: pkix.Name{CommonName: "root"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil)
	authorities := x509.NewCertPool()
	authorities.AddCert(root.Leaf)
	issuer := &root
	if method == "self_signed_tls_client_auth" {
		issuer = nil
	}
	b.cert = idptest.Certify(t, c.now(), x509.Certificate{Subject: pkix.Name{CommonName: "bank"}}, issuer)
	metadata := map[string]any{
		"client_id": "bank", "client_name": "銀行", "operator": "銀行", "profile": "fapi2", "redirect_uris": []string{bankURI},
		"grant_types": []string{"authorization_code", "refresh_token"}, "scope": "openid offline_access", "token_endpoint_auth_method": method,
	}
	jwk := jose.JSONWebKey{Key: &b.key.key.PublicKey, KeyID: "k1", Algorithm: "ES256", Use: "sig"}
	switch method {
	case "tls_client_auth":
		metadata["tls_client_auth_subject_dn"] = "CN=bank"
	case "self_signed_tls_client_auth":
		jwk = jose.JSONWebKey{Key: b.cert.Leaf.PublicKey, Certificates: []*x509.Certificate{b.cert.Leaf}}
		fallthrough
	case "private_key_jwt":
		metadata["jwks"] = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk}}
	}
	for k, v := range change {
		metadata[k] = v
	}
	b.h = idptest.Start(t, idptest.Options{Now: c.now, TLS: true, Mutual: &idptest.Mutual{Authorities: authorities}, Clients: []map[string]any{metadata}})
	b.client = b.h.Show(t, b.cert)
	return b
}

// post calls an endpoint at the second address as the client, by a TLS client that shows what it is given to show.
func (b *bank) post(by *http.Client, path string, form url.Values, proofs ...string) idptest.Answer {
	b.t.Helper()
	f := url.Values{"client_id": {"bank"}}
	for k, v := range form {
		f[k] = v
	}
	if b.signs {
		f.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		f.Set("client_assertion", assertion(b.t, b.key, b.h.Issuer))
	}
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.h.MutualURL+path, strings.NewReader(f.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return sendBy(b.t, by, req, proofs...)
}

// userinfo calls the resource at the second address.
func (b *bank) userinfo(by *http.Client, scheme, token string, proofs ...string) idptest.Answer {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.h.MutualURL+"/userinfo", http.NoBody)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", scheme+" "+token)
	return sendBy(b.t, by, req, proofs...)
}

// proof makes a DPoP proof for an address at the second address.
func (b *bank) proof(method, path, token string) string {
	b.t.Helper()
	changes := map[string]any{}
	if token != "" {
		changes["ath"] = tokenHashOf(token)
	} else if b.nonce != "" {
		changes["nonce"] = b.nonce
	}
	return b.key.proof(b.t, method, b.h.MutualURL+path, changes)
}

// code pushes a request and lets the citizen sign in.
func (b *bank) code() (string, idptest.Request) {
	b.t.Helper()
	r := idptest.NewRequest("client_id", "bank", "redirect_uri", bankURI)
	pushed := b.post(b.client, "/par", r.Params)
	if pushed.Status != http.StatusCreated {
		b.t.Fatalf("push: %d %s", pushed.Status, pushed.Raw)
	}
	browser := b.h.Browser(b.t)
	p := browser.SignIn(browser.Get("/authorize?client_id=bank&request_uri="+pushed.Text("request_uri")), "taro")
	return p.URL.Query().Get("code"), r
}

// redeem redeems with a proof if the client's tokens are bound by one, for which it first asks for a nonce.
func (b *bank) redeem(form url.Values, dpop bool) idptest.Answer {
	b.t.Helper()
	if !dpop {
		return b.post(b.client, "/token", form)
	}
	if b.nonce == "" {
		a := b.post(b.client, "/token", form, b.proof(http.MethodPost, "/token", ""))
		if a.Text("error") != "use_dpop_nonce" {
			b.t.Fatalf("no nonce: %d %s", a.Status, a.Raw)
		}
		b.nonce = a.Header.Get("DPoP-Nonce")
	}
	return b.post(b.client, "/token", form, b.proof(http.MethodPost, "/token", ""))
}

// TestFAPI2FlowAtTheSecondAddress: every way to authenticate with every way to bind tokens, over real TLS with real client certificates;
// as the conformance suite's fapi2-security-profile-final modules happy-flow and ensure-holder-of-key-required run them.
func TestFAPI2FlowAtTheSecondAddress(t *testing.T) {
	for _, method := range []string{"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"} {
		for _, binding := range []string{"dpop", "mtls"} {
			t.Run(method+" "+binding, func(t *testing.T) {
				b := newBank(t, method, map[string]any{"tls_client_certificate_bound_access_tokens": binding == "mtls"})
				b.flow(binding == "dpop")
			})
		}
	}
}

func (b *bank) flow(dpop bool) {
	t := b.t
	t.Helper()
	stranger := b.h.Show(t, idptest.Certify(t, b.c.now(), x509.Certificate{Subject: pkix.Name{CommonName: "bank"}}, nil))
	bare := b.h.Show(t)
	code, r := b.code()
	form := idptest.CodeForm(code, r)

	// Whoever lacks what the tokens are to be bound to gets none, and costs the client nothing.
	for name, by := range map[string]*http.Client{"without a certificate": bare, "with a stranger's certificate": stranger} {
		a := b.post(by, "/token", form)
		switch {
		case a.Status == http.StatusOK && !dpop && b.signs && by == stranger: // its assertion proved it: any certificate will do
			t.Logf("%s: the code is spent", name)
			code, r = b.code()
			form = idptest.CodeForm(code, r)
		case !b.signs && (a.Status != http.StatusUnauthorized || a.Text("error") != "invalid_client"),
			b.signs && dpop && a.Text("error") != "invalid_dpop_proof", b.signs && !dpop && a.Text("error") != "invalid_request":
			t.Errorf("%s: %d %s", name, a.Status, a.Raw)
		}
	}
	if dpop {
		if a := b.post(b.client, "/token", form); a.Text("error") != "invalid_dpop_proof" {
			t.Errorf("without a proof: %d %s", a.Status, a.Raw)
		}
	}
	tokens := b.redeem(form, dpop)
	scheme := "Bearer"
	if dpop {
		scheme = "DPoP"
	}
	if tokens.Status != http.StatusOK || tokens.Text("token_type") != scheme {
		t.Fatalf("tokens: %d %s", tokens.Status, tokens.Raw)
	}
	for range 2 {
		b.resource(tokens.Text("access_token"), dpop, bare, stranger)
		if tokens = b.redeem(idptest.RefreshForm(tokens.Text("refresh_token")), dpop); tokens.Status != http.StatusOK {
			t.Fatalf("refresh: %d %s", tokens.Status, tokens.Raw)
		}
	}
	if a := b.post(b.client, "/revoke", url.Values{"token": {tokens.Text("access_token")}}); a.Status != http.StatusOK {
		t.Errorf("revoke: %d %s", a.Status, a.Raw)
	}
	if a := b.redeem(idptest.RefreshForm(tokens.Text("refresh_token")), dpop); a.Text("error") != "invalid_grant" {
		t.Errorf("refresh after revocation: %d %s", a.Status, a.Raw)
	}
}

// resource checks that a token is worth nothing without what it is bound to.
func (b *bank) resource(token string, dpop bool, bare, stranger *http.Client) {
	t := b.t
	t.Helper()
	if dpop {
		if a := b.userinfo(bare, "DPoP", token, b.proof(http.MethodGet, "/userinfo", token)); a.Status != http.StatusOK {
			t.Errorf("userinfo with a proof: %d %s", a.Status, a.Raw)
		}
		if a := b.userinfo(b.client, "Bearer", token); a.Status != http.StatusUnauthorized {
			t.Errorf("userinfo with a certificate in place of the proof: %d %s", a.Status, a.Raw)
		}
		return
	}
	if a := b.userinfo(b.client, "Bearer", token); a.Status != http.StatusOK || a.Text("sub") == "" {
		t.Errorf("userinfo with the certificate: %d %s", a.Status, a.Raw)
	}
	for name, a := range map[string]idptest.Answer{
		"without a certificate":         b.userinfo(bare, "Bearer", token),
		"with a stranger's certificate": b.userinfo(stranger, "Bearer", token),
		"at the issuer's address":       b.h.Bearer(t, http.MethodGet, "/userinfo", token),
	} {
		if a.Status != http.StatusUnauthorized || !strings.Contains(a.Header.Get("WWW-Authenticate"), "invalid_token") {
			t.Errorf("userinfo %s: %d %s", name, a.Status, a.Raw)
		}
	}
}

// RFC 9449 §5 beside RFC 8705 §3: a client with bound certificates that also sends a proof gets tokens that need both, and a code that
// was asked for with dpop_jkt needs the key although the client's tokens need none.
func TestCertificateAndDPoPKeyBindTogether(t *testing.T) {
	b := newBank(t, "tls_client_auth", map[string]any{"tls_client_certificate_bound_access_tokens": true})
	r := idptest.NewRequest("client_id", "bank", "redirect_uri", bankURI, "dpop_jkt", b.key.thumbprint(t))
	pushed := b.post(b.client, "/par", r.Params, b.proof(http.MethodPost, "/par", ""))
	browser := b.h.Browser(t)
	p := browser.SignIn(browser.Get("/authorize?client_id=bank&request_uri="+pushed.Text("request_uri")), "taro")
	form := idptest.CodeForm(p.URL.Query().Get("code"), r)
	if a := b.post(b.client, "/token", form); a.Text("error") != "invalid_dpop_proof" {
		t.Errorf("without the key of the request: %d %s", a.Status, a.Raw)
	}
	tokens := b.post(b.client, "/token", form, b.proof(http.MethodPost, "/token", ""))
	if tokens.Status != http.StatusOK || tokens.Text("token_type") != "DPoP" {
		t.Fatalf("tokens: %d %s", tokens.Status, tokens.Raw)
	}
	token := tokens.Text("access_token")
	sum := sha256.Sum256(b.cert.Leaf.Raw)
	bound, _ := b.post(b.client, "/introspect", url.Values{"token": {token}}).JSON["cnf"].(map[string]any)
	if bound["jkt"] != b.key.thumbprint(t) || bound["x5t#S256"] != base64.RawURLEncoding.EncodeToString(sum[:]) {
		t.Errorf("cnf %v", bound)
	}
	if a := b.userinfo(b.client, "DPoP", token, b.proof(http.MethodGet, "/userinfo", token)); a.Status != http.StatusOK {
		t.Errorf("with both: %d %s", a.Status, a.Raw)
	}
	for name, a := range map[string]idptest.Answer{
		"certificate alone": b.userinfo(b.client, "Bearer", token),
		"proof alone":       b.userinfo(b.h.Show(t), "DPoP", token, b.proof(http.MethodGet, "/userinfo", token)),
	} {
		if a.Status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, a.Status, a.Raw)
		}
	}
}

// RFC 9449 §4.3: htu is the address that was called: a proof for one address of the hub is none for the other.
func TestProofIsForTheAddressCalled(t *testing.T) {
	b := newBank(t, "private_key_jwt", nil)
	code, r := b.code()
	form := idptest.CodeForm(code, r)
	at := func(uri string) string { return b.key.proof(t, http.MethodPost, uri, nil) }
	if a := b.post(b.client, "/token", form, at(b.h.Issuer+"/token")); a.Text("error") != "invalid_dpop_proof" {
		t.Errorf("proof for the issuer's address: %d %s", a.Status, a.Raw)
	}
	if a := b.post(b.client, "/token", form, at(b.h.MutualURL+"/token")); a.Text("error") != "use_dpop_nonce" {
		t.Errorf("proof for the address called: %d %s", a.Status, a.Raw)
	}
	req := b.h.FormRequest(t, "/token", "", "", url.Values{"client_id": {"bank"}, "grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {bankURI},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion(t, b.key, b.h.Issuer)}})
	if a := sendBy(t, b.h.Client(), req, at(b.h.MutualURL+"/token")); a.Text("error") != "invalid_dpop_proof" {
		t.Errorf("proof for the second address: %d %s", a.Status, a.Raw)
	}
}

// RFC 8705 §4: a public client's refresh token is bound to its certificate too.
func TestRefreshTokenOfAPublicClientIsBoundToItsCertificate(t *testing.T) {
	b := newBank(t, "none", map[string]any{
		"profile": "oidc", "tls_client_certificate_bound_access_tokens": true,
	})
	code, r := b.code()
	tokens := b.post(b.client, "/token", idptest.CodeForm(code, r))
	if tokens.Status != http.StatusOK {
		t.Fatalf("tokens: %d %s", tokens.Status, tokens.Raw)
	}
	b.resource(tokens.Text("access_token"), false, b.h.Show(t), b.h.Show(t, idptest.Certify(t, b.c.now(), x509.Certificate{}, nil)))
	refresh := idptest.RefreshForm(tokens.Text("refresh_token"))
	if a := b.post(b.h.Show(t, idptest.Certify(t, b.c.now(), x509.Certificate{}, nil)), "/token", refresh); a.Text("error") != "invalid_grant" {
		t.Errorf("thief's certificate: %d %s", a.Status, a.Raw)
	}
	if a := b.post(b.h.Show(t), "/token", refresh); a.Text("error") != "invalid_request" {
		t.Errorf("no certificate: %d %s", a.Status, a.Raw)
	}
	if a := b.post(b.client, "/token", refresh); a.Status != http.StatusOK {
		t.Errorf("holder: %d %s", a.Status, a.Raw)
	}
}

// A client of profile oidc that registered dpop_bound_access_tokens (RFC 9449 §5.2) has to send a proof; a nonce is not demanded of it.
func TestRegisteredDPoPBindingIsDemanded(t *testing.T) {
	b := newBank(t, "private_key_jwt", map[string]any{"profile": "oidc", "dpop_bound_access_tokens": true})
	code, r := b.code()
	form := idptest.CodeForm(code, r)
	if a := b.post(b.client, "/token", form); a.Status != http.StatusBadRequest || a.Text("error") != "invalid_dpop_proof" {
		t.Errorf("without a proof: %d %s", a.Status, a.Raw)
	}
	if a := b.post(b.client, "/token", form, b.proof(http.MethodPost, "/token", "")); a.Status != http.StatusOK || a.Text("token_type") != "DPoP" {
		t.Errorf("with a proof: %d %s", a.Status, a.Raw)
	}
}

// RFC 8705 §3.3, §5: discovery tells of the second address, of what it serves and of nothing else; without one, of none of it.
func TestDiscoveryOfTheSecondAddress(t *testing.T) {
	b := newBank(t, "private_key_jwt", nil)
	get := func(base, path string, by *http.Client) idptest.Answer {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		return sendBy(t, by, req)
	}
	d := get(b.h.Issuer, "/.well-known/openid-configuration", b.h.Client())
	aliases, _ := d.JSON["mtls_endpoint_aliases"].(map[string]any)
	for _, name := range []string{"token_endpoint", "pushed_authorization_request_endpoint", "revocation_endpoint", "userinfo_endpoint"} {
		if want := strings.Replace(d.Text(name), b.h.Issuer, b.h.MutualURL, 1); want == "" || aliases[name] != want {
			t.Errorf("alias of %s is %v, want %s", name, aliases[name], want)
		}
	}
	for name, alias := range aliases {
		if d.Text(name) == "" {
			t.Errorf("alias of %s, which is not offered", name)
		}
		at, _ := alias.(string)
		if a := get(b.h.MutualURL, strings.TrimPrefix(at, b.h.MutualURL), b.client); a.Status == http.StatusNotFound {
			t.Errorf("%s is not served", at)
		}
	}
	if d.JSON["tls_client_certificate_bound_access_tokens"] != true || !strings.Contains(d.Raw, `"tls_client_auth"`) || !strings.Contains(d.Raw, `"self_signed_tls_client_auth"`) {
		t.Errorf("discovery: %s", d.Raw)
	}
	for _, path := range []string{"/", "/authorize", "/login", "/jwks", "/.well-known/openid-configuration", "/register", "/account", "/end-session", "/static/hub.css"} {
		if a := get(b.h.MutualURL, path, b.client); a.Status != http.StatusNotFound || a.Text("error") == "" {
			t.Errorf("%s is served at the second address: %d %s", path, a.Status, a.Raw)
		}
	}
	plain := idptest.Start(t, idptest.Options{})
	d = get(plain.Issuer, "/.well-known/openid-configuration", plain.Client())
	for _, member := range []string{"mtls", "tls_client"} {
		if strings.Contains(d.Raw, member) {
			t.Errorf("a hub without second address tells of %s", member)
		}
	}
}

// A hub that trusts no authority takes no client by their word.
func TestTLSClientAuthNeedsAuthorities(t *testing.T) {
	c := newClock()
	cert := idptest.Certify(t, c.now(), x509.Certificate{Subject: pkix.Name{CommonName: "bank"}}, nil)
	h := idptest.Start(t, idptest.Options{Now: c.now, Mutual: &idptest.Mutual{}, Clients: []map[string]any{{
		"client_id": "bank", "client_name": "銀行", "operator": "銀行", "redirect_uris": []string{bankURI},
		"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_subject_dn": "CN=bank",
	}}})
	b := &bank{t: t, h: h, c: c, cert: cert, client: h.Show(t, cert)}
	if a := b.post(b.client, "/par", idptest.NewRequest("client_id", "bank", "redirect_uri", bankURI).Params); a.Status != http.StatusUnauthorized {
		t.Errorf("%d %s", a.Status, a.Raw)
	}
	var d struct {
		Methods []string `json:"token_endpoint_auth_methods_supported"`
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.Issuer+"/.well-known/openid-configuration", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(sendBy(t, h.Client(), req).Raw), &d); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(d.Methods, " "); strings.Contains(got, " tls_client_auth") || !strings.Contains(got, "self_signed_tls_client_auth") {
		t.Errorf("methods %s", got)
	}
}

// Over real connections: behind a trusted proxy the header is the client's certificate, and at the issuer's address it is nothing, nor
// where the hub was told of another proxy.
func TestCertificateHeaderCountsFromTrustedProxiesOnly(t *testing.T) {
	for name, tt := range map[string]struct {
		trusted string
		status  int
	}{
		"trusted proxy": {"127.0.0.0/8", http.StatusCreated}, "stranger": {"192.0.2.0/24", http.StatusUnauthorized},
	} {
		c := newClock()
		cert := idptest.Certify(t, c.now(), x509.Certificate{Subject: pkix.Name{CommonName: "bank"}}, nil)
		h := idptest.Start(t, idptest.Options{
			Now:    c.now,
			Mutual: &idptest.Mutual{ProxyHeader: "Client-Cert", TrustedProxies: []netip.Prefix{netip.MustParsePrefix(tt.trusted)}},
			Clients: []map[string]any{{
				"client_id": "bank", "client_name": "銀行", "operator": "銀行", "redirect_uris": []string{bankURI}, "token_endpoint_auth_method": "self_signed_tls_client_auth",
				"jwks": jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: cert.Leaf.PublicKey, Certificates: []*x509.Certificate{cert.Leaf}}}},
			}},
		})
		header := ":" + base64.StdEncoding.EncodeToString(cert.Leaf.Raw) + ":"
		push := func(base string, by *http.Client) idptest.Answer {
			form := idptest.NewRequest("client_id", "bank", "redirect_uri", bankURI, "scope", "openid").Params.Encode()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/par", strings.NewReader(form))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Client-Cert", header)
			return sendBy(t, by, req)
		}
		if a := push(h.MutualURL, h.Show(t)); a.Status != tt.status {
			t.Errorf("%s: %d %s", name, a.Status, a.Raw)
		}
		if a := push(h.Issuer, h.Client()); a.Status != http.StatusUnauthorized {
			t.Errorf("%s, at the issuer's address: %d %s", name, a.Status, a.Raw)
		}
	}
}
