package admin

import (
	"context"
	"net/http"
	"strings"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/audit"
)

// eventTwin: an operator made a twin of a service, to try a sign-in with. Facts: twin.
const eventTwin audit.Kind = "client.twin_made"

func (a *API) testSignInRoutes() {
	register(a, operation{
		id: "testSignIn", method: http.MethodPost, path: "/api/clients/{id}/test-sign-in", tag: "checks", role: adminapi.Editor, status: http.StatusCreated, may: mayConflict,
		summary: "Make a twin of the draft, or of the live version, to try a sign-in with for an hour",
	}, a.postTestSignIn)
}

type testSignInInput struct {
	ID   string `path:"id" maxLength:"200"`
	Body adminapi.NewTestSignIn
}

func (a *API) postTestSignIn(ctx context.Context, c caller, in testSignInInput) (adminapi.TestSignIn, error) {
	d, err := a.client(ctx, c, in.ID)
	if err != nil {
		return adminapi.TestSignIn{}, err
	}
	// Anywhere else a page that looks like the service's would collect what the hub says of people.
	if !strings.HasPrefix(in.Body.RedirectURI, a.d.BaseURL+"/") {
		return adminapi.TestSignIn{}, fault("redirect_uri", "is not at the operators' address", "write an address that begins with "+a.d.BaseURL+"/")
	}
	order := clients.TwinOrder{Of: d.ID, Redirect: in.Body.RedirectURI, JWKS: in.Body.JWKS}
	switch {
	case in.Body.Revision != 0 && (d.Draft == nil || d.Draft.Revision != in.Body.Revision):
		return adminapi.TestSignIn{}, refuse(adminapi.Conflict, "There is another revision of the draft by now, or none: look at it again.")
	case in.Body.Revision != 0:
		order.Document = d.Draft.Metadata
	case d.Live == nil:
		return adminapi.TestSignIn{}, refuse(adminapi.WrongState, "The service was never live: name the revision of its draft.")
	default:
		order.Document = d.Live.Metadata
	}
	var twin clients.Twin
	err = a.d.DB.Tx(ctx, func(ctx context.Context) error {
		if twin, err = a.d.Clients.Twin(ctx, order); err != nil {
			return err
		}
		return a.d.Audit.Append(ctx, audit.Event{
			Kind: eventTwin, Client: string(d.ID), Actor: c.id, Trace: trace(ctx), Facts: map[string]string{"twin": string(twin.Client.ID())},
		})
	})
	if err != nil {
		return adminapi.TestSignIn{}, err
	}
	metadata, err := twin.Client.Document()
	return adminapi.TestSignIn{ClientID: string(twin.Client.ID()), RedirectURI: in.Body.RedirectURI, Metadata: metadata, Until: twin.Until}, err
}
