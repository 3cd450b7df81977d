package clients

import (
	"context"
	"slices"

	"github.com/tsunagu-id/tsunagu/internal/audit"
)

// The audit events of versions that operators make live. The actor is who decided.
const (
	eventApproved audit.Kind = "client.approved"
	eventWentBack audit.Kind = "client.went_back"
)

// Approval makes a draft live.
type Approval struct {
	Revision  int64
	By        string // somebody who had no hand in the draft
	Exception string // why it goes live without a good pre-flight; empty, or 10 to 1000 characters
	Preflight string // id of the report that it goes live by; may be empty
}

// Approve makes a requested draft the live version. Whoever had a hand in the draft is refused with SamePerson, and whoever saw another
// revision, or was not the first to decide, with Conflict; so is a draft that was written on another version than is live. All of that
// is decided in the transaction that makes it live. Faults that have come up since are *FieldErrors.
func (r *Registry) Approve(ctx context.Context, id ID, a Approval) error {
	if a.Exception != "" {
		if err := checkNote("exception", a.Exception, minException, maxException); err != nil {
			return err
		}
	}
	seen, err := r.seenDraft(ctx, id, a.Revision)
	if err != nil {
		return err
	}
	m, err := r.sound(ctx, seen) // a revision never changes, so what is sound here is what is stored below
	if err != nil {
		return err
	}
	return r.change(ctx, func(ctx context.Context) error {
		held, d, err := r.holdDraft(ctx, id, a.Revision)
		if err != nil {
			return err
		}
		switch {
		case d.State != DraftRequested:
			return wrongState("nobody requested approval of this draft")
		case slices.Contains(d.Authors, a.By):
			return &ChangeError{Reason: SamePerson, Detail: "you had a hand in this draft: somebody else has to approve it"}
		case d.BaseVersion != held.version:
			return &ChangeError{Reason: Conflict, Detail: "another version went live since the draft was saved: compare the two, and save it again", Current: &d}
		}
		if err := r.removeDraft(ctx, id); err != nil {
			return err
		}
		stored, err := r.store(ctx, entry{m: m, secretLater: true, origin: origin{
			by: d.askedBy, note: d.Note, approvedBy: a.By, exception: a.Exception, preflight: a.Preflight,
		}})
		if err != nil {
			return err
		}
		if stored.version == held.version { // says what is live already
			if err := r.reindex(ctx, id); err != nil {
				return err
			}
		}
		facts := versionFact(stored.version)
		facts["revision"] = revisionFact(a.Revision)["revision"]
		if a.Exception != "" {
			facts["exception"] = "written"
		}
		return r.d.Record(ctx, audit.Event{Kind: eventApproved, Client: string(id), Actor: a.By, Facts: facts})
	})
}

// GoBack makes what an earlier version said live again, as a new version, at once: it was approved before. It asks no address of the
// service's, because it has to work when the service does not. A draft stays, and has to be saved again.
func (r *Registry) GoBack(ctx context.Context, id ID, version int64, why Because) error {
	if err := why.check(); err != nil {
		return err
	}
	return r.change(ctx, func(ctx context.Context) error {
		held, err := r.hold(ctx, id)
		if err != nil {
			return err
		}
		if version == held.version {
			return wrongState("this version is live")
		}
		old, err := r.Version(ctx, id, version)
		if err != nil {
			return err
		}
		m, err := ParseMetadata(old.Metadata)
		if err != nil {
			return err // the rules are stricter than they were
		}
		stored, err := r.store(ctx, entry{m: m, secretLater: true, origin: origin{by: why.By, note: why.Reason, of: version}})
		if err != nil {
			return err
		}
		facts := versionFact(stored.version)
		facts["of"] = versionFact(version)["version"]
		return r.d.Record(ctx, audit.Event{Kind: eventWentBack, Client: string(id), Actor: why.By, Facts: facts})
	})
}
