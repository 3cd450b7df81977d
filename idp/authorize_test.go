package idp_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// languageLink is the one place where a page repeats its own query: the switch that keeps a login in progress.
var languageLink = regexp.MustCompile(`href="\?[^"]*"`)

// TestRedirectErrorNeedsTrustedURI: until client and redirect URI are both accepted, an error is a page and nothing is redirected.
func TestRedirectErrorNeedsTrustedURI(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	for _, tt := range []struct {
		name, reason string
		changes      []string
	}{
		{"unknown client", "unknown_client", []string{"client_id", "nobody"}},
		{"no client", "unknown_client", []string{"client_id", ""}},
		{"foreign address", "redirect_uri_mismatch", []string{"redirect_uri", "https://evil.example/"}},
		{"no address", "redirect_uri_mismatch", []string{"redirect_uri", ""}},
		{"longer path", "redirect_uri_mismatch", []string{"redirect_uri", idptest.RedirectURI + "/x"}},
		{"query added", "redirect_uri_mismatch", []string{"redirect_uri", idptest.RedirectURI + "?x=1"}},
		{"other case", "redirect_uri_mismatch", []string{"redirect_uri", strings.ToUpper(idptest.RedirectURI)}},
		{"another client's address", "redirect_uri_mismatch", []string{"redirect_uri", idptest.OtherURI}},
		{"unknown pushed request", "request_expired", []string{"request_uri", "urn:ietf:params:oauth:request_uri:" + strings.Repeat("A", 43)}},
	} {
		p := b.Get(idptest.NewRequest(tt.changes...).Path())
		if p.Status != http.StatusBadRequest || p.Error() != tt.reason {
			t.Errorf("%s: %d %q at %s", tt.name, p.Status, p.Error(), p.URL)
		}
		if strings.Contains(languageLink.ReplaceAllString(p.Body, ""), "evil.example") {
			t.Errorf("%s: the page repeats the address", tt.name)
		}
	}
	twice := idptest.NewRequest()
	if p := b.Get(twice.Path() + "&redirect_uri=https://evil.example/"); p.Error() != "redirect_uri_mismatch" {
		t.Errorf("address given twice: %q", p.Error())
	}
}

// TestRedirectedErrors: exact codes, with iss and the state that was sent, and no state where none was.
func TestRedirectedErrors(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	for _, tt := range []struct {
		name, code string
		changes    []string
	}{
		{"response type", "unsupported_response_type", []string{"response_type", "token"}},
		{"no response type", "invalid_request", []string{"response_type", ""}},
		{"response mode", "invalid_request", []string{"response_mode", "fragment"}},
		{"scope not registered", "invalid_scope", []string{"client_id", idptest.PublicID, "redirect_uri", idptest.PublicURI, "scope", "openid link"}},
		{"no PKCE", "invalid_request", []string{"code_challenge", "", "code_challenge_method", ""}},
		{"plain PKCE", "invalid_request", []string{"code_challenge_method", "plain"}},
		{"short PKCE", "invalid_request", []string{"code_challenge", "abc"}},
		{"request object of nobody", "invalid_request_object", []string{"request", "e30.e30."}},
		{"request address", "request_uri_not_supported", []string{"request_uri", "https://app.example/r"}},
		{"registration", "registration_not_supported", []string{"registration", "{}"}},
		{"prompt none with login", "invalid_request", []string{"prompt", "none login"}},
		{"max_age garbage", "invalid_request", []string{"max_age", "soon"}},
		{"max_age negative", "invalid_request", []string{"max_age", "-1"}},
		{"foreign hint", "invalid_request", []string{"id_token_hint", "e30.e30.e30"}},
		{"prompt none, nobody there", "login_required", []string{"prompt", "none"}},
		{"no state", "invalid_request", []string{"state", "", "response_mode", "fragment"}},
	} {
		r := idptest.NewRequest(tt.changes...)
		p := b.Get(r.Path())
		q := p.URL.Query()
		if q.Get("error") != tt.code || q.Get("iss") != h.Issuer || q.Get("code") != "" {
			t.Errorf("%s: %d %s %s", tt.name, p.Status, p.URL, p.Error())
		}
		if q.Get("state") != r.Params.Get("state") || q.Has("state") != r.Params.Has("state") {
			t.Errorf("%s: state %q", tt.name, q["state"])
		}
	}
	if p := b.Get(idptest.NewRequest().Path() + "&nonce=twice"); p.URL.Query().Get("error") != "invalid_request" {
		t.Errorf("parameter twice: %s", p.URL)
	}
}

