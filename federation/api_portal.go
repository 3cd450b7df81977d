package federation

import (
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
)

// service is one entry of the directory. Names follow RFC 7591 §2.2.
type service struct {
	ClientID      clients.ID `json:"client_id"`
	Name          string     `json:"client_name"`
	NameEN        string     `json:"client_name#en"`
	Operator      string     `json:"operator"`
	Domain        string     `json:"domain"`
	Category      string     `json:"category"`
	Description   string     `json:"description"`
	DescriptionEN string     `json:"description#en"`
	LogoURI       string     `json:"logo_uri,omitempty"` // at the hub
	Verified      bool       `json:"verified"`
	State         State      `json:"state"`
	Since         *time.Time `json:"since,omitempty"`
	LaunchURI     string     `json:"launch_uri"`
	Health        Health     `json:"health"` // of the launch
	HealthSince   *time.Time `json:"health_since,omitempty"`
}

// link is a link as the API shows it; since is RFC 3339 in UTC and absent in state none.
type link struct {
	ClientID  clients.ID `json:"client_id,omitempty"`
	State     State      `json:"state"`
	Since     *time.Time `json:"since,omitempty"`
	Tie       string     `json:"tie,omitempty"` // told to the service only
	LaunchURI string     `json:"launch_uri,omitempty"`
	History   []move     `json:"history,omitempty"`
}

type move struct {
	From State     `json:"from"`
	To   State     `json:"to"`
	By   Actor     `json:"by"`
	Why  Why       `json:"why"`
	At   time.Time `json:"at"`
}

func sinceOf(l Link) *time.Time {
	if l.State == None {
		return nil
	}
	at := l.Since.UTC()
	return &at
}

// getServices answers the directory: every listed service that can be
// launched, with the state of the person's link to it.
func (a *API) getServices(c echo.Context, who Caller) error {
	ctx := c.Request().Context()
	links, err := a.d.Links.List(ctx, who.Account)
	if err != nil {
		return err
	}
	byClient := make(map[clients.ID]Link, len(links))
	for _, l := range links {
		byClient[l.Client] = l
	}
	listed, err := a.d.Clients.List(ctx)
	if err != nil {
		return err
	}
	healths, err := a.d.Links.Health(ctx)
	if err != nil {
		return err
	}
	out := struct {
		Services []service `json:"services"`
	}{Services: []service{}}
	for _, cl := range listed {
		launch, err := a.connectable(cl, who)
		if err != nil {
			continue
		}
		l, ok := byClient[cl.ID()]
		if !ok {
			l.State = None
		}
		health, at := HealthUnknown, (*time.Time)(nil)
		if h, ok := healths[cl.ID()]; ok {
			since := h.Since.UTC()
			health, at = h.Health, &since
		}
		out.Services = append(out.Services, service{
			ClientID: cl.ID(), Name: cl.Name("ja"), NameEN: cl.Name("en"), Operator: cl.Operator(), Domain: cl.Domain(),
			Category: string(cl.Category()), Description: cl.Description("ja"), DescriptionEN: cl.Description("en"),
			LogoURI: logoURI(a.d.Issuer, cl), Verified: cl.Verified(), State: l.State, Since: sinceOf(l), LaunchURI: launch,
			Health: health, HealthSince: at,
		})
	}
	return c.JSON(http.StatusOK, out)
}

// logoURI is where the hub serves the service's logo; empty if it has none.
func logoURI(issuer string, cl *clients.Client) string {
	if cl.Logo() == "" {
		return ""
	}
	return issuer + cl.Logo()
}

// connectable returns where the service starts a sign-in, or ServiceUnknown
// for a client that is no service a person could connect from this caller.
func (a *API) connectable(cl *clients.Client, who Caller) (string, error) {
	if !cl.Listed() || cl.ID() == who.Client {
		return "", &Error{Reason: ServiceUnknown, Detail: string(cl.ID()) + " cannot be connected"}
	}
	return LaunchURI(cl, a.d.Issuer, "")
}

// parseClient reads a client id from outside: what cannot be one is no service.
func parseClient(s string) (clients.ID, error) {
	id, err := clients.ParseID(s)
	if err != nil {
		return "", &Error{Reason: ServiceUnknown, Detail: "no such service"}
	}
	return id, nil
}

func (a *API) postLink(c echo.Context, who Caller) error {
	id, err := decode(c.Request(), "client_id")
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	client, err := parseClient(id)
	if err != nil {
		return err
	}
	cl, err := a.d.Clients.Get(ctx, client)
	if errors.Is(err, clients.ErrUnknown) || errors.Is(err, clients.ErrSuspended) {
		return &Error{Reason: ServiceUnknown, Detail: "no such service"}
	}
	if err != nil {
		return err
	}
	launch, err := a.connectable(cl, who)
	if err != nil {
		return err
	}
	l, err := a.d.Links.Offer(ctx, who.Account, cl.ID(), ByCitizen)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, link{ClientID: cl.ID(), State: l.State, Since: sinceOf(l), LaunchURI: launch})
}

// getLink answers one link with its history, newest first. A service that has
// left the directory still has its history.
func (a *API) getLink(c echo.Context, who Caller) error {
	ctx := c.Request().Context()
	id, err := parseClient(c.Param("client"))
	if err != nil {
		return err
	}
	l, err := a.d.Links.Find(ctx, who.Account, id)
	if err != nil {
		return err
	}
	moves, err := a.d.Links.History(ctx, who.Account, id)
	if err != nil {
		return err
	}
	out := link{ClientID: id, State: l.State, Since: sinceOf(l), History: []move{}}
	for _, m := range moves {
		out.History = append(out.History, move{From: m.From, To: m.To, By: m.By, Why: m.Why, At: m.At.UTC()})
	}
	return c.JSON(http.StatusOK, out)
}

// deleteLink ends a link, also to a service that has left the directory; one
// that never was is ended already. The portal cannot cut itself off here: that
// is signing out.
func (a *API) deleteLink(c echo.Context, who Caller) error {
	id, err := parseClient(c.Param("client"))
	if err != nil {
		return err
	}
	if id == who.Client {
		return &Error{Reason: ServiceUnknown, Detail: string(id) + " cannot be disconnected from itself"}
	}
	if err := a.end(c.Request().Context(), who.Account, id, ByCitizen, WhyAccessRevoked); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
