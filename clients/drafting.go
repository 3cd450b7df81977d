package clients

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/tsunagu-id/tsunagu/internal/audit"
)

// The audit events of drafts. The actor is the operator.
const (
	eventDrafted   audit.Kind = "client.drafted"
	eventDiscarded audit.Kind = "client.draft_discarded"
	eventRequested audit.Kind = "client.requested"
	eventRejected  audit.Kind = "client.rejected"
)

// Draft begins a client: it is known to operators, and to nobody else until its draft is approved. The error is *FieldErrors, or a
// *ChangeError with reason Conflict if the id is taken.
func (r *Registry) Draft(ctx context.Context, n NewClient) (Saved, error) {
	id, err := idOf(n.Document)
	if err != nil {
		return Saved{}, err
	}
	if n.Kind != "" && !slices.Contains(Kinds(), n.Kind) {
		return Saved{}, faultOf("kind", "is not a kind this hub knows", "leave it out, or write one of web, browser, native, machine, government")
	}
	n.Revision = 0
	draft, err := r.judge(ctx, id, n.Writing)
	if err != nil {
		return Saved{}, err
	}
	var saved Saved
	err = r.d.DB.Tx(ctx, func(ctx context.Context) error {
		if err := r.checkOrganisation(ctx, n.Organisation); err != nil {
			return err
		}
		fresh, err := r.insertDrafted(ctx, id, n)
		if err != nil {
			return err
		}
		if !fresh {
			return &ChangeError{Reason: Conflict, Detail: "the client_id " + string(id) + " is taken: write another, or leave it out and one is drawn"}
		}
		saved, err = r.saveDraft(ctx, id, draft)
		return err
	})
	return saved, err
}

// Save writes the draft of a client; it begins one if there is none and the revision is 0. Whoever names another revision than the
// draft's gets a *ChangeError with reason Conflict and the draft as it is. A draft that was requested has to be requested again. What
// says nothing new is not saved: its author has no hand in the draft.
func (r *Registry) Save(ctx context.Context, id ID, w Writing) (Saved, error) {
	draft, err := r.judge(ctx, id, w)
	if err != nil {
		return Saved{}, err
	}
	var saved Saved
	err = r.d.DB.Tx(ctx, func(ctx context.Context) (err error) {
		saved, err = r.saveDraft(ctx, id, draft)
		return err
	})
	return saved, err
}

// Discard takes a draft away. A client that was never live goes with it, and its id is free again.
func (r *Registry) Discard(ctx context.Context, id ID, revision int64, by string) error {
	return r.d.DB.Tx(ctx, func(ctx context.Context) error {
		held, _, err := r.holdDraft(ctx, id, revision)
		if err != nil {
			return err
		}
		if err := r.removeDraft(ctx, id); err != nil {
			return err
		}
		if held.status == statusDraft {
			err = r.removeDrafted(ctx, id)
		} else {
			err = r.reindex(ctx, id)
		}
		if err != nil {
			return err
		}
		return r.d.Record(ctx, audit.Event{Kind: eventDiscarded, Client: string(id), Actor: by, Facts: revisionFact(revision)})
	})
}

// Request asks for a second person's approval. A draft with faults cannot be requested: the error is then *FieldErrors.
func (r *Registry) Request(ctx context.Context, id ID, revision int64, by string) error {
	seen, err := r.seenDraft(ctx, id, revision)
	if err != nil {
		return err
	}
	m, err := r.sound(ctx, seen)
	if err != nil {
		return err
	}
	return r.d.DB.Tx(ctx, func(ctx context.Context) error {
		held, d, err := r.holdDraft(ctx, id, revision)
		if err != nil {
			return err
		}
		if d.State == DraftRequested {
			return wrongState("approval is requested already: somebody who had no hand in the draft can approve it")
		}
		faults, err := r.checkPlace(ctx, held, m)
		if err != nil {
			return err
		}
		if err := faults.orNil(); err != nil {
			return err
		}
		d.State, d.askedBy, d.Answer = DraftRequested, by, ""
		d.with(by)
		if err := r.storeDraft(ctx, id, d); err != nil {
			return err
		}
		return r.d.Record(ctx, audit.Event{Kind: eventRequested, Client: string(id), Actor: by, Facts: revisionFact(revision)})
	})
}

// Reject hands a requested draft back, with a reason for its authors.
func (r *Registry) Reject(ctx context.Context, id ID, revision int64, why Because) error {
	if err := why.check(); err != nil {
		return err
	}
	return r.d.DB.Tx(ctx, func(ctx context.Context) error {
		_, d, err := r.holdDraft(ctx, id, revision)
		if err != nil {
			return err
		}
		if d.State != DraftRequested {
			return wrongState("nobody requested approval of this draft")
		}
		d.State, d.Answer = DraftRejected, why.Reason
		if err := r.storeDraft(ctx, id, d); err != nil {
			return err
		}
		return r.d.Record(ctx, audit.Event{Kind: eventRejected, Client: string(id), Actor: why.By, Facts: revisionFact(revision)})
	})
}

// judged is a draft that was looked at, as far as that goes without the database.
type judged struct {
	m       Metadata
	writing Writing
	faults  FieldErrors
}

