package idp

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/federation"
)

// watched is a card that sessions rest on.
type watched struct {
	Account federation.AccountID
	Card    cardRef
	Checked int64 // Unix milliseconds
	Silent  int   // questions in a row without an answer
	Handle  []byte
}

// watchCard begins to watch the card of a login, or goes on for longer. Checked, to the second, is when the authority stood by the card. That
// ends what an earlier word of it had done to the binding, and nothing of what has been done since: whose card was taken back between its proof
// and the browser's return does not get in.
func (a accounts) watchCard(ctx context.Context, w watched, until time.Time, next int64) error {
	return a.db.Tx(ctx, func(ctx context.Context) error {
		n, err := a.db.Exec(ctx, `UPDATE card_binding SET handle = $3, checked_ms = $4, revoked = NULL,
				ended_at = CASE WHEN end_reason = 'revoked' THEN NULL ELSE ended_at END,
				end_reason = CASE WHEN end_reason = 'revoked' THEN NULL ELSE end_reason END
			WHERE issuer_key = $1 AND serial = $2 AND cut_ms <= $5 AND COALESCE(revoked, '') <> $6`,
			w.Card.IssuerKey, w.Card.serial(), w.Handle, w.Checked, w.Checked+999, endUndone)
		if err != nil {
			return fmt.Errorf("update card binding: %w", err)
		}
		if n == 0 {
			return nil
		}
		return a.watch(ctx, w, until, next)
	})
}

// watch writes a row. Whoever is asking about the card at this moment has lost the claim: the answer may be older than the login.
func (a accounts) watch(ctx context.Context, w watched, until time.Time, next int64) error {
	_, err := a.db.Exec(ctx, `INSERT INTO card_watch (issuer_key, serial, account, until, next_ms, checked_ms, silent, claim)
		VALUES ($1, $2, $3, $4, $5, $6, 0, '')
		ON CONFLICT (issuer_key, serial) DO UPDATE SET account = excluded.account, checked_ms = excluded.checked_ms, next_ms = excluded.next_ms,
			silent = 0, claim = '', until = CASE WHEN card_watch.until < excluded.until THEN excluded.until ELSE card_watch.until END`,
		w.Card.IssuerKey, w.Card.serial(), string(w.Account), until.Unix(), next, w.Checked)
	if err != nil {
		return fmt.Errorf("watch card: %w", err)
	}
	return nil
}

// watchOwn watches every card of a person that can still be used: for a login that rests on there being one.
func (a accounts) watchOwn(ctx context.Context, id federation.AccountID, until time.Time, next int64) error {
	cards, err := a.liveCards(ctx, id, until)
	if err != nil {
		return err
	}
	for _, w := range cards {
		// What is watched already keeps its turn.
		_, err := a.db.Exec(ctx, `INSERT INTO card_watch (issuer_key, serial, account, until, next_ms, checked_ms, silent, claim)
			VALUES ($1, $2, $3, $4, $5, $6, 0, '')
			ON CONFLICT (issuer_key, serial) DO UPDATE SET until = excluded.until WHERE card_watch.until < excluded.until`,
			w.Card.IssuerKey, w.Card.serial(), string(id), until.Unix(), next, w.Checked)
		if err != nil {
			return fmt.Errorf("watch card: %w", err)
		}
	}
	return nil
}

