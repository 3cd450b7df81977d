package admin_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/idp/admin/admintest"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

type signer struct {
	key  *ecdsa.PrivateKey
	jwks json.RawMessage
}

func newSigner(t *testing.T) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k1", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	return signer{key, b}
}

func (s signer) sign(t *testing.T, claims map[string]any) string {
	t.Helper()
	made, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: s.key, KeyID: "k1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := made.Sign(b)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestATwinSignsInAndIsGone: an operator's twin of a service gets a person's tokens under a name that is nobody else's, is in no list, answers nowhere but at
// the operators' address, and is gone after an hour with what was left of it.
func TestATwinSignsInAndIsGone(t *testing.T) {
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	h := admintest.Start(t, idptest.Options{Now: now})
	hanako, _ := h.Operator(t, "hanako", "", adminapi.Roles()...)
	own := newSigner(t)
	ask := func(redirect string) admintest.Answer {
		return h.Call(t, hanako, http.MethodPost, "/api/clients/app/test-sign-in", adminapi.NewTestSignIn{RedirectURI: redirect, JWKS: own.jwks})
	}
	if p := ask("https://evil.example/callback").Problem(t); p.Reason != adminapi.Invalid || p.Errors[0].Field != "redirect_uri" {
		t.Fatalf("answers elsewhere: %+v", p)
	}
	if p := ask(h.URL + ".evil.example/callback").Problem(t); p.Reason != adminapi.Invalid {
		t.Fatalf("answers elsewhere: %+v", p)
	}
	var twin adminapi.TestSignIn
	ask(h.URL+"/test/callback").Into(t, &twin)
	if !strings.HasPrefix(twin.ClientID, "app~test-") || twin.Until.Sub(now()) > time.Hour {
		t.Fatalf("%+v", twin)
	}
	b := h.Browser(t)
	usual := idptest.NewRequest("scope", "openid")
	first := h.Redeem(t, h.Code(t, b, usual, "taro"), usual)
	r := idptest.NewRequest("client_id", twin.ClientID, "redirect_uri", twin.RedirectURI, "scope", "openid")
	form := idptest.CodeForm(h.Code(t, b, r, "taro"), r)
	form.Set("client_id", twin.ClientID)
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	form.Set("client_assertion", own.sign(t, map[string]any{"iss": twin.ClientID, "sub": twin.ClientID, "aud": h.Issuer, "jti": rand.Text(), "exp": now().Add(time.Minute).Unix()}))
	token := h.PostForm(t, "/token", "", "", form)
	if token.Status != http.StatusOK {
		t.Fatalf("%s", token.Raw)
	}
	if a, b := subjectIn(t, first.Text("id_token")), subjectIn(t, token.Text("id_token")); a == b {
		t.Errorf("the twin knows the person as the service does: %s", a)
	}
	var list adminapi.ClientList
	h.Call(t, hanako, http.MethodGet, "/api/clients?q=test-", nil).Into(t, &list)
	all, err := h.Clients.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if string(c.ID()) == twin.ClientID {
			t.Error("the twin is in a list")
		}
	}
	for _, c := range list.Items {
		if c.ClientID == twin.ClientID {
			t.Error("the twin is in operators' list")
		}
	}
	ahead.Store(int64(time.Hour + time.Second))
	if a := h.Bearer(t, http.MethodGet, "/userinfo", token.Text("access_token")); a.Status != http.StatusUnauthorized && a.Status != http.StatusBadRequest {
		t.Errorf("its token is good after an hour: %d", a.Status)
	}
	if page := b.Get("/authorize?" + r.Params.Encode()); page.Error() != "unknown_client" {
		t.Errorf("after an hour: %s", page.Error())
	}
	if err := h.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{`client_twin WHERE id = $1`, `consent WHERE client = $1`, `federation_subject WHERE sector = 'client:' || $1`} {
		var n int
		if err := h.DB.QueryRow(t.Context(), `SELECT count(*) FROM `+table, twin.ClientID).Scan(&n); err != nil || n != 0 {
			t.Errorf("%s: %d rows left, %v", table, n, err)
		}
	}
	if _, err := h.Clients.Get(t.Context(), clients.ID(twin.ClientID)); err == nil {
		t.Error("it is there")
	}
}

