package rp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

const (
	// freshFor is how much life an access token must have left to be used.
	freshFor = 20 * time.Second
	// refreshLock outlives one request to the hub, and a process that died holding it costs nobody longer.
	refreshLock = hubTimeout + 5*time.Second
)

// tokens are kept in the sealed session.
type tokens struct {
	Access  string `json:"a,omitempty"`
	Refresh string `json:"r,omitempty"`
	Expiry  int64  `json:"e,omitempty"` // Unix seconds; 0 unknown
}

// tokenAnswer is the token endpoint's answer (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3).
type tokenAnswer struct {
	Access  string `json:"access_token"`
	Type    string `json:"token_type"`
	Expires int64  `json:"expires_in"`
	Refresh string `json:"refresh_token"`
	IDToken string `json:"id_token"`
	Scope   string `json:"scope"`

	Details  json.RawMessage `json:"authorization_details"` // RFC 9396 §7
	Exchange string          `json:"exchange_id"`           // the hub's own, of an exchange between agencies
}

func (p *Party) tokensOf(a tokenAnswer) tokens {
	t := tokens{Access: a.Access, Refresh: a.Refresh}
	if a.Expires > 0 {
		t.Expiry = p.now().Unix() + min(a.Expires, 1<<31)
	}
	return t
}

// redeem asks the token endpoint.
func (p *Party) redeem(ctx context.Context, hub *provider, form url.Values) (tokenAnswer, error) {
	var a tokenAnswer
	if err := p.post(ctx, hub.Token, form, &a); err != nil {
		return a, err
	}
	if a.Access == "" || !strings.EqualFold(a.Type, p.scheme()) { // a bound token must not come back as one that anybody can use
		return a, &Error{Reason: HubRefused, Detail: "no " + p.scheme() + " token in the answer"}
	}
	return a, nil
}

// Refresh trades a refresh token for an access token outside any session. The refresh token returned replaces the one given,
// which may be spent now; store it before anything else.
func (p *Party) Refresh(ctx context.Context, refresh Secret) (access, next Secret, err error) {
	t, err := p.refresh(ctx, refresh.Reveal())
	return NewSecret(t.Access), NewSecret(t.Refresh), err
}

func (p *Party) refresh(ctx context.Context, refresh string) (tokens, error) {
	if refresh == "" {
		return tokens{}, &Error{Reason: SignedOut, Detail: "no refresh token"}
	}
	hub, err := p.provider(ctx)
	if err != nil {
		return tokens{}, err
	}
	a, err := p.redeem(ctx, hub, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})
	if e, ok := asReason(err); ok && e.Code == "invalid_grant" {
		return tokens{}, &Error{Reason: SignedOut, Detail: "refresh token no longer good", Err: err}
	}
	if err != nil {
		return tokens{}, err
	}
	t := p.tokensOf(a)
	if t.Refresh == "" { // RFC 6749 §6: none means keep the one there is
		t.Refresh = refresh
	}
	return t, nil
}

// access returns an access token of the session that is good for a while and is not the one given, which the hub refused.
//
// A refresh token that is used twice looks stolen, and the hub ends everything that hangs on it. So requests of one session
// that find the token old take turns: within the process by singleflight, among processes by a record that only one can
// create. A process killed between the hub's answer and our write loses the new token; the person is then signed in again
// through the hub, without a question while its session lives.
func (p *Party) access(ctx context.Context, s *Session, refused string) (string, error) {
	if p.usable(s.rec.Tokens, refused) {
		return s.rec.Tokens.Access, nil
	}
	found, err, _ := p.refreshing.Do(s.id, func() (any, error) {
		// One request that hangs up must not spend the token for all.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshLock)
		defer cancel()
		return p.renew(ctx, s.id, refused)
	})
	if err != nil {
		return "", err
	}
	t, ok := found.(tokens)
	if !ok {
		return "", errors.New("rp: refresh returned no tokens")
	}
	s.rec.Tokens = t
	return t.Access, nil
}

func (p *Party) usable(t tokens, refused string) bool {
	return t.Access != "" && t.Access != refused && (t.Expiry == 0 || p.now().Unix() < t.Expiry-int64(freshFor.Seconds()))
}

func (p *Party) renew(ctx context.Context, id, refused string) (tokens, error) {
	lock := "refresh:1:" + digest("refresh", id)
	for {
		s, err := p.load(ctx, id)
		if err != nil {
			return tokens{}, err
		}
		if p.usable(s.rec.Tokens, refused) {
			return s.rec.Tokens, nil
		}
		switch err := p.store.Create(ctx, lock, []byte{1}, refreshLock); {
		case err == nil:
			t, err := p.renewLocked(ctx, id, refused)
			return t, errors.Join(err, p.store.Delete(ctx, lock))
		case !errors.Is(err, ephemeral.ErrExists):
			return tokens{}, fmt.Errorf("lock refresh: %w", err)
		}
		select {
		case <-ctx.Done():
			return tokens{}, &Error{Reason: HubUnreachable, Detail: "waited for another refresh", Err: ctx.Err()}
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (p *Party) renewLocked(ctx context.Context, id, refused string) (tokens, error) {
	s, err := p.load(ctx, id)
	if err != nil || p.usable(s.rec.Tokens, refused) { // another process was done just before the lock was ours
		return s.tokens(), err
	}
	t, err := p.refresh(ctx, s.rec.Tokens.Refresh)
	if err != nil {
		return tokens{}, err
	}
	for {
		err := p.change(ctx, s, func(r *record) { r.Tokens = t })
		if !errors.Is(err, ephemeral.ErrConflict) {
			return t, err
		}
		// Touched in between: only the tokens are ours to decide.
		if s, err = p.load(ctx, id); err != nil {
			return tokens{}, err
		}
	}
}

func (s *Session) tokens() tokens {
	if s == nil {
		return tokens{}
	}
	return s.rec.Tokens
}
