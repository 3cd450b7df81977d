package exchange

import (
	"context"
	"fmt"
	"time"
)

// How long records are kept, and how they go: a little at a time, so that nobody waits behind it.
const (
	keptYears  = 7
	purgeEvery = time.Hour
	purgeRows  = 500
	purgeTries = 200 // statements of one round; the rest an hour later
)

// Purge deletes protections that are over, and records whose seven years are, a hundred thousand at most; it returns how many of these. Any number of processes may.
func (r *Register) Purge(ctx context.Context) (int64, error) {
	if err := deletePast(ctx, r.db, r.now()); err != nil {
		return 0, fmt.Errorf("forget protections: %w", err)
	}
	before := r.now().AddDate(-keptYears, 0, 0)
	var all int64
	for range purgeTries {
		n, err := deleteOld(ctx, r.db, before, purgeRows)
		if err != nil {
			return all, fmt.Errorf("purge exchanges: %w", err)
		}
		if all += n; n < purgeRows {
			break
		}
	}
	return all, nil
}

// Run purges every hour until ctx ends. What fails is tried again an hour later, and told to failed.
func (r *Register) Run(ctx context.Context, failed func(error)) error {
	tick := time.NewTicker(purgeEvery)
	defer tick.Stop()
	for {
		if _, err := r.Purge(ctx); err != nil && ctx.Err() == nil {
			failed(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
