package federation

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/keys"
)

// DeliveriesDeps is what NewDeliveries needs. Every field but Signals is required.
type DeliveriesDeps struct {
	Issuer   string
	DB       *sqldb.DB
	Clients  *clients.Registry
	Subjects *Subjects
	Audit    *audit.Log
	// Sign makes a compact JWS with the hub's key of an algorithm.
	Sign func(alg keys.Alg, typ string, claims any) (string, error)
	// Post sends a form to an address that a client chose. It must refuse what is not public, follow no redirect, and give up
	// within leaseLife.
	Post func(ctx context.Context, address string, form url.Values) (status int, err error)
	// PerService is how many tokens are on their way to one service at once; 0 stands for DefaultPerService. It is not required.
	PerService int
	Now        func() time.Time
	Log        *slog.Logger
	// Signals tells of the same sign-outs those services that have a stream of security events; nil: there are no streams.
	Signals *Signals
}

// DefaultPerService keeps a service that answers in 10 ms at several hundred a second, and is far below what one that answers slowly would
// feel.
const DefaultPerService = 8

// Deliveries is the outbox of sign-outs and the register of their receipts.
type Deliveries struct {
	// Status are the lists where services look by themselves.
	Status *StatusLists

	d     DeliveriesDeps
	wake  chan struct{}
	lanes *lanes
}

// NewDeliveries returns the outbox, or an error naming the missing part. Open must have migrated the tables. It delivers
// nothing: see Run.
func NewDeliveries(d DeliveriesDeps) (*Deliveries, error) {
	for name, missing := range map[string]bool{
		"Issuer": d.Issuer == "", "DB": d.DB == nil, "Clients": d.Clients == nil, "Subjects": d.Subjects == nil, "Audit": d.Audit == nil,
		"Sign": d.Sign == nil, "Post": d.Post == nil, "Now": d.Now == nil, "Log": d.Log == nil,
	} {
		if missing {
			return nil, fmt.Errorf("federation: DeliveriesDeps needs %s", name)
		}
	}
	if d.PerService < 1 {
		d.PerService = DefaultPerService
	}
	return &Deliveries{Status: newStatusLists(d), d: d, wake: make(chan struct{}, 1), lanes: newLanes(d.Now)}, nil
}

// Enqueue promises to tell the services of the notices, and returns the name of the batch; without notices there is no batch and
// the name is empty. It joins the transaction in ctx: what ends the session and the promise to tell of it stand or fall together.
// A service that registered no address gets a receipt that says so. Whoever looks at a status list sees the end from the same commit on.
func (o *Deliveries) Enqueue(ctx context.Context, reason LogoutReason, notices []Notice) (batch string, err error) {
	if len(notices) == 0 {
		return "", nil
	}
	batch = rand.Text()
	now := o.d.Now()
	// In one order, so that two transactions that end the same sessions wait for each other only one way.
	notices = slices.SortedStableFunc(slices.Values(notices), func(a, b Notice) int {
		return cmp.Or(cmp.Compare(a.Client, b.Client), cmp.Compare(a.Session, b.Session))
	})
	err = o.d.DB.Tx(ctx, func(ctx context.Context) error {
		var told []Signal
		for _, n := range notices {
			r := Delivery{
				ID: rand.Text(), Account: n.Account, Client: n.Client, Session: n.Session, Reason: reason, State: Pending,
				Created: now, sid: n.SID, Next: now,
			}
			if err := o.address(ctx, &r, n.Browser, n.Nameless); err != nil {
				return err
			}
			if err := insertDelivery(ctx, o.d.DB, batch, r); err != nil {
				return fmt.Errorf("store logout delivery: %w", err)
			}
			told = append(told, o.signal(r, batch, n.Nameless))
		}
		if o.d.Signals == nil {
			return nil
		}
		return o.d.Signals.Emit(ctx, told...)
	})
	if err != nil {
		return "", err
	}
	o.nudge()
	return batch, nil
}

