package web

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

// Session is what the pages of somebody who is signed in say of that.
type Session struct {
	Ends   time.Time     // when the sign-in ends by itself, if nothing is done from now on; zero: the pages do not say
	In     time.Duration // until then
	Shared bool          // others use this computer too: every page offers to sign out, at Leave
	Leave  string        // POST address that signs out
	Stay   string        // POST address that puts the end off
	Back   string        // what Stay is told to come back to
	Warn   string        // address of the page that warns of the end
	After  time.Duration // when a page leads there by itself; 0: not
}

// Seconds is In.
func (s *Session) Seconds() int { return int(s.In / time.Second) }

// WarnSeconds is After.
func (s *Session) WarnSeconds() int { return int(s.After / time.Second) }

type sessionKey struct{}

// WithSession returns r for which Render knows the session: signed-in pages say when it ends and lead to the warning before, by a header that
// needs no script. A page with Fill stays where it is, because what is typed there would be lost: it has a script in place of the header,
// and its form outlives the session.
func WithSession(r *http.Request, s Session) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), sessionKey{}, &s))
}

// sessionOf returns nil for a page that nobody is signed in on.
func sessionOf(r *http.Request, p Page) *Session {
	s, _ := r.Context().Value(sessionKey{}).(*Session)
	if !p.SignedIn {
		return nil
	}
	return s
}

func (s *Session) lead(h http.Header, p Page) {
	if s != nil && s.After > 0 && s.Warn != "" && !p.Fill && h.Get("Refresh") == "" {
		h.Set("Refresh", strconv.Itoa(s.WarnSeconds())+"; url="+s.Warn)
	}
}
