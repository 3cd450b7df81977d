package clients

import (
	"bytes"
	"context"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral/ephemeraltest"
	"github.com/tsunagu-id/tsunagu/internal/ratelimit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
	"github.com/tsunagu-id/tsunagu/keys"
)

const initialToken = "initial-access-token-0123456789-0123456789-0"

// desk is a registration endpoint with what it wrote.
type desk struct {
	t        testing.TB
	registry *Registry
	handler  http.Handler
	clock    *clock

	mu       sync.Mutex
	events   []audit.Event
	failures []error
}

// newDesk serves the policies; without any, one that lets initialToken do what a
// policy allows by itself.
func newDesk(t testing.TB, db *sqldb.DB, fetch *Fetcher, policies ...Policy) *desk {
	t.Helper()
	d := &desk{t: t, clock: newClock()}
	d.registry = openRegistry(t, db, d.clock, fetch)
	if policies == nil {
		policies = []Policy{{Name: "test", PKCEOptional: true, MaxClients: 1000, PerMinute: 1000}}
	}
	for i := range policies {
		if policies[i].Token == nil && policies[i].Name != "open" {
			token, err := PolicyToken(keys.NewSecret([]byte(initialToken)))
			must(t, err)
			policies[i].Token = token
		}
	}
	registrar, err := NewRegistrar(RegistrarDeps{
		Issuer: issuer, Registry: d.registry, Policies: policies, Certificates: true, Limiter: ratelimit.New(ephemeraltest.Open(t), d.clock.now),
		Record: func(_ context.Context, e audit.Event) error {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.events = append(d.events, e)
			return nil
		},
		Refuse: func(w http.ResponseWriter, _ *http.Request, err error) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.failures = append(d.failures, err)
			w.WriteHeader(http.StatusInternalServerError)
		},
	})
	must(t, err)
	e := echo.New()
	registrar.Mount(e)
	d.handler = e
	return d
}

// reply is an answer, its members decoded.
type reply struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

func (r reply) text(name string) string { s, _ := r.body[name].(string); return s }

func (d *desk) call(method, path, token string, body any) reply {
	d.t.Helper()
	var reader io.Reader = http.NoBody
	if text, ok := body.(string); ok {
		reader = strings.NewReader(text)
	} else if body != nil {
		b, err := json.Marshal(body)
		must(d.t, err)
		reader = bytes.NewReader(b)
	}
	request := httptest.NewRequestWithContext(d.t.Context(), method, strings.TrimPrefix(path, issuer), reader)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, request)
	out := reply{status: w.Code, header: w.Header(), raw: w.Body.String()}
	if w.Body.Len() > 0 {
		must(d.t, json.Unmarshal(w.Body.Bytes(), &out.body))
	}
	return out
}

// basicBody is what the suite's Basic plan sends.
func basicBody(more map[string]any) map[string]any {
	all := map[string]any{
		"client_name": "OIDF Conformance Suite", "grant_types": []string{"authorization_code"}, "token_endpoint_auth_method": "client_secret_basic",
		"response_types": []string{"code"}, "redirect_uris": []string{"https://rp.example/test/a/tsunagu/callback"}, "contacts": []string{"certification@oidf.org"},
	}
	maps.Copy(all, more)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return all
}

func (d *desk) register(more map[string]any) reply {
	d.t.Helper()
	r := d.call(http.MethodPost, "/register", initialToken, basicBody(more))
	if r.status != http.StatusCreated {
		d.t.Fatalf("%d %s", r.status, r.raw)
	}
	return r
}

func (d *desk) client(r reply) *Client {
	d.t.Helper()
	c, err := d.registry.Get(d.t.Context(), ID(r.text("client_id")))
	must(d.t, err)
	return c
}

