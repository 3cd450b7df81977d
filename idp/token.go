package idp

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/audit"
)

// authenticate returns the client that a request proves to come from (RFC 6749 §2.3).
func (p *Provider) authenticate(ctx context.Context, r *http.Request, form url.Values) (*clients.Client, error) {
	client, _, err := p.authenticateBy(ctx, r, form)
	return client, err
}

// authenticateBy is authenticate, and says by what the client was believed.
func (p *Provider) authenticateBy(ctx context.Context, r *http.Request, form url.Values) (*clients.Client, clients.Proof, error) {
	cred, err := clients.ParseCredentials(r.Header, form)
	if err == nil {
		cred = cred.WithCertificates(clientChain(r))
		var c *clients.Client
		var proof clients.Proof
		c, proof, err = p.clients.AuthenticateBy(ctx, cred, p.assertionRules(r))
		if err == nil {
			return c, proof, nil
		}
	}
	return nil, clients.Proof{}, p.refusedClient(ctx, err)
}

// refusedClient records that a client was not believed, and returns what it is told; any other error is the hub's own trouble, and comes back.
func (p *Provider) refusedClient(ctx context.Context, err error) error {
	var refused *clients.Error
	if !errors.As(err, &refused) && !errors.Is(err, clients.ErrUnknown) && !errors.Is(err, clients.ErrSuspended) {
		return err
	}
	e := audit.Event{Kind: eventClientRefused, Reason: "client_unknown"}
	if refused != nil {
		e.Reason = refused.Reason.String()
		if refused.Registered() { // anything else may be a secret in the wrong field
			e.Client = string(refused.Client)
			p.noteRefused(refused.Client, refused)
		}
	}
	if err := p.recordStranger(ctx, e); err != nil {
		return err
	}
	return &oauthError{code: "invalid_client", description: "client authentication failed", status: http.StatusUnauthorized, err: err}
}

func (p *Provider) assertionRules(r *http.Request) clients.AssertionRules {
	return clients.AssertionRules{Issuer: p.issuer, Audiences: p.assertionAudiences(r), Store: p.store}
}

// assertionAudiences are the endpoints that a client may mean an assertion for, under the address it called.
func (p *Provider) assertionAudiences(r *http.Request) []string {
	var out []string
	for path := range mutualEndpoints() {
		if path != "/userinfo" { // asks for a token, not for the client
			out = append(out, p.base(r)+path)
		}
	}
	return out
}

// tokenRequest is a request of the token endpoint by an authenticated client that may use the grant type.
type tokenRequest struct {
	http     *http.Request
	form     url.Values
	client   *clients.Client
	newcomer bool          // it was never live, and is being probed
	proof    clients.Proof // by what it was believed
	jkt      string        // thumbprint of the key that the request proved to hold (RFC 9449), or ""
	x5t      string        // thumbprint of the client's certificate if tokens are to be bound to it (RFC 8705), or ""
}

// tokenGrant is one grant type.
type tokenGrant struct {
	required []string // parameters without which there is nothing to look at
	handle   func(ctx context.Context, req tokenRequest) (tokenAnswer, error)
}

// tokenGrants is every grant type of the token endpoint; discovery lists them.
func (p *Provider) tokenGrants() map[string]tokenGrant {
	return map[string]tokenGrant{
		clients.GrantAuthorizationCode: {[]string{"code", "redirect_uri"}, func(ctx context.Context, req tokenRequest) (tokenAnswer, error) {
			return p.redeem(ctx, req, eventCodeReplayed)
		}},
		clients.GrantRefreshToken: {[]string{"refresh_token"}, func(ctx context.Context, req tokenRequest) (tokenAnswer, error) {
			return p.redeem(ctx, req, eventRefreshReused)
		}},
		clients.GrantDeviceCode:        {[]string{"device_code"}, p.redeemDevice},
		clients.GrantClientCredentials: {nil, p.serviceToken},
		clients.GrantTokenExchange:     {[]string{"subject_token", "subject_token_type"}, p.exchangeToken},
	}
}

// postToken is the token endpoint (RFC 6749 §3.2).
func (p *Provider) postToken(c echo.Context) error {
	ctx, r := c.Request().Context(), c.Request()
	allowAnyOrigin(c.Response().Header())
	form, err := readForm(r)
	if err != nil {
		return formError(err)
	}
	client, proof, newcomer, err := p.authenticateProbed(ctx, r, form)
	if err != nil {
		return err
	}
	answer, err := p.answerToken(c, tokenRequest{http: r, form: form, client: client, newcomer: newcomer, proof: proof})
	if err != nil {
		if !newcomer {
			p.noteRefused(client.ID(), err)
		}
		return err
	}
	writeJSON(c.Response(), r, http.StatusOK, answer)
	return nil
}

