package clients

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/audit"
)

// The audit events of this file. The actor is the operator.
const (
	eventSuspended audit.Kind = "client.suspended"
	eventResumed   audit.Kind = "client.resumed"
	eventRetired   audit.Kind = "client.retired"
)

// Stop says who suspended or retired a client, and why.
type Stop struct {
	By, Reason string
	At         time.Time
}

// Suspend makes a live client known but refused, in every process after at most one second.
func (r *Registry) Suspend(ctx context.Context, id ID, why Because) error {
	return r.move(ctx, id, why, statusLive, statusSuspended, eventSuspended)
}

// Resume ends a suspension.
func (r *Registry) Resume(ctx context.Context, id ID, why Because) error {
	return r.move(ctx, id, why, statusSuspended, statusLive, eventResumed)
}

// Retire ends a client for good: it is known no more, its secrets and its draft are gone, and its id is never used again. What was
// registered of it stays.
func (r *Registry) Retire(ctx context.Context, id ID, why Because) error {
	return r.move(ctx, id, why, "", statusRetired, eventRetired)
}

// move changes the status of a client that was live once, from one status, or from any.
func (r *Registry) move(ctx context.Context, id ID, why Because, from, to string, kind audit.Kind) error {
	if err := why.check(); err != nil {
		return err
	}
	return r.change(ctx, func(ctx context.Context) error {
		held, err := r.hold(ctx, id)
		if err != nil {
			return err
		}
		switch {
		case held.status == statusDraft:
			return wrongState("the client was never live: discard its draft")
		case from != "" && held.status != from:
			return wrongState("the client is " + held.status)
		}
		if to == statusRetired {
			if err := r.removeDraft(ctx, id); err != nil {
				return err
			}
			if err := r.endSecrets(ctx, id, r.d.Now()); err != nil {
				return err
			}
			if err := r.forgetRegistration(ctx, id); err != nil {
				return err
			}
		}
		if err := r.storeStop(ctx, id, to, why); err != nil {
			return err
		}
		return r.d.Record(ctx, audit.Event{Kind: kind, Client: string(id), Actor: why.By})
	})
}

// storeStop sets the status and notes by whom and why.
func (r *Registry) storeStop(ctx context.Context, id ID, status string, why Because) error {
	now := r.d.Now().Unix()
	if _, err := r.d.DB.Exec(ctx, `UPDATE client SET status = $2, changed_at = $3 WHERE id = $1`, string(id), status, now); err != nil {
		return fmt.Errorf("make client %s %s: %w", id, status, err)
	}
	var number int64 // the client is held
	err := r.d.DB.QueryRow(ctx, `SELECT COUNT(*) + 1 FROM client_stop WHERE client = $1`, string(id)).Scan(&number)
	if err == nil {
		_, err = r.d.DB.Exec(ctx, `INSERT INTO client_stop (client, number, status, stopped_by, reason, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
			string(id), number, status, why.By, why.Reason, now)
	}
	if err != nil {
		return fmt.Errorf("note why client %s is %s: %w", id, status, err)
	}
	return r.reindex(ctx, id)
}

// lastStop returns the newest, or nil.
func (r *Registry) lastStop(ctx context.Context, id ID) (*Stop, error) {
	var s Stop
	var at int64
	err := r.d.DB.QueryRow(ctx, `SELECT stopped_by, reason, created_at FROM client_stop WHERE client = $1 ORDER BY number DESC LIMIT 1`, string(id)).
		Scan(&s.By, &s.Reason, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // absence is no error here
	}
	if err != nil {
		return nil, fmt.Errorf("read why client %s is stopped: %w", id, err)
	}
	s.At = time.Unix(at, 0).UTC()
	return &s, nil
}
