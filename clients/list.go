package clients

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Listing is a client as operators' lists show it.
type Listing struct {
	ID           ID
	Name         Text
	Kind         Kind
	RunBy        string // who runs it, as a citizen reads it
	Organisation string // organisation.id, or empty
	State        State
	Version      int64      // of what is live; 0: nothing was yet
	Draft        DraftState // of its draft; empty: there is none
	Changed      time.Time
	By           string // who brought it here: an operator, seed, or policy:NAME
	Warnings     []Warning

	secretUntil int64
	jwksURI     string
}

// Query chooses clients. Empty fields choose all.
type Query struct {
	Text         string // part of an id, a name, who runs it, its organisation's id, or a host that it sends citizens to; at most 100 bytes
	State        State
	Kind         Kind
	Organisation string
	After        string // the Next of the page before
	Limit        int    // at most 100, which is also what 0 means
}

// Page is a page of clients, in the order of their ids.
type Page struct {
	Items []Listing
	Next  string // empty: there are no more
	Total int64  // how many there are in all that fit
}

const selectListing = `SELECT client, organisation, kind, state, draft, name, name_en, run_by, brought_by, version, changed_at, secret_until, jwks_uri FROM client_index`

func (l *Listing) scan(scan func(...any) error) error {
	var at int64
	err := scan(&l.ID, &l.Organisation, &l.Kind, &l.State, &l.Draft, &l.Name.JA, &l.Name.EN, &l.RunBy, &l.By, &l.Version, &at, &l.secretUntil, &l.jwksURI)
	l.Changed = time.Unix(at, 0).UTC()
	return err
}

// fits is the condition of a Query; parameters $1 to $5.
const fits = ` WHERE ($1 = '' OR words LIKE $1 ESCAPE '\') AND ($2 = '' OR state = $2) AND ($3 = '' OR kind = $3)
	AND ($4 = '' OR organisation = $4) AND client > $5`

// Search lists clients, drafts and retired ones too. Hidden ones are left out.
func (r *Registry) Search(ctx context.Context, q Query) (Page, error) {
	if q.Limit <= 0 || q.Limit > maxPage {
		q.Limit = maxPage
	}
	args := []any{pattern(q.Text), string(q.State), string(q.Kind), q.Organisation, ""}
	var page Page
	if err := r.d.DB.QueryRow(ctx, `SELECT COUNT(*) FROM client_index`+fits, args...).Scan(&page.Total); err != nil {
		return Page{}, fmt.Errorf("count clients: %w", err)
	}
	args[4] = q.After
	rows, err := r.d.DB.Query(ctx, selectListing+fits+` ORDER BY client LIMIT $6`, append(args, q.Limit+1)...)
	if err != nil {
		return Page{}, fmt.Errorf("search clients: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var l Listing
		if err := l.scan(rows.Scan); err != nil {
			return Page{}, fmt.Errorf("search clients: %w", err)
		}
		l.Warnings = r.warnings(l.secretUntil, l.jwksURI)
		page.Items = append(page.Items, l)
	}
	if err := rows.Err(); err != nil {
		return Page{}, fmt.Errorf("search clients: %w", err)
	}
	if len(page.Items) > q.Limit {
		page.Items = page.Items[:q.Limit]
		page.Next = string(page.Items[q.Limit-1].ID)
	}
	return page, nil
}

// maxQuery bounds what is searched for, in bytes.
const maxQuery = 100

// pattern is what LIKE takes for a part of the words; empty for an empty text.
func pattern(text string) string {
	if len(text) > maxQuery {
		text = strings.ToValidUTF8(text[:maxQuery], "")
	}
	text = strings.TrimSpace(plainWords(strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")))
	if text == "" {
		return ""
	}
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
}

// Detail is a client with all that belongs to it.
type Detail struct {
	Listing
	Live     *Version // what is in force, or was when it was suspended or retired
	Draft    *Draft
	Secrets  []Secret
	Stopped  *Stop // why it is suspended or retired
	Previous int64 // the version that was live before; 0: none
}

// Detail returns a client, whatever its state.
func (r *Registry) Detail(ctx context.Context, id ID) (Detail, error) {
	var d Detail
	err := d.scan(r.d.DB.QueryRow(ctx, selectListing+` WHERE client = $1`, string(id)).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return Detail{}, notFound("there is no such client")
	}
	if err != nil {
		return Detail{}, fmt.Errorf("read client %s: %w", id, err)
	}
	d.Warnings = r.warnings(d.secretUntil, d.jwksURI)
	if d.Listing.Version > 0 {
		live, err := r.Version(ctx, id, d.Listing.Version)
		if err != nil {
			return Detail{}, err
		}
		d.Live, d.Previous = &live, live.Version-1
	}
	if d.Draft, err = r.findDraft(ctx, id); err != nil {
		return Detail{}, err
	}
	if d.Secrets, err = r.Secrets(ctx, id); err != nil {
		return Detail{}, err
	}
	if d.State == StateSuspended || d.State == StateRetired {
		if d.Stopped, err = r.lastStop(ctx, id); err != nil {
			return Detail{}, err
		}
	}
	return d, nil
}
