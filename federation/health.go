package federation

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// Health says whether a service answers a launch.
type Health string

// The healths.
const (
	HealthUnknown Health = "unknown" // never tried, or not for long
	HealthOK      Health = "ok"
	HealthDown    Health = "down"
)

// Standing is a health and since when it is so, to the second; Since is zero for HealthUnknown.
type Standing struct {
	Health Health
	Since  time.Time
}

// LaunchesDeps is what NewLaunches needs. Every field is required but Every.
type LaunchesDeps struct {
	Issuer    string
	Authorize string // where a launched service has to send the browser
	DB        *sqldb.DB
	Clients   *clients.Registry
	// Redirect asks for an address that a client chose, and returns the status and where the answer leads. It must refuse what is not public, follow
	// nothing, and give up within launchLease.
	Redirect func(ctx context.Context, address string) (status int, location string, err error)
	Now      func() time.Time
	Log      *slog.Logger
	Every    time.Duration // between two tries of a service that answers; zero means DefaultLaunchEvery
}

// DefaultLaunchEvery is how often a service is tried. Each try leaves one login in progress there, which nobody goes on with.
const DefaultLaunchEvery = 5 * time.Minute

const (
	launchLease  = 30 * time.Second
	launchesOnce = 8 // services tried at once by this process
	downAfter    = 2 // failures in a row: one may be a restart
	minLook      = 200 * time.Millisecond
	maxLook      = 5 * time.Second
)

// Launches tries the launch of every service in the directory, as a browser would that nobody sits at: it asks for initiate_login_uri
// with iss (OpenID Connect Core §4) and goes nowhere. A service that works sends it to the hub's authorization endpoint, by its own name.
type Launches struct{ d LaunchesDeps }

// NewLaunches returns it, or an error naming the missing part. It tries nothing: see Run.
func NewLaunches(d LaunchesDeps) (*Launches, error) {
	if d.Issuer == "" || d.Authorize == "" || d.DB == nil || d.Clients == nil || d.Redirect == nil || d.Now == nil || d.Log == nil {
		return nil, errors.New("federation: LaunchesDeps has an empty field")
	}
	if d.Every == 0 {
		d.Every = DefaultLaunchEvery
	}
	if d.Every < time.Second {
		return nil, errors.New("federation: launches are tried a second apart at least")
	}
	return &Launches{d: d}, nil
}

// Run tries what is due, until ctx ends. Any number of processes may do so: each try of a service is one process's.
func (l *Launches) Run(ctx context.Context) error {
	tick := time.NewTicker(min(max(l.d.Every/10, minLook), maxLook))
	defer tick.Stop()
	for {
		if err := l.Round(ctx); err != nil && ctx.Err() == nil {
			l.d.Log.ErrorContext(ctx, "launches not tried", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Round tries every service that is due, and waits for the answers.
func (l *Launches) Round(ctx context.Context) error {
	listed, err := l.d.Clients.List(ctx)
	if err != nil {
		return err
	}
	var g errgroup.Group
	g.SetLimit(launchesOnce)
	for _, c := range listed {
		if !c.Listed() || c.InitiateLoginURI() == "" {
			continue
		}
		g.Go(func() error { return l.try(ctx, c) })
	}
	return g.Wait()
}

func (l *Launches) try(ctx context.Context, c *clients.Client) error {
	now := l.d.Now()
	was, mine, err := claimLaunch(ctx, l.d.DB, c.ID(), now, now.Add(launchLease))
	if err != nil || !mine {
		return err
	}
	err = l.launch(ctx, c)
	if ctx.Err() != nil {
		return nil // the service is not to blame
	}
	now = l.d.Now()
	next, pause := after(was, err == nil, now, l.d.Every)
	if next.Health != was.Health {
		l.d.Log.InfoContext(ctx, "launch of a service", "client", c.ID(), "health", next.Health, "err", err)
	}
	return storeLaunch(context.WithoutCancel(ctx), l.d.DB, c.ID(), next, now.Add(spread(pause)), now.Add(3*l.d.Every+launchLease), was.lease)
}

// launchState is a row of the table.
type launchState struct {
	Standing
	failures int64
	lease    time.Time
}

// after is the standing after a try, and when to try again: sooner when something is wrong.
func after(was launchState, ok bool, now time.Time, every time.Duration) (launchState, time.Duration) {
	next := was
	next.failures++
	pause := max(every/5, time.Second)
	if ok {
		next.failures, pause = 0, every
	}
	switch {
	case ok:
		next.Health = HealthOK
	case next.failures >= downAfter:
		next.Health = HealthDown
	}
	if next.Health != was.Health {
		next.Since = time.Unix(now.Unix(), 0)
	}
	return next, pause
}

// launch makes one try.
func (l *Launches) launch(ctx context.Context, c *clients.Client) error {
	address, err := LaunchURI(c, l.d.Issuer, "")
	if err != nil {
		return err
	}
	status, location, err := l.d.Redirect(ctx, address)
	if err != nil {
		return err
	}
	switch status {
	case http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect:
	default:
		return fmt.Errorf("answers with status %d", status)
	}
	return leadsHome(location, l.d.Authorize, c.ID())
}

// leadsHome checks that a redirect leads to the authorization endpoint with a request of the client.
func leadsHome(location, authorize string, client clients.ID) error {
	u, err := url.Parse(location)
	if err != nil || u.User != nil || u.Fragment != "" || u.Scheme+"://"+u.Host+u.Path != authorize {
		return errors.New("leads elsewhere than to the authorization endpoint")
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil || len(q["client_id"]) != 1 || q.Get("client_id") != string(client) {
		return errors.New("does not ask as itself")
	}
	if q.Get("request_uri") == "" && q.Get("request") == "" && q.Get("response_type") == "" {
		return errors.New("asks for nothing")
	}
	return nil
}

// spread is d, a quarter more or less at random: services are not tried all at once.
func spread(d time.Duration) time.Duration {
	var b [8]byte
	_, _ = rand.Read(b[:])                                                        // cannot fail since Go 1.24
	return d - d/4 + time.Duration(binary.BigEndian.Uint64(b[:])%(uint64(d)/2+1)) //nolint:gosec // below d/2
}

// Health returns how the launches of services stand. A service that is not in it was never tried.
func (l *Links) Health(ctx context.Context) (map[clients.ID]Standing, error) {
	return listHealth(ctx, l.db, l.now())
}
