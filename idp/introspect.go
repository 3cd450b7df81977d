package idp

import (
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/keys"
)

// introspectionType is the media type of a signed answer (RFC 9701 §5).
const introspectionType = "token-introspection+jwt"

// introspection is what the owner or the resource server of a token is told (RFC 7662 §2.2). The zero value says that there is nothing
// to tell, and why is nobody's business.
type introspection struct {
	Active   bool            `json:"active"`
	Scope    string          `json:"scope,omitempty"`
	Client   string          `json:"client_id,omitempty"`
	Type     string          `json:"token_type,omitempty"`
	Expires  int64           `json:"exp,omitempty"`
	IssuedAt int64           `json:"iat,omitempty"`
	Subject  string          `json:"sub,omitempty"`
	Audience []string        `json:"aud,omitempty"`
	Issuer   string          `json:"iss,omitempty"`
	ID       string          `json:"jti,omitempty"`
	AuthTime int64           `json:"auth_time,omitempty"` // RFC 9470 §6.2
	ACR      string          `json:"acr,omitempty"`
	AMR      []string        `json:"amr,omitempty"`
	Bound    *confirmation   `json:"cnf,omitempty"`
	Details  json.RawMessage `json:"authorization_details,omitempty"`
	Actor    *actor          `json:"act,omitempty"`
	Exchange string          `json:"txn,omitempty"`
}

// postIntrospect is the introspection endpoint. A token never authorizes the question: the caller proves who it is (RFC 7662 §2.1).
func (p *Provider) postIntrospect(c echo.Context) error {
	ctx, r := c.Request().Context(), c.Request()
	form, err := readForm(r)
	if err != nil {
		return formError(err)
	}
	client, err := p.authenticate(ctx, r, form)
	if err != nil {
		return err
	}
	if client.Public() {
		return &oauthError{code: "invalid_client", description: "a public client cannot prove who it is", status: http.StatusUnauthorized}
	}
	if form.Get("token") == "" {
		return invalidRequest("token is required")
	}
	told, err := p.introspect(ctx, client, form.Get("token"))
	if err != nil {
		return err
	}
	alg, signed := client.IntrospectionAlg(), acceptsSigned(r.Header)
	if alg == "" && !signed {
		writeJSON(c.Response(), r, http.StatusOK, told)
		return nil
	}
	return p.writeIntrospection(c, client, alg, told)
}

// writeIntrospection signs the answer for the caller (RFC 9701 §5).
func (p *Provider) writeIntrospection(c echo.Context, client *clients.Client, alg keys.Alg, told introspection) error {
	if alg == "" {
		alg = keys.RS256 // RFC 9701 §6, where nothing is registered
		if client.Profile() == clients.FAPI2 {
			alg = keys.ES256
		}
	}
	token, err := p.keys.Sign(alg, introspectionType, struct {
		Issuer   string        `json:"iss"`
		Audience string        `json:"aud"`
		IssuedAt int64         `json:"iat"`
		Token    introspection `json:"token_introspection"`
	}{p.issuer, string(client.ID()), p.now().Unix(), told})
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.Blob(http.StatusOK, "application/"+introspectionType, []byte(token))
}

// acceptsSigned says whether the caller asks for a signed answer (RFC 9701 §4).
func acceptsSigned(h http.Header) bool {
	for _, line := range h.Values("Accept") {
		for part := range strings.SplitSeq(line, ",") {
			if t, _, err := mime.ParseMediaType(part); err == nil && t == "application/"+introspectionType {
				return true
			}
		}
	}
	return false
}

// introspect says what a client may know of a token: of an access token issued to it or meant for a resource it serves, and of a
// refresh token of its own.
func (p *Provider) introspect(ctx context.Context, client *clients.Client, token string) (introspection, error) {
	told, g, err := p.describe(ctx, client, token)
	if errors.Is(err, errNoToken) {
		return introspection{}, nil
	}
	if err != nil {
		return introspection{}, err
	}
	if ok, err := p.stands(ctx, g); err != nil || !ok {
		return introspection{}, err
	}
	return told, nil
}

func (p *Provider) describe(ctx context.Context, client *clients.Client, token string) (introspection, *grant, error) {
	if strings.HasPrefix(token, string(kindRefresh)) {
		g, r, err := p.findRefresh(ctx, token)
		if err != nil {
			return introspection{}, nil, err
		}
		if g.Client != client.ID() || r.Used != 0 {
			return introspection{}, nil, errNoToken
		}
		return introspection{
			Active: true, Scope: scopeText(g.Scopes), Client: string(g.Client), Expires: r.Exp, Subject: g.Subject, Issuer: p.issuer,
			AuthTime: g.AuthTime, ACR: g.ACR, AMR: g.AMR, Bound: boundTo(r.JKT, r.X5T), Details: g.Details, Actor: g.actor(),
		}, g, nil
	}
	t, err := p.findAccess(ctx, token)
	if err != nil {
		return introspection{}, nil, err
	}
	if t.g.Client != client.ID() && !servesAny(client, t.a.Aud) {
		return introspection{}, nil, errNoToken
	}
	return p.describeAccess(client, t), t.g, nil
}

// describeAccess says of an opaque token what a JWT says itself. The citizen has the name by which the one who asks knows her.
func (p *Provider) describeAccess(asker *clients.Client, t heldToken) introspection {
	out := introspection{
		Active: true, Scope: scopeText(t.g.scopesOf(t.a)), Client: string(t.g.Client), Type: t.a.typeName(), Expires: t.a.Exp, IssuedAt: t.a.At,
		Subject: t.g.Subject, Audience: t.a.Aud, Issuer: p.issuer, ID: t.jti, Actor: t.a.Act,
		AuthTime: t.g.AuthTime, ACR: t.g.ACR, AMR: t.g.AMR, Bound: boundTo(t.a.JKT, t.a.X5T), Details: t.g.detailsOf(t.a), Exchange: t.g.Exchange,
	}
	if t.a.Sub != "" && servesAny(asker, t.a.Aud) {
		out.Subject = t.a.Sub
	} else if t.g.Acting != nil { // by the names that the client knows both by
		out.Actor = t.g.actor()
	}
	if t.jti == "" {
		out.ID = digest(t.a.Digest)
	}
	if len(t.a.Aud) == 0 {
		out.Audience = []string{p.issuer}
	} else {
		out.Details = detailsFor(out.Details, t.a.Aud)
	}
	return out
}

// servesAny says whether the client is the resource server of any of the resources.
func servesAny(c *clients.Client, resources []string) bool {
	return slices.ContainsFunc(c.Serves(), func(s string) bool { return slices.Contains(resources, s) })
}
