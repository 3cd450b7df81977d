package idp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

const logoutLife = 10 * time.Minute

// logoutRequest is a judged RP-initiated logout (OIDC RP-Initiated Logout 1.0 §2). It is kept while the browser is asked, so that
// the id_token_hint leaves the address bar at once.
type logoutRequest struct {
	Client clients.ID `json:"c,omitempty"`
	Return string     `json:"u,omitempty"` // registered, state appended
	SID    string     `json:"s,omitempty"` // the client's session id in the hint

	Locales string `json:"l,omitempty"` // ui_locales, in which the pages are
}

func logoutKey(id string) string { return "logout:1:" + id }

// getEndSession judges the request and sends the browser on to decide. It comes from another site, so a POST has no cookies here.
func (p *Provider) getEndSession(c echo.Context) error {
	ctx := c.Request().Context()
	form, err := readForm(c.Request())
	if err != nil {
		return &Error{Reason: LogoutInvalid, Detail: err.Error()}
	}
	var req logoutRequest
	if hint := form.Get("id_token_hint"); hint != "" {
		claims, err := p.readHint(hint)
		if err != nil || len(claims.Audience) != 1 {
			return &Error{Reason: LogoutInvalid, Detail: "id_token_hint not ours"}
		}
		req.Client, req.SID = clients.ID(claims.Audience[0]), claims.SID
	}
	if id := form.Get("client_id"); id != "" {
		if req.Client != "" && req.Client != clients.ID(id) {
			return &Error{Reason: LogoutInvalid, Detail: "client_id and id_token_hint disagree"}
		}
		req.Client = clients.ID(id)
	}
	if req.Client != "" {
		if _, err := p.client(ctx, req.Client); err != nil {
			return err
		}
	}
	if req.Return, err = p.logoutReturn(c, req.Client, form); err != nil {
		return err
	}
	if l := form.Get("ui_locales"); len(l) <= maxLocales {
		req.Locales = l
	}
	b, err := json.Marshal(req)
	if err != nil {
		return fmt.Errorf("encode logout: %w", err)
	}
	id := newID()
	if err := p.store.Create(ctx, logoutKey(id), b, logoutLife); err != nil {
		return fmt.Errorf("store logout: %w", err)
	}
	q := url.Values{"token": {id}}
	if req.Locales != "" {
		q.Set("ui_locales", req.Locales)
	}
	return c.Redirect(http.StatusSeeOther, "/end-session/confirm?"+q.Encode())
}

// logoutReturn accepts only an address the client registered, byte for byte (§2.1).
func (p *Provider) logoutReturn(c echo.Context, id clients.ID, form url.Values) (string, error) {
	to := form.Get("post_logout_redirect_uri")
	if to == "" {
		return "", nil
	}
	if id == "" {
		return "", &Error{Reason: LogoutInvalid, Detail: "post_logout_redirect_uri without a client"}
	}
	client, err := p.client(c.Request().Context(), id)
	if err != nil {
		return "", err
	}
	if !client.PostLogoutAllows(to) {
		return "", &Error{Reason: LogoutInvalid, Detail: "post_logout_redirect_uri not registered", Client: string(id)}
	}
	if state := form.Get("state"); state != "" {
		if len(state) > maxState || !visible(state) {
			return "", &Error{Reason: LogoutInvalid, Detail: "state too long or not visible ASCII", Client: string(id)}
		}
		to = appendQuery(to, url.Values{"state": {state}})
	}
	return to, nil
}

// logout returns the stored request with the id, or an *Error.
func (p *Provider) logout(c echo.Context, id string) (logoutRequest, error) {
	var req logoutRequest
	if !wellFormedID(id) {
		return req, &Error{Reason: LogoutInvalid, Detail: "logout id malformed"}
	}
	rec, err := p.store.Get(c.Request().Context(), logoutKey(id))
	if errors.Is(err, ephemeral.ErrNotFound) {
		return req, &Error{Reason: LogoutInvalid, Detail: "logout unknown or expired"}
	}
	if err != nil {
		return req, fmt.Errorf("read logout: %w", err)
	}
	return req, json.Unmarshal(rec.Value, &req)
}

// getEndSessionConfirm asks, unless the hint proves that the service speaks for this very session.
func (p *Provider) getEndSessionConfirm(c echo.Context) error {
	ctx := c.Request().Context()
	id := c.QueryParam("token")
	req, err := p.logout(c, id)
	if err != nil {
		return err
	}
	s, err := p.currentSession(c)
	if err != nil {
		return err
	}
	if s == nil {
		return p.signedOut(c, req, ending{})
	}
	if req.SID != "" && sameDigest(req.SID, p.clientSID(s.ID, string(req.Client))) {
		end, err := p.endSession(c, s)
		if err != nil {
			return err
		}
		return p.signedOut(c, req, end)
	}
	var client *clients.Client
	if req.Client != "" {
		if client, err = p.client(ctx, req.Client); err != nil {
			return err
		}
	}
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{
		Name: "end-session", Title: "end_session.title", SignedIn: true, OpenForm: true,
		Data: endSessionView{Service: viewOfService(client, p.site.Lang(c.Request())), Token: id},
	})
	return nil
}

// postEndSessionConfirm does what the citizen chose.
func (p *Provider) postEndSessionConfirm(c echo.Context) error {
	ctx := c.Request().Context()
	req, err := p.logout(c, c.FormValue("token"))
	if err != nil {
		return err
	}
	s, err := p.currentSession(c)
	if err != nil {
		return err
	}
	var end ending
	switch c.FormValue("scope") {
	case "all":
		if s != nil {
			if end, err = p.endSession(c, s); err != nil {
				return err
			}
		}
	case "service":
		if req.Client == "" {
			return &Error{Reason: BadRequest, Detail: "scope service without a service"}
		}
		if s != nil {
			if end, err = p.leaveService(ctx, s, req.Client); err != nil {
				return err
			}
		}
	default:
		return &Error{Reason: BadRequest, Detail: "scope is neither all nor service"}
	}
	return p.signedOut(c, req, end)
}

// leaveService signs the citizen out of one service.
func (p *Provider) leaveService(ctx context.Context, s *session, id clients.ID) (end ending, err error) {
	one := *s
	one.Clients = slices.DeleteFunc(slices.Clone(s.Clients), func(cl sessionClient) bool { return cl.ID != id })
	end.session, end.only = s.ID, true
	if end.front, err = p.front(ctx, &one); err != nil {
		return end, err
	}
	if end.batch, err = p.deliveries.Enqueue(ctx, federation.LogoutService, p.notices(&one, end.front)); err != nil {
		return end, err
	}
	if err := p.sessions.leave(ctx, s.ID, id); err != nil {
		return end, err
	}
	if err := p.statusEnded(ctx, s.ID, id); err != nil {
		return end, err
	}
	return end, p.record(ctx, audit.Event{Kind: eventSessionEnded, Account: string(s.Account), Client: string(id), Session: s.ID})
}

// endSession signs this browser out and names the batch in which its services are told. Tokens that hang on the session die with it;
// other devices stay signed in.
func (p *Provider) endSession(c echo.Context, s *session) (end ending, err error) {
	ctx := context.WithoutCancel(c.Request().Context())
	p.site.ClearCookie(c.Response(), cookieSession, "/")
	p.setBrowserState(c, newSecret(), 0)
	end.session = s.ID
	if end.front, err = p.front(ctx, s); err != nil {
		return end, err
	}
	end.batch, err = p.endSessions(ctx, s.Account, whatEnds{Session: s.ID, Front: end.front}, federation.LogoutSession)
	return end, err
}
