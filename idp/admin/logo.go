package admin

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/clients/adminapi"
)

func (a *API) logoRoutes() {
	const tag = "logo"
	register(a, operation{
		id: "setLogo", method: http.MethodPut, path: "/api/clients/{id}/logo", tag: tag, summary: "Put a picture into the draft; it is drawn anew", role: adminapi.Editor, may: mayConflict,
	}, a.putLogo)
	register(a, operation{
		id: "dropLogo", method: http.MethodDelete, path: "/api/clients/{id}/logo", tag: tag, summary: "Take the picture out of the draft", role: adminapi.Editor, may: mayConflict,
	}, a.deleteLogo)
}

type logoInput struct {
	ID       string `path:"id" maxLength:"200"`
	Revision int64  `query:"revision" required:"true" minimum:"0" doc:"The revision of the draft that was seen; 0: there was none"`
	Logo     upload `accept:"image/png,image/jpeg" most:"1048576"`
}

func (a *API) putLogo(ctx context.Context, c caller, in logoInput) (adminapi.Saved, error) {
	d, err := a.client(ctx, c, in.ID)
	if err != nil {
		return adminapi.Saved{}, err
	}
	saved, err := a.d.Clients.SetLogo(ctx, d.ID, in.Revision, in.Logo.bytes, c.id)
	if err != nil {
		return adminapi.Saved{}, err
	}
	return a.saved(ctx, saved)
}

type noLogoInput struct {
	ID       string `path:"id" maxLength:"200"`
	Revision int64  `query:"revision" required:"true" minimum:"0" doc:"The revision of the draft that was seen; 0: there was none"`
}

func (a *API) deleteLogo(ctx context.Context, c caller, in noLogoInput) (adminapi.Saved, error) {
	d, err := a.client(ctx, c, in.ID)
	if err != nil {
		return adminapi.Saved{}, err
	}
	saved, err := a.d.Clients.DropLogo(ctx, d.ID, in.Revision, c.id)
	if err != nil {
		return adminapi.Saved{}, err
	}
	return a.saved(ctx, saved)
}

// logoAddress is where citizens see the logo of a version; empty if it has none.
func (a *API) logoAddress(metadata json.RawMessage) string {
	var m struct {
		Logo string `json:"logo"`
	}
	if json.Unmarshal(metadata, &m) != nil || m.Logo == "" {
		return ""
	}
	return a.d.Issuer + clients.LogoPath(m.Logo)
}
