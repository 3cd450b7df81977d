package rp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Arrival is a person who has just signed in.
type Arrival struct {
	Session *Session // nil after a Renew that found nobody signed in at the hub
	Return  Local    // the page the login was begun for
	Asked   bool     // it was begun by Ask

	Details json.RawMessage // the authorization details that were granted, as the hub wrote them; nil: none
}

// Finish is the callback. It checks, in this order: the shape, the flow and its browser, the issuer, the hub's verdict; then
// it redeems the code, verifies the ID token and starts a session in place of the browser's previous one. Once the flow is known to be
// this browser's, an error comes with Return and Asked; whoever did not allow what was asked is still signed in as before.
func (p *Party) Finish(w http.ResponseWriter, r *http.Request) (Arrival, error) {
	// The code is good once: a browser that hangs up now must not leave it half redeemed.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 2*hubTimeout)
	defer cancel()
	r = r.WithContext(ctx)
	query, err := callbackQuery(r.URL.RawQuery)
	if err != nil {
		return Arrival{}, err
	}
	f, err := p.takeFlow(r, query.Get("state"))
	if err != nil {
		return Arrival{}, err
	}
	to, _ := ParseLocal(f.Return)
	back := Arrival{Return: to, Asked: len(f.Details) > 0}
	hub, err := p.provider(ctx)
	if err != nil {
		return back, err
	}
	if err := p.checkVerdict(hub, query); err != nil {
		if e, ok := asReason(err); ok && f.Quiet && wouldAsk(e.Code) {
			return back, p.leave(w, r)
		}
		return back, err
	}
	answer, err := p.redeem(ctx, hub, url.Values{
		"grant_type": {"authorization_code"}, "code": {query.Get("code")},
		"redirect_uri": {p.base + PathCallback}, "code_verifier": {f.Verifier},
	})
	if err != nil {
		return back, err
	}
	who, err := p.verify(ctx, hub, answer, f.Nonce)
	if err != nil {
		return back, err
	}
	s, err := p.start(w, r, record{
		Subject: who.sub, Actor: who.actor, SID: who.sid, ACR: who.acr, AuthTime: who.authTime, Issued: who.issued, Tokens: p.tokensOf(answer), Again: f.Again,
	})
	if e, ok := asReason(err); ok && e.Reason == SignedOut && f.Again && !f.Quiet {
		// A third login would end like the first two. For what the service asks of the hub next, Call sees to that.
		return back, &Error{Reason: HubRefused, Detail: "signed out right after a login, again", Err: err}
	}
	if err != nil {
		return back, err
	}
	back.Session, back.Details = s, answer.Details
	return back, nil
}

// callbackQuery refuses what a parser could read in two ways (RFC 6749 §3.1: no parameter twice).
func callbackQuery(raw string) (url.Values, error) {
	if len(raw) > 8<<10 {
		return nil, &Error{Reason: ResponseMalformed, Detail: "query too long"}
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, &Error{Reason: ResponseMalformed, Err: err}
	}
	for _, name := range []string{"state", "iss", "code", "error", "error_description"} {
		if len(query[name]) > 1 {
			return nil, &Error{Reason: ResponseMalformed, Detail: name + " came twice"}
		}
	}
	return query, nil
}

// checkVerdict believes an answer only from the hub that was asked (RFC 9207 §2.4), errors included.
func (p *Party) checkVerdict(hub *provider, query url.Values) error {
	iss, sent := query["iss"]
	if sent && iss[0] != p.issuer || !sent && hub.SendsIssuer {
		return &Error{Reason: IssuerMismatch, Detail: "iss " + clip(query.Get("iss"), 200)}
	}
	code := query.Get("error")
	switch {
	case code == "access_denied":
		return &Error{Reason: AccessDenied, Code: code}
	case code == "temporarily_unavailable" || code == "server_error":
		return &Error{Reason: HubUnreachable, Code: code}
	case code != "":
		return &Error{Reason: HubRefused, Code: clip(code, 64), Detail: clip(query.Get("error_description"), 300)}
	case query.Get("code") == "":
		return &Error{Reason: ResponseMalformed, Detail: "neither code nor error"}
	}
	return nil
}

// wouldAsk reports whether the hub would have had to ask the person something (OpenID Connect Core §3.1.2.6).
func wouldAsk(code string) bool {
	return slices.Contains([]string{"login_required", "consent_required", "interaction_required", "account_selection_required"}, code)
}

