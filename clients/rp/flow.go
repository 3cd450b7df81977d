package rp

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

const (
	cookieFlow = "flow"
	// flowLife is how long a person may take at the hub: a first login with a card that has to be found.
	flowLife = 30 * time.Minute
)

// flow is a login in progress, as it is stored.
type flow struct {
	Proof    string `json:"p"` // digest of the cookie of the browser that started it
	Nonce    string `json:"n"`
	Verifier string `json:"v"` // PKCE
	Return   string `json:"r"`
	Quiet    bool   `json:"q,omitempty"` // nothing may be asked of the person
	Again    bool   `json:"a,omitempty"` // the hub refused the tokens of the last session

	Details json.RawMessage `json:"d,omitempty"` // authorization details asked for
}

func flowKey(state string) string { return "flow:1:" + digest("state", state) }

// digest names a secret without telling it. The purpose keeps digests for one use worthless for another.
func digest(purpose, secret string) string {
	sum := sha256.Sum256([]byte(purpose + "\x00" + secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// Begin sends the browser to the hub to sign in, and back to the page to afterwards.
func (p *Party) Begin(w http.ResponseWriter, r *http.Request, to Local) error {
	return p.begin(w, r, flow{Return: to.String()})
}

// Renew is Begin for somebody who is still signed in at the hub. Nothing is asked of them: if they are not, the session here
// ends, and Finish says so by an Arrival without one.
func (p *Party) Renew(w http.ResponseWriter, r *http.Request, to Local) error {
	return p.begin(w, r, flow{Return: to.String(), Quiet: true, Again: true})
}

func (p *Party) begin(w http.ResponseWriter, r *http.Request, f flow) error {
	ctx := r.Context()
	hub, err := p.provider(ctx)
	if err != nil {
		return err
	}
	f.Nonce, f.Verifier = rand.Text(), oauth2.GenerateVerifier()
	state := rand.Text()
	// Logins in two tabs of one browser share the cookie; what differs is the state.
	browser, ok := p.site.Cookie(r, cookieFlow)
	if !ok || len(browser) != len(newID()) {
		browser = newID()
	}
	f.Proof = digest("flow", browser)
	stored, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("encode flow: %w", err)
	}
	if err := p.store.Create(ctx, flowKey(state), stored, flowLife); err != nil {
		return fmt.Errorf("store flow: %w", err)
	}
	address, err := p.authorization(ctx, hub, f, state, p.site.Lang(r))
	if err != nil {
		return err
	}
	p.site.SetCookie(w, web.Cookie{Name: cookieFlow, Value: browser, MaxAge: flowLife})
	http.Redirect(w, r, address, http.StatusSeeOther)
	return nil
}

// authorization makes the address of the hub's login, pushing the request there first if the hub takes it (RFC 9126): then
// the browser carries nothing that could be read or changed on the way.
func (p *Party) authorization(ctx context.Context, hub *provider, f flow, state, lang string) (string, error) {
	config := oauth2.Config{
		ClientID: p.clientID, RedirectURL: p.base + PathCallback, Scopes: p.scopes,
		Endpoint: oauth2.Endpoint{AuthURL: hub.Authorization},
	}
	options := []oauth2.AuthCodeOption{
		oauth2.S256ChallengeOption(f.Verifier),
		oauth2.SetAuthURLParam("nonce", f.Nonce), oauth2.SetAuthURLParam("ui_locales", lang),
	}
	if p.bound != nil {
		options = append(options, oauth2.SetAuthURLParam("dpop_jkt", p.bound.thumb))
	}
	if f.Quiet {
		options = append(options, oauth2.SetAuthURLParam("prompt", "none"))
	}
	if len(f.Details) > 0 {
		options = append(options, oauth2.SetAuthURLParam("authorization_details", string(f.Details)))
	}
	plain := config.AuthCodeURL(state, options...)
	if hub.PAR == "" {
		return plain, nil
	}
	u, err := url.Parse(plain)
	if err != nil {
		return "", fmt.Errorf("authorization address: %w", err)
	}
	var pushed struct {
		RequestURI string `json:"request_uri"`
	}
	if err := p.post(ctx, hub.PAR, u.Query(), &pushed); err != nil {
		return "", err
	}
	if pushed.RequestURI == "" {
		return "", &Error{Reason: HubRefused, Detail: "pushed request answered without request_uri"}
	}
	separator := "?"
	if strings.Contains(hub.Authorization, "?") {
		separator = "&"
	}
	return hub.Authorization + separator + url.Values{"client_id": {p.clientID}, "request_uri": {pushed.RequestURI}}.Encode(), nil
}

// takeFlow ends the login in progress that a callback belongs to. Whatever is wrong with the rest of the callback, there is
// no second try with the same state.
func (p *Party) takeFlow(r *http.Request, state string) (flow, error) {
	var f flow
	if state == "" || len(state) > 128 {
		return f, &Error{Reason: ResponseMalformed, Detail: "no state"}
	}
	stored, err := p.store.Take(r.Context(), flowKey(state))
	if errors.Is(err, ephemeral.ErrNotFound) {
		return f, &Error{Reason: FlowExpired, Detail: "no login in progress has this state"}
	}
	if err != nil {
		return f, fmt.Errorf("take flow: %w", err)
	}
	if err := json.Unmarshal(stored, &f); err != nil {
		return f, fmt.Errorf("decode flow: %w", err)
	}
	browser, _ := p.site.Cookie(r, cookieFlow)
	if !same(digest("flow", browser), f.Proof) {
		return f, &Error{Reason: OtherBrowser, Detail: "the cookie is not of the browser that began"}
	}
	return f, nil
}
