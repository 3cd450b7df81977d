package idp

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/federation"
)

// footing is what the database says of a person's sessions that one card made.
type footing struct {
	OpenedAt    time.Time
	EndedBefore int64  // Unix milliseconds: of all sessions
	Cut         int64  // Unix milliseconds: of those of the card
	Revoked     string // why the card counts no more, or empty
	NoCard      bool   // nothing of the person's that a session without a card of its own could rest on
	Checked     int64  // Unix milliseconds: when the authority last stood by the card
}

// over says whether a session made at a time, in Unix milliseconds, is.
func (s footing) over(created int64) bool {
	return created <= s.EndedBefore || created <= s.Cut || s.Revoked != "" || s.NoCard
}

// footing reads what a session is judged by. The zero card stands for any of the person's that is left.
func (a accounts) footing(ctx context.Context, id federation.AccountID, card cardRef) (footing, error) {
	var s footing
	var opened int64
	var cut, bound, checked sql.NullInt64
	var revoked sql.NullString
	err := a.db.QueryRow(ctx, `SELECT a.opened_at, a.ended_before, b.cut_ms, b.revoked, b.checked_ms, w.checked_ms FROM account a
		LEFT JOIN card_binding b ON b.issuer_key = $2 AND b.serial = $3
		LEFT JOIN card_watch w ON w.issuer_key = $2 AND w.serial = $3
		WHERE a.id = $1`, string(id), card.IssuerKey, card.serial()).Scan(&opened, &s.EndedBefore, &cut, &revoked, &bound, &checked)
	if errors.Is(err, sql.ErrNoRows) {
		return s, errNoAccount
	}
	if err == nil && card.zero() {
		var cards []watched
		cards, err = a.liveCards(ctx, id, a.now())
		s.NoCard = len(cards) == 0
	}
	s.OpenedAt, s.Cut, s.Revoked, s.Checked = time.Unix(opened, 0), cut.Int64, revoked.String, max(bound.Int64, checked.Int64)
	return s, err
}

// cutCard ends a binding for the authority's reason or because it was taken back, and what the card made up to now. It reports false if somebody
// did so before, or if the claim is not the caller's any more. A card that is revoked can still be taken back: its row would go on saying whose the
// next one is.
func (a accounts) cutCard(ctx context.Context, w whatEnds) (first bool, err error) {
	now := a.now()
	n, err := a.db.Exec(ctx, `DELETE FROM card_watch WHERE issuer_key = $1 AND serial = $2 AND (claim = $3 OR $3 = '')`,
		w.Card.IssuerKey, w.Card.serial(), w.Claim)
	if err != nil {
		return false, fmt.Errorf("end card watch: %w", err)
	}
	if w.Claim != "" && n == 0 {
		return false, nil
	}
	n, err = a.db.Exec(ctx, `UPDATE card_binding SET revoked = $3, ended_at = COALESCE(ended_at, $4), end_reason = COALESCE(end_reason, 'revoked'),
			cut_ms = CASE WHEN cut_ms < $5 THEN $5 ELSE cut_ms END
		WHERE issuer_key = $1 AND serial = $2 AND (revoked IS NULL OR $6 = 1 AND revoked <> $3)`,
		w.Card.IssuerKey, w.Card.serial(), w.Revoked, now.Unix(), now.UnixMilli(), number(w.Revoked == endUndone))
	if err != nil {
		return false, fmt.Errorf("end card binding: %w", err)
	}
	return n == 1, nil
}
