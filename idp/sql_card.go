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
	EndedBefore int64 // Unix milliseconds: of all sessions
	Cut         int64 // Unix milliseconds: of those of the card
	Revoked     string
	Watched     bool
	Checked     int64 // Unix milliseconds: when the authority last stood by the card, if it is watched
}

// over says whether a session made at a time, in Unix milliseconds, is.
func (s footing) over(created int64) bool { return created <= s.EndedBefore || created <= s.Cut }

// footing reads what a session is judged by. The zero card has none.
func (a accounts) footing(ctx context.Context, id federation.AccountID, card cardRef) (footing, error) {
	var s footing
	var opened int64
	var cut, checked sql.NullInt64
	var revoked sql.NullString
	err := a.db.QueryRow(ctx, `SELECT a.opened_at, a.ended_before, b.cut_ms, b.revoked, w.checked_ms FROM account a
		LEFT JOIN card_binding b ON b.issuer_key = $2 AND b.serial = $3
		LEFT JOIN card_watch w ON w.issuer_key = $2 AND w.serial = $3
		WHERE a.id = $1`, string(id), card.IssuerKey, card.serial()).Scan(&opened, &s.EndedBefore, &cut, &revoked, &checked)
	if errors.Is(err, sql.ErrNoRows) {
		return s, errNoAccount
	}
	s.OpenedAt, s.Cut, s.Revoked, s.Watched, s.Checked = time.Unix(opened, 0), cut.Int64, revoked.String, checked.Valid, checked.Int64
	return s, err
}

// cutCard ends a binding for the authority's reason, and what the card made up to now. It reports false if somebody did so before.
func (a accounts) cutCard(ctx context.Context, card cardRef, revoked string) (first bool, err error) {
	now := a.now()
	n, err := a.db.Exec(ctx, `UPDATE card_binding SET revoked = $3, ended_at = COALESCE(ended_at, $4), end_reason = COALESCE(end_reason, 'revoked'),
			cut_ms = CASE WHEN cut_ms < $5 THEN $5 ELSE cut_ms END
		WHERE issuer_key = $1 AND serial = $2 AND revoked IS NULL`, card.IssuerKey, card.serial(), revoked, now.Unix(), now.UnixMilli())
	if err != nil {
		return false, fmt.Errorf("end card binding: %w", err)
	}
	if _, err := a.db.Exec(ctx, `DELETE FROM card_watch WHERE issuer_key = $1 AND serial = $2`, card.IssuerKey, card.serial()); err != nil {
		return false, fmt.Errorf("end card watch: %w", err)
	}
	return n == 1, nil
}
