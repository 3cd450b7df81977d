package federation

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/audit"
)

const (
	pollEvery   = 500 * time.Millisecond // how long a row of another process, or one due again, may wait to be seen
	expireEvery = 10 * time.Second
	laneBatch   = 50              // rows a lane reads at once
	laneTurn    = 20              // and how often before others have their turn
	laneTime    = 5 * time.Second // or how long, with the rows at hand
	expireBatch = 200

	// leaseLife is how long a try belongs to the process that claimed it. It exceeds what a try takes.
	leaseLife = 30 * time.Second

	firstPause = 2 * time.Second
	maxPause   = 8 * time.Minute // and a quarter more at random

	giveUpAfter = 24 * time.Hour
	keepFor     = 90 * 24 * time.Hour // receipts
)

// EventLogoutGivenUp is the audit event of a service that did not answer for a day.
const EventLogoutGivenUp audit.Kind = "logout.given_up"

// Run delivers what is due, until ctx ends. Any number of processes may do so at once. Rows of one that was killed in the middle
// of a try are tried again when its lease is over: services are told at least once, and more often than once is harmless.
func (o *Deliveries) Run(ctx context.Context) error {
	var working sync.WaitGroup
	defer working.Wait()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var expired time.Time
	for {
		err := o.round(ctx, &working)
		if now := o.d.Now(); err == nil && now.Sub(expired) >= expireEvery {
			expired, err = now, o.expire(ctx)
		}
		if err != nil && ctx.Err() == nil {
			o.d.Log.ErrorContext(ctx, "logout deliveries stand still", "err", err) // until the database is back
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-o.wake:
			if err != nil { // nothing may spin while the database is away
				select {
				case <-ctx.Done():
				case <-tick.C:
				}
			}
		}
	}
}

// Hurry makes this process look at once for what is to be told: for whoever called Enqueue inside a transaction, after its end.
func (o *Deliveries) Hurry() { o.nudge() }

// nudge lets Run look at once.
func (o *Deliveries) nudge() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// round starts a lane for every service that has something due, is not being told already, and is not left alone. It waits for
// none of them.
func (o *Deliveries) round(ctx context.Context, working *sync.WaitGroup) error {
	due, err := dueClients(ctx, o.d.DB, o.d.Now())
	if err != nil {
		return err
	}
	inTurn(o.lanes, due)
	for _, id := range due {
		limit := o.lanes.enter(string(id))
		if limit == 0 {
			continue
		}
		working.Go(func() {
			defer o.leave(id)
			if err := o.work(ctx, id, limit); err != nil && ctx.Err() == nil {
				o.d.Log.ErrorContext(ctx, "logout delivery not recorded", "client", id, "err", err)
			}
		})
	}
	return nil
}

func (o *Deliveries) leave(id clients.ID) {
	o.lanes.leave(string(id))
	o.nudge() // more may be due, here or where no lane was free
}

// work tells one service what is due, a bounded number of rows; one row only if the service has failed.
func (o *Deliveries) work(ctx context.Context, id clients.ID, limit int) error {
	begun := o.d.Now()
	for range laneTurn {
		more, err := o.workBatch(ctx, id, limit)
		if err != nil || !more || limit < laneBatch || o.d.Now().Sub(begun) > laneTime {
			return err
		}
	}
	return nil
}

// workBatch reports whether more may be due.
func (o *Deliveries) workBatch(ctx context.Context, id clients.ID, limit int) (more bool, err error) {
	rows, err := listDeliveries(ctx, o.d.DB, `client = $1 AND state = 'pending' AND next_ms <= $2 ORDER BY next_ms LIMIT $3`,
		string(id), o.d.Now().UnixMilli(), limit)
	if err != nil {
		return false, err
	}
	var g errgroup.Group
	g.SetLimit(o.d.PerService)
	for _, r := range rows {
		if ctx.Err() != nil || o.lanes.alone(string(id)) {
			return false, g.Wait()
		}
		g.Go(func() error { return o.try(ctx, r) })
	}
	return len(rows) == limit, g.Wait()
}

// unreachable is the answer of a service that gave none.
const unreachable = "unreachable"

