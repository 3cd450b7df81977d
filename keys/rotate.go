package keys

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrAnnounced is returned by Rotate when a successor waits already.
var ErrAnnounced = errors.New("a successor key is announced already")

// Rotate announces a successor for the active key of the algorithm. It begins to
// sign Deps.Announce later, when Run or Advance next looks. If one is announced
// already the error is ErrAnnounced.
func (s *Set) Rotate(ctx context.Context, alg Alg) error {
	if _, err := ParseAlg(string(alg)); err != nil {
		return err
	}
	err := s.create(ctx, alg, stateAnnounced)
	if errors.Is(err, errLost) {
		return ErrAnnounced
	}
	if err != nil {
		return err
	}
	_, err = s.reload(ctx)
	return err
}

// Run keeps the keys on schedule and follows the moves that other processes make,
// until ctx ends. Then it returns nil. A failure (the database is away) is logged,
// leaves the current keys in use and is tried again at the next look.
func (s *Set) Run(ctx context.Context) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := s.Advance(ctx); err != nil && ctx.Err() == nil {
				s.d.Log.ErrorContext(ctx, "signing keys stay as they are", "error", err)
			}
		}
	}
}

// Advance makes every move that is due and reloads the keys if they changed, here
// or in another process. When several processes advance at once each move is made
// by one of them.
func (s *Set) Advance(ctx context.Context) error {
	stamp, rows, err := selectKeys(ctx, s.d.DB)
	if err != nil {
		return err
	}
	moved := false
	for _, move := range s.due(rows, s.d.Now()) {
		err := move(ctx)
		if err != nil && !errors.Is(err, errLost) {
			return err
		}
		moved = true
	}
	if moved || stamp != s.current.Load().stamp {
		_, err = s.reload(ctx)
	}
	return err
}

// due lists the moves that the schedule asks for now.
func (s *Set) due(rows []keyRow, now time.Time) []func(context.Context) error {
	var moves []func(context.Context) error
	for _, r := range rows {
		age := now.Sub(r.changed)
		switch {
		case r.state == stateAnnounced && age >= s.d.Announce:
			moves = append(moves, func(ctx context.Context) error { return s.promote(ctx, r, rows, now) })
		case r.state == stateRetired && age >= s.d.Retire:
			moves = append(moves, func(ctx context.Context) error {
				return s.d.DB.Tx(ctx, func(ctx context.Context) error { return deleteKey(ctx, s.d.DB, r.kid) })
			})
		case r.state == stateActive && s.d.Lifetime > 0 && age >= s.d.Lifetime && !announced(rows, r.alg):
			moves = append(moves, func(ctx context.Context) error { return s.create(ctx, Alg(r.alg), stateAnnounced) })
		}
	}
	return moves
}

func announced(rows []keyRow, alg string) bool {
	return slices.ContainsFunc(rows, func(r keyRow) bool { return r.alg == alg && r.state == stateAnnounced })
}

// promote retires the active key of the algorithm and puts the announced one in
// its place, in one transaction: there is no moment without a key that signs.
func (s *Set) promote(ctx context.Context, next keyRow, rows []keyRow, now time.Time) error {
	return s.d.DB.Tx(ctx, func(ctx context.Context) error {
		for _, r := range rows {
			if r.alg != next.alg || r.state != stateActive {
				continue
			}
			key, err := openRow(s.d.Sealer, r)
			if err != nil {
				return fmt.Errorf("retire: %w", err)
			}
			key.state, key.changed = stateRetired, now // seal now keeps the public half only
			retired, err := key.seal(s.d.Sealer)
			if err != nil {
				return err
			}
			if err := moveKey(ctx, s.d.DB, stateActive, retired); err != nil {
				return err
			}
		}
		next.state, next.changed = stateActive, now
		return moveKey(ctx, s.d.DB, stateAnnounced, next)
	})
}
