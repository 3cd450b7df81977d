package idp

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/keys"
)

// accessType is the typ of a JWT access token (RFC 9068 §2.1). No other token of ours has it, and we read no other as one.
const accessType = "at+jwt"

// accessAlg signs JWT access tokens: one algorithm for all resource servers, which need not know which client a token is of.
const accessAlg = keys.ES256

// accessClaims are the claims of a JWT access token (RFC 9068 §2.2, RFC 8693 §4.1, RFC 9396 §9.1).
type accessClaims struct {
	Issuer   string          `json:"iss"`
	Subject  string          `json:"sub"`
	Audience []string        `json:"aud"`
	Client   string          `json:"client_id"`
	Expires  int64           `json:"exp"`
	IssuedAt int64           `json:"iat"`
	ID       string          `json:"jti"`
	Scope    string          `json:"scope,omitempty"`
	AuthTime int64           `json:"auth_time,omitempty"`
	ACR      string          `json:"acr,omitempty"`
	AMR      []string        `json:"amr,omitempty"`
	Bound    *confirmation   `json:"cnf,omitempty"`
	Details  json.RawMessage `json:"authorization_details,omitempty"`
	Actor    *actor          `json:"act,omitempty"`
	Exchange string          `json:"txn,omitempty"` // of an exchange between offices (RFC 8417 §2.2)
}

// confirmation says which key or certificate a token is bound to (RFC 7800 §3, RFC 9449 §6.1, RFC 8705 §3.1).
type confirmation struct {
	JKT string `json:"jkt,omitempty"`
	X5T string `json:"x5t#S256,omitempty"`
}

// actor is who acts for the subject, the last one outermost (RFC 8693 §4.1).
type actor struct {
	Subject string `json:"sub"`
	Actor   *actor `json:"act,omitempty"`
}

// depth counts the actors of a chain.
func (a *actor) depth() int {
	n := 0
	for ; a != nil; a = a.Actor {
		n++
	}
	return n
}

func boundTo(jkt, x5t string) *confirmation {
	if jkt == "" && x5t == "" {
		return nil
	}
	return &confirmation{JKT: jkt, X5T: x5t}
}

// accessOrder says what a new access token is to be.
type accessOrder struct {
	scopes  []string        // nil: all of the grant's
	aud     []string        // resources (RFC 8707); none: an opaque token for the hub's own endpoints
	details json.RawMessage // nil: all of the grant's
	jkt     string
	x5t     string
	life    time.Duration
	sub     string // the name the resources know the citizen by; empty: looked up
	act     *actor // token exchange only; of a representative the grant knows
}

// mintAccess makes an access token of the grant and the record to keep of it. Neither the record nor the store can be turned back into
// the token. It is a JWT if it names resources that know the citizen by the name the client knows too. A client can read its tokens;
// so that it never learns how somebody else calls the citizen, any other is opaque, and its server asks the introspection endpoint.
func (p *Provider) mintAccess(ctx context.Context, g *grant, o accessOrder) (string, accessRecord, error) {
	if g.Probe != nil {
		o.aud = nil // no server of anybody's is to hear of a person who does not exist
	}
	now := p.now()
	rec := accessRecord{
		Exp: g.within(now, now.Add(o.life).Unix()), At: now.Unix(), Scopes: o.scopes, JKT: o.jkt, X5T: o.x5t, Aud: o.aud, Details: o.details,
		Act: o.act,
	}
	if g.Acting != nil {
		var err error
		if rec.Act, err = p.actorAt(ctx, g, o.aud); err != nil {
			return "", accessRecord{}, err
		}
	}
	if len(o.aud) == 0 {
		token := newToken(kindAccess, g.ID)
		rec.Digest = signatureOf(token)
		return token, rec, nil
	}
	if o.sub == "" {
		var err error
		if o.sub, err = p.subjectAt(ctx, g, o.aud); err != nil {
			return "", accessRecord{}, err
		}
	}
	if o.sub != g.Subject && g.Account != "" {
		token := p.newMasked(kindForeign, g.ID)
		rec.Digest, rec.Sub = signatureOf(token), o.sub
		return token, rec, nil
	}
	jti := p.newMasked(kindJWT, g.ID)
	rec.Digest = signatureOf(jti)
	token, err := p.keys.Sign(accessAlg, accessType, accessClaims{
		Issuer: p.issuer, Subject: o.sub, Audience: o.aud, Client: string(g.Client), Expires: rec.Exp, IssuedAt: rec.At, ID: jti,
		Scope: scopeText(g.scopesOf(&rec)), AuthTime: g.AuthTime, ACR: g.ACR, AMR: g.AMR, Bound: boundTo(o.jkt, o.x5t),
		Details: detailsFor(g.detailsOf(&rec), o.aud), Actor: rec.Act, Exchange: g.Exchange,
	})
	if err != nil {
		return "", accessRecord{}, fmt.Errorf("sign access token: %w", err)
	}
	if len(token) > keys.MaxToken { // we would not read it again: nobody could ask about it or take it back
		return "", accessRecord{}, &oauthError{code: "invalid_authorization_details", description: "too many authorization details for one token: ask for fewer"}
	}
	return token, rec, nil
}

