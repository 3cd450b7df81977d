package idp

import (
	"context"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/audit"
)

const (
	expireBatch = 200
	expireLease = 30 * time.Second // how long sessions stay claimed after a crash
)

// WatchSessions tells the services of sessions that ended by themselves, unused or too old, until ctx ends. Any number of processes may do
// so at once and share the work; each session is told of once. It returns only with ctx.
func (p *Provider) WatchSessions(ctx context.Context) error {
	for {
		n, err := p.expireRound(ctx)
		if err != nil && ctx.Err() == nil {
			p.log.ErrorContext(ctx, "services are not being told of sessions that ended by themselves", "err", err) // until the database is back
		}
		wait := p.sessions.rules.Tell - spread(p.sessions.rules.Tell/4)
		if n >= expireBatch && err == nil {
			wait = 0
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// expireRound looks at the sessions that may have ended, a bounded number, and returns how many it had. A crash in the middle leaves them to
// whoever comes first after the lease.
func (p *Provider) expireRound(ctx context.Context) (n int, err error) {
	now := p.now()
	due, err := p.sessions.entries.anyDue(ctx, now)
	if err != nil || !due {
		return 0, err
	}
	claimed, err := p.sessions.entries.claim(ctx, now, now.Add(expireLease), expireBatch)
	if err != nil {
		return 0, err
	}
	told := 0
	for id, account := range claimed {
		ended, err := p.expireOne(ctx, account, id)
		if err != nil {
			return len(claimed), err
		}
		if ended {
			told++
		}
	}
	if told > 0 {
		p.deliveries.Hurry()
	}
	return len(claimed), nil
}

// expireOne promises to tell the services of a session that is over. One that has been used since is looked at again at its new end. What may
// be left of its record goes first: a clock that is set back, or another process's that is behind, must not find alive what services heard is over.
func (p *Provider) expireOne(ctx context.Context, account federation.AccountID, id string) (ended bool, err error) {
	s, err := p.sessions.get(ctx, id)
	if err != nil {
		return false, err
	}
	if s != nil {
		return false, p.sessions.entries.later(ctx, id, p.sessions.rules.end(s).Add(time.Second))
	}
	if err := p.store.Delete(ctx, sessionKey(id)); err != nil {
		return false, fmt.Errorf("delete session that is over: %w", err)
	}
	err = p.db.Tx(ctx, func(ctx context.Context) error {
		left, err := p.sessions.entries.ended(ctx, id)
		if err != nil || len(left) == 0 {
			return err
		}
		gone := &session{ID: id, Account: account}
		for _, client := range left {
			gone.Clients = append(gone.Clients, sessionClient{ID: client})
		}
		if _, err := p.deliveries.Enqueue(ctx, federation.LogoutExpired, p.notices(gone, nil)); err != nil {
			return err
		}
		ended = true
		return p.record(ctx, audit.Event{
			Kind: eventSessionEnded, Account: string(account), Session: id, Actor: string(federation.ByHub), Reason: string(federation.LogoutExpired),
		})
	})
	if err != nil || !ended {
		return false, err
	}
	return true, p.sessions.forget(ctx, account, id)
}

// makeRoom ends the sessions that are more than a person may have, the oldest first, and tells their services.
func (p *Provider) makeRoom(ctx context.Context, account federation.AccountID, over []string) error {
	if len(over) == 0 {
		return nil
	}
	for _, id := range over {
		s, err := p.sessions.get(ctx, id)
		if err != nil {
			return err
		}
		if s == nil || s.Account != account {
			continue // it ended by itself
		}
		if _, err := p.endSessions(ctx, account, whatEnds{Session: id}, federation.LogoutTooMany); err != nil {
			return err
		}
	}
	return p.sessions.forget(ctx, account, over...)
}
