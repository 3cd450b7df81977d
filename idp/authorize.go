package idp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/idp/shapes"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

// getAuthorize is the authorization endpoint, for GET and POST (OIDC Core §3.1.2.1).
func (p *Provider) getAuthorize(c echo.Context) error {
	ctx := c.Request().Context()
	form, broken := readForm(c.Request())
	if form == nil {
		form = url.Values{}
	}
	req, _, err := p.authorizationRequest(ctx, form, broken)
	if err != nil {
		var o *oauthError
		if errors.As(err, &o) && req != nil && req.Redirect != "" {
			return &redirected{req: req, err: o}
		}
		return err
	}
	// A form that another site posts comes without our cookies (SameSite=Lax): nothing can be said yet of who is signed in. The request
	// is kept as a pushed one is, and the browser comes back for it by GET, with cookies.
	if c.Request().Method == http.MethodPost {
		uri := form.Get("request_uri")
		if uri == "" {
			if uri, err = p.keepRequest(ctx, req); err != nil {
				return err
			}
		}
		return c.Redirect(http.StatusSeeOther, "/authorize?"+url.Values{"client_id": {string(req.Client)}, "request_uri": {uri}}.Encode())
	}
	tx := &transaction{State: Received, Request: req, StartedAt: p.now().Unix()}
	return p.advance(c, tx)
}

// authorizationRequest reads a request by value or by reference to a pushed one.
func (p *Provider) authorizationRequest(ctx context.Context, form url.Values, broken error) (*authzRequest, *clients.Client, error) {
	if uri := form.Get("request_uri"); strings.HasPrefix(uri, parPrefix) && len(form["request_uri"]) == 1 {
		return p.pushedRequest(ctx, uri, form)
	}
	return p.judge(ctx, submission{form: form, broken: broken})
}

// advance looks at what is known, asks next what must happen, and sends the browser there. Every step of a login ends here.
func (p *Provider) advance(c echo.Context, tx *transaction) error {
	ctx := c.Request().Context()
	if tx.State == Completed {
		return p.sendAgain(c, tx)
	}
	s, err := p.sessionFor(c, tx)
	if err != nil {
		return err
	}
	sit, con, err := p.situation(ctx, tx, s)
	if err != nil {
		return err
	}
	step, why := next(sit, p.now())
	switch step {
	case StepComplete:
		return p.complete(c, tx, s, con, sit.Acting)
	case StepRefuse:
		return p.refuse(c, tx, codeOf(why))
	case StepLogin, StepOpenFolder, StepConsent, StepConfirmDevice, StepSign, StepChoose:
		if err := p.park(c, tx, s, step); err != nil {
			return err
		}
		path := stepPath(step)
		if step == StepOpenFolder {
			path = tx.folderPage()
		}
		return c.Redirect(http.StatusSeeOther, path+"?"+pageQuery(tx))
	}
	return fmt.Errorf("step %d unknown", step)
}

// pageQuery names the login, and the languages the service asked for (OIDC Core §3.1.2.1), which the page chooses from.
func pageQuery(tx *transaction) string {
	q := url.Values{"tx": {tx.ID}}
	if tx.Request != nil && tx.Request.Locales != "" {
		q.Set("ui_locales", tx.Request.Locales)
	}
	return q.Encode()
}

func stepPath(s Step) string {
	switch s {
	case StepOpenFolder:
		return "/folder/open"
	case StepConsent:
		return "/consent"
	case StepConfirmDevice:
		return "/device/confirm"
	case StepSign:
		return "/sign"
	case StepChoose:
		return choosePath
	case StepLogin, StepComplete, StepRefuse:
	}
	return "/login"
}

