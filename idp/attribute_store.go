package idp

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/keys"
)

// attributes keeps what citizens wrote of themselves, sealed.
type attributes struct {
	db   *sqldb.DB
	seal *keys.Sealer
	now  func() time.Time
}

// statement is what one citizen says of herself. The zero value says nothing.
type statement struct {
	values  map[attribute]string
	changed int64 // Unix seconds, of the last change of any, removals included
}

func (s statement) empty() bool { return len(s.values) == 0 }

// place is what a sealed value is bound to, so that a row that is moved to another person, name or source opens no more.
func place(account federation.AccountID, name attribute, from source) []byte {
	return []byte("attribute\x00" + string(account) + "\x00" + string(name) + "\x00" + string(from))
}

// of returns what the citizen says of herself.
func (a attributes) of(ctx context.Context, id federation.AccountID) (statement, error) {
	s := statement{values: map[attribute]string{}}
	if err := a.db.QueryRow(ctx, `SELECT attributes_changed_at FROM account WHERE id = $1`, string(id)).Scan(&s.changed); err != nil {
		return s, fmt.Errorf("read account: %w", err)
	}
	rows, err := a.db.Query(ctx, `SELECT name, value FROM attribute WHERE account = $1 AND source = $2 LIMIT 100`, string(id), string(selfAsserted))
	if err != nil {
		return s, fmt.Errorf("read attributes: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var sealed []byte
		if err := rows.Scan(&name, &sealed); err != nil {
			return s, fmt.Errorf("read attributes: %w", err)
		}
		plain, err := a.seal.Open(sealed, place(id, attribute(name), selfAsserted))
		if err != nil {
			return s, fmt.Errorf("attribute %s: %w", name, err)
		}
		s.values[attribute(name)] = string(plain)
	}
	return s, rows.Err()
}

// change is what a citizen's new statement made of her old one, by name only.
type change struct{ set, removed []string }

func (c change) none() bool { return len(c.set) == 0 && len(c.removed) == 0 }

func changeOf(old, values map[attribute]string) change {
	var c change
	for name, value := range values {
		if old[name] != value {
			c.set = append(c.set, string(name))
		}
	}
	for name := range old {
		if _, stays := values[name]; !stays {
			c.removed = append(c.removed, string(name))
		}
	}
	slices.Sort(c.set)
	slices.Sort(c.removed)
	return c
}

// state replaces what the citizen says of herself by the values, which have been parsed. then runs in the transaction, if anything
// changed.
func (a attributes) state(ctx context.Context, id federation.AccountID, values map[attribute]string, then func(context.Context, change) error) error {
	return a.db.Tx(ctx, func(ctx context.Context) error {
		now := a.now().Unix()
		// Also makes two changes of one person take turns.
		if _, err := a.db.Exec(ctx, `UPDATE account SET attributes_changed_at = attributes_changed_at WHERE id = $1`, string(id)); err != nil {
			return fmt.Errorf("lock account: %w", err)
		}
		old, err := a.of(ctx, id)
		if err != nil {
			return err
		}
		c := changeOf(old.values, values)
		if c.none() {
			return nil
		}
		for _, name := range c.removed {
			if _, err := a.db.Exec(ctx, `DELETE FROM attribute WHERE account = $1 AND name = $2 AND source = $3`,
				string(id), name, string(selfAsserted)); err != nil {
				return fmt.Errorf("remove attribute: %w", err)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(values)) {
			if !slices.Contains(c.set, string(name)) {
				continue
			}
			sealed := a.seal.Seal([]byte(values[name]), place(id, name, selfAsserted))
			if _, err := a.db.Exec(ctx, `INSERT INTO attribute (account, name, source, value, changed_at) VALUES ($1, $2, $3, $4, $5)
				ON CONFLICT (account, name, source) DO UPDATE SET value = excluded.value, changed_at = excluded.changed_at`,
				string(id), string(name), string(selfAsserted), sealed, now); err != nil {
				return fmt.Errorf("store attribute: %w", err)
			}
		}
		return a.noted(ctx, id, now, c, then)
	})
}

// clear takes away all that the citizen said of herself. It opens nothing, so that it works for what cannot be opened either.
func (a attributes) clear(ctx context.Context, id federation.AccountID, then func(context.Context, change) error) error {
	return a.db.Tx(ctx, func(ctx context.Context) error {
		c, err := a.deleted(ctx, id)
		if err != nil || c.none() {
			return err
		}
		return a.noted(ctx, id, a.now().Unix(), c, then)
	})
}

func (a attributes) deleted(ctx context.Context, id federation.AccountID) (c change, err error) {
	rows, err := a.db.Query(ctx, `DELETE FROM attribute WHERE account = $1 AND source = $2 RETURNING name`, string(id), string(selfAsserted))
	if err != nil {
		return c, fmt.Errorf("delete attributes: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return c, fmt.Errorf("delete attributes: %w", err)
		}
		c.removed = append(c.removed, name)
	}
	return c, rows.Err()
}

// noted is the end of every change.
func (a attributes) noted(ctx context.Context, id federation.AccountID, now int64, c change, then func(context.Context, change) error) error {
	if _, err := a.db.Exec(ctx, `UPDATE account SET attributes_changed_at = $1 WHERE id = $2`, now, string(id)); err != nil {
		return fmt.Errorf("note the change: %w", err)
	}
	return then(ctx, c)
}