// Mirrors the registration of oidcc-server of the suite's dynamic Basic plan.
func TestRegistrationAnswersWithAllThatWasRegistered(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		d := newDesk(t, db, nil)
		r := d.register(map[string]any{"jwks": jwks(t, newRSAKey(t, "r", jose.RS256)), "an_unknown_member": []int{1}})
		for name, want := range map[string]string{
			"client_name": "OIDF Conformance Suite", "token_endpoint_auth_method": "client_secret_basic", "id_token_signed_response_alg": "RS256",
			"subject_type": "pairwise", "application_type": "web", "scope": "openid profile email address phone", "profile": "oidc",
			"grant_types": "[authorization_code]", "response_types": "[code]", "client_secret_expires_at": "0", "require_pkce": "false",
			"client_id_issued_at": fmt.Sprint(float64(d.clock.now().Unix())), "registration_client_uri": issuer + "/register/" + r.text("client_id"),
			"redirect_uris": "[https://rp.example/test/a/tsunagu/callback]", "contacts": "[certification@oidf.org]",
		} {
			if got := fmt.Sprint(r.body[name]); got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
		for _, name := range append(ownMembers()[1:], "an_unknown_member") {
			if _, there := r.body[name]; there {
				t.Errorf("the answer has %s", name)
			}
		}
		if len(r.text("client_secret")) < 43 || len(r.text("registration_access_token")) < 43 || r.header.Get("Cache-Control") != "no-store" ||
			r.header.Get("Content-Type") != "application/json" || r.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s %v", r.raw, r.header)
		}
		c := d.client(r)
		if c.Verified() || c.Listed() || c.FirstParty() || c.Category() != Private || c.Operator() != "rp.example" || c.RequirePKCE() || c.Sector() != "rp.example" {
			t.Errorf("%+v", c.m)
		}
		got, err := d.registry.Authenticate(t.Context(), Credentials{id: c.ID(), method: SecretBasic, proof: keys.NewSecret([]byte(r.text("client_secret")))}, AssertionRules{})
		if err != nil || got.ID() != c.ID() {
			t.Errorf("the secret does not authenticate: %v", err)
		}
		if len(d.events) != 1 || d.events[0].Kind != eventRegistered || d.events[0].Client != string(c.ID()) || d.events[0].Actor != "test" {
			t.Errorf("audit %+v", d.events)
		}
	})
}

// The database holds digests of what is shown once.
func TestRegistrationStoresNoSecrets(t *testing.T) {
	d := newDesk(t, sqldbtest.Open(t), nil)
	r := d.register(nil)
	rows, err := d.registry.d.DB.Query(t.Context(), `SELECT s.digest, r.token_sha256, v.metadata FROM client c JOIN client_secret s ON s.client = c.id
		JOIN client_registration r ON r.client = c.id JOIN client_version v ON v.client = c.id`)
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		var secret, token []byte
		var text string
		must(t, rows.Scan(&secret, &token, &text))
		all := string(secret) + string(token) + text
		if len(secret) != 32 || len(token) != 32 || strings.Contains(all, r.text("client_secret")) || strings.Contains(all, r.text("registration_access_token")) {
			t.Error("a secret is stored")
		}
	}
	must(t, rows.Err())
}

// Members that only the operator sets are to a stranger members that do not exist.
func TestRegistrationCannotVouchForItself(t *testing.T) {
	d := newDesk(t, sqldbtest.Open(t), nil)
	r := d.register(map[string]any{
		"client_id": "portal", "verified": true, "listed": true, "first_party": true, "category": "government", "operator": "デジタル庁",
		"description": "公式", "purposes": map[string]string{"openid": "公式"}, "development": true, "initiate_login_uri": "https://rp.example/start",
	})
	c := d.client(r)
	if c.ID() == "portal" || c.Verified() || c.Listed() || c.FirstParty() || c.Category() != Private || c.Operator() != "rp.example" ||
		c.Description("ja") != "" || c.Purpose("openid", "ja") != "" || c.m.Development || c.InitiateLoginURI() != "https://rp.example/start" {
		t.Errorf("%+v", c.m)
	}
}

