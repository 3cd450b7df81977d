package idp

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
)

// engineTokens makes and reads opaque tokens. A token is looked up by its digest; there is no key that could leak and nothing to
// compare. What the engine calls a signature is "kind, grant id, digest".
type engineTokens struct {
	now  func() time.Time
	code func(grantID string, issued int64) string
	mint func(ctx context.Context, g *grant, o accessOrder) (string, accessRecord, error)
}

var _ oauth2.CoreStrategy = engineTokens{}

// signatureOf returns the signature of a token of any kind, or "" if it is none.
func signatureOf(token string) string {
	if len(token) < 4 {
		return ""
	}
	k := kind(token[:4])
	id := grantOf(k, token)
	if id == "" {
		return ""
	}
	d := sha256.Sum256([]byte(token))
	return string(k) + id + base64.RawURLEncoding.EncodeToString(d[:])
}

// signatureGrant returns the grant id in a signature of the kind, or "".
func signatureGrant(k kind, signature string) string {
	if !strings.HasPrefix(signature, string(k)) || len(signature) != tokenLength {
		return ""
	}
	return signature[4:26]
}

func sameDigest(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// GenerateAuthorizeCode returns the code of the request's grant.
func (t engineTokens) GenerateAuthorizeCode(_ context.Context, r fosite.Requester) (string, string, error) {
	s, ok := r.GetSession().(*engineSession)
	if !ok || s.g == nil {
		return "", "", errClosed
	}
	code := t.code(r.GetID(), s.g.Issued)
	return code, signatureOf(code), nil
}

// AuthorizeCodeSignature is signatureOf.
func (engineTokens) AuthorizeCodeSignature(_ context.Context, token string) string {
	return signatureOf(token)
}

// ValidateAuthorizeCode judges the expiry; everything else was judged by looking it up.
func (t engineTokens) ValidateAuthorizeCode(_ context.Context, r fosite.Requester, _ string) error {
	s, ok := r.GetSession().(*engineSession)
	if !ok || s.g == nil || s.g.Code.Exp <= t.now().Unix() {
		return fosite.ErrTokenExpired
	}
	return nil
}

// GenerateAccessToken returns a new access token of the unit's grant, as wide as narrowing left it.
func (t engineTokens) GenerateAccessToken(ctx context.Context, _ fosite.Requester) (string, string, error) {
	u, err := unitOf(ctx)
	if err != nil {
		return "", "", err
	}
	token, rec, err := t.mint(ctx, u.g, accessOrder{scopes: u.narrow, aud: u.aud, details: u.details, jkt: u.jkt, x5t: u.x5t, life: accessLife})
	if err != nil {
		return "", "", err
	}
	u.minted = rec
	return token, rec.Digest, nil
}

// AccessTokenSignature is signatureOf.
func (engineTokens) AccessTokenSignature(_ context.Context, token string) string {
	return signatureOf(token)
}

// ValidateAccessToken accepts: an expired one is not found.
func (engineTokens) ValidateAccessToken(context.Context, fosite.Requester, string) error { return nil }

// GenerateRefreshToken returns a new refresh token (RFC 9700 §4.14.2), or for a client whose tokens do not rotate the presented one.
func (engineTokens) GenerateRefreshToken(ctx context.Context, r fosite.Requester) (string, string, error) {
	u, err := unitOf(ctx)
	if err != nil {
		return "", "", err
	}
	if token := r.GetRequestForm().Get("refresh_token"); token != "" && !u.client.rotates() {
		return token, signatureOf(token), nil
	}
	token := newToken(kindRefresh, r.GetID())
	return token, signatureOf(token), nil
}

// RefreshTokenSignature is signatureOf.
func (engineTokens) RefreshTokenSignature(_ context.Context, token string) string {
	return signatureOf(token)
}

// ValidateRefreshToken accepts: an expired one is not found.
func (engineTokens) ValidateRefreshToken(context.Context, fosite.Requester, string) error { return nil }
