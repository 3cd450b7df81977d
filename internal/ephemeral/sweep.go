package ephemeral

import (
	"context"
	"fmt"
	"time"
)

const (
	sweepEvery = 30 * time.Second
	// sweepBatch bounds how long one sweep statement keeps writers waiting: about ten milliseconds on SQLite.
	sweepBatch = 500
	// sweepPause lets writers in between batches.
	sweepPause = 20 * time.Millisecond
)

// Run removes records past their time until ctx ends. Nothing depends on it but the size of the table: such records are absent
// already. A sweep that fails is tried again at the next turn; Run returns the failure of the last one, if it failed.
//
// Any number of processes may run it on one database.
func (s *SQL) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	var last error
	for {
		if _, err := s.Sweep(ctx); ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return last
		case <-tick.C:
		}
	}
}

// Sweep removes all records past their time, in bounded batches, and returns how many they were.
func (s *SQL) Sweep(ctx context.Context) (int64, error) {
	var total int64
	for {
		n, err := s.db.Exec(ctx, `DELETE FROM ephemeral WHERE key IN
			(SELECT key FROM ephemeral WHERE expires_ms <= $1 ORDER BY expires_ms LIMIT $2) AND expires_ms <= $1`,
			s.now().UnixMilli(), sweepBatch)
		if err != nil {
			return total, fmt.Errorf("ephemeral: sweep: %w", err)
		}
		total += n
		if n < sweepBatch {
			return total, nil
		}
		select {
		case <-ctx.Done():
			return total, ctx.Err()
		case <-time.After(sweepPause):
		}
	}
}