// RFC 7591 §2.2.
func TestRegistrationReadsNamesByLanguage(t *testing.T) {
	d := newDesk(t, sqldbtest.Open(t), nil)
	for _, c := range []struct {
		more   map[string]any
		ja, en string
	}{
		{map[string]any{"client_name": "A"}, "A", "A"},
		{map[string]any{"client_name": "A", "client_name#ja": "あ"}, "あ", "A"},
		{map[string]any{"client_name": "A", "client_name#ja-JP": "あ", "client_name#fr": "à"}, "あ", "A"},
		{map[string]any{"client_name": "あ", "client_name#en": "A"}, "あ", "A"},
		{map[string]any{"client_name": nil, "client_name#ja": "あ", "client_name#en-GB": "A"}, "あ", "A"},
		{map[string]any{"client_name": nil, "client_name#en": "A"}, "A", "A"},
		{map[string]any{"client_name": nil}, "rp.example", "rp.example"},
	} {
		got := d.client(d.register(c.more))
		if got.Name("ja") != c.ja || got.Name("en") != c.en {
			t.Errorf("%v: %q, %q", c.more, got.Name("ja"), got.Name("en"))
		}
	}
}

// What is left out and what it becomes.
func TestRegistrationDefaults(t *testing.T) {
	all := Policy{Name: "all", MaxClients: 1000, PerMinute: 1000, Profiles: []Profile{OIDC, FAPI2}, GrantTypes: grants(), Scopes: append(citizenScopes(), OwnScopes()...),
		Methods: []Method{SecretBasic, PrivateKeyJWT, None}}
	d := newDesk(t, sqldbtest.Open(t), nil, all)
	key := jwks(t, newECKey(t, "a"))
	fapi := d.register(map[string]any{"profile": "fapi2", "token_endpoint_auth_method": "private_key_jwt", "jwks": key})
	if c := d.client(fapi); c.IDTokenAlg() != keys.ES256 || !c.RequirePKCE() || fapi.body["dpop_bound_access_tokens"] != true ||
		fapi.body["require_pushed_authorization_requests"] != true || fapi.text("client_secret") != "" || fapi.body["client_secret_expires_at"] != nil {
		t.Errorf("fapi2: %s", fapi.raw)
	}
	refreshing := d.register(map[string]any{"grant_types": []string{"authorization_code", "refresh_token"}})
	if got := refreshing.text("scope"); got != "openid offline_access profile email address phone links link exchanges" {
		t.Errorf("with refresh tokens: %s", got)
	}
	bare := d.call(http.MethodPost, "/register", initialToken, map[string]any{"redirect_uris": []string{"https://rp.example/cb"}})
	if c := d.client(bare); bare.status != http.StatusCreated || c.AuthMethod() != SecretBasic || !c.RequirePKCE() || bare.text("scope") != "openid profile email address phone links link exchanges" {
		t.Errorf("bare: %s", bare.raw)
	}
	service := d.register(map[string]any{"grant_types": []string{GrantClientCredentials}, "redirect_uris": nil, "response_types": []string{}})
	if service.text("scope") != strings.Join(OwnScopes(), " ") {
		t.Errorf("service: %s", service.raw)
	}
	if public := d.register(map[string]any{"token_endpoint_auth_method": "none"}); !d.client(public).RequirePKCE() || public.text("client_secret") != "" {
		t.Errorf("public: %s", public.raw)
	}
}