// address fills in whom the client knows the person as, or that we cannot tell it ourselves.
func (o *Deliveries) address(ctx context.Context, r *Delivery, browser, nameless bool) error {
	c, err := o.client(ctx, r.Client)
	if err != nil {
		return err
	}
	looks := false
	if c != nil && c.StatusListLogout() {
		if looks, err = o.Status.End(ctx, Notice{Account: r.Account, Client: r.Client, Session: r.Session}); err != nil {
			return err
		}
	}
	if c == nil || c.BackchannelLogoutURI() == "" || r.sid == "" && c.BackchannelLogoutSessionRequired() {
		r.State, r.Done = Unsupported, r.Created
		if collects, err := o.collects(ctx, r); err != nil || collects {
			r.State = Collects
			return err
		}
		if browser && c != nil && c.FrontchannelLogoutURI() != "" {
			r.State = Asked
		}
		if looks {
			r.State = Looks
		}
		return nil
	}
	if nameless {
		return nil
	}
	r.sub, err = o.d.Subjects.For(ctx, r.Account, c.Sector())
	return err
}

// collects says whether the service will learn of it from its stream of security events.
func (o *Deliveries) collects(ctx context.Context, r *Delivery) (bool, error) {
	if o.d.Signals == nil {
		return false, nil
	}
	return o.d.Signals.takes(ctx, r.Client, r.Account, EventSessionRevoked)
}

// signal is what a stream says of a delivery.
func (o *Deliveries) signal(r Delivery, batch string, nameless bool) Signal {
	s := Signal{Account: r.Account, Client: r.Client, SID: r.sid, Nameless: nameless, Event: SessionRevoked(r.Reason), Cause: batch}
	if r.State == Collects {
		s.delivery = r.ID
	}
	return s
}

// client returns nil for one that is not registered. One that is suspended may ask for nothing, but is still told.
func (o *Deliveries) client(ctx context.Context, id clients.ID) (*clients.Client, error) {
	c, err := o.d.Clients.Get(ctx, id)
	switch {
	case errors.Is(err, clients.ErrUnknown):
		return nil, nil
	case errors.Is(err, clients.ErrSuspended), err == nil:
		return c, nil
	}
	return nil, fmt.Errorf("read client: %w", err)
}

// maxReceipts bounds one answer.
const maxReceipts = 100

// List returns a person's latest receipts, newest first.
func (o *Deliveries) List(ctx context.Context, account AccountID) ([]Delivery, error) {
	return listDeliveries(ctx, o.d.DB, `account = $1 ORDER BY created_at DESC, id LIMIT $2`, string(account), maxReceipts)
}

// Of returns a page of the receipts of a service, newest first: those that follow the id after, or the newest for an empty one.
func (o *Deliveries) Of(ctx context.Context, client clients.ID, after string, limit int) ([]Delivery, error) {
	if after == "" {
		return listDeliveries(ctx, o.d.DB, `client = $1 ORDER BY created_at DESC, id LIMIT $2`, string(client), limit)
	}
	return listDeliveries(ctx, o.d.DB, `client = $1 AND (created_at < (SELECT d.created_at FROM logout_delivery d WHERE d.id = $2)
		OR created_at = (SELECT d.created_at FROM logout_delivery d WHERE d.id = $2) AND id > $2) ORDER BY created_at DESC, id LIMIT $3`, string(client), after, limit)
}

// Counts says how many sign-outs a service has not heard of yet, and how many it confirmed since a time.
func (o *Deliveries) Counts(ctx context.Context, client clients.ID, since time.Time) (waiting, confirmed int64, err error) {
	err = o.d.DB.QueryRow(ctx, `SELECT (SELECT count(*) FROM logout_delivery WHERE client = $1 AND state = 'pending'),
		(SELECT count(*) FROM logout_delivery WHERE client = $1 AND created_at >= $2 AND state = 'confirmed')`, string(client), since.Unix()).Scan(&waiting, &confirmed)
	if err != nil {
		return 0, 0, fmt.Errorf("count logout deliveries: %w", err)
	}
	return waiting, confirmed, nil
}

// maxBatch is far above what a person can enter in all their sessions, and keeps the statement bounded.
const maxBatch = 5000

// Batch returns the receipts of one sign-out in the order of clients. Services that answer at once have a moment to do so: while
// one is pending, Batch waits up to patience.
func (o *Deliveries) Batch(ctx context.Context, batch string, patience time.Duration) ([]Delivery, error) {
	const step = 100 * time.Millisecond
	for {
		all, err := listDeliveries(ctx, o.d.DB, `batch = $1 ORDER BY client, id LIMIT $2`, batch, maxBatch)
		if err != nil || patience <= 0 || !anyPending(all) {
			return all, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(min(step, patience)):
			patience -= step
		}
	}
}

func anyPending(all []Delivery) bool {
	for _, r := range all {
		if r.State == Pending {
			return true
		}
	}
	return false
}
