package idp

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/openid"

	"github.com/tsunagu-id/tsunagu/keys"
)

// idTokenClaims are the claims of an ID token (OIDC Core §2).
type idTokenClaims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience string   `json:"aud"`
	Expires  int64    `json:"exp"`
	IssuedAt int64    `json:"iat"`
	AuthTime int64    `json:"auth_time,omitempty"`
	Nonce    string   `json:"nonce,omitempty"`
	ACR      string   `json:"acr,omitempty"`
	AMR      []string `json:"amr,omitempty"`
	SID      string   `json:"sid,omitempty"`
	ATHash   string   `json:"at_hash,omitempty"`
	Actor    *actor   `json:"act,omitempty"` // RFC 8693 §4.1: who acts for the subject

	Status *statusClaim `json:"status,omitempty"`
}

// idTokenStrategy makes ID tokens from the grant, afresh each time, in the algorithm the client registered.
type idTokenStrategy struct{ p *Provider }

var _ openid.OpenIDConnectTokenStrategy = idTokenStrategy{}

// GenerateIDToken returns a signed ID token for the grant the request stands for.
func (s idTokenStrategy) GenerateIDToken(ctx context.Context, lifespan time.Duration, r fosite.Requester) (string, error) {
	u, err := unitOf(ctx)
	if err != nil {
		return "", err
	}
	g := u.g
	now := s.p.now()
	alg := u.client.c.IDTokenAlg()
	claims := idTokenClaims{
		Issuer: s.p.issuer, Subject: g.Subject, Audience: string(g.Client),
		Expires: now.Add(lifespan).Unix(), IssuedAt: now.Unix(),
		AuthTime: g.AuthTime, ACR: g.told(), AMR: g.AMR, Actor: g.actor(),
	}
	// Back-Channel Logout §2.1, Front-Channel Logout §3: a session id is for clients that take part in signing out; others have no use
	// for something that tells two sessions of a citizen apart.
	if u.client.c.SignsOut() {
		claims.SID = s.p.clientSID(g.SID, string(g.Client))
	}
	if claims.Status, err = s.p.statusOf(ctx, u.client.c, g); err != nil {
		return "", err
	}
	// OIDC Core §12.2: a refreshed ID token carries no nonce; it answers no authentication request.
	if ar, ok := ctx.Value(fosite.AccessRequestContextKey).(fosite.AccessRequester); ok && ar.GetGrantTypes().ExactOne("authorization_code") {
		claims.Nonce = g.Nonce
	}
	if resp, ok := ctx.Value(fosite.AccessResponseContextKey).(fosite.AccessResponder); ok && resp.GetAccessToken() != "" {
		claims.ATHash = tokenHash(alg, resp.GetAccessToken())
	}
	token, err := s.signed(ctx, alg, g, claims)
	if err != nil {
		return "", fmt.Errorf("sign id token: %w", err)
	}
	if how, encrypted := u.client.c.IDTokenEncryption(); encrypted {
		return s.p.encrypt(ctx, u.client.c, []byte(token), "JWT", how) // OIDC Core §2: signed, then encrypted
	}
	return token, nil
}

// signed signs the claims and what was asked for by name.
func (s idTokenStrategy) signed(ctx context.Context, alg keys.Alg, g *grant, claims idTokenClaims) (string, error) {
	if g.Probe != nil {
		return s.p.probeIDToken(ctx, g, alg, claims)
	}
	all, err := s.p.withPersonal(ctx, g, claims)
	if err != nil {
		return "", err
	}
	return s.p.keys.Sign(alg, "JWT", all)
}

// withPersonal adds the claims about the citizen that were asked for by name in the ID token (OIDC Core §5.5). Those of scopes are for
// the userinfo endpoint: with response type code there always is an access token (§5.4).
func (p *Provider) withPersonal(ctx context.Context, g *grant, claims idTokenClaims) (any, error) {
	asked, err := g.asked()
	if err != nil {
		return nil, err
	}
	more, err := p.personal(ctx, g, nil, asked.idToken())
	if err != nil {
		return nil, err
	}
	sure, err := p.verified(ctx, g, asked.verifiedIDToken())
	if err != nil {
		return nil, err
	}
	if sure != nil {
		if more == nil {
			more = map[string]any{}
		}
		more[verifiedMember] = sure
	}
	if len(more) == 0 {
		return claims, nil
	}
	b, err := json.Marshal(claims)
	if err != nil {
		return nil, fmt.Errorf("encode id token: %w", err)
	}
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, fmt.Errorf("encode id token: %w", err)
	}
	for name, value := range more {
		if all[name], err = json.Marshal(value); err != nil {
			return nil, fmt.Errorf("encode id token: %w", err)
		}
	}
	return all, nil
}

// tokenHash is at_hash: the left half of the digest that belongs to the algorithm (OIDC Core §3.1.3.6). For EdDSA with Ed25519 that
// is SHA-512, the digest Ed25519 itself uses.
func tokenHash(alg keys.Alg, token string) string {
	if alg == keys.EdDSA {
		d := sha512.Sum512([]byte(token))
		return base64.RawURLEncoding.EncodeToString(d[:32])
	}
	d := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(d[:16])
}
