package hub

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/keys"
)

// ParseRotation reads what an operator wants rotated: "all", or algorithms with commas between them.
func ParseRotation(s string) ([]keys.Alg, error) {
	if s == "all" {
		return keys.Algs(), nil
	}
	var algs []keys.Alg
	for word := range strings.SplitSeq(s, ",") {
		alg, err := keys.ParseAlg(word)
		if err != nil {
			return nil, fmt.Errorf("rotate-keys: write all, or some of %v with commas", keys.Algs())
		}
		algs = append(algs, alg)
	}
	return algs, nil
}

// RotateKeys announces a successor for the active signing key of each algorithm, in a hub's database, whether that hub runs or
// not: a running one publishes the new keys within seconds, and signs with them once every service has had a day to fetch them. An
// algorithm that has a successor waiting keeps that one. It returns the algorithms it announced for.
func RotateKeys(ctx context.Context, db *sqldb.DB, sealer *keys.Sealer, now func() time.Time, algs []keys.Alg) ([]keys.Alg, error) {
	log, err := audit.New(ctx, db, now)
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	set, err := keys.Open(ctx, keys.Deps{DB: db, Sealer: sealer, Now: now})
	if err != nil {
		return nil, fmt.Errorf("signing keys: %w", err)
	}
	var announced []keys.Alg
	for _, alg := range algs {
		err := db.Tx(ctx, func(ctx context.Context) error {
			if err := set.Rotate(ctx, alg); err != nil {
				return err
			}
			return log.Append(ctx, audit.Event{Kind: eventKeyAnnounced, Reason: string(alg)})
		})
		if errors.Is(err, keys.ErrAnnounced) {
			continue
		}
		if err != nil {
			return announced, fmt.Errorf("rotate %s: %w", alg, err)
		}
		announced = append(announced, alg)
	}
	return announced, nil
}

// RotationSummary says in one line what RotateKeys did, for the person who called it.
func RotationSummary(announced []keys.Alg) string {
	if len(announced) == 0 {
		return "a successor is waiting already; nothing was changed"
	}
	return fmt.Sprintf("successors announced: %v; they sign a day from now", announced)
}

const eventKeyAnnounced audit.Kind = "key.announced"
