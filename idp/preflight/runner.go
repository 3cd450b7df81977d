package preflight

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/idp"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/keys"
)

// Hub is what a pre-flight asks of the provider; *idp.Provider is one.
type Hub interface {
	BeginProbe(ctx context.Context, id string, candidate *clients.Client, metadata []byte) (idp.Probe, error)
	EndProbe(ctx context.Context, probe idp.Probe) error
	ReadProbe(ctx context.Context, probe idp.Probe, address string) (idp.ProbeAsked, error)
	ProbeCode(ctx context.Context, probe idp.Probe, asked idp.ProbeAsked, person int, flaw idp.ProbeFlaw) (code, grant string, err error)
	ProbeAnswer(ctx context.Context, probe idp.Probe, asked idp.ProbeAsked, params url.Values) (url.Values, error)
	ProbeLogout(ctx context.Context, probe idp.Probe, person int, flaw idp.ProbeLogoutFlaw) (string, error)
	ProbeNotes(ctx context.Context, probe idp.Probe) ([]idp.ProbeNote, error)
}

// Web reaches services; *clients.Fetcher is one.
type Web interface {
	Browse(ctx context.Context, v clients.Visit) (clients.Seen, error)
	Handshake(ctx context.Context, address string) (clients.Handshake, error)
}

// Keys reads the key sets of clients; *clients.Registry is one.
type Keys interface {
	InspectKeys(ctx context.Context, c *clients.Client) ([]keys.Alg, error)
}

// Deps is what New needs; all of it.
type Deps struct {
	Issuer string
	DB     *sqldb.DB
	Audit  *audit.Log
	Hub    Hub
	Web    Web
	Keys   Keys
	Now    func() time.Time
	Log    *slog.Logger
}

// Bounds of pre-flights.
const (
	maxRun      = 150 * time.Second // less than idp.ProbeLife
	maxAtOnce   = 4                 // in this process
	maxRequests = 400               // of one
	leaseLife   = 45 * time.Second
	leaseEvery  = 10 * time.Second
)

// EventBegan and EventEnded are what the audit log hears.
const (
	EventBegan audit.Kind = "client.preflight_began"
	EventEnded audit.Kind = "client.preflight_ended" // facts: report, verdict
)

// The errors of Start and Get.
var (
	ErrUnknown = errors.New("preflight: no such report")
	ErrRunning = errors.New("preflight: one of this service is running")
	ErrBusy    = errors.New("preflight: too many are running")
)

// Runner makes reports and keeps them.
type Runner struct {
	d       Deps
	places  chan struct{}
	closing chan struct{}
	once    sync.Once
	working sync.WaitGroup
}

// New brings the tables up to date.
func New(ctx context.Context, d Deps) (*Runner, error) {
	if d.Issuer == "" || d.DB == nil || d.Audit == nil || d.Hub == nil || d.Web == nil || d.Keys == nil || d.Now == nil || d.Log == nil {
		return nil, errors.New("preflight: Deps has an empty field")
	}
	if err := migrate(ctx, d.DB); err != nil {
		return nil, fmt.Errorf("preflight: %w", err)
	}
	return &Runner{d: d, places: make(chan struct{}, maxAtOnce), closing: make(chan struct{})}, nil
}

// Run waits for ctx to end, and then for the reports that are being made, which end broken.
func (r *Runner) Run(ctx context.Context) error {
	<-ctx.Done()
	r.once.Do(func() { close(r.closing) })
	r.working.Wait()
	return ctx.Err()
}

// Order asks for a report.
type Order struct {
	Client   *clients.Client // as it would be
	Metadata []byte          // what Client was made of
	Revision int64           // of the draft; 0: it is the live version
	Version  int64           // the live version; 0: it is a draft
	By       string          // the operator
}

// Start begins a report and returns it while it is being made. One of a service is made at a time.
func (r *Runner) Start(ctx context.Context, o Order) (adminapi.Preflight, error) {
	select {
	case <-r.closing:
		return adminapi.Preflight{}, ErrBusy
	case r.places <- struct{}{}:
	default:
		return adminapi.Preflight{}, ErrBusy
	}
	began := false
	defer func() {
		if !began {
			<-r.places
		}
	}()
	now := r.d.Now()
	left, err := breakLeft(ctx, r.d.DB, o.Client.ID(), now)
	if err != nil {
		return adminapi.Preflight{}, err
	}
	for _, id := range left { // what a process that died has left open
		if err := r.d.Hub.EndProbe(ctx, idp.Probe{ID: id, Client: o.Client}); err != nil {
			return adminapi.Preflight{}, err
		}
	}
	p := adminapi.Preflight{
		ID: newID(), ClientID: string(o.Client.ID()), Revision: o.Revision, Version: o.Version, State: stateRunning, By: o.By, Began: now.UTC(),
		Findings: []adminapi.Finding{}, Planned: len(plan),
	}
	probe, err := r.d.Hub.BeginProbe(ctx, p.ID, o.Client, o.Metadata)
	if errors.Is(err, idp.ErrProbing) {
		return adminapi.Preflight{}, ErrRunning
	}
	if err != nil {
		return adminapi.Preflight{}, err
	}
	err = r.d.DB.Tx(ctx, func(ctx context.Context) error {
		if err := insertReport(ctx, r.d.DB, p, now.Add(leaseLife)); err != nil {
			return err
		}
		if err := dropOld(ctx, r.d.DB, o.Client.ID()); err != nil {
			return err
		}
		return r.d.Audit.Append(ctx, audit.Event{Kind: EventBegan, Client: p.ClientID, Actor: o.By, Facts: map[string]string{"report": p.ID}})
	})
	if err != nil {
		return adminapi.Preflight{}, errors.Join(err, r.d.Hub.EndProbe(context.WithoutCancel(ctx), probe))
	}
	began = true
	r.working.Go(func() {
		defer func() { <-r.places }()
		r.work(context.WithoutCancel(ctx), o, probe, p)
	})
	return p, nil
}

