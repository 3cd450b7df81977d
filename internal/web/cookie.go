package web

import (
	"net/http"
	"time"
)

// Cookie is a cookie of ours: Secure over https, named after the site, and HttpOnly unless it is Framed.
type Cookie struct {
	Name   string
	Value  string
	Path   string        // "" means "/"; over https always "/", which the __Host- prefix demands
	MaxAge time.Duration // 0 lasts until the browser closes
	Strict bool          // SameSite=Strict instead of Lax
	Framed bool          // for a page of ours in a frame of another site, whose script reads it: the value must open nothing
}

// SetCookie sends c.
func (s *Site) SetCookie(w http.ResponseWriter, c Cookie) {
	s.sendCookie(w, c, int(c.MaxAge/time.Second))
}

// Cookie reads a cookie. A name that came more than once is ignored: one of the two was not set by us.
func (s *Site) Cookie(r *http.Request, name string) (string, bool) {
	found := r.CookiesNamed(s.cookieName(name))
	if len(found) != 1 {
		return "", false
	}
	return found[0].Value, true
}

// ClearCookie makes the browser forget a cookie; path as it was set.
func (s *Site) ClearCookie(w http.ResponseWriter, name, path string) {
	s.sendCookie(w, Cookie{Name: name, Path: path}, -1)
}

func (s *Site) sendCookie(w http.ResponseWriter, c Cookie, seconds int) {
	path, sameSite := c.Path, http.SameSiteLaxMode
	if path == "" || s.config.Secure {
		path = "/"
	}
	switch {
	case c.Strict:
		sameSite = http.SameSiteStrictMode
	case c.Framed && s.config.Secure: // browsers take SameSite=None over https only
		sameSite = http.SameSiteNoneMode
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // not Secure only where the site is plain http, which is loopback
		Name: s.cookieName(c.Name), Value: c.Value, Path: path, MaxAge: seconds,
		HttpOnly: !c.Framed, Secure: s.config.Secure, SameSite: sameSite,
	})
}

// cookieName carries the slug, because a browser shares the cookies of localhost among all its ports, and over
// https __Host-, so that no sibling domain can plant one (RFC 6265bis §4.1.3.2).
func (s *Site) cookieName(name string) string {
	full := "tsunagu-" + s.config.Slug + "-" + name
	if s.config.Secure {
		return "__Host-" + full
	}
	return full
}
