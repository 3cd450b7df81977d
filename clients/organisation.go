package clients

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/audit"
)

// Organisation owns clients.
type Organisation struct {
	ID       string   // 2 to 63 lower case letters, digits and "-"
	Name     string   // 2 to 100 characters
	Contacts []string // at most ten e-mail addresses: who hears of secrets that end
	Since    time.Time
}

// The audit events of this file. The actor is the operator.
const (
	eventOrganisationAdded   audit.Kind = "organisation.added"
	eventOrganisationChanged audit.Kind = "organisation.changed"
)

var organisationID = regexp.MustCompile(`^[a-z][a-z0-9-]{1,62}$`)

const maxContacts = 10

func (o Organisation) check() error {
	var faults FieldErrors
	if !organisationID.MatchString(o.ID) {
		faults.add("id", "is not 2 to 63 lower case letters, digits and -, a letter first", "write for example ward-shibuya")
	}
	checkText(&faults, "name", o.Name, maxName, true)
	if len([]rune(o.Name)) == 1 {
		faults.add("name", "is shorter than 2 characters", "write the whole name")
	}
	if len(o.Contacts) > maxContacts {
		faults.add("contacts", "has more than 10 elements", "list at most 10")
		return faults.orNil()
	}
	for i, c := range o.Contacts {
		if !isEmail(c) {
			faults.add(element("contacts", i), "is not an e-mail address", "write name@domain")
		}
		if slices.Contains(o.Contacts[:i], c) {
			faults.add(element("contacts", i), "is listed twice", "list it once")
		}
	}
	return faults.orNil()
}

// AddOrganisation adds one. An id that is taken is a Conflict.
func (r *Registry) AddOrganisation(ctx context.Context, o Organisation, by string) (Organisation, error) {
	return r.writeOrganisation(ctx, o, by, eventOrganisationAdded,
		`INSERT INTO organisation (id, name, contacts, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING`,
		&ChangeError{Reason: Conflict, Detail: "there is an organisation with this id"})
}

// ChangeOrganisation replaces name and contacts of one.
func (r *Registry) ChangeOrganisation(ctx context.Context, o Organisation, by string) (Organisation, error) {
	return r.writeOrganisation(ctx, o, by, eventOrganisationChanged,
		`UPDATE organisation SET name = $2, contacts = $3 WHERE id = $1 AND $4 > 0`,
		notFound("there is no such organisation"))
}

func (r *Registry) writeOrganisation(ctx context.Context, o Organisation, by string, kind audit.Kind, statement string, none error) (Organisation, error) {
	if err := o.check(); err != nil {
		return Organisation{}, err
	}
	contacts, err := json.Marshal(append([]string{}, o.Contacts...))
	if err != nil {
		return Organisation{}, err
	}
	err = r.d.DB.Tx(ctx, func(ctx context.Context) error {
		n, err := r.d.DB.Exec(ctx, statement, o.ID, o.Name, string(contacts), r.d.Now().Unix())
		if err != nil {
			return fmt.Errorf("store organisation %s: %w", o.ID, err)
		}
		if n == 0 {
			return none
		}
		return r.d.Record(ctx, audit.Event{Kind: kind, Actor: by, Facts: map[string]string{"organisation": o.ID}})
	})
	if err != nil {
		return Organisation{}, err
	}
	list, err := r.organisations(ctx, o.ID, "", 1)
	if err != nil || len(list) != 1 {
		return Organisation{}, fmt.Errorf("read organisation %s: %w", o.ID, err)
	}
	return list[0], nil
}

// Organisation returns one.
func (r *Registry) Organisation(ctx context.Context, id string) (Organisation, error) {
	list, err := r.organisations(ctx, id, "", 1)
	if err != nil {
		return Organisation{}, err
	}
	if len(list) == 0 {
		return Organisation{}, notFound("there is no such organisation")
	}
	return list[0], nil
}

// Organisations lists those after an id, in the order of ids; at most 100, or as many as asked for. The second result is the after of the
// page that follows, or empty.
func (r *Registry) Organisations(ctx context.Context, after string, limit int) ([]Organisation, string, error) {
	if limit <= 0 || limit > maxPage {
		limit = maxPage
	}
	list, err := r.organisations(ctx, "", after, limit+1)
	if err != nil || len(list) <= limit {
		return list, "", err
	}
	return list[:limit], list[limit-1].ID, nil
}

func (r *Registry) organisations(ctx context.Context, id, after string, limit int) ([]Organisation, error) {
	rows, err := r.d.DB.Query(ctx, `SELECT id, name, contacts, created_at FROM organisation WHERE ($1 = '' OR id = $1) AND id > $2 ORDER BY id LIMIT $3`, id, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list organisations: %w", err)
	}
	defer rows.Close()
	var out []Organisation
	for rows.Next() {
		var o Organisation
		var contacts string
		var since int64
		err := rows.Scan(&o.ID, &o.Name, &contacts, &since)
		if err == nil {
			err = json.Unmarshal([]byte(contacts), &o.Contacts)
		}
		if err != nil {
			return nil, fmt.Errorf("list organisations: %w", err)
		}
		o.Since = time.Unix(since, 0).UTC()
		out = append(out, o)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list organisations: %w", err)
	}
	return out, nil
}

// checkOrganisation wants one that is there, or none.
func (r *Registry) checkOrganisation(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	_, err := r.Organisation(ctx, id)
	if isNotFound(err) {
		return faultOf("organisation", "is not an organisation of this hub", "add it first, or leave it out")
	}
	return err
}
