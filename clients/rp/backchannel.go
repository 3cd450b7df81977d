package rp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

const (
	logoutTokenType = "logout+jwt"
	logoutEvent     = "http://schemas.openid.net/event/backchannel-logout"
	// maxLogoutBody bounds what a stranger can make us read, maxLogoutAge how old a token may be, and so how long its jti is kept.
	maxLogoutBody = 32 << 10
	maxLogoutAge  = 5 * time.Minute
)

// Backchannel ends sessions when the hub says that a person signed out (OpenID Connect Back-Channel Logout 1.0 §2.5 to §2.8). The
// caller is a machine: the answer is 200, or 400 with an error object. It believes nothing but the token.
func (p *Party) Backchannel(w http.ResponseWriter, r *http.Request) {
	ctx := context.WithoutCancel(r.Context()) // once begun, it is finished
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	err := p.backchannel(ctx, w, r)
	if err == nil {
		p.told()
		w.WriteHeader(http.StatusOK)
		return
	}
	code := "server_error"
	if e, ok := asReason(err); ok && e.Reason == TokenInvalid {
		code = "invalid_request"
	}
	// Anybody can come here: of what strangers send, a line now and then is enough. Our own faults have lines of their own.
	lines := &p.faults
	if code == "invalid_request" {
		lines = &p.badLogouts
	}
	if left, ok := lines.due(p.now()); ok {
		p.log.WarnContext(ctx, "sign-out by the hub failed", "err", err, "left_off", left)
	}
	h.Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest) // §2.8: also when it was our fault
	_ = json.NewEncoder(w).Encode(map[string]string{"error": code})
}

func (p *Party) backchannel(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	raw, err := logoutTokenOf(w, r)
	if err != nil {
		return err
	}
	token, err := p.logoutToken(ctx, raw)
	if err != nil {
		return err
	}
	err = p.store.Create(ctx, "logout:1:"+digest("jti", token.ID), []byte{1}, maxLogoutAge+2*clockSkew)
	if errors.Is(err, ephemeral.ErrExists) {
		return badLogout("jti used already", nil)
	}
	if err != nil {
		return fmt.Errorf("remember jti: %w", err)
	}
	if token.SID != "" {
		return p.endHubSession(ctx, token.SID, token.at)
	}
	return p.endPerson(ctx, token.sub, token.at)
}

func badLogout(detail string, err error) error {
	return &Error{Reason: TokenInvalid, Detail: "logout token: " + detail, Err: err}
}

// logoutTokenOf reads a form with one logout_token (§2.5).
func logoutTokenOf(w http.ResponseWriter, r *http.Request) (string, error) {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); r.Method != http.MethodPost || err != nil || t != "application/x-www-form-urlencoded" {
		return "", badLogout("not a form", err)
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxLogoutBody)
	if err := r.ParseForm(); err != nil {
		return "", badLogout("not a form", err)
	}
	if tokens := r.PostForm["logout_token"]; len(tokens) == 1 {
		return tokens[0], nil
	}
	return "", badLogout("not exactly one", nil)
}

// logoutClaims are what a logout token says beyond what go-oidc reads (§2.4).
type logoutClaims struct {
	ID       string                     `json:"jti"`
	SID      string                     `json:"sid"`
	Happened int64                      `json:"toe"` // RFC 8417 §2.2
	Events   map[string]json.RawMessage `json:"events"`

	sub string
	at  int64 // what was begun before is over
}

// logoutToken judges a logout token as §2.6 says, step by step. Signature, algorithm, iss, aud and exp are checked by go-oidc with
// the hub's keys, as for an ID token; typ and the absence of a nonce keep one from being taken for the other.
func (p *Party) logoutToken(ctx context.Context, raw string) (logoutClaims, error) {
	var claims logoutClaims
	if err := p.logoutType(raw); err != nil {
		return claims, err
	}
	hub, err := p.provider(ctx)
	if err != nil {
		return claims, err
	}
	token, err := hub.verifier.Verify(oidc.ClientContext(ctx, p.http), raw)
	if err != nil {
		return claims, badLogout("", err)
	}
	var members map[string]json.RawMessage
	if err := errors.Join(token.Claims(&claims), token.Claims(&members)); err != nil {
		return claims, badLogout("claims", err)
	}
	_, nonce := members["nonce"]
	now, event := p.now(), strings.TrimSpace(string(claims.Events[logoutEvent]))
	switch {
	case nonce:
		return claims, badLogout("it has a nonce", nil)
	case !strings.HasPrefix(event, "{"):
		return claims, badLogout("not of this event", nil)
	case token.Subject == "" && claims.SID == "":
		return claims, badLogout("neither sub nor sid", nil)
	case claims.ID == "" || len(claims.ID) > 255 || len(claims.SID) > 255 || len(token.Subject) > 255:
		return claims, badLogout("jti missing, or a name too long", nil)
	case token.IssuedAt.After(now.Add(clockSkew)) || now.Sub(token.IssuedAt) > maxLogoutAge+clockSkew:
		return claims, badLogout("iat", nil)
	}
	claims.sub, claims.at = token.Subject, token.IssuedAt.Unix()
	if claims.Happened > 0 {
		claims.at = min(claims.at, claims.Happened)
	}
	return claims, nil
}

// logoutType wants the explicit type. The hub always sends it.
func (p *Party) logoutType(raw string) error {
	if err := p.explicitType(raw, logoutTokenType); err != nil {
		return badLogout("not of this type, or not signed as registered", err)
	}
	return nil
}