// work makes the report.
func (r *Runner) work(parent context.Context, o Order, probe idp.Probe, p adminapi.Preflight) {
	ctx, cancel := context.WithTimeout(parent, maxRun)
	defer cancel()
	done := make(chan struct{})
	defer close(done)
	go func() {
		tick := time.NewTicker(leaseEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-r.closing:
				cancel()
				return
			case <-tick.C:
				if ok, err := holdReport(ctx, r.d.DB, p.ID, r.d.Now().Add(leaseLife)); err == nil && !ok {
					cancel() // somebody took it for left
				}
			}
		}
	}()
	t := newTry(r.d, o, probe)
	err := t.all(ctx, func(f adminapi.Finding) error {
		p.Findings = append(p.Findings, f)
		ok, err := writeReport(ctx, r.d.DB, p)
		if err == nil && !ok {
			err = errors.New("the report was given up")
		}
		return err
	})
	p.State, p.Verdict, p.Ended = stateDone, worst(p.Findings), r.d.Now().UTC()
	if err != nil {
		p.State, p.Verdict = stateBroken, ""
		r.d.Log.ErrorContext(parent, "pre-flight broken", "client", p.ClientID, "report", p.ID, "err", err)
	}
	err = r.d.DB.Tx(parent, func(ctx context.Context) error {
		ok, err := writeReport(ctx, r.d.DB, p)
		if err != nil || !ok {
			return err
		}
		return r.d.Audit.Append(ctx, audit.Event{
			Kind: EventEnded, Client: p.ClientID, Actor: p.By, Reason: p.State, Facts: map[string]string{"report": p.ID, "verdict": string(p.Verdict)},
		})
	})
	if err = errors.Join(err, r.d.Hub.EndProbe(parent, probe)); err != nil {
		r.d.Log.ErrorContext(parent, "pre-flight not recorded", "client", p.ClientID, "report", p.ID, "err", err)
	}
}

// worst is the verdict of a report.
func worst(all []adminapi.Finding) adminapi.Verdict {
	out := adminapi.Green
	for _, f := range all {
		switch f.Verdict {
		case adminapi.Red:
			return adminapi.Red
		case adminapi.Yellow:
			out = adminapi.Yellow
		case adminapi.Green, adminapi.Skipped:
		}
	}
	return out
}

// Get returns a report of a service, or ErrUnknown.
func (r *Runner) Get(ctx context.Context, client clients.ID, id string) (adminapi.Preflight, error) {
	return findReport(ctx, r.d.DB, r.d.Now(), `client = $1 AND id = $2`, string(client), id)
}

// Newest returns the newest report that was finished about a draft's revision, or, with revision 0, about a live version. ErrUnknown: there is none.
func (r *Runner) Newest(ctx context.Context, client clients.ID, revision, version int64) (adminapi.Preflight, error) {
	return findReport(ctx, r.d.DB, r.d.Now(), `client = $1 AND revision = $2 AND ($2 <> 0 OR version = $3) AND state = 'done' ORDER BY began_ms DESC, id DESC LIMIT 1`,
		string(client), revision, version)
}

// List returns up to limit reports of a service, newest first, without findings, from the one after after; empty: from the newest. next is
// the after of the page that follows.
func (r *Runner) List(ctx context.Context, client clients.ID, after string, limit int) (out []adminapi.Preflight, next string, err error) {
	where, args := `client = $1`, []any{string(client), limit + 1}
	if after != "" {
		where += ` AND (began_ms, id) < (SELECT began_ms, id FROM preflight WHERE client = $1 AND id = $3)`
		args = append(args, after)
	}
	out, err = listReports(ctx, r.d.DB, r.d.Now(), where+` ORDER BY began_ms DESC, id DESC LIMIT $2`, args...)
	if len(out) > limit {
		out = out[:limit]
		next = out[limit-1].ID
	}
	return out, next, err
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // cannot fail since Go 1.24
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Standing says by which report a draft's revision may go live, or in a sentence what is in the way.
func (r *Runner) Standing(ctx context.Context, client clients.ID, revision int64) (report, obstacle string, err error) {
	p, err := r.Newest(ctx, client, revision, 0)
	switch {
	case errors.Is(err, ErrUnknown):
		return "", "This revision had no pre-flight yet.", nil
	case err != nil:
		return "", "", err
	case p.Verdict == adminapi.Red:
		return p.ID, "The newest pre-flight of this revision is red.", nil
	}
	return p.ID, "", nil
}
