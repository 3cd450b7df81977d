package clients

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// heldClient is a client row that nobody else changes until the transaction ends.
type heldClient struct {
	id             ID
	status, sector string
	version        int64
}

// hold locks a client, or answers that there is none. A retired one is not changed any more.
func (r *Registry) hold(ctx context.Context, id ID) (heldClient, error) {
	h := heldClient{id: id}
	err := r.d.DB.QueryRow(ctx, `UPDATE client SET changed_at = $2 WHERE id = $1 AND status <> $3 RETURNING status, sector, version`,
		string(id), r.d.Now().Unix(), statusRetired).Scan(&h.status, &h.sector, &h.version)
	if errors.Is(err, sql.ErrNoRows) {
		switch known, err := r.known(ctx, id); {
		case err != nil:
			return heldClient{}, err
		case known:
			return heldClient{}, wrongState("the client is retired: register a new one")
		}
		return heldClient{}, notFound("there is no such client")
	}
	if err != nil {
		return heldClient{}, fmt.Errorf("hold client %s: %w", id, err)
	}
	return h, nil
}

func (r *Registry) known(ctx context.Context, id ID) (bool, error) {
	var n int64
	if err := r.d.DB.QueryRow(ctx, `SELECT COUNT(*) FROM client WHERE id = $1`, string(id)).Scan(&n); err != nil {
		return false, fmt.Errorf("find client %s: %w", id, err)
	}
	return n > 0, nil
}

// holdDraft locks a client and returns its draft, which has to have the revision that the caller saw.
func (r *Registry) holdDraft(ctx context.Context, id ID, revision int64) (heldClient, Draft, error) {
	held, err := r.hold(ctx, id)
	if err != nil {
		return heldClient{}, Draft{}, err
	}
	d, err := r.seenDraft(ctx, id, revision)
	return held, d, err
}

// seenDraft returns the draft if it still has the revision that the caller saw.
func (r *Registry) seenDraft(ctx context.Context, id ID, revision int64) (Draft, error) {
	d, err := r.findDraft(ctx, id)
	if err != nil {
		return Draft{}, err
	}
	if d == nil {
		known, err := r.known(ctx, id)
		if err != nil {
			return Draft{}, err
		}
		if !known {
			return Draft{}, notFound("there is no such client")
		}
		return Draft{}, changed(nil)
	}
	if d.Revision != revision {
		return Draft{}, changed(d)
	}
	return *d, nil
}

// findDraft returns nil if there is none.
func (r *Registry) findDraft(ctx context.Context, id ID) (*Draft, error) {
	var d Draft
	var metadata, authors string
	var at int64
	err := r.d.DB.QueryRow(ctx, `SELECT revision, base_version, state, metadata, note, saved_by, authors, asked_by, answer, saved_at
		FROM client_draft WHERE client = $1`, string(id)).
		Scan(&d.Revision, &d.BaseVersion, &d.State, &metadata, &d.Note, &d.By, &authors, &d.askedBy, &d.Answer, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // absence is no error here
	}
	if err == nil {
		err = json.Unmarshal([]byte(authors), &d.Authors)
	}
	if err != nil {
		return nil, fmt.Errorf("read draft of client %s: %w", id, err)
	}
	d.Metadata, d.At = json.RawMessage(metadata), time.Unix(at, 0).UTC()
	return &d, nil
}

func (r *Registry) storeDraft(ctx context.Context, id ID, d Draft) error {
	authors, err := json.Marshal(d.Authors)
	if err != nil {
		return err
	}
	_, err = r.d.DB.Exec(ctx, `INSERT INTO client_draft (client, revision, base_version, state, metadata, note, saved_by, authors, asked_by, answer, saved_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (client) DO UPDATE SET revision = excluded.revision, base_version = excluded.base_version, state = excluded.state,
			metadata = excluded.metadata, note = excluded.note, saved_by = excluded.saved_by, authors = excluded.authors,
			asked_by = excluded.asked_by, answer = excluded.answer, saved_at = excluded.saved_at`,
		string(id), d.Revision, d.BaseVersion, string(d.State), string(d.Metadata), d.Note, d.By, string(authors), d.askedBy, d.Answer, d.At.Unix())
	if err != nil {
		return fmt.Errorf("store draft of client %s: %w", id, err)
	}
	return r.reindex(ctx, id)
}

func (r *Registry) removeDraft(ctx context.Context, id ID) error {
	if _, err := r.d.DB.Exec(ctx, `DELETE FROM client_draft WHERE client = $1`, string(id)); err != nil {
		return fmt.Errorf("remove draft of client %s: %w", id, err)
	}
	return nil
}

// nextRevision counts on, over all drafts that a client ever had.
func (r *Registry) nextRevision(ctx context.Context, id ID) (revision int64, err error) {
	err = r.d.DB.QueryRow(ctx, `INSERT INTO client_revision (client, revision) VALUES ($1, 1)
		ON CONFLICT (client) DO UPDATE SET revision = client_revision.revision + 1 RETURNING revision`, string(id)).Scan(&revision)
	if err != nil {
		return 0, fmt.Errorf("count revisions of client %s: %w", id, err)
	}
	return revision, nil
}

// insertDrafted adds a client without a version, and reports whether the id was free.
func (r *Registry) insertDrafted(ctx context.Context, id ID, n NewClient) (bool, error) {
	rows, err := r.d.DB.Exec(ctx, `INSERT INTO client (id, version, status, sector, seed_sha256, created_at, changed_at, organisation, kind, brought_by)
		VALUES ($1, 0, $2, '', $3, $4, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING`,
		string(id), statusDraft, []byte{}, r.d.Now().Unix(), n.Organisation, string(n.Kind), n.By)
	if err != nil {
		return false, fmt.Errorf("add client %s: %w", id, err)
	}
	return rows == 1, nil
}

// removeDrafted takes a client away that was never live.
func (r *Registry) removeDrafted(ctx context.Context, id ID) error {
	if err := r.pruneSecrets(ctx, id, time.Time{}); err != nil {
		return err
	}
	for _, statement := range []string{
		`DELETE FROM client_index WHERE client = $1`,
		`DELETE FROM client WHERE id = $1 AND version = 0`,
	} {
		if _, err := r.d.DB.Exec(ctx, statement, string(id)); err != nil {
			return fmt.Errorf("remove client %s: %w", id, err)
		}
	}
	return nil
}
