package federation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/audit"
)

// The audit events of streams. Client is the receiver. EventSignalLost names the person, and in the facts the type of the event.
const (
	EventSignalLost    audit.Kind = "signal.lost" // refused, or not taken in time; Reason says which
	EventStreamMade    audit.Kind = "stream.made"
	EventStreamChanged audit.Kind = "stream.changed"
	EventStreamStatus  audit.Kind = "stream.status" // Reason is the new one; Actor the hub, if it did so
	EventStreamEnded   audit.Kind = "stream.ended"
)

const (
	refusedAfter = 5 // answers that say that the event is not taken, RFC 8935 §2.4
	sweepBatch   = 200
	keepSettled  = 30 * 24 * time.Hour

	reasonInactive = "inactive" // of a stream that the hub paused
	reasonFull     = "full"     // of one that it disabled
)

// Run pushes what is due and sweeps, until ctx ends. Any number of processes may do so at once. Rows of one that was killed in the
// middle of a try are tried again when its lease is over: receivers know an event by its jti.
func (s *Signals) Run(ctx context.Context) error {
	var working sync.WaitGroup
	defer working.Wait()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var swept time.Time
	for {
		err := s.round(ctx, &working)
		if now := s.d.Now(); err == nil && now.Sub(swept) >= expireEvery {
			swept, err = now, s.sweep(ctx)
		}
		if err != nil && ctx.Err() == nil {
			s.d.Log.ErrorContext(ctx, "security events stand still", "err", err) // until the database is back
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-s.wake:
			if err != nil { // nothing may spin while the database is away
				select {
				case <-ctx.Done():
				case <-tick.C:
				}
			}
		}
	}
}

// round starts a lane for every receiver that has something due. It waits for none of them.
func (s *Signals) round(ctx context.Context, working *sync.WaitGroup) error {
	due, err := dueStreams(ctx, s.d.DB, s.d.Now())
	if err != nil {
		return err
	}
	inTurn(s.lanes, due)
	for _, client := range due {
		limit := s.lanes.enter(client)
		if limit == 0 {
			continue
		}
		working.Go(func() {
			defer func() { s.lanes.leave(client); s.nudge() }()
			if err := s.work(ctx, client, limit); err != nil && ctx.Err() == nil {
				s.d.Log.ErrorContext(ctx, "security event not recorded", "client", client, "err", err)
			}
		})
	}
	return nil
}

// work pushes to one receiver what is due, one event after the other, a bounded number.
func (s *Signals) work(ctx context.Context, client string, limit int) error {
	st, err := findStream(ctx, s.d.DB, clients.ID(client))
	if isReason(err, StreamUnknown) {
		return nil
	}
	if err != nil || st.Method != methodPush {
		return err
	}
	c, err := s.client(ctx, st.Client)
	if err != nil || c == nil {
		return err
	}
	only := ""
	if st.Status != streamEnabled {
		only = ` AND always = 1`
	}
	rows, err := listQueued(ctx, s.d.DB, `stream = $1 AND state = 'pending' AND next_ms <= $2`+only+` ORDER BY created_ms, id LIMIT $3`,
		st.ID, s.d.Now().UnixMilli(), limit)
	if err != nil {
		return err
	}
	for _, q := range rows {
		if ctx.Err() != nil || s.lanes.alone(client) {
			return nil
		}
		if err := s.try(ctx, c, st, q); err != nil {
			return err
		}
	}
	return nil
}

// try makes one try of a row. Of all who hold the same row, one wins the claim; a crash after it costs the lease.
func (s *Signals) try(ctx context.Context, c *clients.Client, st stream, q queued) error {
	won, err := claimQueued(ctx, s.d.DB, q, s.d.Now().Add(leaseLife))
	if err != nil || !won {
		return err
	}
	q.Tries++
	status, err := s.push(ctx, c, st, q)
	// What happened is recorded even if we are asked to stop meanwhile.
	ctx = context.WithoutCancel(ctx)
	now := s.d.Now()
	switch {
	case err == nil && (status == http.StatusAccepted || status == http.StatusOK || status == http.StatusNoContent):
		s.lanes.saw(string(st.Client), true)
		if err := heardOf(ctx, s.d.DB, st.ID, now); err != nil {
			return err
		}
		return s.settle(ctx, st, q.ID, eventTold, "")
	case err == nil && status == http.StatusBadRequest && q.Tries >= refusedAfter:
		s.lanes.saw(string(st.Client), true) // it is there, and does not want this one
		return s.settle(ctx, st, q.ID, eventRefused, "push")
	}
	s.lanes.saw(string(st.Client), false)
	s.d.Log.InfoContext(ctx, "security event not taken yet", "client", st.Client, "tries", q.Tries, "status", status, "err", err)
	return postponeQueued(ctx, s.d.DB, q, now.Add(pause(q.Tries)))
}