// RFC 7591 §3.2.2, and the suite's oidcc-registration-*, oidcc-3rdparty-init-login.
func TestRegistrationRefusals(t *testing.T) {
	d := newDesk(t, sqldbtest.Open(t), nil)
	key := jwks(t, newECKey(t, "a"))
	type change = map[string]any
	for _, c := range []struct {
		name  string
		body  any
		code  string
		field string
	}{
		{"fragment", basicBody(change{"redirect_uris": []string{"https://rp.example/cb#f"}}), codeRedirect, "redirect_uris[0]"},
		{"http", basicBody(change{"redirect_uris": []string{"https://rp.example/cb", "http://rp.example/cb"}}), codeRedirect, "redirect_uris[1]"},
		{"own scheme", basicBody(change{"redirect_uris": []string{"com.example:/cb"}}), codeRedirect, "redirect_uris[0]"},
		{"loopback", basicBody(change{"redirect_uris": []string{"http://127.0.0.1:8080/cb"}}), codeRedirect, "redirect_uris[0]"},
		{"the hub's own address", basicBody(change{"redirect_uris": []string{"https://rp.example/cb", issuer + "/account"}}), codeRedirect, "redirect_uris"},
		{"the hub's own host", basicBody(change{"redirect_uris": []string{issuer + ":8443/"}}), codeRedirect, "redirect_uris"},
		{"no redirect addresses", basicBody(change{"redirect_uris": nil}), codeRedirect, "redirect_uris"},
		{"no list of redirect addresses", basicBody(change{"redirect_uris": "https://rp.example/cb"}), codeRedirect, "redirect_uris"},
		{"native loopback", basicBody(change{"application_type": "native", "redirect_uris": []string{"http://127.0.0.1:8080/cb"}}), codeMetadata, "application_type"},
		{"native way back from a logout", basicBody(change{"application_type": "native", "post_logout_redirect_uris": []string{"http://127.0.0.1:8080/bye"}}), codeMetadata, "application_type"},
		{"native link", basicBody(change{"application_type": "native", "policy_uri": "http://localhost:631/"}), codeMetadata, "application_type"},
		{"two hosts without sector", basicBody(change{"redirect_uris": []string{"https://rp.example/cb", "https://www.rp.example/cb"}}), codeMetadata, "redirect_uris[1]"},
		{"initiate_login_uri by http", basicBody(change{"initiate_login_uri": "http://rp.example/start"}), codeMetadata, "initiate_login_uri"},
		{"public subjects", basicBody(change{"subject_type": "public"}), codeMetadata, "subject_type"},
		{"unsigned ID tokens", basicBody(change{"id_token_signed_response_alg": "none"}), codeMetadata, "id_token_signed_response_alg"},
		{"implicit", basicBody(change{"grant_types": []string{"implicit"}}), codeMetadata, "grant_types"},
		{"id_token", basicBody(change{"response_types": []string{"code id_token"}}), codeMetadata, "response_types"},
		{"a grant beyond the policy", basicBody(change{"grant_types": []string{"authorization_code", GrantTokenExchange}}), codeMetadata, "grant_types"},
		{"a scope beyond the policy", basicBody(change{"scope": "openid links"}), codeMetadata, "scope"},
		{"a method beyond the policy", basicBody(change{"token_endpoint_auth_method": "none"}), codeMetadata, "token_endpoint_auth_method"},
		{"a method nobody offers", basicBody(change{"token_endpoint_auth_method": "client_secret_jwt"}), codeMetadata, "token_endpoint_auth_method"},
		{"a profile beyond the policy", basicBody(change{"profile": "fapi2", "token_endpoint_auth_method": "private_key_jwt", "jwks": key}), codeMetadata, "profile"},
		{"jwks beside jwks_uri", basicBody(change{"jwks": key, "jwks_uri": "https://rp.example/jwks"}), codeMetadata, "jwks_uri"},
		{"logout told to another host", basicBody(change{"backchannel_logout_uri": "https://elsewhere.example/bye"}), codeMetadata, "backchannel_logout_uri"},
		{"a name that turns around", basicBody(change{"client_name": "\u202eabc"}), codeMetadata, "client_name"},
		{"a number as name", basicBody(change{"client_name": 7}), codeMetadata, "client_name"},
		{"a client that names its secret uri", basicBody(change{"registration_client_uri": "https://rp.example"}), codeMetadata, "registration_client_uri"},
		{"software statement", basicBody(change{"software_statement": "e30.e30.c2ln"}), codeUnapproved, ""},
		{"software statement that is none", basicBody(change{"software_statement": "x"}), codeStatement, ""},
		{"member twice", `{"client_name":"a","client_name":"b"}`, codeMetadata, "(document)"},
		{"list", `[]`, codeMetadata, "(document)"},
		{"nothing", ` `, codeMetadata, "(document)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := d.call(http.MethodPost, "/register", initialToken, c.body)
			if r.status != http.StatusBadRequest || r.text("error") != c.code || !strings.Contains(r.text("error_description"), c.field) {
				t.Errorf("%d %s, want %s about %s", r.status, r.raw, c.code, c.field)
			}
			if strings.ContainsFunc(r.text("error_description"), func(x rune) bool { return x < ' ' || x > '~' }) || strings.Contains(r.raw, "example") {
				t.Errorf("the answer repeats the request: %s", r.raw)
			}
		})
	}
	if list, err := d.registry.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("registered all the same: %v, %v", idsOf(list), err)
	}
}

