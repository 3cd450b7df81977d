package careless

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

const (
	cookieBrowser = "browser"
	cookieSession = "session"
	flowLife      = 30 * time.Minute
	sessionLife   = 30 * time.Minute
	maxTries      = 20 // of a swap: others change the same record
	maxLogout     = 32 << 10
)

// routes is the whole surface of the site.
func (s *Site) routes(key *rp.Key) http.Handler {
	e := echo.New()
	e.HTTPErrorHandler = s.fail
	e.GET("/", s.getStart)
	e.GET(rp.PathLogin, s.begin)
	e.GET(rp.PathInitiate, s.initiate)
	e.POST(rp.PathInitiate, s.initiate)
	e.GET(rp.PathCallback, s.getCallback)
	e.POST(rp.PathLogout, s.postLogout)
	e.POST(rp.PathBackchannel, s.postBackchannel)
	e.GET(rp.PathSignedOut, func(c echo.Context) error {
		s.web.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: "signed-out", Title: "signed-out.title"})
		return nil
	})
	e.GET(rp.PathJWKS, echo.WrapHandler(key))
	e.GET("/static/*", echo.WrapHandler(s.web.Static()))
	for _, path := range []string{"/healthz", "/readyz"} {
		e.GET(path, func(c echo.Context) error { return c.String(http.StatusOK, "ok") })
	}
	return e
}

// started is the login that a browser began last.
type started struct{ State, Nonce, Verifier string }

// signedIn is a session.
type signedIn struct{ Subject, SID string }

func flowKey(browser string) string    { return "careless-flow:1:" + digest(browser) }
func sessionKey(session string) string { return "careless-session:1:" + digest(session) }
func seatKey(sid string) string        { return "careless-sid:1:" + digest(sid) }

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (s *Site) session(r *http.Request) (signedIn, bool) {
	var out signedIn
	id, ok := s.web.Cookie(r, cookieSession)
	if !ok {
		return out, false
	}
	rec, err := s.store.Get(r.Context(), sessionKey(id))
	return out, err == nil && json.Unmarshal(rec.Value, &out) == nil
}

func (s *Site) getStart(c echo.Context) error {
	_, in := s.session(c.Request())
	s.web.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: "start", Title: "start.title", SignedIn: in, Data: in})
	return nil
}

// initiate judges who asks, as it should.
func (s *Site) initiate(c echo.Context) error {
	if _, err := s.party.Initiate(c.Request()); err != nil {
		return err
	}
	return s.begin(c)
}

// begin remembers one login for each browser: the last.
func (s *Site) begin(c echo.Context) error {
	ctx := c.Request().Context()
	f := started{rand.Text(), rand.Text(), rand.Text() + rand.Text()}
	browser, ok := s.web.Cookie(c.Request(), cookieBrowser)
	if !ok {
		browser = rand.Text()
	}
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	if err := s.put(ctx, flowKey(browser), flowLife, func([]byte) []byte { return b }); err != nil {
		return err
	}
	to, err := s.party.Authorization(ctx, rp.Started(f), s.web.Lang(c.Request()))
	if err != nil {
		return err
	}
	s.web.SetCookie(c.Response(), web.Cookie{Name: cookieBrowser, Value: browser, MaxAge: flowLife})
	return c.Redirect(http.StatusSeeOther, to)
}

// getCallback does not look at state: that is the fault that a pre-flight has to find.
func (s *Site) getCallback(c echo.Context) error {
	ctx := c.Request().Context()
	if c.QueryParam("code") == "" && c.QueryParam("error") == "" {
		return &rp.Error{Reason: rp.ResponseMalformed}
	}
	if c.QueryParam("iss") != s.issuer {
		return &rp.Error{Reason: rp.IssuerMismatch}
	}
	if code := c.QueryParam("error"); code != "" {
		return &rp.Error{Reason: rp.AccessDenied, Code: "access_denied"}
	}
	browser, _ := s.web.Cookie(c.Request(), cookieBrowser)
	stored, err := s.store.Take(ctx, flowKey(browser))
	if errors.Is(err, ephemeral.ErrNotFound) {
		return &rp.Error{Reason: rp.FlowExpired}
	}
	var f started
	if err == nil {
		err = json.Unmarshal(stored, &f)
	}
	if err != nil {
		return err
	}
	who, err := s.party.Redeem(ctx, rp.Started(f), c.QueryParam("code"))
	if err != nil {
		return err
	}
	id := rand.Text() + rand.Text()
	b, err := json.Marshal(signedIn(who))
	if err != nil {
		return err
	}
	if err := s.put(ctx, seatKey(who.SID), sessionLife, func(was []byte) []byte { return append(append(was, ' '), sessionKey(id)...) }); err != nil {
		return err
	}
	if err := s.store.Create(ctx, sessionKey(id), b, sessionLife); err != nil {
		return err
	}
	s.web.SetCookie(c.Response(), web.Cookie{Name: cookieSession, Value: id})
	return c.Redirect(http.StatusSeeOther, "/")
}

// put writes a record over what is there.
func (s *Site) put(ctx context.Context, key string, life time.Duration, change func(was []byte) []byte) error {
	for range maxTries {
		rec, err := s.store.Get(ctx, key)
		switch {
		case errors.Is(err, ephemeral.ErrNotFound):
			err = s.store.Create(ctx, key, change(nil), life)
		case err == nil:
			err = s.store.Swap(ctx, key, rec.Version, change(rec.Value), life)
		}
		if !errors.Is(err, ephemeral.ErrExists) && !errors.Is(err, ephemeral.ErrConflict) {
			return err
		}
	}
	return ephemeral.ErrConflict
}

func (s *Site) postLogout(c echo.Context) error {
	if id, ok := s.web.Cookie(c.Request(), cookieSession); ok {
		if err := s.store.Delete(c.Request().Context(), sessionKey(id)); err != nil {
			return err
		}
	}
	s.web.ClearCookie(c.Response(), cookieSession, "")
	return c.Redirect(http.StatusSeeOther, rp.PathSignedOut)
}

// postBackchannel believes whatever says that somebody signed out: that is the other fault.
func (s *Site) postBackchannel(c echo.Context) error {
	r := c.Request()
	r.Body = http.MaxBytesReader(c.Response(), r.Body, maxLogout)
	parts := strings.Split(r.FormValue("logout_token"), ".")
	var claims struct {
		SID string `json:"sid"`
	}
	if len(parts) == 3 {
		if payload, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil {
			_ = json.Unmarshal(payload, &claims) // and what cannot be read ends nothing
		}
	}
	seats, err := s.store.Take(r.Context(), seatKey(claims.SID))
	if err != nil && !errors.Is(err, ephemeral.ErrNotFound) {
		return err
	}
	for key := range strings.FieldsSeq(string(seats)) {
		if err := s.store.Delete(r.Context(), key); err != nil {
			return err
		}
	}
	return c.NoContent(http.StatusOK)
}

// fail is the one place where errors become answers.
func (s *Site) fail(err error, c echo.Context) {
	w, r := c.Response(), c.Request()
	if s.party.Answer(w, r, err) {
		return
	}
	status, word := http.StatusInternalServerError, "internal"
	if routing, ok := errors.AsType[*echo.HTTPError](err); ok && routing.Code < http.StatusInternalServerError {
		status, word = routing.Code, "not_found"
	} else {
		s.log.ErrorContext(r.Context(), "request failed", "err", err, "path", c.Path(), "trace", web.Trace(r.Context()))
	}
	s.web.FailWith(w, r, status, word, web.ErrorView{NextURL: "/", NextLabelKey: "error.home"})
}
