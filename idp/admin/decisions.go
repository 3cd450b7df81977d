package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/clients/adminapi"
)

// Gate looks at a draft before it goes live: report is the id of the pre-flight that it would go live by, obstacle what is in the way, in a
// sentence for the approver; both may be empty. An exception in writing passes every gate.
type Gate func(ctx context.Context, id clients.ID, d clients.Draft) (report, obstacle string, err error)

func (a *API) decisionRoutes() {
	decide(a, "requestApproval", "request", "Ask for a second person's approval", adminapi.Editor, mayConflict, a.request)
	decide(a, "approve", "approve", "Make the draft live", adminapi.Approver, append(slices.Clone(mayConflict), adminapi.SamePerson, adminapi.NotReady), a.approve)
	decide(a, "reject", "reject", "Hand the draft back", adminapi.Approver, mayConflict, a.reject)
	decide(a, "goBack", "go-back", "Make an earlier version live again, at once", adminapi.Approver, mayConflict, a.goBack)
	decide(a, "suspend", "suspend", "Refuse the service until it is resumed", adminapi.Security, mayConflict, notOwn(because(a.d.Clients.Suspend)))
	decide(a, "resume", "resume", "End a suspension", adminapi.Security, mayConflict, because(a.d.Clients.Resume))
	decide(a, "retire", "retire", "End the service for good", adminapi.Security, mayConflict, notOwn(a.retire))
}

// decisionInput is about a service.
type decisionInput[Body any] struct {
	ID   string `path:"id" maxLength:"200"`
	Body Body
}

// decide registers POST /api/clients/{id}/word: an act on a service, which answers the service as it is then.
func decide[Body any](a *API, id, word, summary string, role adminapi.Role, may []adminapi.Reason, act func(context.Context, caller, clients.Detail, Body) error) {
	register(a, operation{
		id: id, method: http.MethodPost, path: "/api/clients/{id}/" + word, tag: "decisions", summary: summary, role: role, may: may,
	}, func(ctx context.Context, c caller, in decisionInput[Body]) (adminapi.ClientDetail, error) {
		d, err := a.client(ctx, c, in.ID)
		if err != nil {
			return adminapi.ClientDetail{}, err
		}
		if err := act(ctx, c, d, in.Body); err != nil {
			return adminapi.ClientDetail{}, err
		}
		return a.detail(ctx, d.ID)
	})
}

func because(act func(context.Context, clients.ID, clients.Because) error) func(context.Context, caller, clients.Detail, adminapi.Because) error {
	return func(ctx context.Context, c caller, d clients.Detail, b adminapi.Because) error {
		return act(ctx, d.ID, clients.Because{By: c.id, Reason: b.Reason})
	}
}

// notOwn refuses an act that would take away the program that the caller does it with: she could not undo it.
func notOwn[Body any](act func(context.Context, caller, clients.Detail, Body) error) func(context.Context, caller, clients.Detail, Body) error {
	return func(ctx context.Context, c caller, d clients.Detail, b Body) error {
		if d.ID == c.client {
			return refuse(adminapi.WrongState, "You are working through this program, and would shut yourself out. Do it with another one.")
		}
		return act(ctx, c, d, b)
	}
}

func (a *API) request(ctx context.Context, c caller, d clients.Detail, at adminapi.At) error {
	return a.d.Clients.Request(ctx, d.ID, at.Revision, c.id)
}

// approve lets a draft through the gates, or by an exception, and makes it live. The gates look at the revision that is approved: if it is no
// more, the registry refuses it whatever they said.
func (a *API) approve(ctx context.Context, c caller, d clients.Detail, in adminapi.Approve) error {
	approval := clients.Approval{Revision: in.Revision, By: c.id, Exception: strings.TrimSpace(in.Exception)}
	if d.Draft != nil && d.Draft.Revision == in.Revision {
		if err := ownHub(c, d.Draft.Metadata, d.Live); err != nil {
			return err
		}
		var obstacles []string
		for _, gate := range a.d.Gates {
			report, obstacle, err := gate(ctx, d.ID, *d.Draft)
			if err != nil {
				return fmt.Errorf("gate: %w", err)
			}
			if report != "" {
				approval.Preflight = report
			}
			if obstacle != "" {
				obstacles = append(obstacles, obstacle)
			}
		}
		if len(obstacles) > 0 && approval.Exception == "" {
			switch { // what no exception helps against is said first
			case d.Draft.State != clients.DraftRequested:
				return refuse(adminapi.WrongState, "Nobody asked for approval of this draft. Its author has to, once it passes the pre-flight.")
			case slices.Contains(d.Draft.Authors, c.id):
				return refuse(adminapi.SamePerson, "You had a hand in this draft. Somebody else has to approve it.")
			}
			return refuse(adminapi.NotReady, strings.Join(obstacles, " ")+" Mend it, or write an exception that says why it may go live all the same.")
		}
	}
	return a.d.Clients.Approve(ctx, d.ID, approval)
}

// hubsWords are the members by which the hub's own operators vouch for a service, or give it a place among the others.
var hubsWords = []string{"verified", "serves", "agency", "session_class"}

// ownHub: what makes a program the hub's own, and lets it act as its operators, is not for people of one organisation to make live; nor is a
// change of what the hub says of a service.
func ownHub(c caller, metadata json.RawMessage, live *clients.Version) error {
	if c.organisation == "" {
		return nil
	}
	var m struct {
		FirstParty bool   `json:"first_party"`
		Scope      string `json:"scope"`
	}
	next, now := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	err := errors.Join(json.Unmarshal(metadata, &m), json.Unmarshal(metadata, &next))
	if live != nil {
		err = errors.Join(err, json.Unmarshal(live.Metadata, &now))
	}
	if err != nil {
		return fmt.Errorf("read metadata: %w", err)
	}
	if m.FirstParty || slices.Contains(strings.Fields(m.Scope), clients.ScopeAdmin) {
		return refuse(adminapi.NotYours, "This version has first_party, or scope admin: an operator of the whole hub has to make it live.")
	}
	for _, name := range hubsWords {
		if !bytes.Equal(next[name], now[name]) {
			return refuse(adminapi.NotYours, "This version changes "+name+", which the hub says of a service: an operator of the whole hub has to make it live.")
		}
	}
	return nil
}

func (a *API) reject(ctx context.Context, c caller, d clients.Detail, in adminapi.Reject) error {
	return a.d.Clients.Reject(ctx, d.ID, in.Revision, clients.Because{By: c.id, Reason: in.Reason})
}

func (a *API) goBack(ctx context.Context, c caller, d clients.Detail, in adminapi.GoBack) error {
	old, err := a.d.Clients.Version(ctx, d.ID, in.Version)
	if err != nil {
		return err
	}
	if err := ownHub(c, old.Metadata, d.Live); err != nil {
		return err
	}
	return a.d.Clients.GoBack(ctx, d.ID, in.Version, clients.Because{By: c.id, Reason: in.Reason})
}

func (a *API) retire(ctx context.Context, c caller, d clients.Detail, in adminapi.Retire) error {
	if in.Confirm != string(d.ID) {
		return fault("confirm", "is not the client_id", "write "+string(d.ID))
	}
	return a.d.Clients.Retire(ctx, d.ID, clients.Because{By: c.id, Reason: in.Reason})
}
