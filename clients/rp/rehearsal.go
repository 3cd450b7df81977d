package rp

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"
)

// RehearsalConfig is a client whose sign-in is run to be looked at, step by step.
type RehearsalConfig struct {
	ClientID, RedirectURI string
	Scopes                []string // with openid
	AuthMethod            string   // token_endpoint_auth_method: private_key_jwt, by Key, or none
	SigningAlg            string   // of ID tokens; empty means ES256
	Bound, Signed         bool     // tokens are bound to Key; requests are signed with it
	Key                   *Key
}

// Rehearsal runs a sign-in of a client that is not the party itself, and keeps each step apart, so that the first that fails can be explained. It
// starts no session.
type Rehearsal struct {
	party    *Party
	redirect string
	signed   bool
}

// Rehearse prepares a rehearsal at the party's hub. An error says what cannot be rehearsed.
func (p *Party) Rehearse(c RehearsalConfig) (*Rehearsal, error) {
	var credential Credential
	switch c.AuthMethod {
	case "private_key_jwt":
		credential = c.Key
	case "none":
		credential = nobody{}
	default:
		return nil, fmt.Errorf("rp: token_endpoint_auth_method %q cannot be rehearsed", clip(c.AuthMethod, 64))
	}
	config := Config{
		Issuer: p.issuer, BaseURL: p.base, ClientID: c.ClientID, Credential: credential, SigningAlg: c.SigningAlg, HTTP: p.http,
		Site: p.site, Store: p.store, Now: p.now, Log: p.log, Represented: true,
	}
	if c.Bound {
		config.Bound = c.Key
	}
	for _, s := range c.Scopes {
		if s != "openid" {
			config.Scopes = append(config.Scopes, s)
		}
	}
	own, err := New(config)
	if err != nil {
		return nil, err
	}
	return &Rehearsal{party: own, redirect: c.RedirectURI, signed: c.Signed}, nil
}

// nobody is a public client's way to say who it is: by its name alone.
type nobody struct{}

func (nobody) prove(form url.Values, _ http.Header, p proof) error {
	form.Set("client_id", p.client)
	return nil
}

func (nobody) root() Secret { return Secret{} }

// Asked is a request for a sign-in.
type Asked struct {
	State, Nonce, Verifier string
	Request                url.Values // the parameters, as they were sent
	Pushed                 bool       // they went to the hub first (RFC 9126)
	Address                string     // where the browser goes
}

// Ask makes the request, and pushes it. What was asked is returned with an error too.
func (r *Rehearsal) Ask(ctx context.Context, lang string) (Asked, error) {
	a := Asked{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier()}
	hub, err := r.party.provider(ctx)
	if err != nil {
		return a, err
	}
	a.Request = url.Values{
		"client_id": {r.party.clientID}, "response_type": {"code"}, "redirect_uri": {r.redirect}, "scope": {strings.Join(r.party.scopes, " ")},
		"state": {a.State}, "nonce": {a.Nonce}, "code_challenge": {oauth2.S256ChallengeFromVerifier(a.Verifier)}, "code_challenge_method": {"S256"},
		"ui_locales": {lang}, "prompt": {"consent"},
	}
	if r.party.bound != nil {
		a.Request.Set("dpop_jkt", r.party.bound.thumb)
	}
	send := a.Request
	if r.signed {
		if send, err = r.sign(a.Request); err != nil {
			return a, err
		}
	}
	a.Address = hub.Authorization + "?" + send.Encode()
	if hub.PAR == "" {
		return a, nil
	}
	a.Pushed = true
	var pushed struct {
		RequestURI string `json:"request_uri"`
	}
	form := url.Values{}
	for name, values := range send {
		form[name] = slices.Clone(values)
	}
	if err := r.party.post(ctx, hub.PAR, form, &pushed); err != nil {
		return a, err
	}
	a.Address = hub.Authorization + "?" + url.Values{"client_id": {r.party.clientID}, "request_uri": {pushed.RequestURI}}.Encode()
	return a, nil
}

// sign puts the parameters into a request object (RFC 9101).
func (r *Rehearsal) sign(asked url.Values) (url.Values, error) {
	key, ok := r.party.credential.(*Key)
	if !ok {
		return nil, fmt.Errorf("rp: a client without a key cannot sign its requests")
	}
	now := r.party.now()
	claims := map[string]any{
		"iss": r.party.clientID, "aud": r.party.issuer, "jti": rand.Text(), "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	}
	for name := range asked {
		claims[name] = asked.Get(name)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return nil, fmt.Errorf("request object: %w", err)
	}
	object, err := key.signer.Sign(payload)
	if err != nil {
		return nil, fmt.Errorf("request object: %w", err)
	}
	compact, err := object.CompactSerialize()
	if err != nil {
		return nil, fmt.Errorf("request object: %w", err)
	}
	return url.Values{"client_id": {r.party.clientID}, "request": {compact}}, nil
}

// StateOf is the state in the query that a sign-in came back with; empty if the query is none that a hub sends.
func StateOf(rawQuery string) string {
	q, err := callbackQuery(rawQuery)
	if err != nil {
		return ""
	}
	return q.Get("state")
}

// Returned judges the query that the browser came back with, and returns the code.
func (r *Rehearsal) Returned(ctx context.Context, a Asked, rawQuery string) (code string, err error) {
	q, err := callbackQuery(rawQuery)
	if err != nil {
		return "", err
	}
	if !same(q.Get("state"), a.State) {
		return "", &Error{Reason: ResponseMalformed, Detail: "state of another request"}
	}
	hub, err := r.party.provider(ctx)
	if err != nil {
		return "", err
	}
	return q.Get("code"), r.party.checkVerdict(hub, q)
}

// Given is what the token endpoint gave for a code.
type Given struct {
	Type    string
	Expires int64 // seconds
	Scope   string
	Refresh bool // there is a refresh token
	answer  tokenAnswer
}

// Redeem trades the code for tokens.
func (r *Rehearsal) Redeem(ctx context.Context, a Asked, code string) (Given, error) {
	hub, err := r.party.provider(ctx)
	if err != nil {
		return Given{}, err
	}
	answer, err := r.party.redeem(ctx, hub, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {r.redirect}, "code_verifier": {a.Verifier},
	})
	return Given{Type: answer.Type, Expires: answer.Expires, Scope: answer.Scope, Refresh: answer.Refresh != "", answer: answer}, err
}

