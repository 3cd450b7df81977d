package idp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/keys"
)

// getUserinfo is OIDC Core §5.3, for GET and POST: who, pairwise, and what the citizen let the client have.
func (p *Provider) getUserinfo(c echo.Context) error {
	ctx := c.Request().Context()
	allowAnyOrigin(c.Response().Header())
	g, scopes, err := p.bearerScopes(ctx, c.Request(), demand{scope: clients.ScopeOpenID, acting: true, probe: true})
	if err != nil {
		return p.answerBearer(c.Response(), c.Request(), err)
	}
	if ctx, err = p.withClientOf(ctx, g); err != nil {
		return err
	}
	claims, err := p.userinfoClaims(ctx, g, scopes)
	if err != nil {
		return err
	}
	client, err := p.client(ctx, g.Client)
	if err != nil {
		return err
	}
	_, encrypted := client.UserinfoEncryption()
	if client.UserinfoAlg() == "" && !encrypted {
		writeJSON(c.Response(), c.Request(), http.StatusOK, claims)
		return nil
	}
	token, err := p.userinfoToken(ctx, client, claims)
	if err != nil {
		return err
	}
	writeJWT(c.Response(), c.Request(), token)
	return nil
}

func (p *Provider) userinfoClaims(ctx context.Context, g *grant, scopes []string) (map[string]any, error) {
	asked, err := g.asked()
	if err != nil {
		return nil, err
	}
	out, err := p.personal(ctx, g, scopes, asked.userinfo())
	if err != nil {
		return nil, err
	}
	if out == nil {
		out = map[string]any{}
	}
	if sure, err := p.verified(ctx, g, asked.verifiedUserinfo()); err != nil {
		return nil, err
	} else if sure != nil {
		out[verifiedMember] = sure
	}
	// What the ID token says of the sign-in is said here too, if it is asked for here (§5.5).
	for name, value := range map[string]any{"auth_time": g.AuthTime, "acr": g.told(), "amr": g.AMR} {
		if ask, there := asked.userinfo()[name]; there && g.AuthTime != 0 && ask.accepts(value) {
			out[name] = value
		}
	}
	out["sub"] = g.Subject
	if a := g.actor(); a != nil {
		out["act"] = a
	}
	return out, nil
}

// userinfoToken is the answer of a client that registered for a JWT: signed, encrypted, or signed and then encrypted (§5.3.2, §16.14). It
// has no typ, so that it never passes for an ID token that comes back as a hint.
func (p *Provider) userinfoToken(ctx context.Context, client *clients.Client, claims map[string]any) (token string, err error) {
	encryption, encrypted := client.UserinfoEncryption()
	alg := client.UserinfoAlg()
	if alg != "" {
		claims["iss"], claims["aud"] = p.issuer, string(client.ID())
		if token, err = p.keys.Sign(alg, "", claims); err != nil {
			return "", fmt.Errorf("sign userinfo: %w", err)
		}
		if !encrypted {
			return token, nil
		}
		return p.encrypt(ctx, client, []byte(token), "JWT", encryption)
	}
	plain, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode userinfo: %w", err)
	}
	return p.encrypt(ctx, client, plain, "", encryption)
}

// encrypt encrypts to the key that the client publishes.
func (p *Provider) encrypt(ctx context.Context, client *clients.Client, payload []byte, cty string, how clients.Encryption) (string, error) {
	token, err := p.clients.Encrypt(ctx, client, payload, cty, how)
	var unavailable *clients.Error
	var refused *keys.Error
	if errors.As(err, &unavailable) || errors.As(err, &refused) {
		return "", &oauthError{
			code: "temporarily_unavailable", description: "no key for the registered encryption could be read from the client's key set",
			status: http.StatusServiceUnavailable, err: err,
		}
	}
	return token, err
}

// writeJWT answers with a JWT (RFC 7519 §10.3.1).
func writeJWT(w http.ResponseWriter, r *http.Request, token string) {
	h := w.Header()
	h.Set("Content-Type", "application/jwt")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(token)) // the caller hung up: nobody is left to tell
	}
}
