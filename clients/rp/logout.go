package rp

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const revokeTimeout = 3 * time.Second

// SignOut ends the session here and returns where to send the browser so that it ends at the hub as well (OpenID Connect
// RP-Initiated Logout 1.0 §2). There is no id_token_hint: a token does not belong into an address, and a hub that asks the
// person whether to leave every service or this one needs none. If the hub cannot be reached, or had no part in the session,
// that is our own PathSignedOut.
func (p *Party) SignOut(w http.ResponseWriter, r *http.Request) string {
	s, err := p.Session(r)
	p.site.ClearCookie(w, cookieSession, "")
	if err != nil {
		return PathSignedOut
	}
	ctx := context.WithoutCancel(r.Context()) // once begun, it is finished
	p.forget(ctx, s)
	hub, err := p.provider(ctx)
	if err != nil || hub.EndSession == "" || s.rec.Subject == "" {
		return PathSignedOut
	}
	query := url.Values{
		"client_id":                {p.clientID},
		"post_logout_redirect_uri": {p.base + PathSignedOut}, "ui_locales": {p.site.Lang(r)},
	}
	if strings.Contains(hub.EndSession, "?") {
		return hub.EndSession + "&" + query.Encode()
	}
	return hub.EndSession + "?" + query.Encode()
}

// Revoke tells the hub that a refresh token is not needed any more (RFC 7009).
func (p *Party) Revoke(ctx context.Context, refresh Secret) error {
	if refresh.IsZero() {
		return nil
	}
	hub, err := p.provider(ctx)
	if err != nil || hub.Revocation == "" {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, revokeTimeout)
	defer cancel()
	return p.post(ctx, hub.Revocation, url.Values{"token": {refresh.Reveal()}, "token_type_hint": {"refresh_token"}}, nil)
}
