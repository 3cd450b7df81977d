package rp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Public is the credential of a client that cannot keep one: a program on somebody's computer (RFC 6749 §2.1).
type Public struct{}

func (Public) prove(form url.Values, _ http.Header, p proof) error { //nolint:unparam // a Key can fail
	form.Set("client_id", p.client)
	return nil
}

func (Public) root() Secret { return Secret{} }

// ToolConfig is what NewTool needs. HTTP may be nil.
type ToolConfig struct {
	Issuer     string
	ClientID   string
	Credential Credential
	HTTP       *http.Client
	Now        func() time.Time
}

// Tool gets tokens for a program without pages: of the person at it, by a code that she types at the hub (RFC 8628), or of the program
// itself (RFC 6749 §4.4).
type Tool struct{ p *Party }

// NewTool returns a tool, or an error naming the missing part. It does not speak to the hub yet.
func NewTool(c ToolConfig) (*Tool, error) {
	if c.ClientID == "" || c.Credential == nil || c.Now == nil {
		return nil, errors.New("rp: ToolConfig has an empty field")
	}
	if err := checkAddress(c.Issuer, true); err != nil {
		return nil, fmt.Errorf("rp: Issuer: %w", err)
	}
	return &Tool{&Party{issuer: c.Issuer, clientID: c.ClientID, alg: "ES256", credential: c.Credential, http: hubClient(c.HTTP), now: c.Now}}, nil
}

// Tokens are what a tool holds. A refresh token, if there is one, replaces the one that was spent for it: store it before anything else.
type Tokens struct {
	Access, Refresh Secret
	Until           time.Time // when the access token ends; zero: not said
}

func (t *Tool) given(a tokenAnswer, err error) (Tokens, error) {
	if err != nil {
		return Tokens{}, err
	}
	g := Tokens{Access: NewSecret(a.Access), Refresh: NewSecret(a.Refresh)}
	if end := t.p.tokensOf(a).Expiry; end != 0 {
		g.Until = time.Unix(end, 0)
	}
	return g, nil
}

// Code is what the person types, and where (RFC 8628 §3.2).
type Code struct {
	User, Address string
	Until         time.Time

	device Secret
	pause  time.Duration
}

// Bounds of what the hub says of polling.
const (
	minPoll     = time.Second
	maxPoll     = time.Minute
	defaultPoll = 5 * time.Second // RFC 8628 §3.2
	slower      = 5 * time.Second // RFC 8628 §3.5
)

// AskCode begins a sign-in.
func (t *Tool) AskCode(ctx context.Context, scopes ...string) (Code, error) {
	hub, err := t.p.provider(ctx)
	if err != nil {
		return Code{}, err
	}
	if hub.Device == "" {
		return Code{}, &Error{Reason: HubRefused, Detail: "the hub offers no sign-in by code"}
	}
	var a struct {
		Device   string `json:"device_code"`
		User     string `json:"user_code"`
		Address  string `json:"verification_uri"`
		Expires  int64  `json:"expires_in"`
		Interval int64  `json:"interval"`
	}
	if err := t.p.post(ctx, hub.Device, url.Values{"scope": {strings.Join(scopes, " ")}}, &a); err != nil {
		return Code{}, err
	}
	if a.Device == "" || a.User == "" || checkAddress(a.Address, true) != nil || a.Expires <= 0 {
		return Code{}, &Error{Reason: HubRefused, Detail: "an answer without code, address or end"}
	}
	pause := defaultPoll
	if a.Interval > 0 {
		pause = min(max(time.Duration(min(a.Interval, 3600))*time.Second, minPoll), maxPoll)
	}
	return Code{
		User: clip(a.User, 32), Address: a.Address, Until: t.p.now().Add(time.Duration(min(a.Expires, 1<<31)) * time.Second),
		device: NewSecret(a.Device), pause: pause,
	}, nil
}

// Wait asks until the person has decided, or the code or ctx ends. AccessDenied: she said no; FlowExpired: nobody came.
func (t *Tool) Wait(ctx context.Context, c Code) (Tokens, error) {
	hub, err := t.p.provider(ctx)
	if err != nil {
		return Tokens{}, err
	}
	for t.p.now().Before(c.Until) {
		select {
		case <-ctx.Done():
			return Tokens{}, ctx.Err()
		case <-time.After(c.pause):
		}
		a, err := t.p.redeem(ctx, hub, url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {c.device.Reveal()},
		})
		e, refused := asReason(err)
		switch {
		case !refused:
			return t.given(a, err)
		case e.Code == "slow_down":
			c.pause = min(c.pause+slower, maxPoll)
		case e.Code == "access_denied":
			return Tokens{}, &Error{Reason: AccessDenied, Code: e.Code, Err: err}
		case e.Code == "expired_token":
			return Tokens{}, &Error{Reason: FlowExpired, Code: e.Code, Err: err}
		case e.Code == "authorization_pending", e.Reason == HubUnreachable: // RFC 8628 §3.5: try again, later
		default:
			return Tokens{}, err
		}
	}
	return Tokens{}, &Error{Reason: FlowExpired, Detail: "the code ended"}
}

// Refresh trades a refresh token for the next ones. SignedOut: it is no longer good.
func (t *Tool) Refresh(ctx context.Context, refresh Secret) (Tokens, error) {
	got, err := t.p.refresh(ctx, refresh.Reveal())
	if err != nil {
		return Tokens{}, err
	}
	g := Tokens{Access: NewSecret(got.Access), Refresh: NewSecret(got.Refresh)}
	if got.Expiry != 0 {
		g.Until = time.Unix(got.Expiry, 0)
	}
	return g, nil
}

// Own gets a token that speaks for the program alone.
func (t *Tool) Own(ctx context.Context, scope string) (Tokens, error) {
	hub, err := t.p.provider(ctx)
	if err != nil {
		return Tokens{}, err
	}
	return t.given(t.p.redeem(ctx, hub, url.Values{"grant_type": {"client_credentials"}, "scope": {scope}}))
}

// Revoke ends what a token stands for (RFC 7009).
func (t *Tool) Revoke(ctx context.Context, token Secret) error {
	hub, err := t.p.provider(ctx)
	if err != nil || hub.Revocation == "" {
		return err
	}
	return t.p.post(ctx, hub.Revocation, url.Values{"token": {token.Reveal()}}, nil)
}