// TestStateIsOptional, long state and nonce come back whole, a registered query is kept, POST works like GET.
func TestAuthorizeAccepts(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	h.Code(t, b, idptest.NewRequest(), "taro")
	if p := b.Get(idptest.NewRequest("state", "").Path()); p.URL.Query().Has("state") || p.URL.Query().Get("code") == "" {
		t.Errorf("no state: %s", p.URL)
	}
	long := strings.Repeat("x", 384)
	if p := b.Get(idptest.NewRequest("state", long, "nonce", long).Path()); p.URL.Query().Get("state") != long || p.URL.Query().Get("code") == "" {
		t.Errorf("long state: %s", p.URL)
	}
	if p := b.Get(idptest.NewRequest("redirect_uri", "https://app.example/callback?fixed=1").Path()); p.URL.Query().Get("fixed") != "1" || p.URL.Query().Get("code") == "" {
		t.Errorf("registered query: %s", p.URL)
	}
	if p := b.Get(idptest.NewRequest("scope", "openid unheard_of", "unknown", "1").Path()); p.URL.Query().Get("code") == "" {
		t.Errorf("unknown scope and parameter: %s", p.URL)
	}
	if p := b.Post("/authorize", idptest.NewRequest().Params); p.Status != http.StatusSeeOther || p.URL.Query().Get("code") == "" {
		t.Errorf("POST: %d %s", p.Status, p.URL)
	}
}

// TestPrompt and max_age against a real session.
func TestPromptAndMaxAge(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	b := h.Browser(t)
	r := idptest.NewRequest()
	hint := h.Redeem(t, h.Code(t, b, r, "taro"), r).Text("id_token")
	c.advance(20 * time.Minute)
	for _, tt := range []struct {
		name    string
		changes []string
		path    string // page shown, or "" for a code at once
	}{
		{"nothing", nil, ""},
		{"prompt none", []string{"prompt", "none"}, ""},
		{"prompt login", []string{"prompt", "login"}, "/login"},
		{"prompt select_account", []string{"prompt", "select_account"}, "/login"},
		{"prompt consent", []string{"prompt", "consent"}, "/consent"},
		{"max_age 0", []string{"max_age", "0"}, "/login"},
		{"max_age 60", []string{"max_age", "60"}, "/login"},
		{"max_age 10000", []string{"max_age", "10000"}, ""},
		{"max_age beyond numbers", []string{"max_age", "9223372036854775807"}, ""},
		{"own hint, expired", []string{"id_token_hint", hint}, ""},
		{"acr met", []string{"acr_values", "urn:other phrh"}, ""},
		{"acr nobody can meet", []string{"acr_values", "urn:other"}, ""},
	} {
		p := b.Get(idptest.NewRequest(tt.changes...).Path())
		if (tt.path == "" && p.URL.Query().Get("code") == "") || (tt.path != "" && p.URL.Path != tt.path) {
			t.Errorf("%s: %s %s", tt.name, p.URL, p.Error())
		}
	}
	// After prompt=login the authentication is newer, at second precision.
	again := idptest.NewRequest("prompt", "login", "max_age", "0")
	if h.Code(t, b, again, "taro") == "" {
		t.Error("prompt=login never ends")
	}
	// The hint of one person, the card of another: the service is told that login is required.
	other := h.Browser(t)
	login := other.Get(idptest.NewRequest("id_token_hint", hint).Path())
	end := other.SignIn(login, "hanako")
	if end.URL.Query().Get("error") != "login_required" {
		t.Errorf("another person's card: %s %s", end.URL, end.Error())
	}
}