// errUntold: the service registered no address any more.
var errUntold = errors.New("no backchannel_logout_uri")

// try makes one try of a row. Of all who hold the same row, one wins the claim; a crash after it costs the lease.
func (o *Deliveries) try(ctx context.Context, r Delivery) error {
	now := o.d.Now()
	won, err := claimDelivery(ctx, o.d.DB, r, now.Add(leaseLife))
	if err != nil || !won {
		return err
	}
	r.Tries++
	answer, err := o.send(ctx, r)
	// What happened is recorded even if we are asked to stop meanwhile.
	ctx = context.WithoutCancel(ctx)
	now = o.d.Now()
	switch {
	case err == nil:
		o.lanes.saw(string(r.Client), true)
		return finishDelivery(ctx, o.d.DB, r.ID, Confirmed, answer, now)
	case errors.Is(err, errUntold):
		return finishDelivery(ctx, o.d.DB, r.ID, Unsupported, answer, now)
	}
	o.lanes.saw(string(r.Client), false)
	o.d.Log.InfoContext(ctx, "sign-out not confirmed yet", "client", r.Client, "tries", r.Tries, "err", err)
	return postponeDelivery(ctx, o.d.DB, r, answer, now.Add(pause(r.Tries)))
}

// send posts a fresh logout token (Back-Channel Logout §2.5). 200 means done; 204 is what some frameworks make of it (§2.8).
// What the service answered is a status, or unreachable.
func (o *Deliveries) send(ctx context.Context, r Delivery) (answer string, _ error) {
	c, err := o.client(ctx, r.Client)
	if err != nil {
		return "", err
	}
	if c == nil || c.BackchannelLogoutURI() == "" {
		return "", errUntold
	}
	token, err := o.d.Sign(c.IDTokenAlg(), logoutTokenType, claimsOf(r, o.d.Issuer, o.d.Now()))
	if err != nil {
		return "", fmt.Errorf("sign logout token: %w", err)
	}
	status, err := o.d.Post(ctx, c.BackchannelLogoutURI(), url.Values{"logout_token": {token}})
	if err != nil {
		return unreachable, err
	}
	if status != http.StatusOK && status != http.StatusNoContent {
		return strconv.Itoa(status), fmt.Errorf("answered with status %d", status)
	}
	return strconv.Itoa(status), nil
}

// expire gives up on what is a day old, and forgets old receipts: a batch at a time, until there is no full one.
func (o *Deliveries) expire(ctx context.Context) error {
	now := o.d.Now()
	for {
		n, err := o.giveUp(ctx, now)
		if err != nil {
			return fmt.Errorf("give up: %w", err)
		}
		if n < expireBatch {
			break
		}
	}
	for {
		n, err := deleteDeliveries(ctx, o.d.DB, now.Add(-keepFor), expireBatch)
		if err != nil {
			return err
		}
		if n < expireBatch {
			return o.Status.forget(ctx)
		}
	}
}

func (o *Deliveries) giveUp(ctx context.Context, now time.Time) (n int, err error) {
	err = o.d.DB.Tx(ctx, func(ctx context.Context) error {
		dead, err := failDeliveries(ctx, o.d.DB, now.Add(-giveUpAfter), now, expireBatch)
		if err != nil {
			return err
		}
		for _, r := range dead {
			err := o.d.Audit.Append(ctx, audit.Event{
				Kind: EventLogoutGivenUp, Account: string(r.Account), Client: string(r.Client), Session: r.Session, Actor: string(ByHub), Reason: string(r.Reason),
			})
			if err != nil {
				return fmt.Errorf("audit: %w", err)
			}
		}
		n = len(dead)
		return nil
	})
	return n, err
}

// pause is how long to wait after so many tries: doubling, and spread so that what failed together does not come back together.
func pause(tries int) time.Duration {
	d := min(firstPause<<min(max(tries-1, 0), 20), maxPause)
	var b [8]byte
	_, _ = rand.Read(b[:])                                              // cannot fail since Go 1.24
	return d + time.Duration(binary.BigEndian.Uint64(b[:])%uint64(d/4)) //nolint:gosec // below d/4
}