func TestRegistrationRefusesOtherBodies(t *testing.T) {
	d := newDesk(t, sqldbtest.Open(t), nil)
	if r := d.call(http.MethodPost, "/register", initialToken, `{"client_name":"`+strings.Repeat("a", MaxMetadata)+`"}`); r.status != http.StatusRequestEntityTooLarge {
		t.Errorf("large body: %d", r.status)
	}
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/register", strings.NewReader("redirect_uris=https://rp.example/cb"))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Authorization", "Bearer "+initialToken)
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, request)
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), codeMetadata) {
		t.Errorf("form: %d %s", w.Code, w.Body)
	}
}

func TestRegistrationNeedsItsToken(t *testing.T) {
	expired := Policy{Name: "ends", PerMinute: 1000, Expires: newClock().now().Add(time.Hour)}
	d := newDesk(t, sqldbtest.Open(t), nil, expired)
	for token, challenge := range map[string]string{
		"": `Bearer realm="tsunagu"`, "wrong": `Bearer realm="tsunagu", error="invalid_token"`, initialToken + "x": `Bearer realm="tsunagu", error="invalid_token"`,
		strings.Repeat("x", 1000): `Bearer realm="tsunagu", error="invalid_token"`,
	} {
		if r := d.call(http.MethodPost, "/register", token, basicBody(nil)); r.status != http.StatusUnauthorized || r.header.Get("WWW-Authenticate") != challenge {
			t.Errorf("%.20q: %d %s", token, r.status, r.header.Get("WWW-Authenticate"))
		}
	}
	d.register(nil)
	d.clock.pass(time.Hour)
	if r := d.call(http.MethodPost, "/register", initialToken, basicBody(nil)); r.status != http.StatusUnauthorized {
		t.Errorf("after its end: %d", r.status)
	}
	if r := newDesk(t, sqldbtest.Open(t), nil, Policy{Name: "open"}).call(http.MethodPost, "/register", "", basicBody(nil)); r.status != http.StatusCreated {
		t.Errorf("open registration: %d %s", r.status, r.raw)
	}
}

func TestRegistrationCountsClientsAndTries(t *testing.T) {
	d := newDesk(t, sqldbtest.Open(t), nil, Policy{Name: "two", MaxClients: 2, PerMinute: 5})
	first := d.register(nil)
	d.register(nil)
	if r := d.call(http.MethodPost, "/register", initialToken, basicBody(nil)); r.status != http.StatusForbidden || r.text("error") != "access_denied" {
		t.Errorf("third client: %d %s", r.status, r.raw)
	}
	if r := d.call(http.MethodDelete, first.text("registration_client_uri"), first.text("registration_access_token"), nil); r.status != http.StatusNoContent {
		t.Fatalf("delete: %d", r.status)
	}
	d.register(nil)
	d.call(http.MethodPost, "/register", initialToken, basicBody(nil))
	if r := d.call(http.MethodPost, "/register", initialToken, basicBody(nil)); r.status != http.StatusTooManyRequests || r.header.Get("Retry-After") == "" {
		t.Errorf("sixth try: %d %v", r.status, r.header)
	}
}

