package clients

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/audit"
)

// eventReminded is recorded when an organisation was told. The actor is the hub.
const eventReminded audit.Kind = "client.secret_reminded"

// Reminder tells the people of a client that its last secret ends.
type Reminder struct {
	// ID names it, the same at every try: lower-case letters, digits and "-".
	ID           string
	Client       ID
	Name         Text
	Organisation string    // its name, or empty
	Contacts     []string  // e-mail addresses, one at least
	Ends         time.Time // of the secret
}

// When reminders are written: this long before the end of a client's last good secret.
const (
	firstReminder = warnFrom
	lastReminder  = 3 * 24 * time.Hour
)

// Bounds of reminders.
const (
	reminderBatch = 100
	reminderTries = 8
	reminderLease = 15 * time.Minute // exceeds what a try takes; doubles with every try
)

// Remind has send tell of every secret that ends in two weeks, and again of every one that ends in three days and has no successor yet:
// once each, whatever number of processes calls. Only what send returned an error for is tried again, later, eight times in all; a
// process that is lost between sending and noting it leaves one that is sent again under the same ID. It is to be called every few minutes.
func (r *Registry) Remind(ctx context.Context, send func(context.Context, Reminder) error) error {
	if err := r.promiseReminders(ctx); err != nil {
		return err
	}
	due, err := r.dueReminders(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, d := range due {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := r.remind(ctx, d, send); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// dueReminder is one that somebody should be told of.
type dueReminder struct {
	secret, client           string
	stage, next, tries, ends int64
}

// remind takes a reminder, if nobody else did, and sends it.
func (r *Registry) remind(ctx context.Context, d dueReminder, send func(context.Context, Reminder) error) error {
	now := r.d.Now()
	lease := reminderLease << min(d.tries, reminderTries)
	n, err := r.d.DB.Exec(ctx, `UPDATE client_reminder SET next_at = $4, tries = tries + 1 WHERE secret = $1 AND stage = $2 AND next_at = $3`,
		d.secret, d.stage, d.next, now.Add(lease).Unix())
	if err != nil {
		return fmt.Errorf("take a reminder: %w", err)
	}
	if n == 0 {
		return nil // somebody else has it
	}
	one, err := r.reminder(ctx, d)
	if err != nil {
		return err
	}
	if len(one.Contacts) > 0 && now.Before(one.Ends) {
		if err := send(ctx, one); err != nil {
			if d.tries+1 < reminderTries {
				return fmt.Errorf("remind of a secret of client %s: %w", d.client, err)
			}
			return errors.Join(fmt.Errorf("remind of a secret of client %s for the last time: %w", d.client, err), r.dropReminder(ctx, d))
		}
		return r.d.DB.Tx(ctx, func(ctx context.Context) error {
			if err := r.dropReminder(ctx, d); err != nil {
				return err
			}
			return r.d.Record(ctx, audit.Event{Kind: eventReminded, Client: d.client, Actor: "hub", Facts: map[string]string{"secret": d.secret}})
		})
	}
	return r.dropReminder(ctx, d) // nobody to tell, or too late: lists warn of it
}

// reminder finds out whom to tell: the contacts of the organisation, or else those of the client itself.
func (r *Registry) reminder(ctx context.Context, d dueReminder) (Reminder, error) {
	out := Reminder{ID: d.secret + "-" + strconv.FormatInt(d.stage, 10), Client: ID(d.client), Ends: time.Unix(d.ends, 0).UTC()}
	detail, err := r.Detail(ctx, out.Client)
	if err != nil {
		return Reminder{}, err
	}
	out.Name = detail.Name
	if detail.Organisation != "" {
		o, err := r.Organisation(ctx, detail.Organisation)
		if err != nil {
			return Reminder{}, err
		}
		out.Organisation, out.Contacts = o.Name, o.Contacts
	}
	if len(out.Contacts) == 0 && detail.Live != nil {
		var m struct {
			Contacts []string `json:"contacts"`
		}
		if err := json.Unmarshal(detail.Live.Metadata, &m); err != nil {
			return Reminder{}, fmt.Errorf("read client %s: %w", d.client, err)
		}
		out.Contacts = m.Contacts[:min(len(m.Contacts), maxContacts)]
	}
	return out, nil
}

// promiseReminders notes what is to be told, once each.
func (r *Registry) promiseReminders(ctx context.Context) error {
	now := r.d.Now()
	rows, err := r.d.DB.Query(ctx, `SELECT s.id, s.ends_at FROM client_secret s JOIN client c ON c.id = s.client
		WHERE s.ends_at > $1 AND s.ends_at <= $2 AND (s.reminded < 1 OR s.reminded < 2 AND s.ends_at <= $3) AND c.status <> $4 AND c.hidden = FALSE
			AND NOT EXISTS (SELECT 1 FROM client_secret n WHERE n.client = s.client AND (n.ends_at = 0 OR n.ends_at > s.ends_at))
		ORDER BY s.ends_at LIMIT $5`,
		now.Unix(), now.Add(firstReminder).Unix(), now.Add(lastReminder).Unix(), statusRetired, reminderBatch)
	if err != nil {
		return fmt.Errorf("find secrets that end: %w", err)
	}
	defer rows.Close()
	ends := make(map[string]int64)
	for rows.Next() {
		var id string
		var at int64
		if err := rows.Scan(&id, &at); err != nil {
			return fmt.Errorf("find secrets that end: %w", err)
		}
		ends[id] = at
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("find secrets that end: %w", err)
	}
	for id, at := range ends {
		stage := int64(1)
		if at <= now.Add(lastReminder).Unix() {
			stage = 2
		}
		err := r.d.DB.Tx(ctx, func(ctx context.Context) error {
			n, err := r.d.DB.Exec(ctx, `UPDATE client_secret SET reminded = $2 WHERE id = $1 AND reminded < $2 AND ends_at = $3`, id, stage, at)
			if err != nil || n == 0 {
				return err
			}
			_, err = r.d.DB.Exec(ctx, `INSERT INTO client_reminder (secret, stage, next_at, tries) VALUES ($1, $2, $3, 0)`, id, stage, now.Unix())
			return err
		})
		if err != nil {
			return fmt.Errorf("promise a reminder: %w", err)
		}
	}
	return nil
}

func (r *Registry) dueReminders(ctx context.Context) ([]dueReminder, error) {
	rows, err := r.d.DB.Query(ctx, `SELECT m.secret, s.client, m.stage, m.next_at, m.tries, s.ends_at
		FROM client_reminder m JOIN client_secret s ON s.id = m.secret WHERE m.next_at <= $1 ORDER BY m.next_at, m.secret LIMIT $2`, r.d.Now().Unix(), reminderBatch)
	if err != nil {
		return nil, fmt.Errorf("find reminders: %w", err)
	}
	defer rows.Close()
	var out []dueReminder
	for rows.Next() {
		var d dueReminder
		if err := rows.Scan(&d.secret, &d.client, &d.stage, &d.next, &d.tries, &d.ends); err != nil {
			return nil, fmt.Errorf("find reminders: %w", err)
		}
		out = append(out, d)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("find reminders: %w", err)
	}
	return out, nil
}

func (r *Registry) dropReminder(ctx context.Context, d dueReminder) error {
	if _, err := r.d.DB.Exec(ctx, `DELETE FROM client_reminder WHERE secret = $1 AND stage = $2`, d.secret, d.stage); err != nil {
		return fmt.Errorf("note that somebody was reminded: %w", err)
	}
	return nil
}