// liveCards returns the cards of a person that open her folder by a time, that nothing has ended and whose certificates last, with what is
// needed to ask about them.
func (a accounts) liveCards(ctx context.Context, id federation.AccountID, by time.Time) (out []watched, err error) {
	rows, err := a.db.Query(ctx, `SELECT b.issuer_key, b.serial, b.checked_ms, COALESCE(w.checked_ms, 0), b.handle FROM card_binding b
		LEFT JOIN card_watch w ON w.issuer_key = b.issuer_key AND w.serial = b.serial
		WHERE b.account = $1 AND b.ended_at IS NULL AND b.not_after > $2 AND b.opens_at <= $3 LIMIT 20`, string(id), a.now().Unix(), by.Unix())
	if err != nil {
		return nil, fmt.Errorf("read cards: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		w, issuer, serial, seen := watched{Account: id}, "", []byte(nil), int64(0)
		if err := rows.Scan(&issuer, &serial, &w.Checked, &seen, &w.Handle); err != nil {
			return nil, fmt.Errorf("read cards: %w", err)
		}
		w.Card, w.Checked = refOf(issuer, serial), max(w.Checked, seen)
		out = append(out, w)
	}
	return out, rows.Err()
}

// handleOf returns what is needed to ask about a card, and when it was asked last. One that nobody signed in with since handles are kept
// has none: nil.
func (a accounts) handleOf(ctx context.Context, card cardRef) (sealed []byte, err error) {
	err = a.db.QueryRow(ctx, `SELECT handle FROM card_binding WHERE issuer_key = $1 AND serial = $2`, card.IssuerKey, card.serial()).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return sealed, err
}

// anyDue says whether there is a card to ask about. It does not wait behind a writer.
func (a accounts) anyDue(ctx context.Context) (bool, error) {
	var one int
	err := a.db.QueryRow(ctx, `SELECT 1 FROM card_watch WHERE next_ms <= $1 LIMIT 1`, a.now().UnixMilli()).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// claimDue gives the caller cards to ask about, until the lease is over: nobody else gets them before. Rows that are watched no more go.
func (a accounts) claimDue(ctx context.Context, claim string, lease time.Time, limit int) ([]watched, error) {
	now := a.now()
	out, over, err := a.claimRows(ctx, claim, now, lease, limit)
	if err != nil {
		return nil, fmt.Errorf("claim cards: %w", err)
	}
	if over {
		if _, err := a.db.Exec(ctx, `DELETE FROM card_watch WHERE claim = $1 AND claim <> '' AND until <= $2`, claim, now.Unix()); err != nil {
			return nil, fmt.Errorf("end card watches: %w", err)
		}
	}
	return out, nil
}

// claimRows also says whether there are rows among the claimed that are watched no more; it does not return those.
func (a accounts) claimRows(ctx context.Context, claim string, now, lease time.Time, limit int) (out []watched, over bool, err error) {
	rows, err := a.db.Query(ctx, `UPDATE card_watch SET claim = $1, next_ms = $2 WHERE next_ms <= $3 AND (issuer_key, serial) IN
			(SELECT issuer_key, serial FROM card_watch WHERE next_ms <= $3 ORDER BY next_ms LIMIT $4)
		RETURNING issuer_key, serial, account, checked_ms, silent, until`, claim, lease.UnixMilli(), now.UnixMilli(), limit)
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var w watched
		var issuer string
		var serial []byte
		var until int64
		if err := rows.Scan(&issuer, &serial, &w.Account, &w.Checked, &w.Silent, &until); err != nil {
			return nil, false, err
		}
		if until <= now.Unix() {
			over = true
			continue
		}
		w.Card = refOf(issuer, serial)
		out = append(out, w)
	}
	return out, over, rows.Err()
}

// stoodBy ends a claim: the authority stood by every card that is still under it, at the time asked or later.
func (a accounts) stoodBy(ctx context.Context, claim string, asked, next time.Time) error {
	_, err := a.db.Exec(ctx, `UPDATE card_watch SET claim = '', silent = 0, checked_ms = $2, next_ms = $3 WHERE claim = $1 AND claim <> ''`,
		claim, asked.UnixMilli(), next.UnixMilli())
	if err != nil {
		return fmt.Errorf("note cards as good: %w", err)
	}
	return nil
}

// handBack leaves a card to whoever comes next.
func (a accounts) handBack(ctx context.Context, claim string, card cardRef) error {
	_, err := a.db.Exec(ctx, `UPDATE card_watch SET claim = '', next_ms = $4 WHERE issuer_key = $1 AND serial = $2 AND claim = $3`,
		card.IssuerKey, card.serial(), claim, a.now().UnixMilli())
	if err != nil {
		return fmt.Errorf("hand card back: %w", err)
	}
	return nil
}

// nobodyKnew puts off the next question about one card.
func (a accounts) nobodyKnew(ctx context.Context, claim string, card cardRef, next time.Time) error {
	_, err := a.db.Exec(ctx, `UPDATE card_watch SET claim = '', silent = silent + 1, next_ms = $4 WHERE issuer_key = $1 AND serial = $2 AND claim = $3`,
		card.IssuerKey, card.serial(), claim, next.UnixMilli())
	if err != nil {
		return fmt.Errorf("put off card: %w", err)
	}
	return nil
}

// vouched notes that the authority stood by a card, outside the turn of whoever watches it.
func (a accounts) vouched(ctx context.Context, card cardRef) error {
	now := a.now().UnixMilli()
	_, err := a.db.Exec(ctx, `UPDATE card_binding SET checked_ms = $3 WHERE issuer_key = $1 AND serial = $2 AND checked_ms < $3`,
		card.IssuerKey, card.serial(), now)
	if err != nil {
		return fmt.Errorf("note card as good: %w", err)
	}
	return nil
}