// TestPushedRequest: RFC 9126: only POST, no request_uri inside, only its own client, survives a visit, dies at the decision.
func TestPushedRequest(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	b := h.Browser(t)
	r := idptest.NewRequest()
	push := func(form url.Values) idptest.Answer {
		return h.PostForm(t, "/par", idptest.ClientID, idptest.Secret, form)
	}
	a := push(r.Params)
	if a.Status != http.StatusCreated || !strings.HasPrefix(a.Text("request_uri"), "urn:ietf:params:oauth:request_uri:") || a.JSON["expires_in"] != float64(90) {
		t.Fatalf("push: %d %s", a.Status, a.Raw)
	}
	visit := func(client, uri string) idptest.Page {
		return b.Get("/authorize?" + url.Values{"client_id": {client}, "request_uri": {uri}, "scope": {"ignored"}, "prompt": {"none"}}.Encode())
	}
	if p := visit(idptest.OtherID, a.Text("request_uri")); p.Error() != "request_expired" {
		t.Errorf("another client's visit: %s %q", p.URL, p.Error())
	}
	visit(idptest.ClientID, a.Text("request_uri")) // looked at, not decided
	login := visit(idptest.ClientID, a.Text("request_uri"))
	if login.URL.Path != "/login" {
		t.Fatalf("second visit: %s %q", login.URL, login.Error())
	}
	c.advance(5 * time.Minute) // the citizen takes longer than the request lives
	p := b.SignIn(login, "taro")
	if p.URL.Query().Get("code") == "" || p.URL.Query().Get("state") != r.Params.Get("state") {
		t.Fatalf("completed: %s %q", p.URL, p.Error())
	}
	if tokens := h.Redeem(t, p.URL.Query().Get("code"), r); tokens.Status != http.StatusOK {
		t.Errorf("redeem: %d %s", tokens.Status, tokens.Raw)
	}
	second := push(idptest.NewRequest().Params).Text("request_uri")
	if p := visit(idptest.ClientID, second); p.URL.Query().Get("code") == "" {
		t.Errorf("with a session: %s %q", p.URL, p.Error())
	}
	if p := visit(idptest.ClientID, second); p.Error() != "request_expired" {
		t.Errorf("used twice: %s %q", p.URL, p.Error())
	}
	late := push(idptest.NewRequest().Params).Text("request_uri")
	c.advance(91 * time.Second)
	if p := visit(idptest.ClientID, late); p.Error() != "request_expired" {
		t.Errorf("after 91 s: %q", p.Error())
	}
	for name, form := range map[string]url.Values{
		"request_uri inside": idptest.NewRequest("request_uri", a.Text("request_uri")).Params,
		"foreign address":    idptest.NewRequest("redirect_uri", "https://evil.example/").Params,
		"no PKCE":            idptest.NewRequest("code_challenge", "").Params,
		"client_id of other": idptest.NewRequest("client_id", idptest.OtherID).Params,
	} {
		if a := push(form); a.Status < 400 || a.Status > 401 || a.Text("request_uri") != "" {
			t.Errorf("%s: %d %s", name, a.Status, a.Raw)
		}
	}
}

// TestSecondPressIsNoSecondAction: a doubled press on "share" is sent on with the same code while it is unspent.
func TestSecondPressIsNoSecondAction(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	r := idptest.NewRequest()
	p := b.Get(b.CardLogin(b.Get(r.Path()), "taro"))
	p = b.Post("/folder/open", url.Values{"tx": {p.Tx()}})
	again := b.Post("/folder/open", url.Values{"tx": {p.Tx()}})
	if again.URL.Path != "/consent" {
		t.Errorf("folder opened twice: %s", again.URL)
	}
	form := url.Values{"tx": {p.Tx()}, "decision": {"allow"}}
	first, second := b.Post("/consent", form), b.Post("/consent", form)
	code := first.URL.Query().Get("code")
	if code == "" || second.URL.Query().Get("code") != code {
		t.Fatalf("first %s, second %s", first.URL, second.URL)
	}
	if a := h.Redeem(t, code, r); a.Status != http.StatusOK {
		t.Fatalf("redeem: %d %s", a.Status, a.Raw)
	}
	third := b.Post("/consent", form)
	if third.URL.Query().Get("code") != "" || third.Error() != "request_expired" {
		t.Errorf("after the code was spent: %s %q", third.URL, third.Error())
	}
}
