package idp

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/audit"
)

const (
	letterLease  = 2 * time.Minute // exceeds what a try takes
	letterGiveUp = 24 * time.Hour
	letterKeep   = 30 * 24 * time.Hour // that it was sent or not, without the address
	letterMost   = 30                  // notices written out in one letter
	letterBatch  = 50
)

// letter is one message on its way.
type letter struct {
	ID      string
	Account federation.AccountID
	Channel string
	Via     via
	Sort    letterSort
	Lang    string
	Address string
	Tries   int
	Created time.Time
}

// letter writes a letter to an address, due at a time.
func (n notices) letter(ctx context.Context, c channel, sort letterSort, state string, due time.Time) (id string, err error) {
	id = newID()
	_, err = n.db.Exec(ctx, `INSERT INTO notice_letter (id, account, channel, via, sort, lang, address, state, next_ms, created_ms)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		id, string(c.Account), c.ID, string(c.Via), string(sort), c.Lang, n.seal.Seal([]byte(c.Address), letterPlace(id)), state, due.UnixMilli(), n.now().UnixMilli())
	if err != nil {
		return "", fmt.Errorf("store letter: %w", err)
	}
	return id, nil
}

// post puts a notice into the open letter of every address that is to be told of its kind. The update of the addresses also makes this and
// the claim of a letter take turns, so that no notice joins a letter that is being read.
func (n notices) post(ctx context.Context, one notice, kind noticeKind, now time.Time) error {
	own, err := n.listChannels(ctx, `UPDATE notice_channel SET full_ms = full_ms WHERE account = $1 AND live = 1
		RETURNING id, account, via, live, address, kinds, lang, made_at, full_ms`, string(one.Account))
	if err != nil {
		return err
	}
	for _, c := range own {
		if kind != noticeSettings && !slices.Contains(c.Kinds, kind) {
			continue
		}
		var id string
		err := n.db.QueryRow(ctx, `SELECT id FROM notice_letter WHERE channel = $1 AND state = 'open'`, c.ID).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			due := now.Add(letterSettle)
			full := time.UnixMilli(c.full)
			if next := full.Add(-(letterBurst - 1) * letterGap); next.After(due) {
				due = next
			}
			if full.Before(due) {
				full = due
			}
			if id, err = n.letter(ctx, c, letterNotices, "open", due); err != nil {
				return err
			}
			_, err = n.db.Exec(ctx, `UPDATE notice_channel SET full_ms = $1 WHERE id = $2`, full.Add(letterGap).UnixMilli(), c.ID)
		}
		if err != nil {
			return fmt.Errorf("open letter: %w", err)
		}
		if _, err := n.db.Exec(ctx, `INSERT INTO notice_content (letter, notice) VALUES ($1, $2)`, id, one.ID); err != nil {
			return fmt.Errorf("fill letter: %w", err)
		}
	}
	return nil
}

// due names letters whose time has come, with how often they were tried.
func (n notices) due(ctx context.Context, v via, limit int) (out map[string]int, err error) {
	rows, err := n.db.Query(ctx, `SELECT id, tries FROM notice_letter WHERE via = $1 AND state IN ('open', 'pending') AND next_ms <= $2 ORDER BY next_ms LIMIT $3`,
		string(v), n.now().UnixMilli(), limit)
	if err != nil {
		return nil, fmt.Errorf("due letters: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	out = make(map[string]int)
	for rows.Next() {
		var id string
		var tries int
		if err := rows.Scan(&id, &tries); err != nil {
			return nil, fmt.Errorf("due letters: %w", err)
		}
		out[id] = tries
	}
	return out, rows.Err()
}

// claim makes the next try of a letter the caller's, and closes it: nothing joins it any more, so that every try says the same. nil: somebody
// else has it, or it is gone.
func (n notices) claim(ctx context.Context, id string, tries int) (l *letter, err error) {
	now := n.now()
	err = n.db.Tx(ctx, func(ctx context.Context) error {
		// First the address, as post does.
		if _, err := n.db.Exec(ctx, `UPDATE notice_channel SET full_ms = full_ms WHERE id IN (SELECT channel FROM notice_letter WHERE id = $1)`, id); err != nil {
			return err
		}
		var one letter
		var sealed []byte
		var created int64
		err := n.db.QueryRow(ctx, `UPDATE notice_letter SET state = 'pending', tries = tries + 1, next_ms = $3
			WHERE id = $1 AND tries = $2 AND state IN ('open', 'pending') AND next_ms <= $4
			RETURNING id, account, channel, via, sort, lang, address, tries, created_ms`, id, tries, now.Add(letterLease).UnixMilli(), now.UnixMilli()).
			Scan(&one.ID, &one.Account, &one.Channel, &one.Via, &one.Sort, &one.Lang, &sealed, &one.Tries, &created)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		plain, err := n.seal.Open(sealed, letterPlace(id))
		if err != nil {
			return err
		}
		one.Address, one.Created = string(plain), time.UnixMilli(created)
		l = &one
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim letter: %w", err)
	}
	return l, nil
}

// contents returns what a letter tells, oldest first, and how many in all.
func (n notices) contents(ctx context.Context, l *letter) (list []notice, all int, err error) {
	if err := n.db.QueryRow(ctx, `SELECT count(*) FROM notice_content WHERE letter = $1`, l.ID).Scan(&all); err != nil {
		return nil, 0, fmt.Errorf("count notices: %w", err)
	}
	list, err = n.query(ctx, `JOIN notice_content c ON c.notice = n.id WHERE c.letter = $1 ORDER BY n.created_ms, n.id LIMIT $2`, l.ID, letterMost)
	return list, all, err
}

// sent is also true after the lease, whoever heard it. The address goes.
func (n notices) sent(ctx context.Context, id string) error {
	_, err := n.db.Exec(ctx, `UPDATE notice_letter SET state = 'sent', address = $2, done_ms = $3 WHERE id = $1 AND state IN ('pending', 'failed')`,
		id, []byte{}, n.now().UnixMilli())
	return err
}

// postpone changes nothing if the try is not the caller's any more.
func (n notices) postpone(ctx context.Context, l *letter, next time.Time) error {
	_, err := n.db.Exec(ctx, `UPDATE notice_letter SET next_ms = $3 WHERE id = $1 AND tries = $2 AND state = 'pending'`, l.ID, l.Tries, next.UnixMilli())
	return err
}

// giveUp ends letters: one, if an id is given, else those that are a day late, a bounded number of them. Nobody is at work for what it ends.
func (n notices) giveUp(ctx context.Context, id string, then func(context.Context, audit.Event) error) error {
	return n.db.Tx(ctx, func(ctx context.Context) error {
		now := n.now()
		query, args := `created_ms <= $3 AND next_ms <= $2 AND state IN ('open', 'pending') ORDER BY created_ms LIMIT 100`, []any{[]byte{}, now.UnixMilli(), now.Add(-letterGiveUp).UnixMilli()}
		if id != "" {
			query, args[2] = `id = $3 AND state = 'pending'`, id
		}
		rows, err := n.db.Query(ctx, `UPDATE notice_letter SET state = 'failed', address = $1, done_ms = $2 WHERE state IN ('open', 'pending') AND id IN
			(SELECT id FROM notice_letter WHERE `+query+`) RETURNING account, via, sort`, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		var events []audit.Event
		for rows.Next() {
			var account, v, sort string
			if err := rows.Scan(&account, &v, &sort); err != nil {
				return err
			}
			events = append(events, audit.Event{
				Kind: eventNoticeGivenUp, Account: account, Actor: string(federation.ByHub), Facts: map[string]string{"via": v, "letter": sort},
			})
		}
		if err := rows.Err(); err != nil {
			return err
		}
		for _, e := range events {
			if err := then(ctx, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// sweep forgets letters that are done for long.
func (n notices) sweep(ctx context.Context) error {
	return n.db.Tx(ctx, func(ctx context.Context) error {
		const old = `(SELECT id FROM notice_letter WHERE state IN ('sent', 'failed') AND done_ms <= $1 ORDER BY done_ms LIMIT 100)`
		before := n.now().Add(-letterKeep).UnixMilli()
		if _, err := n.db.Exec(ctx, `DELETE FROM notice_content WHERE letter IN `+old, before); err != nil {
			return fmt.Errorf("sweep letters: %w", err)
		}
		if _, err := n.db.Exec(ctx, `DELETE FROM notice_letter WHERE id IN `+old, before); err != nil {
			return fmt.Errorf("sweep letters: %w", err)
		}
		return nil
	})
}

// delivery says how the last finished letter to an address ended; empty: there was none.
func (n notices) delivery(ctx context.Context, c channel) (state string, err error) {
	err = n.db.QueryRow(ctx, `SELECT state FROM notice_letter WHERE channel = $1 AND state IN ('sent', 'failed') ORDER BY created_ms DESC LIMIT 1`, c.ID).Scan(&state)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return state, err
}