// answerToken answers a request of a client that was believed.
func (p *Provider) answerToken(c echo.Context, req tokenRequest) (tokenAnswer, error) {
	ctx := c.Request().Context()
	if req.newcomer {
		if req.form.Get("grant_type") != clients.GrantAuthorizationCode {
			return tokenAnswer{}, &oauthError{code: "unauthorized_client", description: "the client is not live yet"}
		}
		ctx = withCandidate(ctx, req.client)
	}
	grant, err := p.tokenGrant(req.client, req.form)
	if err != nil {
		return tokenAnswer{}, err
	}
	// Before the code is looked at: a proof that has to be made again must not cost it.
	if req.jkt, err = p.proofKey(ctx, c, "/token", req.client); err != nil {
		return tokenAnswer{}, err
	}
	if req.x5t, err = boundCertificate(req.http, req.client); err != nil {
		return tokenAnswer{}, err
	}
	answer, err := grant.handle(ctx, req)
	if err == nil && (answer.g == nil || answer.g.Probe == nil) {
		p.noteToken(req, answer)
	}
	return answer, err
}

// tokenGrant returns the grant type a request names, if the client is registered for it.
func (p *Provider) tokenGrant(client *clients.Client, form url.Values) (tokenGrant, error) {
	name := form.Get("grant_type")
	if name == "" {
		return tokenGrant{}, invalidRequest("grant_type is missing")
	}
	grant, known := p.tokenGrants()[name]
	if !known {
		return tokenGrant{}, &oauthError{code: "unsupported_grant_type", description: "this grant type is not offered, see grant_types_supported"}
	}
	if !slices.Contains(client.GrantTypes(), name) {
		return tokenGrant{}, &oauthError{code: "unauthorized_client", description: "the client is not registered for this grant type", member: "grant_types"}
	}
	for _, name := range grant.required {
		if form.Get(name) == "" {
			return tokenGrant{}, invalidRequest(name + " is required")
		}
	}
	return grant, nil
}

// maxRefreshTries is far more than the requests one client can have under way with one refresh token.
const maxRefreshTries = 1000

// redeem runs the engine on a fresh unit of work. Where refresh tokens do not rotate, a lost swap is another refresh with the same
// token, which is allowed: it is done again on what that one left.
func (p *Provider) redeem(ctx context.Context, req tokenRequest, replay audit.Kind) (tokenAnswer, error) {
	for try := 0; ; try++ {
		u := p.unit(req.client)
		u.jkt, u.x5t, u.probes = req.jkt, req.x5t, req.newcomer
		if replay == eventRefreshReused {
			u.live = p.liveNow(u)
		}
		answer, err := p.engine.redeem(ctx, u, req.http, req.form)
		p.noteRedeemed(ctx, u.g, req.form, err)
		if err == nil {
			return answer, nil
		}
		again := errors.Is(err, errReplay) && replay == eventRefreshReused && !u.client.rotates()
		if !again || try == maxRefreshTries || ctx.Err() != nil {
			return answer, p.redeemFailed(ctx, u, req.client, replay, err)
		}
	}
}

// redeemFailed records replays. A code whose swap was lost was spent by another request while this one was at work: that is a replay
// like any other, and ends the grant. A refresh token in the same case is a doubled request inside the grace time.
func (p *Provider) redeemFailed(ctx context.Context, u *unit, c *clients.Client, kind audit.Kind, err error) error {
	if u.unsure {
		return &oauthError{code: "temporarily_unavailable", description: "the status of the citizen's card cannot be had, try again later", status: http.StatusServiceUnavailable}
	}
	out := storeOutcome(err)
	var o *oauthError
	if !errors.As(out, &o) || o.code != "invalid_grant" {
		return out
	}
	if errors.Is(err, errReplay) && kind == eventCodeReplayed {
		u.replayed = true
		if err := p.grants.revoke(ctx, u.g.ID); err != nil {
			return err
		}
	}
	if u.replayed {
		e := audit.Event{Kind: kind, Client: string(c.ID())}
		if u.g != nil && u.g.Probe != nil {
			return out
		}
		if u.g != nil {
			e.Account, e.Session = string(u.g.Account), u.g.SID
		}
		if err := p.record(ctx, e); err != nil {
			return err
		}
	}
	return out
}
