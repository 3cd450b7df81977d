package clients

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// State is where a client stands.
type State string

// The states. A client with a live version keeps it while a draft of the next one goes its way.
const (
	StateDraft     State = "draft"     // never live; its draft is being written, or was handed back
	StateRequested State = "requested" // never live; its draft waits for a second person
	StateLive      State = "live"
	StateSuspended State = "suspended"
	StateRetired   State = "retired"
)

// reindex writes what lists show of a client, in the transaction that changed it. Hidden clients are not listed.
func (r *Registry) reindex(ctx context.Context, id ID) error {
	var status, metadata, draft, kind, organisation, by string
	var version int64
	var hidden bool
	err := r.d.DB.QueryRow(ctx, `SELECT c.status, c.version, c.kind, c.organisation, c.brought_by, c.hidden,
			COALESCE(v.metadata, d.metadata, ''), COALESCE(d.state, '')
		FROM client c LEFT JOIN client_version v ON v.client = c.id AND v.version = c.version
			LEFT JOIN client_draft d ON d.client = c.id WHERE c.id = $1`, string(id)).
		Scan(&status, &version, &kind, &organisation, &by, &hidden, &metadata, &draft)
	if errors.Is(err, sql.ErrNoRows) || err == nil && (hidden || metadata == "") {
		return nil
	}
	if err != nil {
		return fmt.Errorf("index client %s: %w", id, err)
	}
	o, err := decodeObject([]byte(metadata))
	if err != nil {
		return fmt.Errorf("index client %s: %w", id, err)
	}
	m, err := readMembers(o)
	if err != nil {
		return fmt.Errorf("index client %s: %w", id, err)
	}
	if kind == "" {
		kind = string(m.kind())
	}
	state := State(status)
	if state == StateDraft && DraftState(draft) == DraftRequested {
		state = StateRequested
	}
	until, err := r.secretUntil(ctx, m, state)
	if err != nil {
		return err
	}
	_, err = r.d.DB.Exec(ctx, `INSERT INTO client_index (client, organisation, kind, state, draft, name, name_en, run_by, brought_by, version, words, changed_at,
			secret_until, jwks_uri)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
		ON CONFLICT (client) DO UPDATE SET organisation = excluded.organisation, kind = excluded.kind, state = excluded.state,
			draft = excluded.draft, name = excluded.name, name_en = excluded.name_en, run_by = excluded.run_by,
			brought_by = excluded.brought_by, version = excluded.version, words = excluded.words, changed_at = excluded.changed_at,
			secret_until = excluded.secret_until, jwks_uri = excluded.jwks_uri`,
		string(id), organisation, kind, string(state), draft, m.ClientName.JA, m.ClientName.EN, m.Operator, by, version,
		m.words(organisation), r.d.Now().Unix(), until, m.JWKSURI)
	if err != nil {
		return fmt.Errorf("index client %s: %w", id, err)
	}
	return nil
}

// words is what a search looks through.
func (m *Metadata) words(organisation string) string {
	parts := []string{string(m.ClientID), m.ClientName.JA, m.ClientName.EN, m.Operator, organisation}
	for _, s := range m.RedirectURIs {
		if a, err := parseAddress(s); err == nil {
			parts = append(parts, a.host)
		}
	}
	return plainWords(strings.Join(parts, "\n"))
}

// plainWords makes spellings alike that people take for alike: width of characters, upper and lower case.
func plainWords(s string) string { return strings.ToLower(norm.NFKC.String(s)) }

// indexAll indexes the clients that a program wrote which knew no index.
func (r *Registry) indexAll(ctx context.Context) error {
	rows, err := r.d.DB.Query(ctx, `SELECT c.id FROM client c LEFT JOIN client_index i ON i.client = c.id WHERE i.client IS NULL AND c.hidden = FALSE`)
	if err != nil {
		return fmt.Errorf("find clients to index: %w", err)
	}
	defer rows.Close()
	var ids []ID
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return fmt.Errorf("find clients to index: %w", err)
		}
		ids = append(ids, ID(id))
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("find clients to index: %w", err)
	}
	for _, id := range ids {
		if err := r.reindex(ctx, id); err != nil {
			return err
		}
	}
	return nil
}
