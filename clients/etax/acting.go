package etax

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/clients/rp/keeper"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// herself refuses what a representative cannot do here: tie or untie the account, which is between the taxpayer and the hub, and send a
// return, which the taxpayer signs. What is left is to look, and to prepare the draft.
func herself(session *rp.Session) error {
	if session.Actor() != "" {
		return &Error{Reason: OnlyHerself}
	}
	return nil
}

// actingStill asks the hub once a minute whether the representative still may. A hub that does not answer changes nothing: it tells of the end
// by itself as well.
func (s *Site) actingStill(ctx context.Context, session *rp.Session) error {
	if due, err := s.ties.Due(ctx, session.Subject()+"\x00"+session.Actor()); err != nil || !due {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, keeper.AgreeTimeout)
	defer cancel()
	var said struct{}
	err := s.party.UserInfo(ctx, session, &said)
	if refused, ok := errors.AsType[*rp.Error](err); ok && refused.Reason == rp.SignedOut {
		return err
	}
	if err != nil {
		s.log.WarnContext(ctx, "hub did not say whether the representative still may", "err", err)
	}
	return nil
}

// edit is one change of a draft.
type edit struct {
	At    time.Time
	Actor string // the representative's name at the hub; empty: the taxpayer
}

const shownEdits = 10

// insertEdit records a change, in the transaction that makes it.
func insertEdit(ctx context.Context, db *sqldb.DB, id, actor string, now time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO etax_return_edit (id, return_id, actor, edited_at) VALUES ($1, $2, $3, $4)`, rand.Text(), id, actor, now.Unix())
	if err != nil {
		return fmt.Errorf("record edit: %w", err)
	}
	return nil
}

// listEdits returns the latest changes of a return, the newest first.
func listEdits(ctx context.Context, db *sqldb.DB, id string) (list []edit, err error) {
	rows, err := db.Query(ctx, `SELECT actor, edited_at FROM etax_return_edit WHERE return_id = $1 ORDER BY edited_at DESC, id LIMIT $2`, id, shownEdits)
	if err != nil {
		return nil, fmt.Errorf("read edits: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var e edit
		var at int64
		if err := rows.Scan(&e.Actor, &at); err != nil {
			return nil, fmt.Errorf("read edits: %w", err)
		}
		e.At = time.Unix(at, 0)
		list = append(list, e)
	}
	return list, rows.Err()
}
