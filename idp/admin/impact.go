package admin

import (
	"context"
	"net/http"
	"strconv"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/idp"
)

func (a *API) impactRoutes() {
	register(a, operation{
		id: "getImpact", method: http.MethodGet, path: "/api/clients/{id}/impact", tag: "checks",
		summary: "What the draft would have done to the requests of the last day", may: mayConflict,
	}, a.getImpact)
}

type impactInput struct {
	ID       string `path:"id" maxLength:"200"`
	Revision int64  `query:"revision" minimum:"0" doc:"Of the draft; left out: whichever there is"`
}

func (a *API) getImpact(ctx context.Context, c caller, in impactInput) (adminapi.Impact, error) {
	d, err := a.client(ctx, c, in.ID)
	if err != nil {
		return adminapi.Impact{}, err
	}
	switch {
	case d.Draft == nil:
		return adminapi.Impact{}, refuse(adminapi.WrongState, "The service has no draft: what is live is what its requests meet.")
	case in.Revision != 0 && in.Revision != d.Draft.Revision:
		return adminapi.Impact{}, refuse(adminapi.Conflict, "The draft is at revision "+strconv.FormatInt(d.Draft.Revision, 10)+" by now: look at it again.")
	}
	found, err := impact(ctx, a.d.Provider, d, *d.Draft)
	if err != nil {
		return adminapi.Impact{}, err
	}
	out := adminapi.Impact{
		Requests: found.Requests, Refused: found.Refused, Untried: found.Unknown, Since: found.Since, Sector: found.Sector, Reasons: []adminapi.ImpactReason{},
	}
	for _, r := range found.Reasons {
		example, err := r.Example.Example()
		if err != nil {
			return adminapi.Impact{}, err
		}
		out.Reasons = append(out.Reasons, adminapi.ImpactReason{Word: r.Word, Member: r.Member, Detail: r.Detail, Count: r.Count, Example: example})
	}
	return out, nil
}

// impact tries a draft of a service on its last day. Faults of the draft are *clients.FieldErrors.
func impact(ctx context.Context, p *idp.Provider, d clients.Detail, draft clients.Draft) (idp.Impact, error) {
	version, err := clients.Candidate(draft.Metadata)
	if err != nil {
		return idp.Impact{}, err
	}
	var live *clients.Client
	if d.Live != nil {
		if live, err = clients.Candidate(d.Live.Metadata); err != nil {
			live = nil // by rules that are stricter than they were; it is its sector alone that is compared
		}
	}
	return p.Impact(ctx, live, version)
}

// ImpactGate holds back a draft that would have refused requests of the last day that were let pass, or that would make every citizen a stranger.
func ImpactGate(p *idp.Provider, registry *clients.Registry) Gate {
	return func(ctx context.Context, id clients.ID, draft clients.Draft) (report, obstacle string, err error) {
		d, err := registry.Detail(ctx, id)
		if err != nil {
			return "", "", err
		}
		found, err := impact(ctx, p, d, draft)
		switch {
		case err != nil:
			return "", "", err
		case found.Sector:
			return "", "Every citizen would come back to the service as a stranger.", nil
		case found.Refused > 0:
			return "", "It would have refused " + strconv.FormatInt(found.Refused, 10) + " of " + strconv.FormatInt(found.Requests, 10) + " requests of the last day.", nil
		}
		return "", "", nil
	}
}
