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
	"github.com/tsunagu-id/tsunagu/idp/shapes"
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
		p.noteRefused(req.Client, err)
		return err
	}
	if to := form.Get("post_logout_redirect_uri"); to != "" {
		p.shapes.Note(req.Client, shapes.Shape{Kind: shapes.SignOut, Parameters: map[string][]string{"post_logout_redirect_uri": {to}}})
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
	if err := checkLogoutReturn(client, to); err != nil {
		return "", err
	}
	if state := form.Get("state"); state != "" {
		if len(state) > maxState || !visible(state) {
			return "", &Error{Reason: LogoutInvalid, Detail: "state too long or not visible ASCII", Client: string(id)}
		}
		to = appendQuery(to, url.Values{"state": {state}})
	}
	return to, nil
}

func checkLogoutReturn(c *clients.Client, to string) error {
	if c.PostLogoutAllows(to) {
		return nil
	}
	return &Error{Reason: LogoutInvalid, Detail: "post_logout_redirect_uri not registered", Client: string(c.ID()), Member: "post_logout_redirect_uris"}
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
	s, _, proved, err := p.leaving(c, req)
	if err != nil {
		return err
	}
	if s == nil {
		return p.signedOut(c, req, ending{})
	}
	if proved {
		end, err := p.endSession(c, s, nil)
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
	s, beside, _, err := p.leaving(c, req)
	if err != nil {
		return err
	}
	var end ending
	switch c.FormValue("scope") {
	case "all":
		if s != nil {
			if end, err = p.endSession(c, s, beside); err != nil {
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
	end.batch, err = p.leave(ctx, &one, id, s.ID, federation.LogoutService, end.front)
	return end, err
}

// leave takes a service out of a session, with its tokens there, and promises to tell it. In names the session it was asked for in.
func (p *Provider) leave(ctx context.Context, one *session, id clients.ID, in string, reason federation.LogoutReason, front []clients.ID) (batch string, err error) {
	ctx = context.WithoutCancel(ctx)
	err = p.db.Tx(ctx, func(ctx context.Context) error {
		if batch, err = p.deliveries.Enqueue(ctx, reason, p.notices(one, front)); err != nil {
			return err
		}
		if err := p.sessions.entries.left(ctx, one.ID, id); err != nil {
			return err
		}
		e := audit.Event{Kind: eventSessionEnded, Account: string(one.Account), Client: string(id), Session: one.ID, Reason: string(reason)}
		if in != one.ID {
			e.Facts = map[string]string{"in": in}
		}
		return p.record(ctx, e)
	})
	if err != nil {
		return "", fmt.Errorf("leave service: %w", err)
	}
	p.deliveries.Hurry()
	if err := p.sessions.leave(ctx, one.ID, id); err != nil {
		return "", err
	}
	return batch, p.statusEnded(ctx, one.ID, id)
}

// enter notes that a service is entered in a session. One that names as many as it may loses the oldest, which is told.
func (p *Provider) enter(ctx context.Context, s *session, id clients.ID) error {
	if len(s.Clients) >= maxSessionClients && s.since(id) == 0 {
		oldest := s.Clients[0]
		one := *s
		one.Clients = []sessionClient{oldest}
		if _, err := p.leave(ctx, &one, oldest.ID, s.ID, federation.LogoutTooMany, nil); err != nil {
			return err
		}
		fresh, err := p.sessions.get(ctx, s.ID)
		if err != nil {
			return err
		}
		if fresh == nil {
			return errSessionEnded
		}
		s.become(fresh)
	}
	return p.sessions.touch(ctx, s, id)
}

// endSession signs this browser out of a session, and of the one beside it if there is one to end too, and names the batch in which the
// services are told. Tokens that hang on them die; other devices stay signed in.
func (p *Provider) endSession(c echo.Context, s, beside *session) (end ending, err error) {
	ctx := context.WithoutCancel(c.Request().Context())
	p.site.ClearCookie(c.Response(), string(s.slot), "/")
	p.setBrowserState(c, newSecret(), 0)
	w := whatEnds{Session: s.ID}
	end.session = s.ID
	if end.front, err = p.front(ctx, s); err != nil {
		return end, err
	}
	if beside != nil {
		p.site.ClearCookie(c.Response(), string(beside.slot), "/")
		w.Beside, end.beside = beside.ID, beside.ID
		if end.besides, err = p.front(ctx, beside); err != nil {
			return end, err
		}
	}
	w.Front = slices.Concat(end.front, end.besides)
	end.batch, err = p.endSessions(ctx, s.Account, w, federation.LogoutSession)
	return end, err
}

// besideOf returns the session that the browser has in its other slot, if it is the same person's.
func (p *Provider) besideOf(c echo.Context, s *session) (*session, error) {
	other, err := p.sessionIn(c, s.slot.other())
	if err != nil || other == nil || other.Account != s.Account {
		return nil, err
	}
	return other, nil
}

// leaving returns the session that a sign-out is about, or nil: the one that the hint names, else that of the service that asks, with no
// other beside it; for the hub's own page all that the browser has.
func (p *Provider) leaving(c echo.Context, req logoutRequest) (s, beside *session, proved bool, err error) {
	if req.Client == "" {
		if s, err = p.currentSession(c); err != nil || s == nil {
			return nil, nil, false, err
		}
		beside, err = p.besideOf(c, s)
		return s, beside, false, err
	}
	for _, at := range []slot{slotMain, slotApart} {
		if s, err = p.sessionIn(c, at); err != nil {
			return nil, nil, false, err
		}
		if s != nil && req.SID != "" && sameDigest(req.SID, p.clientSID(s.ID, string(req.Client))) {
			return s, nil, true, nil
		}
	}
	client, err := p.client(c.Request().Context(), req.Client)
	if err != nil {
		return nil, nil, false, err
	}
	s, err = p.sessionAt(c, client)
	return s, nil, false, err
}
