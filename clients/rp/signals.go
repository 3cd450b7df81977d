package rp

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

// PathSignals is where the hub pushes security events (RFC 8935).
const PathSignals = "/signals"

// The security events that end sessions here by themselves.
const (
	SignalSessionRevoked       = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
	SignalCredentialChange     = "https://schemas.openid.net/secevent/caep/event-type/credential-change"
	SignalAccountDisabled      = "https://schemas.openid.net/secevent/risc/event-type/account-disabled"
	SignalCredentialCompromise = "https://schemas.openid.net/secevent/risc/event-type/credential-compromise"
	SignalLinkEnded            = "urn:tsunagu:event:link-ended"
	SignalVerification         = "https://schemas.openid.net/secevent/ssf/event-type/verification"
	SignalStreamUpdated        = "https://schemas.openid.net/secevent/ssf/event-type/stream-updated"
)

const (
	setType     = "secevent+jwt"
	maxSetBody  = 64 << 10
	maxSetAge   = 8 * 24 * time.Hour // the hub keeps an event for seven days
	maxSetNames = 512
)

// Signal is one security event (RFC 8417), verified.
type Signal struct {
	ID      string // the jti; the same event may come more than once
	Type    string
	Subject string // the person, as in ID tokens; empty for events about the stream, or about nothing but a session
	SID     string // the session at the hub, as in ID tokens; empty: not of one session
	At      time.Time
	Members map[string]json.RawMessage // of the event
}

// Signals answers the hub's pushes. Events that end sessions end them; then handle, unless it is nil, gets every event, more than
// once if it failed or the hub did not hear the answer. Only a push that shows the secret is looked at.
func (p *Party) Signals(secret Secret, handle func(context.Context, Signal) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithoutCancel(r.Context()) // once begun, it is finished
		w.Header().Set("Cache-Control", "no-store")
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+secret.Reveal())) != 1 || secret.IsZero() {
			refuseSet(w, "authentication_failed")
			return
		}
		raw, err := setOf(w, r)
		if err == nil {
			err = p.TakeSignal(ctx, raw, handle)
		}
		if err == nil {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		bad, ok := asReason(err)
		lines := &p.faults
		if ok && bad.Reason == TokenInvalid {
			lines = &p.badLogouts
		}
		if left, due := lines.due(p.now()); due {
			p.log.WarnContext(ctx, "security event not taken", "err", err, "left_off", left)
		}
		if ok && bad.Reason == TokenInvalid {
			refuseSet(w, "invalid_request")
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable) // the hub comes again
	}
}

// refuseSet is RFC 8935 §2.3.
func refuseSet(w http.ResponseWriter, word string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]string{"err": word, "description": strings.ReplaceAll(word, "_", " ")})
}

// setOf reads the body of a push.
func setOf(w http.ResponseWriter, r *http.Request) (string, error) {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); r.Method != http.MethodPost || err != nil || t != "application/"+setType {
		return "", badSet("not a security event token", err)
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSetBody))
	if err != nil {
		return "", badSet("not read", err)
	}
	return string(b), nil
}

func badSet(detail string, err error) error {
	return &Error{Reason: TokenInvalid, Detail: "security event token: " + detail, Err: err}
}

// TakeSignal does what a security event token asks for, whichever way it came. An event that was taken before is left alone.
func (p *Party) TakeSignal(ctx context.Context, raw string, handle func(context.Context, Signal) error) error {
	s, err := p.signal(ctx, raw)
	if err != nil {
		return err
	}
	key := "signal:1:" + digest("jti", s.ID)
	if _, err := p.store.Get(ctx, key); err == nil {
		return nil
	} else if !errors.Is(err, ephemeral.ErrNotFound) {
		return fmt.Errorf("look for jti: %w", err)
	}
	if err := p.obey(ctx, s); err != nil {
		return err
	}
	if handle != nil {
		if err := handle(ctx, s); err != nil {
			return fmt.Errorf("handle %s: %w", s.Type, err)
		}
	}
	// Only now: killed before it, we take the event again, and that is harmless.
	if err := p.store.Create(ctx, key, []byte{1}, maxSetAge); err != nil && !errors.Is(err, ephemeral.ErrExists) {
		return fmt.Errorf("remember jti: %w", err)
	}
	return nil
}

