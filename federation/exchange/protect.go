package exchange

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// maxProtection is how long a protection lasts at most; the office says it anew.
const maxProtection = 2 * 366 * 24 * time.Hour

// Protection is an office's word that whatever is asked about a person must be kept from her page, as where somebody who might read it
// there must not learn where she lives. Disclosed ends the office's own, and leaves other offices' as they are.
type Protection struct {
	Ground Ground
	Until  time.Time // the first moment after it; of Disclosed: zero
}

// Protect withholds every exchange about a person from now on, those that wait for an answer included. What was withheld stays so after
// the end: what was asked meanwhile says where she was. Said again it changes ground and end.
func (r *Register) Protect(ctx context.Context, office clients.ID, account federation.AccountID, p Protection) error {
	now := r.now()
	if p.Ground != Disclosed && (!p.Until.After(now) || p.Until.Sub(now) > maxProtection) {
		return &Error{Reason: PeriodBad, Detail: "until is over, or more than two years from now"}
	}
	return r.db.Tx(ctx, func(ctx context.Context) error {
		e := audit.Event{Kind: EventProtected, Account: string(account), Actor: string(office)}
		if p.Ground == Disclosed {
			ended, err := deleteProtection(ctx, r.db, account, office)
			if err != nil || !ended {
				return err
			}
			e.Kind = EventUnprotected
			return r.log.Append(ctx, e)
		}
		if err := storeProtection(ctx, r.db, account, office, p); err != nil {
			return err
		}
		if err := withholdWaiting(ctx, r.db, account, p.Ground, now); err != nil {
			return err
		}
		e.Facts = map[string]string{"nondisclosure": strconv.Itoa(int(p.Ground)), "until": p.Until.UTC().Format(time.RFC3339)}
		return r.log.Append(ctx, e)
	})
}

func storeProtection(ctx context.Context, db *sqldb.DB, account federation.AccountID, office clients.ID, p Protection) error {
	_, err := db.Exec(ctx, `INSERT INTO exchange_protection (account, office, ground, until_ms) VALUES ($1, $2, $3, $4)
		ON CONFLICT (account, office) DO UPDATE SET ground = excluded.ground, until_ms = excluded.until_ms`,
		string(account), string(office), int(p.Ground), p.Until.UnixMilli())
	if err != nil {
		return fmt.Errorf("store protection: %w", err)
	}
	return nil
}

func deleteProtection(ctx context.Context, db *sqldb.DB, account federation.AccountID, office clients.ID) (bool, error) {
	n, err := db.Exec(ctx, `DELETE FROM exchange_protection WHERE account = $1 AND office = $2`, string(account), string(office))
	if err != nil {
		return false, fmt.Errorf("end protection: %w", err)
	}
	return n == 1, nil
}

// withholdWaiting reaches the exchanges whose content she has not been shown yet.
func withholdWaiting(ctx context.Context, db *sqldb.DB, account federation.AccountID, ground Ground, now time.Time) error {
	_, err := db.Exec(ctx, `UPDATE exchange_record SET hidden_person = $2 WHERE account = $1 AND outcome = 'requested' AND deadline_ms >= $3`,
		string(account), int(ground), now.UnixMilli())
	if err != nil {
		return fmt.Errorf("withhold what waits: %w", err)
	}
	return nil
}

// protectionOf returns the ground on which a person is protected now, or Disclosed.
func protectionOf(ctx context.Context, db *sqldb.DB, account federation.AccountID, now time.Time) (g Ground, err error) {
	if account == "" {
		return Disclosed, nil
	}
	err = db.QueryRow(ctx, `SELECT COALESCE(MAX(ground), 0) FROM exchange_protection WHERE account = $1 AND until_ms > $2`,
		string(account), now.UnixMilli()).Scan(&g)
	if err != nil {
		return Disclosed, fmt.Errorf("read protection: %w", err)
	}
	return g, nil
}

// deletePast forgets protections that are over.
func deletePast(ctx context.Context, db *sqldb.DB, now time.Time) error {
	_, err := db.Exec(ctx, `DELETE FROM exchange_protection WHERE until_ms <= $1`, now.UnixMilli())
	return err
}