func subjectIn(t *testing.T, token string) string {
	t.Helper()
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256, jose.EdDSA})
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Subject string `json:"sub"`
	}
	if err := json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &claims); err != nil || claims.Subject == "" {
		t.Fatal(err)
	}
	return claims.Subject
}

// issue issues a token at the API.
func issue(t *testing.T, h *admintest.Hub, by string, order adminapi.NewRegistrationToken) adminapi.MadeRegistrationToken {
	t.Helper()
	var made adminapi.MadeRegistrationToken
	h.Call(t, by, http.MethodPost, "/api/registration-tokens", order).Into(t, &made)
	return made
}

// TestATokenRegistersServices: what an operator issued lets a program register as far as it goes, for the organisation that it is for, until somebody ends it.
func TestATokenRegistersServices(t *testing.T) {
	h := admintest.Start(t, idptest.Options{})
	hanako, _ := h.Operator(t, "hanako", "", adminapi.Roles()...)
	h.Call(t, hanako, http.MethodPost, "/api/organisations", adminapi.Organisation{ID: "ward", Name: "A ward"}).Into(t, nil)
	made := issue(t, h, hanako, adminapi.NewRegistrationToken{Name: "ward-shops", Organisation: "ward", MaxClients: 1, Days: 1})
	if len(made.Token) < 43 || made.Ended || strings.Join(made.Scopes, " ") != "openid profile offline_access" {
		t.Fatalf("%+v", made)
	}
	if p := h.Call(t, hanako, http.MethodPost, "/api/registration-tokens", adminapi.NewRegistrationToken{Name: "ward-shops", Days: 1}).Problem(t); p.Reason != adminapi.Invalid || p.Errors[0].Field != "name" {
		t.Errorf("the name again: %+v", p)
	}
	if p := h.Call(t, hanako, http.MethodPost, "/api/registration-tokens", adminapi.NewRegistrationToken{Name: "too-much", Scopes: []string{"admin"}, Days: 1}).Problem(t); p.Reason != adminapi.Invalid {
		t.Errorf("scope admin: %+v", p)
	}
	if got := h.Bearer(t, http.MethodGet, "/.well-known/openid-configuration", "").Text("registration_endpoint"); got != h.Issuer+"/register" {
		t.Errorf("discovery names %q", got)
	}
	body := func(scope string) string {
		return `{"redirect_uris":["https://ward.example/callback"],"token_endpoint_auth_method":"client_secret_basic","scope":"` + scope + `"}`
	}
	if a := h.JSON(t, http.MethodPost, "/register", made.Token, body("openid email")); a.Status != http.StatusBadRequest {
		t.Errorf("more than it may: %d %s", a.Status, a.Raw)
	}
	a := h.JSON(t, http.MethodPost, "/register", made.Token, body("openid"))
	if a.Status != http.StatusCreated {
		t.Fatalf("%d %s", a.Status, a.Raw)
	}
	var d adminapi.ClientDetail
	h.Call(t, hanako, http.MethodGet, "/api/clients/"+a.Text("client_id"), nil).Into(t, &d)
	if d.Organisation != "ward" || d.By != "policy:ward-shops" || d.State != adminapi.StateLive {
		t.Errorf("%+v", d.Client)
	}
	if a := h.JSON(t, http.MethodPost, "/register", made.Token, body("openid")); a.Status != http.StatusForbidden {
		t.Errorf("one more than it may: %d", a.Status)
	}
	var list adminapi.RegistrationTokenList
	h.Call(t, hanako, http.MethodGet, "/api/registration-tokens", nil).Into(t, &list)
	if len(list.Items) != 1 || list.Items[0].Clients != 1 || strings.Contains(string(h.Call(t, hanako, http.MethodGet, "/api/registration-tokens", nil).Body), made.Token) {
		t.Errorf("%+v", list)
	}
	address, err := url.Parse(a.Text("registration_client_uri"))
	if err != nil {
		t.Fatal(err)
	}
	if got := h.JSON(t, http.MethodGet, address.Path, a.Text("registration_access_token"), ""); got.Status != http.StatusOK {
		t.Errorf("%d %s", got.Status, got.Raw)
	}
	h.Call(t, hanako, http.MethodDelete, "/api/registration-tokens/"+made.ID, nil).Into(t, nil)
	if p := h.Call(t, hanako, http.MethodDelete, "/api/registration-tokens/"+made.ID, nil).Problem(t); p.Reason != adminapi.NotFound {
		t.Errorf("ended twice: %+v", p)
	}
	if a := h.JSON(t, http.MethodPost, "/register", made.Token, body("openid")); a.Status != http.StatusUnauthorized {
		t.Errorf("after its end: %d", a.Status)
	}
}