// park stores the transaction before the browser leaves for a page.
func (p *Provider) park(c echo.Context, tx *transaction, s *session, step Step) error {
	if tx.ID == "" {
		tx.Browser = digest(p.browserProof(c))
	}
	if step == StepChoose {
		tx.Shown = s.ID // who is asked is who answers
	}
	if step == StepConsent {
		if tx.State != Authenticated {
			if err := tx.move(Authenticated); err != nil {
				return err
			}
		}
		client, err := p.client(c.Request().Context(), tx.Request.Client)
		if err != nil {
			return err
		}
		// Fixed here: the page shows, and the citizen agrees to, the same, whatever becomes of the registration meanwhile.
		tx.Shown, tx.Asked = s.ID, needed(client, tx.Request)
	}
	if tx.ID == "" {
		return p.transactions.create(c.Request().Context(), tx)
	}
	return p.transactions.save(c.Request().Context(), tx)
}

// situation gathers what next looks at.
func (p *Provider) situation(ctx context.Context, tx *transaction, s *session) (situation, consent, error) {
	sit := situation{State: tx.State, Own: tx.Request == nil, HintAgree: true, Decided: tx.Decided, Stranger: tx.Device != "" && !tx.Confirmed}
	var con consent
	// Somebody else may have signed in in another tab. Who proved themselves here, or was shown the consent page, is who it is about.
	if bound := cmp.Or(tx.SID, tx.Shown); s != nil && bound != "" && s.ID != bound {
		s = nil
	}
	unsure := false
	if s != nil && tx.Request != nil { // a service is about to be handed something
		v, err := p.vouch(ctx, s.Account, s.Card, s.footing.Checked)
		if err != nil {
			return sit, con, fmt.Errorf("card of session: %w", err)
		}
		if unsure = v == cardUnsure; v == cardOver {
			s = nil
		}
	}
	if s != nil {
		here := tx.SID == s.ID && tx.Login <= s.AuthTime
		sit.Session = &sessionFacts{Account: s.Account, AuthTime: time.Unix(s.AuthTime, 0), Last: time.Unix(s.Last, 0), ACR: s.ACR, Here: here, Unsure: unsure}
	}
	req := tx.Request
	if req == nil {
		if tx.Card {
			age := freshCard
			sit.MaxAge, sit.ACR, sit.ACREssential = &age, []string{ACRCard}, true
		}
		if tx.Again {
			sit.Prompt |= promptLogin
		}
		return sit, con, nil
	}
	sit.Prompt, sit.MaxAge, sit.ACR, sit.ACREssential = req.Prompt, req.maxAge(), req.ACR, req.ACREssential
	client, err := p.client(ctx, req.Client)
	if err != nil {
		return sit, con, err
	}
	sit.NoRemote, sit.AlwaysCard, sit.Idle, sit.Absolute = client.RefusesRemoteCard(), client.AlwaysCard(), client.SessionIdle(), client.SessionAbsolute()
	if s == nil {
		return sit, con, nil
	}
	chosen, err := p.accounts.choicesFor(ctx, s.Account, req.Client)
	if err != nil {
		return sit, con, err
	}
	sit.AlwaysCard = sit.AlwaysCard || chosen.AlwaysCard
	who, err := p.capacity(ctx, tx, s, client)
	if err != nil {
		return sit, con, err
	}
	sit.Acting, sit.Undecided = who.Acting, who.Undecided
	if req.HintSub != "" {
		if sit.HintAgree, err = p.names(ctx, s, who, client, req.HintSub); err != nil {
			return sit, con, err
		}
	}
	if m := who.Acting; m != nil {
		// What the person agreed to herself is what there is; her representative agrees to nothing.
		con, err = p.accounts.consentFor(ctx, m.Principal, req.Client)
		if err != nil {
			return sit, con, fmt.Errorf("read consent: %w", err)
		}
		hers, err := p.accounts.choicesFor(ctx, m.Principal, req.Client)
		sit.Covered, sit.Decided, sit.AlwaysCard = true, true, sit.AlwaysCard || hers.AlwaysCard
		return sit, con, err
	}
	con, err = p.accounts.consentFor(ctx, s.Account, req.Client)
	if err != nil {
		return sit, con, fmt.Errorf("read consent: %w", err)
	}
	// What is asked in detail is asked each time: an earlier consent was for something else (RFC 9396 §5).
	sit.Covered = con.covers(needed(client, req)) && (len(req.Details) == 0 || tx.Decided)
	if sit.Covered && !tx.Decided && !req.Prompt.has(promptNone) {
		if sit.Unconfirmed, err = p.unconfirmed(ctx, s.Account, client, req); err != nil {
			return sit, con, err
		}
		sit.Unconfirmed = sit.Unconfirmed || tx.Attested
	}
	document, err := req.wantedDocument()
	if err != nil {
		return sit, con, err
	}
	sit.Unsigned = document != nil && tx.Signature == ""
	return sit, con, nil
}

