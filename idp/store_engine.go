package idp

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/handler/pkce"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

// engineStore is what the engine believes to be its database. It stages every change in the request's unit; see unit.
type engineStore struct{ now func() time.Time }

var (
	_ fosite.Storage                     = engineStore{}
	_ oauth2.CoreStorage                 = engineStore{}
	_ oauth2.TokenRevocationStorage      = engineStore{}
	_ openid.OpenIDConnectRequestStorage = engineStore{}
	_ pkce.PKCERequestStorage            = engineStore{}
)

// GetClient returns the client that the endpoint has already looked up.
func (engineStore) GetClient(ctx context.Context, id string) (fosite.Client, error) {
	u, err := unitOf(ctx)
	if err != nil {
		return nil, err
	}
	if u.client.GetID() != id {
		return nil, fosite.ErrNotFound
	}
	return u.client, nil
}

// ClientAssertionJWTValid is never asked: clients are authenticated before the engine is called.
func (engineStore) ClientAssertionJWTValid(context.Context, string) error { return fosite.ErrJTIKnown }

// SetClientAssertionJWT is never called, for the same reason.
func (engineStore) SetClientAssertionJWT(context.Context, string, time.Time) error {
	return fosite.ErrJTIKnown
}

// CreateAuthorizeCodeSession stages the grant that the session carries.
func (s engineStore) CreateAuthorizeCodeSession(ctx context.Context, signature string, r fosite.Requester) error {
	u, err := unitOf(ctx)
	if err != nil {
		return err
	}
	g := r.GetSession().(*engineSession).g
	g.Redirect = r.GetRequestForm().Get("redirect_uri")
	g.Code = codeRecord{Digest: signature, Exp: s.now().Add(codeLife).Unix()}
	u.g, u.fresh, u.dirty = g, true, true
	return nil
}

// GetAuthorizeCodeSession returns the request behind a code; for a spent one together with ErrInvalidatedAuthorizeCode, so that
// the engine ends the grant.
func (s engineStore) GetAuthorizeCodeSession(ctx context.Context, signature string, session fosite.Session) (fosite.Requester, error) {
	u, err := unitOf(ctx)
	if err != nil {
		return nil, err
	}
	g, err := u.load(ctx, signatureGrant(kindCode, signature))
	if err != nil {
		return nil, engineError(err)
	}
	// Before the replay is judged: a stranger with an old code must not be able to end what it became.
	if !sameDigest(g.Code.Digest, signature) || string(g.Client) != u.client.GetID() {
		return nil, fosite.ErrNotFound
	}
	if g.JKT != "" && g.JKT != u.jkt {
		return nil, errWrongKey
	}
	r := u.requester(g, session)
	if g.Code.Spent && !u.dirty {
		u.replayed = true
		return r, fosite.ErrInvalidatedAuthorizeCode
	}
	return r, nil
}

// InvalidateAuthorizeCodeSession stages the spending.
func (s engineStore) InvalidateAuthorizeCodeSession(ctx context.Context, _ string) error {
	u, err := unitOf(ctx)
	if err != nil {
		return err
	}
	u.g.Code.Spent, u.dirty = true, true
	return nil
}

// CreateAccessTokenSession stages an access token.
func (engineStore) CreateAccessTokenSession(ctx context.Context, signature string, _ fosite.Requester) error {
	u, err := unitOf(ctx)
	if err != nil {
		return err
	}
	if signature != u.minted.Digest {
		return errClosed // not the token that this unit made
	}
	u.g.Access, u.dirty = append(u.g.Access, u.minted), true
	return nil
}

// GetAccessTokenSession returns the request behind a live access token.
func (s engineStore) GetAccessTokenSession(ctx context.Context, signature string, session fosite.Session) (fosite.Requester, error) {
	u, err := unitOf(ctx)
	if err != nil {
		return nil, err
	}
	g, err := u.load(ctx, signatureGrant(kindAccess, signature))
	if err != nil {
		return nil, engineError(err)
	}
	if a := g.access(signature); a == nil || a.Exp <= s.now().Unix() {
		return nil, fosite.ErrNotFound
	}
	return u.requester(g, session), nil
}

// DeleteAccessTokenSession does nothing: a grant ends as a whole, see RevokeRefreshToken.
func (engineStore) DeleteAccessTokenSession(context.Context, string) error { return nil }

// CreateRefreshTokenSession stages a refresh token, unless it is the one that was presented (no rotation).
func (s engineStore) CreateRefreshTokenSession(ctx context.Context, signature, _ string, _ fosite.Requester) error {
	u, err := unitOf(ctx)
	if err != nil {
		return err
	}
	exp := u.g.within(s.now(), s.now().Add(refreshLife).Unix())
	if r := u.g.refresh(signature); r != nil {
		r.Exp, u.dirty = exp, true
		return nil
	}
	next := refreshRecord{Digest: signature, Exp: exp}
	if u.client.IsPublic() {
		next.JKT, next.X5T = u.jkt, u.x5t // a confidential client's is bound to it by its authentication (RFC 9449 §5)
	}
	u.g.Refresh = append(u.g.Refresh, next)
	u.dirty = true
	return nil
}

