package idp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// expiringSoon is when the account page begins to speak of renewal: offices renew from three months before the end.
const expiringSoon = 90 * 24 * time.Hour

// newCardNotice is for how long the account page begins with a card that was added without the authority's word.
const newCardNotice = 30 * 24 * time.Hour

// getHome explains the hub to somebody who typed its address.
func (p *Provider) getHome(c echo.Context) error {
	s, err := p.currentSession(c)
	if err != nil {
		return err
	}
	if s != nil {
		p.showSession(c, s)
	}
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: "home", Title: "home.title", SignedIn: s != nil})
	return nil
}

func (p *Provider) static(name string) echo.HandlerFunc {
	return func(c echo.Context) error {
		p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: name, Title: name + ".title"})
		return nil
	}
}

// getAccount shows a person's folder: the card, the signed-in devices, the services.
func (p *Provider) getAccount(c echo.Context) error {
	ctx := c.Request().Context()
	s, err := p.ownPage(c, "/account")
	if err != nil || s == nil {
		return err
	}
	stand, err := p.accounts.footing(ctx, s.Account, s.Card)
	if err != nil {
		return fmt.Errorf("read account: %w", err)
	}
	v := accountView{Opened: stand.OpenedAt}
	if v.Cards, err = p.cardViews(ctx, s); err != nil {
		return err
	}
	for _, card := range v.Cards {
		if card.Live && !card.NotAfter.Before(v.Card.NotAfter) { // the one that lasts longest
			v.Card = card
		}
		if (card.Live || !card.Opens.IsZero()) && !card.Current && card.Proved && p.now().Sub(card.Since) < newCardNotice {
			v.NewCard = card
		}
	}
	given, err := p.mandates.Given(ctx, s.Account)
	if err != nil {
		return err
	}
	v.Accepted = slices.ContainsFunc(given, func(m federation.Mandate) bool { return m.State == federation.MandateAccepted })
	if v.Sessions, err = p.sessionViews(c, s); err != nil {
		return err
	}
	if v.More = len(v.Sessions) - devicesShown; v.More > 0 {
		v.Sessions = v.Sessions[:devicesShown]
	}
	if v.Told, err = p.told(c, s.Account); err != nil {
		return err
	}
	if v.Exchanges, err = p.exchangesOf(ctx, s.Account, p.site.Lang(c.Request())); err != nil {
		return err
	}
	if v.Looks, err = p.lookViews(ctx, s.Account); err != nil {
		return err
	}
	if v.Unread, err = p.news.unread(ctx, s.Account); err != nil {
		return fmt.Errorf("count notices: %w", err)
	}
	v.HasSignatures = p.signing != nil
	if v.HasPasskeys = p.party != nil && !s.Shared; v.HasPasskeys {
		keys, err := p.passkeys.of(ctx, s.Account)
		if err != nil {
			return err
		}
		v.Passkeys, _ = viewsOfPasskeys(keys, s)
	}
	lang := p.site.Lang(c.Request())
	list, err := p.accounts.consents(ctx, s.Account)
	if err != nil {
		return fmt.Errorf("read consents: %w", err)
	}
	always, err := p.accounts.alwaysCard(ctx, s.Account)
	if err != nil {
		return err
	}
	broken, down, err := p.troubles(ctx, s.Account)
	if err != nil {
		return err
	}
	for _, con := range list {
		name, operator, err := p.displayName(ctx, con.Client, lang)
		if err != nil {
			return err
		}
		launch, err := p.launch(ctx, con.Client)
		if err != nil {
			return err
		}
		v.Services = append(v.Services, connectedView{Client: string(con.Client), Name: name, Operator: operator, Launch: launch, Since: con.Since, Scopes: con.Scopes, Always: always[con.Client],
			Broken: broken[con.Client], Down: down[con.Client]})
	}
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: "account", Title: "account.title", SignedIn: true, Data: v})
	return nil
}

// troubles are the services that lost their connection with a person, and since when services do not answer.
func (p *Provider) troubles(ctx context.Context, account federation.AccountID) (broken map[clients.ID]bool, down map[clients.ID]time.Time, err error) {
	links, err := p.links.List(ctx, account)
	if err != nil {
		return nil, nil, err
	}
	healths, err := p.links.Health(ctx)
	if err != nil {
		return nil, nil, err
	}
	broken, down = map[clients.ID]bool{}, map[clients.ID]time.Time{}
	for _, l := range links {
		broken[l.Client] = l.State == federation.Broken
	}
	for id, h := range healths {
		if h.Health == federation.HealthDown {
			down[id] = h.Since
		}
	}
	return broken, down, nil
}

// launch is where a press on a service of the list leads (OIDC Core §4), listed in a directory or not; empty for one that registered
// no initiate_login_uri, or may ask for nothing.
func (p *Provider) launch(ctx context.Context, id clients.ID) (string, error) {
	c, err := p.clients.Get(ctx, id)
	if errors.Is(err, clients.ErrUnknown) || errors.Is(err, clients.ErrSuspended) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read client: %w", err)
	}
	if c.InitiateLoginURI() == "" {
		return "", nil
	}
	return federation.LaunchURI(c, p.issuer, "")
}

func (p *Provider) getSignOutEverywhere(c echo.Context) error {
	s, err := p.ownPage(c, "/account/sign-out-everywhere")
	if err != nil || s == nil {
		return err
	}
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: "account-signout", Title: "account.signout.title", SignedIn: true, OpenForm: true})
	return nil
}

// postSignOutEverywhere ends every session and every grant of the person.
func (p *Provider) postSignOutEverywhere(c echo.Context) error {
	s, err := p.currentSession(c)
	if err != nil {
		return err
	}
	var end ending
	if s != nil {
		if end, err = p.endEverything(c, s); err != nil {
			return err
		}
	}
	end.everywhere = true
	to, err := p.signedOutPage(c, end, logoutRequest{})
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, to)
}

// endEverything ends every session and grant of the person, this browser's session among them.
func (p *Provider) endEverything(c echo.Context, s *session) (end ending, err error) {
	ctx := c.Request().Context()
	end.session = s.ID
	if end.front, err = p.front(ctx, s); err != nil { // other browsers cannot be reached
		return end, err
	}
	beside, err := p.besideOf(c, s)
	if err != nil {
		return end, err
	}
	if beside != nil {
		end.beside = beside.ID
		if end.besides, err = p.front(ctx, beside); err != nil {
			return end, err
		}
	}
	if end.batch, err = p.endSessions(ctx, s.Account, whatEnds{Front: slices.Concat(end.front, end.besides), In: s.ID}, federation.LogoutEverywhere); err != nil {
		return end, fmt.Errorf("end everything: %w", err)
	}
	p.site.ClearCookie(c.Response(), string(slotMain), "/")
	p.site.ClearCookie(c.Response(), string(slotApart), "/")
	p.setBrowserState(c, newSecret(), 0)
	return end, nil
}