func (p *Provider) subjectFor(ctx context.Context, s *session, id clients.ID) (string, error) {
	c, err := p.client(ctx, id)
	if err != nil {
		return "", err
	}
	sub, err := p.subjects.For(ctx, s.Account, c.Sector())
	if err != nil {
		return "", fmt.Errorf("pairwise subject: %w", err)
	}
	return sub, nil
}

// complete answers a request for which nothing more is needed.
func (p *Provider) complete(c echo.Context, tx *transaction, s *session, con consent, by *federation.Mandate) error {
	if tx.Request == nil {
		return c.Redirect(http.StatusSeeOther, tx.Return)
	}
	ctx := c.Request().Context()
	req := tx.Request
	client, err := p.client(ctx, req.Client)
	if err != nil {
		return err
	}
	sub, err := p.subjectFor(ctx, s, req.Client)
	if err != nil {
		return err
	}
	// The session names the service before any token exists: tokens of a service that the session does not name are dead.
	if err := p.enter(ctx, s, req.Client); errors.Is(err, errSessionEnded) {
		return p.advance(c, tx) // signed out in another window just now
	} else if err != nil {
		return err
	}
	if err := p.enteredFor(ctx, s, client, by); errors.Is(err, errSessionEnded) {
		return p.advance(c, tx)
	} else if err != nil {
		return err
	}
	details, err := tx.grantedDetails()
	if err != nil {
		return err
	}
	now := p.now()
	g := &grant{
		ID: req.Grant, Client: req.Client, Account: s.Account, Subject: sub, SID: s.ID, Known: s.Known, Tx: tx.ID, Consent: con.ID,
		Scopes: p.grantable(client, req.Scopes), JKT: req.JKT, AuthTime: s.AuthTime, ACR: s.ACR, AMR: s.AMR,
		Resources: req.Resources, Details: details,
		Session: s.Created, Card: s.Card, Passkey: s.Passkey, Issued: now.UnixMilli(), Hard: now.Add(grantLife).Unix(),
	}
	if told := req.answeredACR(s.ACR); told != s.ACR {
		g.Told = told
	}
	g.limit(client)
	covered := con.Scopes
	if by != nil {
		covered = nil
		if err := p.actFor(ctx, g, *by, client, con); mandateUnknown(err) {
			return p.advance(c, tx)
		} else if err != nil {
			return err
		}
	}
	if g.Claims, err = req.Claims.within(covered).encoded(); err != nil {
		return fmt.Errorf("encode claims request: %w", err)
	}
	if tx.Device != "" {
		return p.approveDevice(c, tx, s, g)
	}
	code, err := p.engine.issueCode(ctx, p.unit(client), req, g)
	if errors.Is(err, ephemeral.ErrExists) {
		code, err = p.repeated(ctx, tx)
	}
	if err != nil {
		var o *oauthError
		if errors.As(err, &o) {
			return &redirected{req: req, err: o}
		}
		return err
	}
	p.shapes.Note(req.Client, shapes.Shape{Kind: shapes.SignedIn})
	if by == nil { // else the use of the mandate says so, of both
		if err := p.record(ctx, audit.Event{Kind: eventEntered, Account: string(s.Account), Client: string(req.Client), Session: s.ID}); err != nil {
			return err
		}
	}
	if err := p.close(ctx, tx); err != nil {
		return err
	}
	p.sendCode(c, client, req, s, code)
	return nil
}

