package federation

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/keys"
)

// SignalsDeps is what NewSignals needs. Every field is required.
type SignalsDeps struct {
	Issuer   string
	DB       *sqldb.DB
	Clients  *clients.Registry
	Subjects *Subjects
	Links    *Links
	Audit    *audit.Log
	Sealer   *keys.Sealer
	// Sign makes a compact JWS with the hub's key of an algorithm.
	Sign func(alg keys.Alg, typ string, claims any) (string, error)
	// Agreed returns the services that a person has agreed to. It runs in the transaction in ctx.
	Agreed func(ctx context.Context, account AccountID) ([]clients.ID, error)
	// Check refuses an address that Send would not try.
	Check func(address string) error
	// Send posts to an address that a client chose. It must refuse what is not public, follow no redirect, and give up within
	// leaseLife.
	Send func(ctx context.Context, address string, m clients.Message) (status int, err error)
	Now  func() time.Time
	Log  *slog.Logger
}

// Signals tells services of security events about their people (OpenID Shared Signals Framework 1.0): streams, and the outbox of
// what waits in them.
type Signals struct {
	d     SignalsDeps
	wake  chan struct{}
	lanes *lanes

	mu    sync.Mutex
	polls map[string]*poll // that wait, by stream
}

// NewSignals returns the transmitter, or an error naming the missing part. Open must have migrated the tables. It pushes nothing:
// see Run.
func NewSignals(d SignalsDeps) (*Signals, error) {
	for name, missing := range map[string]bool{
		"Issuer": d.Issuer == "", "DB": d.DB == nil, "Clients": d.Clients == nil, "Subjects": d.Subjects == nil, "Links": d.Links == nil,
		"Audit": d.Audit == nil, "Sealer": d.Sealer == nil, "Sign": d.Sign == nil, "Agreed": d.Agreed == nil, "Check": d.Check == nil,
		"Send": d.Send == nil, "Now": d.Now == nil, "Log": d.Log == nil,
	} {
		if missing {
			return nil, fmt.Errorf("federation: SignalsDeps needs %s", name)
		}
	}
	return &Signals{d: d, wake: make(chan struct{}, 1), lanes: newLanes(d.Now), polls: make(map[string]*poll)}, nil
}

// Signal is an event about a person, for one service or for all that know them.
type Signal struct {
	Account AccountID
	Client  clients.ID // whom it is for; empty: every service that the person agreed to or is linked with
	SID     string     // the session it is about, by the name that Client knows it by; empty: the person
	// Nameless: the service's session is in the name of somebody whom the person represents there. SID alone names it.
	Nameless bool
	Event    Event
	// Cause ties the events of one occurrence together for each receiver, and for no two receivers (SSF 1.0 §4.1.9); empty: none.
	Cause string

	delivery string // the receipt of a sign-out that this confirms
}

// Emit writes a row for each stream that the signals concern. It joins the transaction in ctx: what happened and the promise to
// tell of it stand or fall together.
func (s *Signals) Emit(ctx context.Context, signals ...Signal) error {
	if len(signals) == 0 {
		return nil
	}
	err := s.d.DB.Tx(ctx, func(ctx context.Context) error {
		for _, one := range signals {
			services, err := s.concerned(ctx, one)
			if err != nil {
				return err
			}
			for _, client := range services {
				if err := s.emit(ctx, client, one); err != nil {
					return fmt.Errorf("emit to stream of %s: %w", client, err)
				}
			}
		}
		return nil
	})
	if err == nil {
		s.nudge()
	}
	return err
}

// concerned names the services that a signal is for: the one it names, or those that the person agreed to or is linked with. There may
// be thousands of streams; a person has to do with few services.
func (s *Signals) concerned(ctx context.Context, one Signal) ([]clients.ID, error) {
	if one.Client != "" {
		return []clients.ID{one.Client}, nil
	}
	all, err := s.d.Agreed(ctx, one.Account)
	if err != nil {
		return nil, err
	}
	links, err := s.d.Links.List(ctx, one.Account)
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		if l.State == Linked || l.State == Broken {
			all = append(all, l.Client)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// emit writes the row of one signal for the stream of one service, if there is one and it concerns it.
func (s *Signals) emit(ctx context.Context, client clients.ID, one Signal) error {
	st, err := findStream(ctx, s.d.DB, client)
	if isReason(err, StreamUnknown) {
		return nil
	}
	if err != nil || st.Status == streamDisabled || !slices.Contains(st.Requested, one.Event.Type) {
		return err
	}
	c, err := s.client(ctx, st.Client)
	if err != nil || c == nil {
		return err
	}
	if out, err := excluded(ctx, s.d.DB, st.ID, one.Account); err != nil || out {
		return err
	}
	sub := ""
	if !one.Nameless {
		if sub, err = s.d.Subjects.For(ctx, one.Account, c.Sector()); err != nil {
			return err
		}
	}
	return s.insert(ctx, st, queued{Type: one.Event.Type, Account: one.Account, Delivery: one.delivery}, body{
		Subject: subjectOf(s.d.Issuer, sub, one.SID), Event: one.Event.at(s.d.Now()), Happened: s.d.Now().Unix(), Txn: s.txn(st, one.Cause),
	})
}

// takes says whether a service has a stream that will tell it of such an event about a person.
func (s *Signals) takes(ctx context.Context, client clients.ID, account AccountID, t EventType) (bool, error) {
	st, err := findStream(ctx, s.d.DB, client)
	if isReason(err, StreamUnknown) {
		return false, nil
	}
	if err != nil || st.Status == streamDisabled || !slices.Contains(st.Requested, t) {
		return false, err
	}
	out, err := excluded(ctx, s.d.DB, st.ID, account)
	return !out, err
}

// txn names an occurrence for one receiver. Two receivers must not find one person by it.
func (s *Signals) txn(st stream, cause string) string {
	if cause == "" {
		return rand.Text()
	}
	d := s.d.Sealer.Digest("signal txn", []byte(st.ID+"\x00"+cause))
	return base64.RawURLEncoding.EncodeToString(d[:16])
}

// insert seals the body and stores the row.
func (s *Signals) insert(ctx context.Context, st stream, q queued, b body) error {
	q.ID, q.Stream = rand.Text(), st.ID
	q.created = s.d.Now()
	q.next = q.created
	var err error
	if q.sealed, err = s.seal(q.ID, b); err != nil {
		return err
	}
	return insertQueued(ctx, s.d.DB, q)
}

// client returns nil for one that is not registered, or that is suspended.
func (s *Signals) client(ctx context.Context, id clients.ID) (*clients.Client, error) {
	c, err := s.d.Clients.Get(ctx, id)
	switch {
	case errors.Is(err, clients.ErrUnknown), errors.Is(err, clients.ErrSuspended):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read client: %w", err)
	}
	return c, nil
}

// Hurry makes this process look at once for what is to be told: for whoever called Emit inside a transaction, after its end.
func (s *Signals) Hurry() { s.nudge() }

func (s *Signals) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
	s.ring()
}
