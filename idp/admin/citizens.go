package admin

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/idp"
)

func (a *API) citizenRoutes() {
	register(a, operation{
		id: "findCitizen", method: http.MethodPost, path: "/api/citizens/find", tag: "citizens", role: adminapi.Security, whole: true,
		summary: "Help a citizen who called; she is shown that you looked, and why", may: []adminapi.Reason{adminapi.NotFound, adminapi.WrongState, adminapi.TooMany},
	}, a.postFindCitizen)
	register(a, operation{
		id: "endCitizensSessions", method: http.MethodPost, path: "/api/citizens/{case}/end-sessions", tag: "citizens", role: adminapi.Security, whole: true,
		summary: "Sign her out everywhere",
	}, a.postEndSessions)
}

func (a *API) postFindCitizen(ctx context.Context, c caller, in struct{ Body adminapi.FindCitizen }) (adminapi.Citizen, error) {
	b := in.Body
	switch {
	case b.Trouble != "" && (b.ClientID != "" || b.Subject != ""):
		return adminapi.Citizen{}, fault("trouble", "stands beside a service's name for her", "give one of the two")
	case b.Trouble == "" && (b.ClientID == "" || b.Subject == ""):
		return adminapi.Citizen{}, fault("trouble", "is missing, and so is a service's name for her", "give the number, or client_id and sub")
	}
	found, err := a.d.Provider.FindPerson(ctx, idp.Search{
		Operator: c.id, Role: string(adminapi.Security), Why: b.Reason, Trouble: upperTrace(b.Trouble), Client: clients.ID(b.ClientID), Subject: b.Subject,
	})
	if err != nil {
		return adminapi.Citizen{}, supportError(err)
	}
	return shownPerson(found), nil
}

func supportError(err error) error {
	if often, ok := errors.AsType[*idp.TooOftenError](err); ok {
		return &Error{Reason: adminapi.TooMany, Detail: "You looked for very many people. Go on later, or ask a colleague.", After: often.After}
	}
	switch {
	case errors.Is(err, idp.ErrNobody):
		return refuse(adminapi.NotFound, "Nobody is known by this. Numbers of pages are good for thirty days; that you looked is in the audit log.")
	case errors.Is(err, idp.ErrSeveral):
		return refuse(adminapi.WrongState, "The number was given to several people. Ask for the number of another page, which she opens now.")
	case errors.Is(err, idp.ErrNoCase):
		return refuse(adminapi.NotFound, "There is no such case of yours, or it is over: look for the person again.")
	}
	return err
}

func shownPerson(p *idp.Person) adminapi.Citizen {
	out := adminapi.Citizen{
		Case: p.Case, Since: p.Since, Logins: []adminapi.CitizenLogin{}, Sessions: []adminapi.CitizenDevice{}, Links: []adminapi.CitizenLink{},
		Deliveries: []adminapi.Delivery{}, Troubles: shownRows(p.Troubles),
	}
	for i := range out.Troubles { // the case names her, and for a while; this would for ever
		out.Troubles[i].Account = ""
	}
	for _, r := range p.Logins {
		out.Logins = append(out.Logins, adminapi.CitizenLogin{At: r.At, Client: r.Client, ACR: r.Facts["acr"], Reason: r.Reason, Trace: r.Trace})
	}
	for _, s := range p.Sessions {
		d := adminapi.CitizenDevice{ID: s.ID, Since: s.Since, LastUse: s.LastUse, ACR: s.ACR, Services: []string{}}
		for _, id := range s.Services {
			d.Services = append(d.Services, string(id))
		}
		slices.Sort(d.Services)
		out.Sessions = append(out.Sessions, d)
	}
	for _, l := range p.Links {
		out.Links = append(out.Links, adminapi.CitizenLink{Client: string(l.Client), State: string(l.State), Since: l.Since})
	}
	for _, d := range p.Deliveries {
		out.Deliveries = append(out.Deliveries, shownDelivery(d))
	}
	return out
}

type endInput struct {
	Case string `path:"case" maxLength:"64"`
	Body adminapi.Because
}

func (a *API) postEndSessions(ctx context.Context, c caller, in endInput) (nothing, error) {
	err := a.d.Provider.EndPersonsSessions(ctx, in.Case, c.id, string(adminapi.Security), in.Body.Reason)
	return nothing{}, supportError(err)
}