// push posts the event (RFC 8935 §2.1).
func (s *Signals) push(ctx context.Context, c *clients.Client, st stream, q queued) (status int, err error) {
	token, err := s.token(c.IDTokenAlg(), st, q)
	if err != nil {
		return 0, err
	}
	m := clients.Message{ContentType: "application/" + setType, Body: token}
	if len(st.credential) > 0 {
		plain, err := s.d.Sealer.Open(st.credential, credentialPlace(st.ID))
		if err != nil {
			return 0, fmt.Errorf("open credential of stream %s: %w", st.ID, err)
		}
		m.Authorization = string(plain)
	}
	return s.d.Send(ctx, st.Endpoint, m)
}

func credentialPlace(id string) []byte { return []byte("signal stream/1\x00" + id) }

// settle ends the wait of an event, if it was waiting. A sign-out that the event tells of has its receipt in the
// same transaction; what is lost is audited there.
func (s *Signals) settle(ctx context.Context, st stream, id, state, reason string) error {
	return s.d.DB.Tx(ctx, func(ctx context.Context) error {
		now := s.d.Now()
		q, found, err := settle(ctx, s.d.DB, st.ID, id, state, reason, now)
		if err != nil || !found {
			return err
		}
		if q.Delivery != "" {
			outcome := Confirmed
			if state != eventTold {
				outcome = Failed
			}
			if err := collectDelivery(ctx, s.d.DB, q.Delivery, outcome, now); err != nil {
				return err
			}
		}
		if state == eventTold {
			return nil
		}
		return s.d.Audit.Append(ctx, audit.Event{
			Kind: EventSignalLost, Account: string(q.Account), Client: string(st.Client), Actor: string(ByHub), Reason: state,
			Facts: map[string]string{"event": string(q.Type), "error": reason},
		})
	})
}

// sweep gives up on what has waited too long, and looks after streams whose receivers do not.
func (s *Signals) sweep(ctx context.Context) error {
	now := s.d.Now()
	for {
		stale, err := staleQueued(ctx, s.d.DB, now.Add(-giveUpAfter), now.Add(-keepQueued), sweepBatch)
		if err != nil {
			return fmt.Errorf("give up: %w", err)
		}
		for _, q := range stale {
			st, err := streamByID(ctx, s.d.DB, q.Stream)
			if err != nil {
				return err
			}
			if err := s.settle(ctx, st, q.ID, eventFailed, ""); err != nil {
				return fmt.Errorf("give up: %w", err)
			}
		}
		if len(stale) < sweepBatch {
			break
		}
	}
	all, err := listStreams(ctx, s.d.DB)
	if err != nil {
		return err
	}
	for _, st := range all {
		if err := s.lookAfter(ctx, st, now); err != nil {
			return fmt.Errorf("look after stream of %s: %w", st.Client, err)
		}
	}
	for {
		n, err := deleteSettled(ctx, s.d.DB, now.Add(-keepSettled), sweepBatch)
		if err != nil || n < sweepBatch {
			return err
		}
	}
}

// lookAfter pauses a stream whose receiver was not heard of for long, and disables one that nobody empties.
func (s *Signals) lookAfter(ctx context.Context, st stream, now time.Time) error {
	n, err := countQueued(ctx, s.d.DB, st.ID)
	if err != nil {
		return err
	}
	switch {
	case n > maxQueued:
		return s.setStatus(ctx, st, streamDisabled, reasonFull, ByHub)
	case st.Status == streamEnabled && now.Sub(st.Seen) > inactivity:
		return s.setStatus(ctx, st, streamPaused, reasonInactive, ByHub)
	}
	return nil
}

// setStatus changes what a stream does. A disabled one keeps nothing. If the hub did so, the receiver is told (SSF 1.0 §8.1.5).
func (s *Signals) setStatus(ctx context.Context, st stream, status streamStatus, reason string, by Actor) error {
	return s.d.DB.Tx(ctx, func(ctx context.Context) error {
		there, err := setStreamStatus(ctx, s.d.DB, st.ID, status, reason)
		if err != nil {
			return err
		}
		if !there {
			return &Error{Reason: StreamUnknown, Detail: "no such stream"}
		}
		if status == streamDisabled {
			if err := dropQueued(ctx, s.d.DB, st.ID); err != nil {
				return err
			}
		}
		if by == ByHub {
			err := s.insert(ctx, st, queued{Type: eventStreamUpdated, Always: true}, body{
				Subject: streamSubject(st.ID), Event: map[string]any{"status": string(status), "reason": reason}, Happened: s.d.Now().Unix(), Txn: s.txn(st, ""),
			})
			if err != nil {
				return err
			}
		}
		if status == st.Status {
			return nil
		}
		return s.d.Audit.Append(ctx, audit.Event{Kind: EventStreamStatus, Client: string(st.Client), Actor: string(by), Reason: string(status)})
	})
}

func isReason(err error, r Reason) bool {
	own, ok := errors.AsType[*Error](err)
	return ok && own.Reason == r
}
