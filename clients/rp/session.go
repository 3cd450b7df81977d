package rp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

const (
	cookieSession = "session"
	// touchEvery spares the database a write for every page.
	touchEvery = time.Minute
)

// record is a session as it is sealed and stored. Times are Unix seconds.
type record struct {
	Subject  string `json:"s,omitempty"`
	Actor    string `json:"x,omitempty"` // who acts for Subject
	Local    string `json:"l,omitempty"`
	SID      string `json:"h,omitempty"` // the session at the hub
	ACR      string `json:"a,omitempty"`
	AuthTime int64  `json:"at,omitempty"`
	Issued   int64  `json:"i,omitempty"` // of the ID token
	Since    int64  `json:"t"`
	Touched  int64  `json:"u"`
	Tokens   tokens `json:"k"`
	Again    bool   `json:"g,omitempty"` // follows one whose tokens the hub refused
}

// Session is a person signed in in one browser, as it was when it was read.
type Session struct {
	id      string // the cookie
	version ephemeral.Version
	rec     record
}

// Format keeps tokens out of logs, whatever the verb.
func (s Session) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("session")) }

// Subject is the person's name at this hub for this relying party; empty in a session that StartLocal made.
func (s *Session) Subject() string { return s.rec.Subject }

// Actor is the name, at this hub for this relying party, of the representative who acts for Subject (RFC 8693 §4.1); empty if Subject is the one
// who signed in.
func (s *Session) Actor() string { return s.rec.Actor }

// Local is what StartLocal was given.
func (s *Session) Local() string { return s.rec.Local }

// Mark names the session's person in a form, for one purpose. The browser has one session for all its tabs: a form that was shown
// to one person can arrive when another has signed in, and must do nothing to them. It is no secret from the person it names.
func (s *Session) Mark(purpose string) string {
	who := s.rec.Subject
	if s.rec.Actor != "" {
		who += "\x00" + s.rec.Actor
	}
	return digest("form\x00"+purpose, who)
}

// Marked reports whether a form that was sent with mark was shown to the session's person for the purpose.
func (s *Session) Marked(purpose, mark string) bool { return same(s.Mark(purpose), mark) }

// Since is when the session began.
func (s *Session) Since() time.Time { return time.Unix(s.rec.Since, 0) }

// ACR is how the person proved who they are, as the hub called it.
func (s *Session) ACR() string { return s.rec.ACR }

func sessionKey(id string) string { return "session:1:" + digest("session", id) }

// Session returns the session of a request. Having none is an *Error with SignedOut.
func (p *Party) Session(r *http.Request) (*Session, error) {
	id, ok := p.site.Cookie(r, cookieSession)
	if !ok {
		return nil, &Error{Reason: SignedOut, Detail: "no cookie"}
	}
	s, err := p.load(r.Context(), id)
	if err != nil {
		return nil, err
	}
	now := p.now()
	if now.Sub(s.Since()) >= p.life {
		return nil, &Error{Reason: SignedOut, Detail: "session too old"}
	}
	if now.Sub(time.Unix(s.rec.Touched, 0)) >= touchEvery {
		err := p.change(r.Context(), s, func(rec *record) { rec.Touched = now.Unix() })
		if err != nil && !errors.Is(err, ephemeral.ErrConflict) { // someone else touched it
			return nil, err
		}
	}
	return s, nil
}

func (p *Party) load(ctx context.Context, id string) (*Session, error) {
	stored, err := p.store.Get(ctx, sessionKey(id))
	if errors.Is(err, ephemeral.ErrNotFound) {
		return nil, &Error{Reason: SignedOut, Detail: "no such session"}
	}
	if err != nil {
		return nil, fmt.Errorf("read session: %w", err)
	}
	plain, err := open(id, stored.Value)
	if err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	s := &Session{id: id, version: stored.Version}
	if err := json.Unmarshal(plain, &s.rec); err != nil {
		return nil, fmt.Errorf("decode session: %w", err)
	}
	return s, nil
}

// change writes a session that nobody else has changed since it was read, or returns ephemeral.ErrConflict. It leaves s as
// it now is, but for the version: whoever wants to write again reads again.
func (p *Party) change(ctx context.Context, s *Session, fn func(*record)) error {
	rec := s.rec
	fn(&rec)
	sealed, err := rec.seal(s.id)
	if err != nil {
		return err
	}
	if err := p.store.Swap(ctx, sessionKey(s.id), s.version, sealed, p.idle); err != nil {
		return err
	}
	s.rec = rec
	return nil
}

func (r record) seal(id string) ([]byte, error) {
	plain, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode session: %w", err)
	}
	return seal(id, plain), nil
}

// start makes a session and gives the browser its cookie. The session the browser had ends: its id could have been planted,
// and its tokens are not needed twice.
func (p *Party) start(w http.ResponseWriter, r *http.Request, rec record) (*Session, error) {
	ctx := r.Context()
	if old, err := p.Session(r); err == nil {
		p.forget(ctx, old)
	}
	now := p.now().Unix()
	rec.Since, rec.Touched = now, now
	s := &Session{id: newID(), rec: rec}
	sealed, err := rec.seal(s.id)
	if err != nil {
		return nil, err
	}
	// The hub may end the session while it begins: it is entered first, and once it stands it must still be entered.
	if err := p.seat(ctx, rec, sessionKey(s.id)); err != nil {
		return nil, err
	}
	if err := p.store.Create(ctx, sessionKey(s.id), sealed, p.idle); err != nil {
		return nil, fmt.Errorf("store session: %w", err)
	}
	if ok, err := p.seated(ctx, rec, sessionKey(s.id)); err != nil || !ok {
		gone := p.store.Delete(ctx, sessionKey(s.id))
		if err = errors.Join(err, gone); err == nil {
			err = &Error{Reason: SignedOut, Detail: "signed out at the hub during the login"}
		}
		return nil, err
	}
	if s, err = p.load(ctx, s.id); err != nil { // for its version
		return nil, err
	}
	// Until the browser closes: on a shared computer nothing stays behind.
	p.site.SetCookie(w, web.Cookie{Name: cookieSession, Value: s.id})
	return s, nil
}

// StartLocal signs in somebody whom the service itself knows by another way than the hub, as who.
func (p *Party) StartLocal(w http.ResponseWriter, r *http.Request, who string) (*Session, error) {
	return p.start(w, r, record{Local: who})
}

// End forgets a session here without telling the hub, and hands out its refresh token for work that outlives it.
func (p *Party) End(w http.ResponseWriter, r *http.Request, s *Session) (refresh Secret, err error) {
	p.site.ClearCookie(w, cookieSession, "")
	if now, err := p.load(r.Context(), s.id); err == nil {
		s = now // the token may have been renewed in between
	}
	if err := p.store.Delete(r.Context(), sessionKey(s.id)); err != nil {
		return Secret{}, fmt.Errorf("end session: %w", err)
	}
	return NewSecret(s.rec.Tokens.Refresh), nil
}

// forget ends a session and withdraws its tokens. The hub forgets them by itself in time, so a failure is only noted.
func (p *Party) forget(ctx context.Context, s *Session) {
	if now, err := p.load(ctx, s.id); err == nil {
		s = now
	}
	if err := p.store.Delete(ctx, sessionKey(s.id)); err != nil {
		p.log.WarnContext(ctx, "session not deleted", "err", err)
	}
	if err := p.Revoke(ctx, NewSecret(s.rec.Tokens.Refresh)); err != nil {
		p.log.InfoContext(ctx, "refresh token not revoked", "err", err)
	}
}
