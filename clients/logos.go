package clients

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// SetLogo puts a picture (PNG or JPEG) into the draft of a client, and begins one if there is none and the revision is 0. The rest of the
// draft stays as it is.
func (r *Registry) SetLogo(ctx context.Context, id ID, revision int64, picture []byte, by string) (Saved, error) {
	logo, err := readLogo(picture)
	if err != nil {
		return Saved{}, err
	}
	return r.saveLogo(ctx, id, revision, logo, by)
}

// DropLogo takes the logo out of the draft of a client, as SetLogo puts one in.
func (r *Registry) DropLogo(ctx context.Context, id ID, revision int64, by string) (Saved, error) {
	return r.saveLogo(ctx, id, revision, nil, by)
}

func (r *Registry) saveLogo(ctx context.Context, id ID, revision int64, logo []byte, by string) (Saved, error) {
	now, err := r.Detail(ctx, id)
	if err != nil {
		return Saved{}, err
	}
	if revisionOf(now.Draft) != revision {
		return Saved{}, changed(now.Draft)
	}
	var before json.RawMessage
	note := ""
	switch {
	case now.Draft != nil:
		before, note = now.Draft.Metadata, now.Draft.Note
	case now.Live != nil:
		before = now.Live.Metadata
	}
	o, err := decodeObject(before)
	if err != nil {
		return Saved{}, fmt.Errorf("read client %s: %w", id, err)
	}
	o.take("logo")
	if logo != nil {
		o.put("logo", json.RawMessage(`"`+logoName(logo)+`"`))
	}
	document, err := json.Marshal(o.values)
	if err != nil {
		return Saved{}, err
	}
	// Faults that the draft has otherwise are not this picture's.
	j, err := r.judge(ctx, id, Writing{Revision: revision, Document: document, Note: note, By: by, Partial: true})
	if err != nil {
		return Saved{}, err
	}
	var saved Saved
	err = r.d.DB.Tx(ctx, func(ctx context.Context) (err error) {
		if logo != nil {
			if err := r.insertLogo(ctx, logo); err != nil {
				return err
			}
		}
		if saved, err = r.saveDraft(ctx, id, j); err != nil {
			return err
		}
		if saved.Draft.BaseVersion != now.Listing.Version {
			return changed(nil) // another version went live since it was read
		}
		return nil
	})
	return saved, err
}

func (r *Registry) insertLogo(ctx context.Context, logo []byte) error {
	_, err := r.d.DB.Exec(ctx, `INSERT INTO client_logo (sha256, png, created_at) VALUES ($1, $2, $3) ON CONFLICT (sha256) DO NOTHING`,
		logoName(logo), logo, r.d.Now().Unix())
	if err != nil {
		return fmt.Errorf("store logo: %w", err)
	}
	return nil
}

// Logo returns the PNG of a name (64 hexadecimal digits); ErrUnknown: there is none. What a name stands for never changes.
func (r *Registry) Logo(ctx context.Context, name string) ([]byte, error) {
	if !isLogoName(name) {
		return nil, ErrUnknown
	}
	var b []byte
	err := r.d.DB.QueryRow(ctx, `SELECT png FROM client_logo WHERE sha256 = $1`, name).Scan(&b)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrUnknown
	}
	if err != nil {
		return nil, fmt.Errorf("read logo: %w", err)
	}
	return b, nil
}

// checkLogo wants a logo that was uploaded here.
func (r *Registry) checkLogo(ctx context.Context, m Metadata) error {
	if m.Logo == "" {
		return nil
	}
	_, err := r.Logo(ctx, m.Logo)
	if errors.Is(err, ErrUnknown) {
		return faultOf("logo", "is no logo that was uploaded here", "leave it out, and upload the picture")
	}
	return err
}

func checkLogoName(m *Metadata, faults *FieldErrors) {
	if m.Logo != "" && !isLogoName(m.Logo) {
		faults.add("logo", "is not 64 lower-case hexadecimal digits", "leave it out, and upload the picture: the hub names it")
	}
}

// Logo returns the path of the service's logo at the citizens' address; empty if it has none.
func (c *Client) Logo() string { return LogoPath(c.m.Logo) }

// LogoName returns the name of a logo out of a path under /logos/; empty if it is none.
func LogoName(path string) string {
	name, ok := strings.CutSuffix(path, ".png")
	if !ok || !isLogoName(name) {
		return ""
	}
	return name
}
