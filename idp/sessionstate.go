package idp

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// cookieBrowserState holds the browser state of Session Management 1.0 §3.2: a random value that says nothing and opens nothing, and is
// another one whenever somebody else signed in or the citizen signed out. Our page in a service's frame reads it.
const cookieBrowserState = "state"

// managesSessions: over plain http browsers keep the cookie from the frame, so the hub does not offer it there.
func (p *Provider) managesSessions() bool { return strings.HasPrefix(p.issuer, "https://") }

// getCheckSession is the check_session_iframe (§3.3).
func (p *Provider) getCheckSession(c echo.Context) error {
	if !p.managesSessions() {
		return &Error{Reason: NotFound}
	}
	return p.site.Frame(c.Response(), c.Request(), "check_session_iframe", "check-session.js", cookieBrowserState)
}

// setBrowserState gives the browser a state; with life 0 it lasts until the browser is closed.
func (p *Provider) setBrowserState(c echo.Context, value string, life time.Duration) {
	if p.managesSessions() {
		p.site.SetCookie(c.Response(), web.Cookie{Name: cookieBrowserState, Value: value, MaxAge: life, Framed: true})
	}
}

// sessionState is the parameter session_state of an answer to a client (§2): the digest that the frame compares with. A session that
// ends by itself takes the cookie along. It is nil where there is nothing to watch: for profile fapi2, without openid, and over http.
func (p *Provider) sessionState(c echo.Context, client *clients.Client, req *authzRequest, s *session) url.Values {
	if !p.managesSessions() || client.Profile() != clients.OIDC || !slices.Contains(req.Scopes, "openid") {
		return nil
	}
	state, ok := p.site.Cookie(c.Request(), cookieBrowserState)
	if !ok || !isBase64URL(state, 43) {
		state = newSecret()
	}
	life := time.Duration(0)
	if s != nil {
		life = p.sessions.remaining(s)
	}
	p.setBrowserState(c, state, life)
	return url.Values{"session_state": {sessionStateOf(req.Client, originOf(req.Redirect), state, newID())}}
}

// sessionStateOf is the value of §3.2: no space in it, and another one every time. check-session.js works out the same.
func sessionStateOf(client clients.ID, origin, state, salt string) string {
	d := sha256.Sum256([]byte(strings.Join([]string{string(client), origin, state, salt}, " ")))
	return hex.EncodeToString(d[:]) + "." + salt
}

// originOf is the origin of an accepted redirect URI as browsers write it (RFC 6454 §6.2): without a port that goes without saying.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	host := u.Host
	if u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80" {
		host = strings.TrimSuffix(host, ":"+u.Port())
	}
	return u.Scheme + "://" + host
}

// stateOfRefusal is the session_state that goes with the answer to a prompt=none that found nobody signed in: the service can watch
// for somebody to sign in.
func (p *Provider) stateOfRefusal(c echo.Context, req *authzRequest) (url.Values, error) {
	if !req.Prompt.has(promptNone) {
		return nil, nil
	}
	client, err := p.client(c.Request().Context(), req.Client)
	if err != nil {
		return nil, err
	}
	s, err := p.sessionAt(c, client)
	if err != nil {
		return nil, err
	}
	return p.sessionState(c, client, req, s), nil
}
