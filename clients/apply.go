package clients

import (
	"context"
	"encoding/json"
	"fmt"
)

// Outcome says what Apply did.
type Outcome string

// The outcomes.
const (
	Unchanged Outcome = "unchanged" // it is live as the document says
	Drafted   Outcome = "drafted"   // a draft says it, and waits to be requested
	Requested Outcome = "requested" // a draft says it, and waits for a second person
)

// Application is what a client is to be.
type Application struct {
	Organisation string // empty: whatever it is
	Document     []byte
	Note         string
	By           string
	Request      bool // request approval at once
}

// Apply makes a client be what a document says. Nothing is written if it is so already, live or as a draft; so it may be repeated. A draft
// that somebody else saved and that says something else is a Conflict.
func (r *Registry) Apply(ctx context.Context, id ID, a Application) (Outcome, error) {
	if _, err := ParseID(string(id)); err != nil {
		return "", faultOf("client_id", "is not a client id", err.Error())
	}
	w := Writing{Document: a.Document, Note: a.Note, By: a.By}
	j, err := r.judge(ctx, id, w)
	if err != nil {
		return "", err
	}
	document, err := json.Marshal(j.m)
	if err != nil {
		return "", fmt.Errorf("encode client %s: %w", id, err)
	}
	now, err := r.Detail(ctx, id)
	if isNotFound(err) {
		return r.applyNew(ctx, id, a, document)
	}
	if err != nil {
		return "", err
	}
	if a.Organisation != "" && a.Organisation != now.Organisation {
		return "", faultOf("organisation", "is not the one that the client belongs to", "leave it out")
	}
	if now.Live != nil && string(now.Live.Metadata) == string(document) {
		return Unchanged, nil
	}
	d := now.Draft
	if d == nil || string(d.Metadata) != string(document) {
		if d != nil && d.By != a.By {
			return "", changed(d)
		}
		w.Revision, w.Document = revisionOf(d), document
		saved, err := r.Save(ctx, id, w)
		if err != nil {
			return "", err
		}
		d = &saved.Draft
	}
	return r.applied(ctx, id, *d, a)
}

func (r *Registry) applyNew(ctx context.Context, id ID, a Application, document []byte) (Outcome, error) {
	saved, err := r.Draft(ctx, NewClient{Organisation: a.Organisation, Writing: Writing{Document: document, Note: a.Note, By: a.By}})
	if err != nil {
		return "", err
	}
	return r.applied(ctx, id, saved.Draft, a)
}

// applied requests approval of what was drafted, if that is wanted and was not done.
func (r *Registry) applied(ctx context.Context, id ID, d Draft, a Application) (Outcome, error) {
	if d.State == DraftRequested {
		return Requested, nil
	}
	if !a.Request {
		return Drafted, nil
	}
	return Requested, r.Request(ctx, id, d.Revision, a.By)
}