// newMasked returns a token of the grant that shows another id each time. Servers see it: by the id of the grant, two of them could
// tell that they met the same citizen.
func (p *Provider) newMasked(k kind, grantID string) string {
	secret := newSecret()
	return string(k) + p.maskID(grantID, secret) + secret
}

// grantOfMasked returns the id of the grant behind such a token, or "".
func (p *Provider) grantOfMasked(k kind, token string) string {
	masked := grantOf(k, token)
	if masked == "" {
		return ""
	}
	return p.maskID(masked, token[len(k)+len(masked):])
}

// maskID adds a keyed digest of the secret to an id, or takes it away again. A secret is used once.
func (p *Provider) maskID(id, secret string) string {
	b, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil {
		return ""
	}
	pad := p.digest("jti", []byte(secret))
	subtle.XORBytes(b, b, pad[:])
	return base64.RawURLEncoding.EncodeToString(b)
}

// errNoToken is a token that is unknown, malformed, expired, or of a grant that has ended.
var errNoToken = errors.New("no such token")

// heldToken is an access token that somebody holds, with what is known of it.
type heldToken struct {
	g   *grant
	a   *accessRecord
	jti string // empty for an opaque token
}

// forHub says whether the token is for the hub's own endpoints.
func (t heldToken) forHub(issuer string) bool {
	return len(t.a.Aud) == 0 || slices.Contains(t.a.Aud, issuer)
}

// findAccess returns the access token if it is one of ours that has neither expired nor been taken back, or errNoToken. Whether its
// ground still stands is for stands to say.
func (p *Provider) findAccess(ctx context.Context, token string) (heldToken, error) {
	var t heldToken
	id, lookup := grantOf(kindAccess, token), token
	switch {
	case strings.HasPrefix(token, string(kindForeign)):
		id = p.grantOfMasked(kindForeign, token)
	case strings.Contains(token, "."):
		claims, err := p.readAccess(token)
		if err != nil {
			return t, errNoToken
		}
		// A jti is no token: by itself it is of another kind and opens nothing.
		t.jti, id, lookup = claims.ID, p.grantOfMasked(kindJWT, claims.ID), claims.ID
	}
	if id == "" {
		return t, errNoToken
	}
	g, _, err := p.grants.get(ctx, id)
	if errors.Is(err, ephemeral.ErrNotFound) {
		return t, errNoToken
	}
	if err != nil {
		return t, err
	}
	t.g, t.a = g, g.access(signatureOf(lookup))
	if t.a == nil || t.a.Exp <= p.now().Unix() {
		return t, errNoToken
	}
	return t, nil
}

// readAccess verifies a JWT access token (RFC 9068 §4). An ID token or any other token of ours has another typ and is none.
func (p *Provider) readAccess(token string) (*accessClaims, error) {
	payload, err := p.keys.Verify(token, accessType, accessAlg)
	if err != nil {
		return nil, err
	}
	claims := new(accessClaims)
	if err := json.Unmarshal(payload, claims); err != nil {
		return nil, err
	}
	if claims.Issuer != p.issuer {
		return nil, errNoToken
	}
	return claims, nil
}

// stands says whether a grant may still be used: its client is not suspended, and its ground is there.
func (p *Provider) stands(ctx context.Context, g *grant) (bool, error) {
	if g.Probe != nil {
		return p.probeStands(ctx, g)
	}
	client, err := p.client(ctx, g.Client)
	if err != nil {
		var gone *Error
		if errors.As(err, &gone) {
			return false, nil
		}
		return false, err
	}
	if g.Acting != nil && !client.AcceptsRepresentatives() { // it reads such a token as the person's own
		return false, nil
	}
	return p.live(ctx, g)
}
