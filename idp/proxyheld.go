package idp

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/ratelimit"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// heldPath is the page of somebody who represents others.
const heldPath = "/account/representing"

// How many invitation codes may be tried: of one person, who needs a card for each, every try counts; of all together the wrong ones. Beyond
// the second a guess meets one of a thousand living invitations once in some thousand years.
var (
	invitesOfPerson    = ratelimit.Rule{Name: "invite-person", Limit: 10, Window: 24 * time.Hour}
	invitesOfEverybody = ratelimit.Rule{Name: "invite-everybody", Limit: 600, Window: time.Minute}
)

// getHeld lists whom a citizen represents, and takes a code.
func (p *Provider) getHeld(c echo.Context) error {
	s, err := p.ownPage(c, heldPath)
	if err != nil || s == nil {
		return err
	}
	var v heldView
	switch done := c.QueryParam("done"); done { // only these words become part of the page
	case "accepted", "ended":
		v.Done = done
	}
	return p.showHeld(c, s, http.StatusOK, v)
}

func (p *Provider) showHeld(c echo.Context, s *session, status int, v heldView) error {
	all, err := p.mandates.Held(c.Request().Context(), s.Account)
	if err != nil {
		return err
	}
	for _, m := range all {
		one, err := p.viewOfMandate(c, m, mandateName)
		if err != nil {
			return err
		}
		if m.State == federation.MandateEnded {
			v.Old = append(v.Old, one)
		} else {
			v.Live = append(v.Live, one)
		}
	}
	page := web.Page{Name: "representing", Title: "held.title", SignedIn: true, Data: v}
	if v.Problem != "" {
		page.Error = "invite_" + v.Problem
	}
	p.site.Render(c.Response(), c.Request(), status, page)
	return nil
}

// invitation returns the mandate that the code in the form is for, or has answered. Every try is counted.
func (p *Provider) invitation(c echo.Context) (*session, inviteCode, federation.Mandate, error) {
	ctx := c.Request().Context()
	var none federation.Mandate
	s, err := p.cardPage(c, heldPath)
	if err != nil || s == nil {
		return nil, "", none, err
	}
	v := heldView{Value: clipText(c.FormValue("code"))}
	ok, wait, err := p.limiter.Allow(ctx, invitesOfPerson, string(s.Account))
	if err != nil {
		return nil, "", none, err
	}
	if !ok {
		v.Problem, v.Hours = "many", int((wait+time.Hour-1)/time.Hour)
		c.Response().Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())))
		return nil, "", none, p.showHeld(c, s, http.StatusTooManyRequests, v)
	}
	code, ok := parseInviteCode(v.Value)
	if !ok {
		v.Problem = "malformed"
		return nil, "", none, p.showHeld(c, s, http.StatusUnprocessableEntity, v)
	}
	m, err := p.mandates.Invited(ctx, p.codeDigest(code))
	if err == nil && m.Principal == s.Account {
		v.Problem = "own"
		return nil, "", none, p.showHeld(c, s, http.StatusUnprocessableEntity, v)
	}
	if mandateUnknown(err) {
		return nil, "", none, p.wrongInvite(c, s, v)
	}
	return s, code, m, err
}

// wrongInvite answers a code that opens nothing; why is nobody's business.
func (p *Provider) wrongInvite(c echo.Context, s *session, v heldView) error {
	ctx := c.Request().Context()
	ok, wait, err := p.limiter.Allow(ctx, invitesOfEverybody, "all")
	if err != nil {
		return err
	}
	if !ok {
		v.Problem, v.Hours = "many", int((wait+time.Hour-1)/time.Hour)
		return p.showHeld(c, s, http.StatusTooManyRequests, v)
	}
	if err := p.record(ctx, audit.Event{Kind: eventInviteWrong, Account: string(s.Account), Session: s.ID}); err != nil {
		return err
	}
	v.Problem = "wrong"
	return p.showHeld(c, s, http.StatusUnprocessableEntity, v)
}

// postHeldCode shows who asks, for what and for how long, before anything is accepted.
func (p *Provider) postHeldCode(c echo.Context) error {
	s, code, m, err := p.invitation(c)
	if err != nil || s == nil {
		return err
	}
	one, err := p.viewOfMandate(c, m, mandateName)
	if err != nil {
		return err
	}
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{
		Name: "representing-accept", Title: "held.accept.title", SignedIn: true, Data: acceptView{Mandate: one, Code: code.String()},
	})
	return nil
}

// postHeldAccept makes the citizen the representative, until the other has said that she is the right one.
func (p *Provider) postHeldAccept(c echo.Context) error {
	s, code, _, err := p.invitation(c)
	if err != nil || s == nil {
		return err
	}
	number, err := newMatchNumber()
	if err != nil {
		return err
	}
	_, err = p.mandates.Accept(c.Request().Context(), p.codeDigest(code), s.Account, number)
	var own *federation.Error
	switch {
	case mandateUnknown(err): // somebody else was first
		return p.wrongInvite(c, s, heldView{Value: code.String()})
	case errors.As(err, &own) && own.Reason == federation.MandateTooMany:
		return p.showHeld(c, s, http.StatusUnprocessableEntity, heldView{Value: code.String(), Problem: "full"})
	case err != nil:
		return err
	}
	return c.Redirect(http.StatusSeeOther, heldPath+"?done=accepted")
}

// heldOne returns the mandate of the address, by which the person of the session represents somebody.
func (p *Provider) heldOne(c echo.Context, s *session) (federation.Mandate, error) {
	m, err := p.mandates.Of(c.Request().Context(), federation.MandateID(c.Param("id")), s.Account)
	if mandateUnknown(err) || err == nil && m.Representative != s.Account {
		return m, &Error{Reason: NotFound, Detail: "no such mandate of this person"}
	}
	return m, err
}

func (p *Provider) getHeldEnd(c echo.Context) error {
	s, err := p.ownPage(c, heldPath)
	if err != nil || s == nil {
		return err
	}
	m, err := p.heldOne(c, s)
	if err != nil {
		return err
	}
	return p.askEnd(c, m, mandateName, heldPath)
}

// postHeldEnd gives a mandate up.
func (p *Provider) postHeldEnd(c echo.Context) error {
	s, err := p.ownPage(c, heldPath)
	if err != nil || s == nil {
		return err
	}
	m, err := p.heldOne(c, s)
	if err != nil {
		return err
	}
	if err := p.endMandate(c.Request().Context(), m.ID, s.Account); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, heldPath+"?done=ended")
}
