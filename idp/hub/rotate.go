package hub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/keys"
)

// RotateKeys announces a successor for the active signing key of every algorithm, in a hub's database, whether that hub runs or
// not: a running one publishes the new keys within seconds, and signs with them once every service has had a day to fetch them. An
// algorithm that has a successor waiting keeps that one. It returns the algorithms it announced for.
func RotateKeys(ctx context.Context, db *sqldb.DB, sealer *keys.Sealer, now func() time.Time) ([]keys.Alg, error) {
	log, err := audit.New(ctx, db, now)
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	set, err := keys.Open(ctx, keys.Deps{DB: db, Sealer: sealer, Now: now})
	if err != nil {
		return nil, fmt.Errorf("signing keys: %w", err)
	}
	var announced []keys.Alg
	for _, alg := range keys.Algs() {
		if err := set.Rotate(ctx, alg); errors.Is(err, keys.ErrAnnounced) {
			continue
		} else if err != nil {
			return announced, fmt.Errorf("rotate %s: %w", alg, err)
		}
		announced = append(announced, alg)
		if err := log.Append(ctx, audit.Event{Kind: eventKeyAnnounced, Reason: string(alg)}); err != nil {
			return announced, fmt.Errorf("audit: %w", err)
		}
	}
	return announced, nil
}

// RotationSummary says in one line what RotateKeys did, for the person who called it.
func RotationSummary(announced []keys.Alg) string {
	if len(announced) == 0 {
		return "every signing key has a successor waiting already; nothing was changed"
	}
	return fmt.Sprintf("successors announced: %v; they sign a day from now", announced)
}

const eventKeyAnnounced audit.Kind = "key.announced"
