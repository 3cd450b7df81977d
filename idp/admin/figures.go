package admin

import (
	"context"
	"net/http"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/federation"
)

func (a *API) figureRoutes() {
	const tag = "services"
	register(a, operation{id: "getFigures", method: http.MethodGet, path: "/api/clients/{id}/figures", tag: tag, summary: "The last day of a service, in numbers", may: mayNotYours}, a.getFigures)
	register(a, operation{id: "listDeliveries", method: http.MethodGet, path: "/api/clients/{id}/deliveries", tag: tag, summary: "What a service was told of sign-outs, or is to be told", may: mayNotYours}, a.getDeliveries)
	register(a, operation{id: "listSessions", method: http.MethodGet, path: "/api/clients/{id}/sessions", tag: tag, summary: "Sign-ins to a service that are alive; of whom is not said", may: mayNotYours}, a.getSessions)
}

type serviceInput struct {
	ID string `path:"id" maxLength:"200"`
}

func (a *API) getFigures(ctx context.Context, c caller, in serviceInput) (adminapi.Figures, error) {
	d, err := a.client(ctx, c, in.ID)
	if err != nil {
		return adminapi.Figures{}, err
	}
	f, err := a.d.Provider.ServiceFigures(ctx, d.ID)
	return adminapi.Figures{
		Since: f.Since, Logins: f.Logins, Failures: f.Refused, Sessions: f.Sessions, Linked: f.Linked, Waiting: f.Waiting,
		Checks: map[string]bool{"request": f.SawRequest, "login": f.Logins > 0, "token": f.SawToken, "logout": f.SawLogout},
	}, err
}

type servicePageInput struct {
	ID    string `path:"id" maxLength:"200"`
	After string `query:"after" maxLength:"200" doc:"The next of the page before"`
	Limit int    `query:"limit" minimum:"1" maximum:"100" doc:"How many at most; left out: 20"`
}

func (a *API) getDeliveries(ctx context.Context, c caller, in servicePageInput) (adminapi.DeliveryList, error) {
	d, err := a.client(ctx, c, in.ID)
	if err != nil {
		return adminapi.DeliveryList{}, err
	}
	list, next, err := a.d.Provider.ServiceDeliveries(ctx, d.ID, in.After, page{Limit: in.Limit}.size())
	out := adminapi.DeliveryList{Items: []adminapi.Delivery{}, Next: next}
	for _, one := range list {
		out.Items = append(out.Items, shownDelivery(one))
	}
	return out, err
}

// shownDelivery leaves out whose sign-out it was.
func shownDelivery(d federation.Delivery) adminapi.Delivery {
	out := adminapi.Delivery{ID: d.ID, State: string(d.State), Tries: d.Tries, Created: d.Created.UTC(), Answer: d.Answer}
	switch d.State {
	case federation.Failed:
		out.State = "given_up"
	case federation.Pending:
		out.Next = d.Next.UTC()
	case federation.Confirmed, federation.Unsupported, federation.Collects, federation.Looks, federation.Asked:
	}
	if !d.Done.IsZero() {
		out.Done = d.Done.UTC()
	}
	return out
}

func (a *API) getSessions(ctx context.Context, c caller, in servicePageInput) (adminapi.SessionList, error) {
	d, err := a.client(ctx, c, in.ID)
	if err != nil {
		return adminapi.SessionList{}, err
	}
	list, next, err := a.d.Provider.ServiceSessions(ctx, d.ID, in.After, page{Limit: in.Limit}.size())
	out := adminapi.SessionList{Items: []adminapi.Session{}, Next: next}
	for _, s := range list {
		out.Items = append(out.Items, adminapi.Session(s))
	}
	return out, err
}