// judge reads a document and asks the addresses it names. Without Partial a fault is an error.
func (r *Registry) judge(ctx context.Context, id ID, w Writing) (judged, error) {
	if err := checkNote("note", w.Note, 0, maxNote); err != nil {
		return judged{}, err
	}
	o, err := decodeDocument(w.Document)
	if err != nil {
		return judged{}, err
	}
	if _, there := o.values["client_id"]; !there {
		name, err := json.Marshal(id)
		if err != nil {
			return judged{}, err
		}
		o.put("client_id", name)
	}
	read, err := readMembers(o)
	if err != nil {
		return judged{}, err
	}
	out := judged{m: read.withDefaults(), writing: w}
	if err := out.m.check(); err != nil {
		faults, ok := asFaults(err)
		if !ok {
			return judged{}, err
		}
		out.faults = *faults
	}
	if out.m.ClientID != id {
		out.faults.add("client_id", "is not the client's", "leave it out, or write "+string(id))
	}
	if len(out.faults.List) == 0 {
		err := r.checkRemote(ctx, out.m)
		if faults, ok := asFaults(err); ok {
			out.faults = *faults
		} else if err != nil {
			return judged{}, err
		}
	}
	if len(out.faults.List) > 0 {
		if !w.Partial || out.m.ClientID != id {
			return judged{}, out.faults.orNil()
		}
		out.m = read // as it was written: defaults follow from what is not there yet
	}
	return out, nil
}

// sound judges a stored draft as what would go live.
func (r *Registry) sound(ctx context.Context, d Draft) (Metadata, error) {
	m, err := ParseMetadata(d.Metadata)
	if err != nil {
		return Metadata{}, err
	}
	return m, r.checkRemote(ctx, m)
}

// saveDraft stores a draft, in the transaction in ctx.
func (r *Registry) saveDraft(ctx context.Context, id ID, j judged) (Saved, error) {
	held, err := r.hold(ctx, id)
	if err != nil {
		return Saved{}, err
	}
	before, err := r.findDraft(ctx, id)
	if err != nil {
		return Saved{}, err
	}
	if at := revisionOf(before); at != j.writing.Revision {
		return Saved{}, changed(before)
	}
	if len(j.faults.List) == 0 {
		if j.faults, err = r.checkPlace(ctx, held, j.m); err != nil {
			return Saved{}, err
		}
		if err := j.faults.orNil(); err != nil && !j.writing.Partial {
			return Saved{}, err
		}
	}
	document, err := json.Marshal(j.m)
	if err != nil {
		return Saved{}, fmt.Errorf("encode client %s: %w", id, err)
	}
	d := Draft{BaseVersion: held.version, State: DraftOpen, Metadata: document, Note: j.writing.Note, By: j.writing.By, At: r.d.Now()}
	if before != nil {
		if string(before.Metadata) == string(document) && before.Note == d.Note && before.BaseVersion == held.version {
			return Saved{ID: id, Draft: *before, Faults: j.faults.List}, nil
		}
		d.Authors, d.Answer = before.Authors, before.Answer
	}
	d.with(d.By)
	if d.Revision, err = r.nextRevision(ctx, id); err != nil {
		return Saved{}, err
	}
	if err := r.storeDraft(ctx, id, d); err != nil {
		return Saved{}, err
	}
	err = r.d.Record(ctx, audit.Event{Kind: eventDrafted, Client: string(id), Actor: d.By, Facts: revisionFact(d.Revision)})
	return Saved{ID: id, Draft: d, Faults: j.faults.List}, err
}

// checkPlace looks for what only the database knows: whether the sector stays, whether nobody else serves the same, and
// whether the logo was uploaded.
func (r *Registry) checkPlace(ctx context.Context, held heldClient, m Metadata) (out FieldErrors, _ error) {
	var moved error
	if held.version > 0 && held.sector != m.sector() {
		moved = sectorChanged(held.sector, m.sector())
	}
	for _, err := range []error{moved, r.checkServed(ctx, m), r.checkLogo(ctx, m)} {
		faults, ok := asFaults(err)
		if err != nil && !ok {
			return out, err
		}
		if ok {
			out.List = append(out.List, faults.List...)
		}
	}
	return out, nil
}

// changed is the conflict of whoever saw another draft than there is.
func changed(now *Draft) error {
	if now == nil {
		return &ChangeError{Reason: Conflict, Detail: "there is no such draft any more: it was approved or discarded meanwhile; look at the client again"}
	}
	return &ChangeError{Reason: Conflict, Detail: "somebody changed the draft meanwhile: compare yours with it, and name its revision when you save", Current: now}
}

func revisionOf(d *Draft) int64 {
	if d == nil {
		return 0
	}
	return d.Revision
}

// idOf returns the client_id of a document, or one that is drawn.
func idOf(document []byte) (ID, error) {
	o, err := decodeDocument(document)
	if err != nil {
		return "", err
	}
	raw := o.values["client_id"]
	if raw == nil {
		return ID("c-" + strings.ToLower(rand.Text()[:16])), nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", faultOf("client_id", "is not a string", "write a string, or leave it out")
	}
	id, err := ParseID(text)
	if err != nil {
		return "", faultOf("client_id", "is not a client id", err.Error())
	}
	if strings.Contains(text, "~") {
		return "", faultOf("client_id", `contains "~", which names of the hub's own have`, "write another, or leave it out")
	}
	return id, nil
}