// IDToken is what an ID token says, whether or not it is to be believed.
type IDToken struct{ Header, Claims json.RawMessage }

// Check verifies the ID token as Finish does. What it says is returned with an error too, where it can be read.
func (r *Rehearsal) Check(ctx context.Context, a Asked, g Given) (IDToken, error) {
	var said IDToken
	if parts := strings.Split(g.answer.IDToken, "."); len(parts) == 3 {
		said.Header, said.Claims = segment(parts[0]), segment(parts[1])
	}
	hub, err := r.party.provider(ctx)
	if err != nil {
		return said, err
	}
	_, err = r.party.verify(ctx, hub, g.answer, a.Nonce)
	return said, err
}

func segment(s string) json.RawMessage {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || !json.Valid(b) {
		return nil
	}
	return b
}

// UserInfo asks the userinfo endpoint, and demands that it speaks of the person of the ID token (OpenID Connect Core §5.3.2).
func (r *Rehearsal) UserInfo(ctx context.Context, g Given, t IDToken) (json.RawMessage, error) {
	resp, err := r.ask(ctx, g)
	if err != nil {
		return nil, err
	}
	if resp.Status != http.StatusOK {
		return nil, &Error{Reason: HubRefused, Detail: "userinfo: " + http.StatusText(resp.Status)}
	}
	said := json.RawMessage(resp.Body)
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err == nil && kind == "application/jwt" {
		hub, err := r.party.provider(ctx)
		if err != nil {
			return nil, err
		}
		signed, err := hub.sets.Verify(ctx, string(resp.Body))
		if err != nil {
			return nil, &Error{Reason: TokenInvalid, Detail: "userinfo", Err: err}
		}
		if err := signed.Claims(&said); err != nil {
			return nil, &Error{Reason: TokenInvalid, Detail: "userinfo", Err: err}
		}
	}
	var here, there struct {
		Subject string `json:"sub"`
	}
	if json.Unmarshal(said, &here) != nil || json.Unmarshal(t.Claims, &there) != nil || here.Subject == "" || here.Subject != there.Subject {
		return nil, &Error{Reason: TokenInvalid, Detail: "userinfo of another person"}
	}
	return said, nil
}

func (r *Rehearsal) ask(ctx context.Context, g Given) (*Response, error) {
	hub, err := r.party.provider(ctx)
	if err != nil {
		return nil, err
	}
	return r.party.fetchWith(ctx, g.answer.Access, Request{Method: http.MethodGet, Address: hub.oidc.UserInfoEndpoint()})
}

// End revokes what was given (RFC 7009), and sees that the access token is of no use any more.
func (r *Rehearsal) End(ctx context.Context, g Given) error {
	hub, err := r.party.provider(ctx)
	if err != nil {
		return err
	}
	token := g.answer.Refresh
	if token == "" {
		token = g.answer.Access
	}
	if err := r.party.post(ctx, hub.Revocation, url.Values{"token": {token}}, nil); err != nil {
		return err
	}
	resp, err := r.ask(ctx, g)
	if err != nil {
		return err
	}
	if resp.Status != http.StatusUnauthorized {
		return &Error{Reason: HubRefused, Detail: "an access token is good after it was revoked"}
	}
	return nil
}

// Place is an endpoint of the hub, by its name in the discovery document.
type Place struct{ Name, Address string }

// Places are what a service needs to know of the hub, as its discovery document has it. What the hub does not offer is left out.
func (p *Party) Places(ctx context.Context) ([]Place, error) {
	hub, err := p.provider(ctx)
	if err != nil {
		return nil, err
	}
	all := []Place{
		{"issuer", p.issuer}, {"discovery", strings.TrimSuffix(p.issuer, "/") + "/.well-known/openid-configuration"},
		{"authorization_endpoint", hub.Authorization}, {"pushed_authorization_request_endpoint", hub.PAR}, {"token_endpoint", hub.Token},
		{"userinfo_endpoint", hub.oidc.UserInfoEndpoint()}, {"jwks_uri", hub.JWKS}, {"end_session_endpoint", hub.EndSession},
		{"revocation_endpoint", hub.Revocation}, {"introspection_endpoint", hub.Introspection}, {"registration_endpoint", hub.Registration},
	}
	return slices.DeleteFunc(all, func(e Place) bool { return e.Address == "" }), nil
}