// obey ends the sessions that an event is about.
func (p *Party) obey(ctx context.Context, s Signal) error {
	switch s.Type {
	case SignalSessionRevoked, SignalAccountDisabled, SignalCredentialCompromise:
	default:
		return nil
	}
	if s.SID != "" {
		return p.endHubSession(ctx, s.SID, s.At.Unix())
	}
	return p.endPerson(ctx, s.Subject, s.At.Unix())
}

// setClaims are what a security event token says beyond what go-oidc reads (RFC 8417 §2.2, SSF 1.0 §4.1).
type setClaims struct {
	ID       string                                `json:"jti"`
	Happened int64                                 `json:"toe"`
	Subject  subjectID                             `json:"sub_id"`
	Events   map[string]map[string]json.RawMessage `json:"events"`
}

// subjectID is a subject in one of the formats that the hub uses (RFC 9493 §3, SSF 1.0 §3.2).
type subjectID struct {
	Format  string     `json:"format"`
	Issuer  string     `json:"iss"`
	Subject string     `json:"sub"`
	ID      string     `json:"id"`
	User    *subjectID `json:"user"`
	Session *subjectID `json:"session"`
}

// signal judges a token. Signature, algorithm, iss and aud are checked by go-oidc with the hub's keys, as for an ID token; typ and
// the absence of sub and exp keep one from being taken for the other (SSF 1.0 §4.1.2, §4.1.7).
func (p *Party) signal(ctx context.Context, raw string) (Signal, error) {
	var out Signal
	if err := p.explicitType(raw, setType); err != nil {
		return out, badSet("", err)
	}
	hub, err := p.provider(ctx)
	if err != nil {
		return out, err
	}
	token, err := hub.sets.Verify(oidc.ClientContext(ctx, p.http), raw)
	if err != nil {
		return out, badSet("", err)
	}
	var claims setClaims
	var members map[string]json.RawMessage
	if err := errors.Join(token.Claims(&claims), token.Claims(&members)); err != nil {
		return out, badSet("claims", err)
	}
	for _, name := range []string{"sub", "exp", "nonce", "sid"} {
		if _, has := members[name]; has {
			return out, badSet("it has "+name, nil)
		}
	}
	now := p.now()
	switch {
	case len(token.Audience) != 1:
		return out, badSet("for others too", nil)
	case claims.ID == "" || len(claims.ID) > maxSetNames:
		return out, badSet("jti", nil)
	case token.IssuedAt.After(now.Add(clockSkew)) || now.Sub(token.IssuedAt) > maxSetAge:
		return out, badSet("iat", nil)
	case len(claims.Events) != 1:
		return out, badSet("not exactly one event", nil)
	}
	out.ID, out.At = claims.ID, token.IssuedAt
	if claims.Happened > 0 && claims.Happened < out.At.Unix() {
		out.At = time.Unix(claims.Happened, 0)
	}
	for out.Type, out.Members = range claims.Events {
	}
	if out.Type == SignalVerification || out.Type == SignalStreamUpdated {
		return out, nil
	}
	out.Subject, out.SID, err = claims.Subject.person(p.issuer)
	return out, err
}

// person returns whom a subject names, and which session. A session may stand alone: the hub does not say who acted in it for somebody.
func (s subjectID) person(issuer string) (sub, sid string, err error) {
	user := &s
	if s.Format == "complex" {
		user = s.User
		if s.Session != nil {
			if sid = s.Session.ID; s.Session.Format != "opaque" || sid == "" || len(sid) > maxSetNames {
				return "", "", badSet("session of sub_id", nil)
			}
		}
	}
	if user == nil && sid != "" {
		return "", sid, nil
	}
	if user == nil || user.Format != "iss_sub" || user.Issuer != issuer || user.Subject == "" || len(user.Subject) > maxSetNames {
		return "", "", badSet("sub_id", nil)
	}
	return user.Subject, sid, nil
}

// explicitType wants the type of a token that is signed as registered (RFC 8725 §3.11).
func (p *Party) explicitType(raw, want string) error {
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(p.alg)})
	if err != nil {
		return err
	}
	typ, _ := jws.Signatures[0].Protected.ExtraHeaders[jose.HeaderType].(string)
	if strings.TrimPrefix(strings.ToLower(typ), "application/") != want {
		return errors.New("typ")
	}
	return nil
}