// TestSoftwareStatementsDecide: a token with keys of statements takes only requests with one that such a key signed and that is good now, and what the
// statement says stands in place of what the request says.
func TestSoftwareStatementsDecide(t *testing.T) {
	h := admintest.Start(t, idptest.Options{})
	hanako, _ := h.Operator(t, "hanako", "", adminapi.Roles()...)
	vendor, stranger := newSigner(t), newSigner(t)
	made := issue(t, h, hanako, adminapi.NewRegistrationToken{Name: "vendor", Days: 1, StatementKey: vendor.jwks})
	plain := issue(t, h, hanako, adminapi.NewRegistrationToken{Name: "plain", Days: 1})
	says := func(by signer, changes map[string]any) string {
		claims := map[string]any{"iss": "https://vendor.example", "software_id": "till-4711", "client_name": "レジ", "scope": "openid", "exp": h.Now().Add(time.Hour).Unix()}
		for name, v := range changes {
			if claims[name] = v; v == nil {
				delete(claims, name)
			}
		}
		return by.sign(t, claims)
	}
	post := func(token, statement string) idptest.Answer {
		m := map[string]any{"redirect_uris": []string{"https://till.example/callback"}, "token_endpoint_auth_method": "client_secret_basic", "client_name": "別の名前", "scope": "openid profile"}
		if statement != "" {
			m["software_statement"] = statement
		}
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return h.JSON(t, http.MethodPost, "/register", token, string(b))
	}
	statement := says(vendor, nil)
	a := post(made.Token, statement)
	if a.Status != http.StatusCreated || a.Text("client_name") != "レジ" || a.Text("scope") != "openid" || a.Text("software_id") != "till-4711" || a.Text("software_statement") != statement {
		t.Fatalf("%d %s", a.Status, a.Raw)
	}
	address, err := url.Parse(a.Text("registration_client_uri"))
	if err != nil {
		t.Fatal(err)
	}
	if got := h.JSON(t, http.MethodGet, address.Path, a.Text("registration_access_token"), ""); got.Text("software_statement") != statement {
		t.Errorf("%s", got.Raw)
	}
	for name, tt := range map[string]struct{ token, statement, code string }{
		"none":                    {made.Token, "", "invalid_software_statement"},
		"no token":                {made.Token, "a.b", "invalid_software_statement"},
		"of a stranger":           {made.Token, says(stranger, nil), "unapproved_software_statement"},
		"altered":                 {made.Token, statement[:len(statement)-8] + "AAAAAAAA", "unapproved_software_statement"},
		"expired":                 {made.Token, says(vendor, map[string]any{"exp": h.Now().Add(-time.Hour).Unix()}), "invalid_software_statement"},
		"not valid yet":           {made.Token, says(vendor, map[string]any{"nbf": h.Now().Add(time.Hour).Unix()}), "invalid_software_statement"},
		"of nobody":               {made.Token, says(vendor, map[string]any{"iss": nil}), "invalid_software_statement"},
		"more than it may":        {made.Token, says(vendor, map[string]any{"scope": "openid email"}), "invalid_client_metadata"},
		"to a token without keys": {plain.Token, statement, "unapproved_software_statement"},
	} {
		if a := post(tt.token, tt.statement); a.Status != http.StatusBadRequest || a.Text("error") != tt.code {
			t.Errorf("%s: %d %s", name, a.Status, a.Raw)
		}
	}
}
