package web

import (
	"net"
	"net/http"
	"strings"
)

// policy is the Content-Security-Policy of every page. There is no inline script or style, so no nonce either.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; " +
	"connect-src 'self'; manifest-src 'self'; base-uri 'none'; frame-ancestors 'none'"

// setHeaders sets what every answer carries. Browsers apply form-action to the whole redirect chain after a post,
// so a page whose post can end at another site has to leave it out (openForm).
func (s *Site) setHeaders(h http.Header, r *http.Request, openForm bool) {
	csp := policy
	if !openForm {
		csp += "; form-action 'self'"
	}
	h.Set("Content-Security-Policy", csp)
	h.Set("X-Content-Type-Options", "nosniff")
	// Not no-referrer: that would make browsers send "Origin: null" on our own posts.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if s.config.Secure && !loopback(r.Host) {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// loopback says whether a host, with or without a port, is this computer. A browser keeps Strict-Transport-Security for all ports of a
// host, and other programs on this computer speak plain http.
func loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
