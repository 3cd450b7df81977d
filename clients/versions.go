package clients

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Version is a registration that was live, or is. It never changes.
type Version struct {
	Version    int64
	Metadata   json.RawMessage // as Metadata is written; nil in lists
	Note       string
	By         string // operator who requested it, seed, or policy:NAME
	ApprovedBy string // empty for what went live without an operator's draft
	Exception  string // why it went live without a good pre-flight
	Preflight  string // id of the report it went live by
	Of         int64  // the version that it brought back, or 0
	At         time.Time
}

const selectVersion = `SELECT version, metadata, asked_by, note, approved_by, exception, preflight, of_version, created_at FROM client_version`

func (v *Version) scan(scan func(...any) error) error {
	var metadata string
	var at int64
	err := scan(&v.Version, &metadata, &v.By, &v.Note, &v.ApprovedBy, &v.Exception, &v.Preflight, &v.Of, &at)
	v.Metadata, v.At = json.RawMessage(metadata), time.Unix(at, 0).UTC()
	return err
}

// Version returns one version of a client.
func (r *Registry) Version(ctx context.Context, id ID, version int64) (Version, error) {
	var v Version
	err := v.scan(r.d.DB.QueryRow(ctx, selectVersion+` WHERE client = $1 AND version = $2`, string(id), version).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return Version{}, notFound("the client has no such version")
	}
	if err != nil {
		return Version{}, fmt.Errorf("read version %d of client %s: %w", version, id, err)
	}
	return v, nil
}

// maxPage is the most that one page of a list holds.
const maxPage = 100

// Versions returns versions without their metadata, newest first: those before a number, or the newest for 0; at most 100, or as many as
// asked for. The second result is the before of the page that follows, or 0.
func (r *Registry) Versions(ctx context.Context, id ID, before int64, limit int) ([]Version, int64, error) {
	known, err := r.known(ctx, id)
	if err != nil {
		return nil, 0, err
	}
	if !known {
		return nil, 0, notFound("there is no such client")
	}
	if limit <= 0 || limit > maxPage {
		limit = maxPage
	}
	rows, err := r.d.DB.Query(ctx, selectVersion+` WHERE client = $1 AND ($2 = 0 OR version < $2) ORDER BY version DESC LIMIT $3`, string(id), before, limit+1)
	if err != nil {
		return nil, 0, fmt.Errorf("list versions of client %s: %w", id, err)
	}
	defer rows.Close()
	var out []Version
	for rows.Next() {
		var v Version
		if err := v.scan(rows.Scan); err != nil {
			return nil, 0, fmt.Errorf("list versions of client %s: %w", id, err)
		}
		v.Metadata = nil
		out = append(out, v)
	}
	if err := rows.Err(); err != nil {
		return nil, 0, fmt.Errorf("list versions of client %s: %w", id, err)
	}
	if len(out) > limit {
		return out[:limit], out[limit-1].Version, nil
	}
	return out, 0, nil
}

// Change is one member of the metadata that differs. A value that is absent is null.
type Change struct {
	Member   string
	From, To json.RawMessage
}

// The names that Diff takes beside numbers of versions.
const (
	DiffDraft = "draft"
	DiffLive  = "live"
)

// Diff compares two versions of a client: each a number, "draft" or "live". The changes stand in the order in which metadata is written.
// A client that was never live differs in everything from its draft.
func (r *Registry) Diff(ctx context.Context, id ID, from, to string) ([]Change, error) {
	a, err := r.side(ctx, id, from)
	if err != nil {
		return nil, err
	}
	b, err := r.side(ctx, id, to)
	if err != nil {
		return nil, err
	}
	return diff(a, b)
}

// side returns the metadata that a name stands for.
func (r *Registry) side(ctx context.Context, id ID, name string) (json.RawMessage, error) {
	switch name {
	case DiffDraft:
		d, err := r.findDraft(ctx, id)
		if err != nil {
			return nil, err
		}
		if d == nil {
			return nil, notFound("the client has no draft")
		}
		return d.Metadata, nil
	case DiffLive:
		row, err := r.findClient(ctx, id)
		if errors.Is(err, ErrUnknown) {
			known, err := r.known(ctx, id)
			if err == nil && !known {
				err = notFound("there is no such client")
			}
			return json.RawMessage(`{}`), err
		}
		return json.RawMessage(row.metadata), err
	}
	version, err := strconv.ParseInt(name, 10, 64)
	if err != nil {
		return nil, notFound(`a version is named by its number, or "draft", or "live"`)
	}
	v, err := r.Version(ctx, id, version)
	return v.Metadata, err
}

func diff(a, b json.RawMessage) ([]Change, error) {
	from, err := decodeObject(a)
	if err != nil {
		return nil, fmt.Errorf("compare metadata: %w", err)
	}
	to, err := decodeObject(b)
	if err != nil {
		return nil, fmt.Errorf("compare metadata: %w", err)
	}
	out := []Change{}
	for _, f := range fields() {
		x, y := from.values[f.name], to.values[f.name]
		if !bytes.Equal(x, y) {
			out = append(out, Change{Member: f.name, From: orNull(x), To: orNull(y)})
		}
	}
	return out, nil
}

func orNull(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return json.RawMessage("null")
	}
	return raw
}
