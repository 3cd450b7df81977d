package idptest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Request is one authorization request with its PKCE verifier.
type Request struct {
	Params   url.Values
	Verifier string
}

// NewRequest returns a good request of the confidential client, with the changes applied: a value of "" removes a parameter.
func NewRequest(changes ...string) Request {
	r := Request{Verifier: rand.Text() + rand.Text()}
	sum := sha256.Sum256([]byte(r.Verifier))
	r.Params = url.Values{
		"client_id": {ClientID}, "redirect_uri": {RedirectURI}, "response_type": {"code"}, "scope": {"openid offline_access"},
		"state": {"st-" + rand.Text()}, "nonce": {"no-" + rand.Text()},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	for i := 0; i+1 < len(changes); i += 2 {
		if changes[i+1] == "" {
			r.Params.Del(changes[i])
		} else {
			r.Params.Set(changes[i], changes[i+1])
		}
	}
	return r
}

// Path returns the request as an address at the hub.
func (r Request) Path() string { return "/authorize?" + r.Params.Encode() }

// Answer is what a machine endpoint answered.
type Answer struct {
	Status int
	JSON   map[string]any
	Header http.Header
	Raw    string
}

// Text returns a member that is a string.
func (a Answer) Text(name string) string { s, _ := a.JSON[name].(string); return s }

// PostForm calls a machine endpoint as the client; an empty secret sends client_id in the body only.
func (h *Hub) PostForm(t testing.TB, path, clientID, secret string, form url.Values) Answer {
	t.Helper()
	req := h.FormRequest(t, path, clientID, secret, form)
	return h.call(t, req)
}

// FormRequest builds what PostForm sends.
func (h *Hub) FormRequest(t testing.TB, path, clientID, secret string, form url.Values) *http.Request {
	t.Helper()
	f := url.Values{}
	for k, v := range form {
		f[k] = v
	}
	if secret == "" && clientID != "" {
		f.Set("client_id", clientID)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.Issuer+path, strings.NewReader(f.Encode()))
	must(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if secret != "" {
		req.SetBasicAuth(url.QueryEscape(clientID), url.QueryEscape(secret))
	}
	return req
}

// Bearer calls a resource with an access token.
func (h *Hub) Bearer(t testing.TB, method, path, token string) Answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, h.Issuer+path, http.NoBody)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	return h.call(t, req)
}

// JSON calls a resource with an access token and a document.
func (h *Hub) JSON(t testing.TB, method, path, token, body string) Answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, h.Issuer+path, strings.NewReader(body))
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	return h.call(t, req)
}

func (h *Hub) call(t testing.TB, req *http.Request) Answer {
	t.Helper()
	resp, err := h.Client().Do(req)
	must(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(t, err)
	a := Answer{Status: resp.StatusCode, Header: resp.Header, Raw: string(b)}
	if len(b) > 0 {
		_ = json.Unmarshal(b, &a.JSON) // not every answer is JSON; Raw has it
	}
	return a
}

// Code runs a request through a login with the card and returns the code.
func (h *Hub) Code(t testing.TB, b *Browser, r Request, card string) string {
	t.Helper()
	p := b.Get(r.Path())
	if p.Body != "" {
		p = b.SignIn(p, card)
	}
	code := p.URL.Query().Get("code")
	if code == "" {
		t.Fatalf("no code: %d %s %s", p.Status, p.URL, p.Error())
	}
	return code
}

// Redeem exchanges a code of the confidential client.
func (h *Hub) Redeem(t testing.TB, code string, r Request) Answer {
	t.Helper()
	return h.PostForm(t, "/token", ClientID, Secret, CodeForm(code, r))
}

// CodeForm is the form that redeems a code.
func CodeForm(code string, r Request) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {r.Params.Get("redirect_uri")}, "code_verifier": {r.Verifier}}
}

// RefreshForm is the form that refreshes.
func RefreshForm(token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
}
