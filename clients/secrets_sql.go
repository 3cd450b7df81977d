package clients

import (
	"context"
	"fmt"
	"time"
)

const selectSecret = `SELECT id, digest, made_by, created_at, ends_at, used_at FROM client_secret`

func (s *Secret) scan(scan func(...any) error) error {
	var created, ends, used int64
	err := scan(&s.ID, &s.digest, &s.By, &created, &ends, &used)
	s.Created, s.Ends, s.Used = time.Unix(created, 0).UTC(), timeOrZero(ends), timeOrZero(used)
	return err
}

func timeOrZero(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

func unixOrZero(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// allSecrets returns a client's, newest first.
func (r *Registry) allSecrets(ctx context.Context, id ID) ([]Secret, error) {
	rows, err := r.d.DB.Query(ctx, selectSecret+` WHERE client = $1 ORDER BY created_at DESC, ends_at DESC, id LIMIT $2`, string(id), maxPage)
	if err != nil {
		return nil, fmt.Errorf("list secrets of client %s: %w", id, err)
	}
	defer rows.Close()
	var out []Secret
	for rows.Next() {
		var s Secret
		if err := s.scan(rows.Scan); err != nil {
			return nil, fmt.Errorf("list secrets of client %s: %w", id, err)
		}
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list secrets of client %s: %w", id, err)
	}
	return out, nil
}

// goodSecrets returns those that prove something now.
func (r *Registry) goodSecrets(ctx context.Context, id ID) ([]Secret, error) {
	list, err := r.allSecrets(ctx, id)
	if err != nil {
		return nil, err
	}
	now := r.d.Now()
	var out []Secret
	for _, s := range list {
		if s.good(now) {
			out = append(out, s)
		}
	}
	return out, nil
}

func (r *Registry) insertSecret(ctx context.Context, id ID, s Secret) error {
	_, err := r.d.DB.Exec(ctx, `INSERT INTO client_secret (id, client, digest, made_by, created_at, ends_at, used_at, reminded)
		VALUES ($1, $2, $3, $4, $5, $6, 0, 0)`, s.ID, string(id), s.digest, s.By, s.Created.Unix(), unixOrZero(s.Ends))
	if err != nil {
		return fmt.Errorf("store a secret of client %s: %w", id, err)
	}
	return nil
}

// endSecrets makes all that would be good longer end at a time.
func (r *Registry) endSecrets(ctx context.Context, id ID, at time.Time) error {
	if _, err := r.d.DB.Exec(ctx, `UPDATE client_secret SET ends_at = $2 WHERE client = $1 AND (ends_at = 0 OR ends_at > $2)`, string(id), at.Unix()); err != nil {
		return fmt.Errorf("end secrets of client %s: %w", id, err)
	}
	return nil
}

// endSecret ends one that is good, and returns how many there were.
func (r *Registry) endSecret(ctx context.Context, id ID, secret string) (int64, error) {
	n, err := r.d.DB.Exec(ctx, `UPDATE client_secret SET ends_at = $3 WHERE client = $1 AND id = $2 AND (ends_at = 0 OR ends_at > $3)`,
		string(id), secret, r.d.Now().Unix())
	if err != nil {
		return 0, fmt.Errorf("end a secret of client %s: %w", id, err)
	}
	return n, nil
}

// pruneSecrets takes away what ended before a time, or all of a client's for the zero time.
func (r *Registry) pruneSecrets(ctx context.Context, id ID, before time.Time) error {
	for _, statement := range []string{
		`DELETE FROM client_reminder WHERE secret IN (SELECT id FROM client_secret WHERE client = $1 AND ($2 = 0 OR ends_at > 0 AND ends_at < $2))`,
		`DELETE FROM client_secret WHERE client = $1 AND ($2 = 0 OR ends_at > 0 AND ends_at < $2)`,
	} {
		if _, err := r.d.DB.Exec(ctx, statement, string(id), unixOrZero(before)); err != nil {
			return fmt.Errorf("remove old secrets of client %s: %w", id, err)
		}
	}
	return nil
}

func (r *Registry) storeUse(ctx context.Context, secret string, hour int64) error {
	if _, err := r.d.DB.Exec(ctx, `UPDATE client_secret SET used_at = $2 WHERE id = $1 AND used_at < $2`, secret, hour); err != nil {
		return fmt.Errorf("note the use of a secret: %w", err)
	}
	return nil
}