// Mirrors oidcc-registration-sector-uri and -sector-bad of the suite.
func TestRegistrationReadsTheSectorDocument(t *testing.T) {
	p := newPublisher(t, says([]byte(`["https://a.example/cb","https://b.example/cb"]`)))
	d := newDesk(t, sqldbtest.Open(t), fetcher(t, newClock(), p), Policy{Name: "test", Loopback: true})
	body := func(redirects ...string) map[string]any {
		return basicBody(map[string]any{"redirect_uris": redirects, "subject_type": "pairwise", "sector_identifier_uri": p.URL + "/sector.json"})
	}
	if r := d.call(http.MethodPost, "/register", initialToken, body("https://a.example/cb", "https://b.example/cb")); r.status != http.StatusCreated || d.client(r).Sector() != p.host() {
		t.Errorf("listed: %d %s", r.status, r.raw)
	}
	if r := d.call(http.MethodPost, "/register", initialToken, body("https://a.example/cb", "https://c.example/cb")); r.status != http.StatusBadRequest || r.text("error") != codeMetadata {
		t.Errorf("not listed: %d %s", r.status, r.raw)
	}
}

// A hundred at once never are more than the policy allows.
func TestConcurrentRegistrationsKeepToTheLimit(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		d := newDesk(t, db, nil, Policy{Name: "ten", MaxClients: 10, PerMinute: 1000})
		var made atomic.Int64
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				switch r := d.call(http.MethodPost, "/register", initialToken, basicBody(nil)); r.status {
				case http.StatusCreated:
					made.Add(1)
				case http.StatusForbidden:
				default:
					t.Errorf("%d %s", r.status, r.raw)
				}
			})
		}
		wg.Wait()
		if made.Load() != 10 || len(d.failures) > 0 {
			t.Errorf("%d clients, failures %v", made.Load(), d.failures)
		}
	})
}

