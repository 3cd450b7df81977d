package rp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

// maxSeats bounds the sessions of one person that can be ended from outside; beyond it the oldest is ended to make room.
const maxSeats = 100

// roster is what the hub can end by one name, that of a person or of one of their sessions at the hub: the sessions here, and from
// when on they count. It is one record, so that a login and a sign-out at the same time see each other.
type roster struct {
	Ended int64  `json:"e,omitempty"` // what was begun with an ID token from before is over; Unix seconds
	Seats []seat `json:"s,omitempty"`
}

// seat is one session here: the key of its record, and when its ID token was issued.
type seat struct {
	Key    string `json:"k"`
	Issued int64  `json:"i"`
}

func personRoster(sub string) string { return "roster:1:" + digest("sub", sub) }
func hubRoster(sid string) string    { return "roster:1:" + digest("sid", sid) }

// rosters are the names a session can be ended by.
func (r record) rosters() []string {
	var out []string
	if r.Subject != "" {
		out = append(out, personRoster(r.Subject))
	}
	if r.SID != "" {
		out = append(out, hubRoster(r.SID))
	}
	return out
}

// changeRoster applies change to a roster, whoever else changes it at the same time. It lives as long as any session can.
func (p *Party) changeRoster(ctx context.Context, key string, change func(*roster) error) error {
	for range 20 {
		found, err := p.store.Get(ctx, key)
		absent := errors.Is(err, ephemeral.ErrNotFound)
		if err != nil && !absent {
			return fmt.Errorf("read roster: %w", err)
		}
		var r roster
		if !absent {
			if err := json.Unmarshal(found.Value, &r); err != nil {
				return fmt.Errorf("decode roster: %w", err)
			}
		}
		if err := change(&r); err != nil {
			return err
		}
		b, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("encode roster: %w", err)
		}
		if absent {
			err = p.store.Create(ctx, key, b, p.life)
		} else {
			err = p.store.Swap(ctx, key, found.Version, b, p.life)
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, ephemeral.ErrConflict) && !errors.Is(err, ephemeral.ErrExists) {
			return fmt.Errorf("store roster: %w", err)
		}
	}
	return fmt.Errorf("roster: %w", ephemeral.ErrConflict)
}

// seat enters a session that is about to begin, unless the hub has ended it before it began.
func (p *Party) seat(ctx context.Context, rec record, key string) error {
	for _, name := range rec.rosters() {
		var over []seat
		err := p.changeRoster(ctx, name, func(r *roster) error {
			over = nil
			if rec.Issued < r.Ended {
				return &Error{Reason: SignedOut, Detail: "signed out at the hub during the login"}
			}
			oldest := p.now().Add(-p.life - time.Hour).Unix()
			r.Seats = slices.DeleteFunc(r.Seats, func(s seat) bool { return s.Issued < oldest })
			r.Seats = append(r.Seats, seat{Key: key, Issued: rec.Issued})
			if n := len(r.Seats) - maxSeats; n > 0 {
				over, r.Seats = slices.Clone(r.Seats[:n]), r.Seats[n:]
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := p.unseat(ctx, over); err != nil {
			return err
		}
	}
	return nil
}

// seated reports whether a session that has begun is still entered: if not, the hub ended it in between.
func (p *Party) seated(ctx context.Context, rec record, key string) (bool, error) {
	for _, name := range rec.rosters() {
		found, err := p.store.Get(ctx, name)
		if errors.Is(err, ephemeral.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("read roster: %w", err)
		}
		var r roster
		if err := json.Unmarshal(found.Value, &r); err != nil {
			return false, fmt.Errorf("decode roster: %w", err)
		}
		if !slices.ContainsFunc(r.Seats, func(s seat) bool { return s.Key == key }) {
			return false, nil
		}
	}
	return true, nil
}

// unseat ends sessions by the keys of their records; no cookie is needed for that.
func (p *Party) unseat(ctx context.Context, seats []seat) error {
	for _, s := range seats {
		if err := p.store.Delete(ctx, s.Key); err != nil {
			return fmt.Errorf("end session: %w", err)
		}
	}
	return nil
}

// endHubSession ends what is here of one session at the hub, begun up to a time. A hub may go on with a session that was ended in
// another window: what was begun with it since stays, however late the token comes.
func (p *Party) endHubSession(ctx context.Context, sid string, at int64) error {
	return p.endRoster(ctx, hubRoster(sid), at)
}

// endPerson ends what a person began up to a time.
func (p *Party) endPerson(ctx context.Context, sub string, at int64) error {
	return p.endRoster(ctx, personRoster(sub), at)
}

// endRoster ends what was begun up to a time. A login of the same second is ended if it is here already, and let in if it is still
// to come.
func (p *Party) endRoster(ctx context.Context, name string, at int64) error {
	return p.changeRoster(ctx, name, func(r *roster) error {
		r.Ended = max(r.Ended, at)
		var ended, left []seat
		for _, s := range r.Seats {
			if s.Issued <= at {
				ended = append(ended, s)
			} else {
				left = append(left, s)
			}
		}
		r.Seats = left
		// The sessions go first: if the roster is changed meanwhile we come again, and ending one twice does nothing.
		return p.unseat(ctx, ended)
	})
}