// close marks a stored transaction completed. A lost swap is the same browser completing it at the same moment.
func (p *Provider) close(ctx context.Context, tx *transaction) error {
	if tx.ID == "" {
		return nil
	}
	if tx.State == Received || tx.State == Authenticating {
		tx.State = Authenticated // the session satisfied the request while the login page was open
	}
	if err := tx.move(Completed); err != nil {
		return err
	}
	if err := p.transactions.save(ctx, tx); err != nil && !errors.Is(err, errMove) {
		return err
	}
	return nil
}

// sendAgain answers a press on a button of a login that is over.
func (p *Provider) sendAgain(c echo.Context, tx *transaction) error {
	if tx.Request == nil {
		return c.Redirect(http.StatusSeeOther, tx.Return)
	}
	if tx.Device != "" {
		return p.deviceDone(c, tx)
	}
	ctx := c.Request().Context()
	code, err := p.repeated(ctx, tx)
	if err != nil {
		return err
	}
	client, err := p.client(ctx, tx.Request.Client)
	if err != nil {
		return err
	}
	s, err := p.sessionAt(c, client)
	if err != nil {
		return err
	}
	p.sendCode(c, client, tx.Request, s, code)
	return nil
}

// sendCode is a successful answer.
func (p *Provider) sendCode(c echo.Context, client *clients.Client, req *authzRequest, s *session, code string) {
	params := url.Values{"code": {code}}
	maps.Copy(params, p.sessionState(c, client, req, s))
	p.sendBack(c.Response(), c.Request(), req, params)
}

// repeated returns the code of a request that has been completed before. The same login in the same browser is a second press: it is sent on
// with the same code while that is unspent. Anything else is a pushed request used twice (RFC 9126 §4).
func (p *Provider) repeated(ctx context.Context, tx *transaction) (string, error) {
	g, _, err := p.grants.get(ctx, tx.Request.Grant)
	if err != nil && !errors.Is(err, ephemeral.ErrNotFound) {
		return "", err
	}
	if err == nil && tx.ID != "" && g.Tx == tx.ID && !g.Code.Spent && g.Code.Exp > p.now().Unix() {
		return p.codeFor(g.ID, g.Issued), nil
	}
	if tx.Request.Pushed && (tx.ID == "" || err != nil || g.Tx != tx.ID) {
		if err := p.recordStranger(ctx, audit.Event{Kind: eventPushedReplayed, Client: string(tx.Request.Client)}); err != nil {
			return "", err
		}
	}
	return "", &Error{Reason: RequestExpired, Detail: "request completed before", Client: string(tx.Request.Client)}
}

// grantable drops offline_access where the client cannot use it (OIDC Core §11).
func (p *Provider) grantable(c *clients.Client, scopes []string) []string {
	if slices.Contains(c.GrantTypes(), "refresh_token") {
		return scopes
	}
	return slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return s == "offline_access" })
}

// refuse ends the login and tells the service, or the citizen if no service asked.
func (p *Provider) refuse(c echo.Context, tx *transaction, o *oauthError) error {
	if tx.ID != "" && tx.State != Refused && tx.State != Completed {
		if err := tx.move(Refused); err != nil {
			return err
		}
		if err := p.transactions.save(c.Request().Context(), tx); err != nil {
			return err
		}
	}
	if tx.Request == nil {
		return c.Redirect(http.StatusSeeOther, "/")
	}
	p.noteRefused(tx.Request.Client, o)
	if tx.Device != "" {
		return p.denyDevice(c, tx)
	}
	more, err := p.stateOfRefusal(c, tx.Request)
	if err != nil {
		return err
	}
	return &redirected{req: tx.Request, err: o, more: more}
}
