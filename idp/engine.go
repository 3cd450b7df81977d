package idp

import (
	"context"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/handler/pkce"
	"github.com/ory/fosite/token/jwt"
)

// engine is ory/fosite, wired by hand: code and refresh grants, OpenID Connect, PKCE. Its client authentication, its request objects,
// its PAR, its tokens, its introspection, its revocation and its writers are not used.
type engine struct {
	fosite *fosite.Fosite
}

// engineConfig answers per request what differs between clients.
type engineConfig struct{ *fosite.Config }

// GetEnforcePKCE: always, except for a confidential client that an operator registered without it.
func (engineConfig) GetEnforcePKCE(ctx context.Context) bool {
	u, err := unitOf(ctx)
	return err != nil || u.client.c == nil || u.client.c.RequirePKCE()
}

func newEngine(p *Provider) engine {
	store := engineStore{now: p.now}
	tokens := engineTokens{now: p.now, code: p.codeFor, mint: p.mintAccess}
	cfg := engineConfig{&fosite.Config{
		AccessTokenLifespan:            accessLife,
		RefreshTokenLifespan:           refreshLife,
		AuthorizeCodeLifespan:          codeLife,
		IDTokenLifespan:                idTokenLife,
		IDTokenIssuer:                  p.issuer,
		AccessTokenIssuer:              p.issuer,
		TokenURL:                       p.issuer + "/token",
		ClientAuthenticationStrategy:   authenticatedClient,
		ClientSecretsHasher:            closedHasher{},
		ScopeStrategy:                  fosite.ExactScopeStrategy,
		AudienceMatchingStrategy:       fosite.ExactAudienceMatchingStrategy,
		EnforcePKCE:                    true,
		EnforcePKCEForPublicClients:    true,
		AllowedPromptValues:            []string{"none", "login", "consent", "select_account"},
		HTTPClient:                     &retryablehttp.Client{HTTPClient: &http.Client{Transport: closedTransport{}}},
		TokenEntropy:                   32,
		RedirectSecureChecker:          registeredRedirect,
		RefreshTokenScopes:             []string{"offline_access"},
		MinParameterEntropy:            1,
		OmitRedirectScopeParam:         true,
		JWTScopeClaimKey:               jwt.JWTScopeFieldString,
		FormPostHTMLTemplate:           template.New("unused"),
		PushedAuthorizeContextLifespan: parLife,
		GrantTypeJWTBearerMaxDuration:  time.Minute,
	}}
	code := &oauth2.AuthorizeExplicitGrantHandler{
		AccessTokenStrategy: tokens, RefreshTokenStrategy: tokens, AuthorizeCodeStrategy: tokens,
		CoreStorage: store, TokenRevocationStorage: store, Config: cfg,
	}
	refresh := &oauth2.RefreshTokenGrantHandler{
		AccessTokenStrategy: tokens, RefreshTokenStrategy: tokens, TokenRevocationStorage: store, Config: cfg,
	}
	idTokens := &openid.IDTokenHandleHelper{IDTokenStrategy: idTokenStrategy{p}}
	oidc := &openid.OpenIDConnectExplicitHandler{
		OpenIDConnectRequestStorage:   store,
		OpenIDConnectRequestValidator: openid.NewOpenIDConnectRequestValidator(closedSigner{}, cfg),
		Config:                        cfg, IDTokenHandleHelper: idTokens,
	}
	oidcRefresh := &openid.OpenIDConnectRefreshHandler{IDTokenHandleHelper: idTokens, Config: cfg}
	proofKey := &pkce.Handler{AuthorizeCodeStrategy: tokens, Storage: store, Config: cfg}
	device := deviceGrant{
		tokens: tokens, store: store, idTokens: idTokens,
		issue: &oauth2.HandleHelper{AccessTokenStrategy: tokens, AccessTokenStorage: store, Config: cfg},
	}

	// The order matters: later handlers read what earlier ones staged.
	cfg.AuthorizeEndpointHandlers = fosite.AuthorizeEndpointHandlers{code, oidc, proofKey}
	cfg.TokenEndpointHandlers = fosite.TokenEndpointHandlers{code, refresh, proofKey, device, narrowing{p.issuer}, oidc, oidcRefresh}
	return engine{&fosite.Fosite{Store: store, Config: cfg}}
}

// issueCode turns a decided authorization request into a grant with a code, and returns the code.
func (e engine) issueCode(ctx context.Context, u *unit, req *authzRequest, g *grant) (string, error) {
	ctx = withUnit(ctx, u)
	r := (&http.Request{Method: http.MethodGet, URL: &url.URL{}, Header: http.Header{}, Form: engineForm(req)}).WithContext(ctx)
	r.PostForm = url.Values{}
	ar, err := e.fosite.NewAuthorizeRequest(ctx, r)
	// state is optional for us (RFC 6749 §4.1.1); the engine cannot be told so, but judges it last of all.
	if err != nil && !(errors.Is(err, fosite.ErrInvalidState) && req.State == "") {
		return "", engineOAuthError(err)
	}
	ar.SetID(g.ID)
	for _, s := range g.Scopes {
		ar.GrantScope(s)
	}
	resp, err := e.fosite.NewAuthorizeResponse(ctx, ar, &engineSession{g: g})
	if err != nil {
		return "", engineOAuthError(err)
	}
	if err := u.flush(ctx); err != nil {
		return "", err
	}
	return resp.GetCode(), nil
}

// engineForm hands the engine the parameters it has to bind to the code. What next has decided (prompt, max_age, hints) is not among them:
// the engine would judge it again, by the wall clock.
func engineForm(req *authzRequest) url.Values {
	f := url.Values{
		"client_id": {string(req.Client)}, "redirect_uri": {req.Redirect}, "response_type": {"code"}, "scope": {scopeText(req.Scopes)},
	}
	set := func(name, value string) {
		if value != "" {
			f.Set(name, value)
		}
	}
	set("state", req.State)
	set("nonce", req.Nonce)
	if req.Challenge != "" {
		f.Set("code_challenge", req.Challenge)
		f.Set("code_challenge_method", "S256")
	}
	return f
}

// redeem handles a code or a refresh token of an authenticated client.
func (e engine) redeem(ctx context.Context, u *unit, r *http.Request, form url.Values) (tokenAnswer, error) {
	ctx = withUnit(ctx, u)
	r = r.WithContext(ctx)
	r.Form, r.PostForm = form, form
	req, err := e.fosite.NewAccessRequest(ctx, r, &engineSession{})
	if err != nil {
		return tokenAnswer{}, engineOAuthError(err)
	}
	resp, err := e.fosite.NewAccessResponse(ctx, req)
	if err != nil {
		return tokenAnswer{}, engineOAuthError(err)
	}
	if err := u.flush(ctx); err != nil {
		return tokenAnswer{}, err
	}
	text := func(k string) string { s, _ := resp.GetExtra(k).(string); return s }
	answer := answerFor(u.g, resp.GetAccessToken(), u.minted)
	answer.RefreshToken, answer.IDToken = text("refresh_token"), text("id_token")
	return answer, nil
}