// GetRefreshTokenSession returns the request behind a refresh token. A rotated one is ErrNotFound inside the grace time (a doubled
// request) and ErrInactiveToken after it (theft): for the latter the engine ends the grant (RFC 9700 §4.14.2).
func (s engineStore) GetRefreshTokenSession(ctx context.Context, signature string, session fosite.Session) (fosite.Requester, error) {
	u, err := unitOf(ctx)
	if err != nil {
		return nil, err
	}
	g, err := u.load(ctx, signatureGrant(kindRefresh, signature))
	if err != nil {
		return nil, engineError(err)
	}
	now := s.now()
	r := g.refresh(signature)
	switch {
	case r == nil || r.Exp <= now.Unix():
		return nil, fosite.ErrNotFound
	case string(g.Client) != u.client.GetID():
		return nil, fosite.ErrNotFound
	case r.JKT != "" && r.JKT != u.jkt:
		return nil, errWrongKey
	case r.X5T != "" && r.X5T != u.x5t:
		return nil, fosite.ErrNotFound // RFC 8705 §4: to whoever shows another certificate it is not a token
	case r.Used == 0 || u.dirty:
		return u.requester(g, session), nil
	case now.Sub(time.Unix(r.Used, 0)) <= refreshGrace:
		return nil, fosite.ErrNotFound
	default:
		u.replayed = true
		return u.requester(g, session), fosite.ErrInactiveToken
	}
}

// DeleteRefreshTokenSession does nothing: it is followed by RevokeRefreshToken.
func (engineStore) DeleteRefreshTokenSession(context.Context, string) error { return nil }

// RotateRefreshToken stages the rotation.
func (s engineStore) RotateRefreshToken(ctx context.Context, _, signature string) error {
	u, err := unitOf(ctx)
	if err != nil {
		return err
	}
	r := u.g.refresh(signature)
	if r == nil {
		return fosite.ErrNotFound
	}
	if !u.client.rotates() {
		u.dirty = true
		return nil
	}
	r.Used, u.dirty = s.now().Unix(), true
	return nil
}

// RevokeRefreshToken ends the grant at once, with every token of it.
func (engineStore) RevokeRefreshToken(ctx context.Context, requestID string) error {
	u, err := unitOf(ctx)
	if err != nil {
		return err
	}
	return u.grants.revoke(ctx, requestID)
}

// RevokeAccessToken does nothing: RevokeRefreshToken, always called with it, has ended the grant.
func (engineStore) RevokeAccessToken(context.Context, string) error { return nil }

// CreatePKCERequestSession stages the challenge; it lives in the grant as long as the code does.
func (engineStore) CreatePKCERequestSession(ctx context.Context, _ string, r fosite.Requester) error {
	u, err := unitOf(ctx)
	if err != nil {
		return err
	}
	u.g.Challenge = r.GetRequestForm().Get("code_challenge")
	return nil
}

// GetPKCERequestSession returns the request if it carried a challenge.
func (s engineStore) GetPKCERequestSession(ctx context.Context, signature string, session fosite.Session) (fosite.Requester, error) {
	r, err := s.GetAuthorizeCodeSession(ctx, signature, session)
	if err != nil {
		return nil, err
	}
	if r.GetRequestForm().Get("code_challenge") == "" {
		return nil, fosite.ErrNotFound
	}
	return r, nil
}

// DeletePKCERequestSession does nothing. The engine calls it before it compares the verifier; if the challenge went away here, a
// second try without any verifier would pass.
func (engineStore) DeletePKCERequestSession(context.Context, string) error { return nil }

// CreateOpenIDConnectSession stages the nonce.
func (engineStore) CreateOpenIDConnectSession(ctx context.Context, _ string, r fosite.Requester) error {
	u, err := unitOf(ctx)
	if err != nil {
		return err
	}
	u.g.Nonce = r.GetRequestForm().Get("nonce")
	return nil
}

// GetOpenIDConnectSession returns the request if it asked for an ID token.
func (s engineStore) GetOpenIDConnectSession(ctx context.Context, code string, r fosite.Requester) (fosite.Requester, error) {
	got, err := s.GetAuthorizeCodeSession(ctx, signatureOf(code), r.GetSession())
	if err != nil {
		return nil, err
	}
	if !got.GetGrantedScopes().Has("openid") {
		return nil, openid.ErrNoSessionFound
	}
	return got, nil
}

// DeleteOpenIDConnectSession does nothing: it goes with the grant.
func (engineStore) DeleteOpenIDConnectSession(context.Context, string) error { return nil }

// requester rebuilds what the engine once gave us. The session it hands in is filled, because it judges expiry by that one.
func (u *unit) requester(g *grant, session fosite.Session) fosite.Requester {
	s, ok := session.(*engineSession)
	if !ok || s == nil {
		s = &engineSession{}
	}
	s.g = g
	form := url.Values{"redirect_uri": {g.Redirect}}
	if g.Challenge != "" {
		form.Set("code_challenge", g.Challenge)
		form.Set("code_challenge_method", "S256")
	}
	return &fosite.Request{
		ID:             g.ID,
		RequestedAt:    time.UnixMilli(g.Issued),
		Client:         u.grantClient(g),
		RequestedScope: g.Scopes,
		GrantedScope:   g.Scopes,
		Form:           form,
		Session:        s,
	}
}

// grantClient names the grant's own client. If it is not the one that authenticated, the engine sees the difference by the id.
func (u *unit) grantClient(g *grant) fosite.Client {
	if u.client.GetID() == string(g.Client) {
		return u.client
	}
	return &fosite.DefaultClient{ID: string(g.Client)}
}

func engineError(err error) error {
	if errors.Is(err, ephemeral.ErrNotFound) {
		return fosite.ErrNotFound
	}
	return err
}