// A hub that trusts no authority of client certificates registers nobody for one.
func TestRegistrationOffersOnlyMethodsTheHubCanJudge(t *testing.T) {
	d := newDesk(t, sqldbtest.Open(t), nil, Policy{Name: "tls", Methods: []Method{SecretBasic, TLSClientAuth, SelfSignedTLS}})
	issued := basicBody(map[string]any{"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "rp.example"})
	if r := d.call(http.MethodPost, "/register", initialToken, issued); r.status != http.StatusBadRequest || r.text("error") != codeMetadata {
		t.Errorf("tls_client_auth: %d %s", r.status, r.raw)
	}
	d.register(map[string]any{"token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": certified(t, selfSigned(t, pkix.Name{CommonName: "rp"}))})
}

func TestRegistrationFromAPageOfAnotherOrigin(t *testing.T) {
	d := newDesk(t, sqldbtest.Open(t), nil)
	for _, path := range []string{"/register", "/register/d-ABC"} {
		r := d.call(http.MethodOptions, path, "", nil)
		if r.status != http.StatusNoContent || r.header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(r.header.Get("Access-Control-Allow-Methods"), "PUT") {
			t.Errorf("%s: %d %v", path, r.status, r.header)
		}
	}
}

func TestPolicyRefusals(t *testing.T) {
	digest, err := PolicyToken(keys.NewSecret([]byte(initialToken)))
	must(t, err)
	if _, err := PolicyToken(keys.NewSecret([]byte("short"))); err == nil {
		t.Error("a short token")
	}
	for name, list := range map[string][]Policy{
		"no name":            {{Token: digest}},
		"odd name":           {{Name: "A b", Token: digest}},
		"a token in clear":   {{Name: "a", Token: []byte(initialToken)}},
		"unknown profile":    {{Name: "a", Token: digest, Profiles: []Profile{"fapi1"}}},
		"unknown scope":      {{Name: "a", Token: digest, Scopes: []string{"admin"}}},
		"unknown grant type": {{Name: "a", Token: digest, GrantTypes: []string{"password"}}},
		"unknown method":     {{Name: "a", Token: digest, Methods: []Method{"client_secret_jwt"}}},
		"negative limit":     {{Name: "a", Token: digest, MaxClients: -1}},
		"one name twice":     {{Name: "a", Token: digest}, {Name: "a"}},
		"one token twice":    {{Name: "a", Token: digest}, {Name: "b", Token: digest}},
		"two open ones":      {{Name: "a"}, {Name: "b"}},
		"devices of anybody": {{Name: "a", GrantTypes: []string{GrantAuthorizationCode, GrantDeviceCode}}},
	} {
		if err := CheckPolicies(list); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := CheckPolicies([]Policy{{Name: "a", Token: digest}, {Name: "b"}}); err != nil {
		t.Error(err)
	}
}

// TestRegistrationMayRefusePhones: a service says by itself, and is told back, that it takes no sign-in through a phone; changing its mind is
// an update like any other. Anything but true and false is a fault.
func TestRegistrationMayRefusePhones(t *testing.T) {
	d := newDesk(t, sqldbtest.Open(t), nil)
	r := d.register(map[string]any{"refuse_remote_card": true})
	if r.body["refuse_remote_card"] != true || !d.client(r).RefusesRemoteCard() {
		t.Errorf("%s", r.raw)
	}
	if plain := d.register(nil); plain.body["refuse_remote_card"] != nil || d.client(plain).RefusesRemoteCard() {
		t.Errorf("%s", plain.raw)
	}
	strict := d.register(map[string]any{"always_card": true, "session_idle": 120, "session_absolute": 600, "session_class": "government"})
	if c := d.client(strict); !c.AlwaysCard() || c.SessionIdle() != 2*time.Minute || c.SessionAbsolute() != 10*time.Minute || c.SessionClass() != ClassPrivate {
		t.Errorf("rules of sessions: %v %v %v %v", c.AlwaysCard(), c.SessionIdle(), c.SessionAbsolute(), c.SessionClass())
	}
	bad := d.call(http.MethodPost, "/register", initialToken, basicBody(map[string]any{"refuse_remote_card": "yes"}))
	if bad.status != http.StatusBadRequest || bad.text("error") != "invalid_client_metadata" {
		t.Errorf("%d %s", bad.status, bad.raw)
	}
}

// TestRegisteredDeviceBorrowsNobodysName: no code has to arrive at the addresses that a client of the device grant names, so they may be
// anybody's, and do not say who runs it.
func TestRegisteredDeviceBorrowsNobodysName(t *testing.T) {
	d := newDesk(t, sqldbtest.Open(t), nil, Policy{Name: "test", GrantTypes: []string{GrantAuthorizationCode, GrantDeviceCode}, MaxClients: 10, PerMinute: 10})
	for _, change := range []map[string]any{
		{"grant_types": []string{GrantDeviceCode}, "redirect_uris": nil, "response_types": []string{}, "client_uri": "https://city.example/"},
		{"grant_types": []string{GrantDeviceCode}, "redirect_uris": []string{"https://city.example/cb"}, "response_types": []string{}},
		{"grant_types": []string{GrantAuthorizationCode, GrantDeviceCode}, "redirect_uris": []string{"https://city.example/cb"}},
	} {
		change["client_name"] = nil
		r := d.call(http.MethodPost, "/register", initialToken, basicBody(change))
		if r.status != http.StatusCreated {
			t.Fatalf("%d %s", r.status, r.raw)
		}
		c, err := d.registry.Get(t.Context(), ID(r.text("client_id")))
		must(t, err)
		if c.Operator() != r.text("client_id") || c.Name("ja") != r.text("client_id") {
			t.Errorf("%v: %q, run by %q", change, c.Name("ja"), c.Operator())
		}
	}
}
