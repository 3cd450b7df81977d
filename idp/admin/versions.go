package admin

import (
	"context"
	"net/http"
	"strconv"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
)

func (a *API) versionRoutes() {
	const tag = "versions"
	register(a, operation{id: "listVersions", method: http.MethodGet, path: "/api/clients/{id}/versions", tag: tag, summary: "What was live, newest first", may: mayNotYours}, a.getVersions)
	register(a, operation{id: "showVersion", method: http.MethodGet, path: "/api/clients/{id}/versions/{version}", tag: tag, summary: "One version", may: mayNotYours}, a.getVersion)
	register(a, operation{id: "diff", method: http.MethodGet, path: "/api/clients/{id}/diff", tag: tag, summary: "What differs between two versions", may: mayNotYours}, a.getDiff)
}

type versionsInput struct {
	ID    string `path:"id" maxLength:"200"`
	After string `query:"after" pattern:"^[0-9]{1,18}$" doc:"The next of the page before"`
	Limit int    `query:"limit" minimum:"1" maximum:"100" doc:"How many at most; left out: 20"`
}

func (a *API) getVersions(ctx context.Context, c caller, in versionsInput) (adminapi.VersionList, error) {
	d, err := a.client(ctx, c, in.ID)
	if err != nil {
		return adminapi.VersionList{}, err
	}
	var before int64
	if in.After != "" {
		if before, err = strconv.ParseInt(in.After, 10, 64); err != nil {
			return adminapi.VersionList{}, fault("after", "is not the next of a page", "leave it out")
		}
	}
	list, next, err := a.d.Clients.Versions(ctx, d.ID, before, page{Limit: in.Limit}.size())
	if err != nil {
		return adminapi.VersionList{}, err
	}
	out := adminapi.VersionList{}
	if next > 0 {
		out.Next = strconv.FormatInt(next, 10)
	}
	var ids []string
	for _, v := range list {
		ids = append(ids, v.By, v.ApprovedBy)
	}
	names, err := a.operators.names(ctx, ids)
	for _, v := range list {
		shown := shownVersion(v)
		shown.ByName, shown.ApprovedByName = names[v.By], names[v.ApprovedBy]
		out.Items = append(out.Items, shown)
	}
	return out, err
}

type versionInput struct {
	ID      string `path:"id" maxLength:"200"`
	Version int64  `path:"version" minimum:"1"`
}

func (a *API) getVersion(ctx context.Context, c caller, in versionInput) (adminapi.Version, error) {
	d, err := a.client(ctx, c, in.ID)
	if err != nil {
		return adminapi.Version{}, err
	}
	v, err := a.d.Clients.Version(ctx, d.ID, in.Version)
	if err != nil {
		return adminapi.Version{}, err
	}
	out := shownVersion(v)
	names, err := a.operators.names(ctx, []string{v.By, v.ApprovedBy})
	out.ByName, out.ApprovedByName = names[v.By], names[v.ApprovedBy]
	return out, err
}

type diffInput struct {
	ID   string `path:"id" maxLength:"200"`
	From string `query:"from" required:"true" pattern:"^([1-9][0-9]{0,17}|draft|live)$" doc:"The number of a version, draft, or live"`
	To   string `query:"to" required:"true" pattern:"^([1-9][0-9]{0,17}|draft|live)$" doc:"As from"`
}

func (a *API) getDiff(ctx context.Context, c caller, in diffInput) (adminapi.Diff, error) {
	d, err := a.client(ctx, c, in.ID)
	if err != nil {
		return adminapi.Diff{}, err
	}
	changes, err := a.d.Clients.Diff(ctx, d.ID, in.From, in.To)
	if err != nil {
		return adminapi.Diff{}, err
	}
	out := adminapi.Diff{From: in.From, To: in.To}
	for _, change := range changes {
		out.Changes = append(out.Changes, adminapi.Change(change))
	}
	return out, nil
}
