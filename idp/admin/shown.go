package admin

import (
	"context"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/clients/adminapi"
)

// What the registry knows, as the wire has it. The names of operators are looked up here, because the registry knows ids only.

func shownListing(l clients.Listing) adminapi.Client {
	out := adminapi.Client{
		ClientID: string(l.ID), Name: l.Name.JA, NameEN: l.Name.EN, Kind: adminapi.Kind(l.Kind), RunBy: l.RunBy, Organisation: l.Organisation,
		State: adminapi.State(l.State), Version: l.Version, Draft: string(l.Draft), Changed: l.Changed, By: l.By,
	}
	for _, w := range l.Warnings {
		out.Warnings = append(out.Warnings, adminapi.Warning{Word: string(w.Word), Detail: w.Detail, At: w.At})
	}
	return out
}

func shownDraft(d *clients.Draft) *adminapi.Draft {
	if d == nil {
		return nil
	}
	return &adminapi.Draft{
		Revision: d.Revision, BaseVersion: d.BaseVersion, State: string(d.State), Metadata: d.Metadata, Note: d.Note, By: d.By, Authors: d.Authors,
		At: d.At, Answer: d.Answer,
	}
}

func shownVersion(v clients.Version) adminapi.Version {
	return adminapi.Version{
		Version: v.Version, Metadata: v.Metadata, Note: v.Note, By: v.By, ApprovedBy: v.ApprovedBy, Exception: v.Exception, Preflight: v.Preflight,
		Of: v.Of, At: v.At,
	}
}

// detail reads a client anew, as an operation answers it.
func (a *API) detail(ctx context.Context, id clients.ID) (adminapi.ClientDetail, error) {
	d, err := a.d.Clients.Detail(ctx, id)
	if err != nil {
		return adminapi.ClientDetail{}, err
	}
	return a.shownDetail(ctx, d)
}

func (a *API) shownDetail(ctx context.Context, d clients.Detail) (adminapi.ClientDetail, error) {
	out := adminapi.ClientDetail{Client: shownListing(d.Listing), Draft: shownDraft(d.Draft), Previous: d.Previous}
	var ids []string
	if d.Live != nil {
		live := shownVersion(*d.Live)
		out.Live, out.Logo = &live, a.logoAddress(live.Metadata)
		ids = append(ids, live.By, live.ApprovedBy)
	}
	if out.Draft != nil {
		ids = append(ids, out.Draft.By)
	}
	for _, s := range d.Secrets {
		out.Secrets = append(out.Secrets, shownSecret(s))
		ids = append(ids, s.By)
	}
	if d.Stopped != nil {
		ids = append(ids, d.Stopped.By)
		out.Stopped = &adminapi.Stop{By: d.Stopped.By, At: d.Stopped.At, Reason: d.Stopped.Reason}
	}
	names, err := a.operators.names(ctx, ids)
	if err != nil {
		return out, err
	}
	if out.Live != nil {
		out.Live.ByName, out.Live.ApprovedByName = names[out.Live.By], names[out.Live.ApprovedBy]
	}
	for i := range out.Secrets {
		out.Secrets[i].ByName = names[out.Secrets[i].By]
	}
	if out.Stopped != nil {
		out.Stopped.ByName = names[out.Stopped.By]
	}
	if out.Draft != nil {
		out.Draft.ByName = names[out.Draft.By]
	}
	return out, nil
}

// named adds who saved a draft last.
func (a *API) named(ctx context.Context, d *adminapi.Draft) {
	if d == nil {
		return
	}
	if names, err := a.operators.names(ctx, []string{d.By}); err == nil { // without it the draft is still right
		d.ByName = names[d.By]
	}
}