// leave ends the browser's session, if there is one.
func (p *Party) leave(w http.ResponseWriter, r *http.Request) error {
	s, err := p.Session(r)
	if e, ok := asReason(err); ok && e.Reason == SignedOut {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = p.End(w, r, s)
	return err
}

// identity is what an ID token proved.
type identity struct {
	sub, acr string
	actor    string // who acts for sub; empty: sub does
	sid      string // the session at the hub; may be empty
	authTime int64
	issued   int64
}

// clockSkew is how far the hub's clock may be ahead of ours.
const clockSkew = time.Minute

// verify judges an ID token (OpenID Connect Core §3.1.3.7): signature by the hub's keys and with the one registered
// algorithm, iss, aud and exp in go-oidc; the rest here.
func (p *Party) verify(ctx context.Context, hub *provider, answer tokenAnswer, nonce string) (identity, error) {
	refuse := func(detail string, err error) (identity, error) {
		return identity{}, &Error{Reason: TokenInvalid, Detail: detail, Err: err}
	}
	token, err := hub.verifier.Verify(ctx, answer.IDToken)
	if err != nil {
		return refuse("", err)
	}
	var claims struct {
		AuthorizedParty string `json:"azp"`
		AuthTime        int64  `json:"auth_time"`
		ACR             string `json:"acr"`
		SID             string `json:"sid"`
		Actor           *struct {
			Subject string           `json:"sub"`
			Actor   *json.RawMessage `json:"act"`
		} `json:"act"`
	}
	if err := token.Claims(&claims); err != nil {
		return refuse("claims", err)
	}
	switch {
	case !same(token.Nonce, nonce):
		return refuse("nonce", nil)
	case len(token.Audience) != 1 && claims.AuthorizedParty != p.clientID,
		claims.AuthorizedParty != "" && claims.AuthorizedParty != p.clientID:
		return refuse("azp", nil)
	case token.Subject == "" || len(token.Subject) > 255 || len(claims.SID) > 255:
		return refuse("sub or sid", nil)
	// Who reads sub alone takes a representative for the person represented: unless the service said that it knows the difference, no such
	// token is good.
	case claims.Actor != nil && (!p.represented || claims.Actor.Subject == "" || len(claims.Actor.Subject) > 255 || claims.Actor.Actor != nil):
		return refuse("act", nil)
	case token.IssuedAt.After(p.now().Add(clockSkew)):
		return refuse("iat lies in the future", nil)
	}
	if token.AccessTokenHash != "" {
		if err := token.VerifyAccessToken(answer.Access); err != nil {
			return refuse("at_hash", err)
		}
	}
	actor := ""
	if claims.Actor != nil {
		actor = claims.Actor.Subject
	}
	return identity{
		actor: actor,
		sub:   token.Subject, acr: clip(claims.ACR, 100), sid: claims.SID, authTime: claims.AuthTime, issued: token.IssuedAt.Unix(),
	}, nil
}

// UserInfo returns what the hub's userinfo endpoint says about the person, decoded into out (OpenID Connect Core §5.3). An
// answer about anyone else is refused (§5.3.2).
func (p *Party) UserInfo(ctx context.Context, s *Session, out any) error {
	hub, err := p.provider(ctx)
	if err != nil {
		return err
	}
	access, err := p.access(ctx, s, "")
	if err != nil {
		return err
	}
	var said json.RawMessage
	if err := p.callAt(ctx, access, http.MethodGet, hub.oidc.UserInfoEndpoint(), nil, &said); err != nil {
		return err
	}
	var who struct {
		Subject string `json:"sub"`
	}
	if err := json.Unmarshal(said, &who); err != nil || who.Subject != s.rec.Subject {
		return &Error{Reason: TokenInvalid, Detail: "userinfo of another person", Err: err}
	}
	if err := json.Unmarshal(said, out); err != nil {
		return fmt.Errorf("decode userinfo: %w", err)
	}
	return nil
}

// Initiate judges a request by the hub or a third party to start a login (OpenID Connect Core §4) and returns the page to
// end at. A foreign iss would make us a stranger's accomplice, a foreign target_link_uri an open redirector.
func (p *Party) Initiate(r *http.Request) (Local, error) {
	if err := r.ParseForm(); err != nil {
		return Local{}, &Error{Reason: ResponseMalformed, Err: err}
	}
	if !slices.Equal(r.Form["iss"], []string{p.issuer}) {
		return Local{}, &Error{Reason: IssuerForeign, Detail: clip(r.Form.Get("iss"), 200)}
	}
	switch targets := r.Form["target_link_uri"]; len(targets) {
	case 0:
		return Local{}, nil
	case 1:
		return p.own(targets[0])
	}
	return Local{}, &Error{Reason: TargetForeign, Detail: "target_link_uri came twice"}
}

// own turns an absolute address of ours into a Local. It is compared as text: what follows our origin must be a path.
func (p *Party) own(address string) (Local, error) {
	rest, ok := strings.CutPrefix(address, p.base)
	if ok && rest == "" {
		return Local{}, nil
	}
	to, local := ParseLocal(rest)
	if !ok || !local {
		return Local{}, &Error{Reason: TargetForeign, Detail: clip(address, 200)}
	}
	return to, nil
}

// asReason finds the *Error in err.
func asReason(err error) (*Error, bool) { return errors.AsType[*Error](err) }
