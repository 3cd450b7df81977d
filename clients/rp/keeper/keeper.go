// Package keeper keeps a service's ties and the hub's links in agreement: it tells the hub of ties that were made and ended here, reads what
// changed there, and once a day names all ties. Its tables are in the service's own database, so that both are restored together.
//
// A service whose ties keep to [Register] needs nothing else to find together with the hub again after either was restored from a backup.
package keeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// Register is where a service keeps its ties. Every method may be called again for what it has done already.
type Register interface {
	// Tie returns the person's tie, nil if there is none.
	Tie(ctx context.Context, sub string) (*rp.Tie, error)
	// Page returns up to limit ties of persons after sub, in the order of Sub.
	Page(ctx context.Context, after string, limit int) ([]rp.Tie, error)
	// Reported notes that the hub has heard of a tie.
	Reported(ctx context.Context, t rp.Tie) error
	// Drop drops a tie, and no later one, in the transaction in ctx.
	Drop(ctx context.Context, t rp.Tie) error
}

const (
	// DefaultFollow is how often the hub is asked what has changed. When it ends somebody's sessions it is asked at once.
	DefaultFollow = time.Minute
	censusEvery   = 24 * time.Hour
	censusRetry   = time.Hour
	// keepEnded is longer than anybody keeps backups of a service or of the hub.
	keepEnded = 400 * 24 * time.Hour
)

// Config is what New needs. Required unless it says otherwise.
type Config struct {
	Party    *rp.Party
	DB       *sqldb.DB // where Register keeps its ties as well
	Register Register
	Store    ephemeral.Store
	Now      func() time.Time
	Log      *slog.Logger
	Follow   time.Duration // how often the hub is asked what has changed; zero means DefaultFollow, otherwise a second at least
}

// Keeper is Register together with what is remembered of ties that ended.
type Keeper struct {
	Register
	party  *rp.Party
	db     *sqldb.DB
	store  ephemeral.Store
	now    func() time.Time
	log    *slog.Logger
	follow time.Duration
	wake   chan struct{} // the hub has told of something
}

// The register of ties, as clients/rp asks for it.
var _ rp.Ties = (*Keeper)(nil)

// New brings its tables up to date. It tells and asks nothing: see Run.
func New(ctx context.Context, c Config) (*Keeper, error) {
	if c.Party == nil || c.DB == nil || c.Register == nil || c.Store == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("keeper: Config has an empty field")
	}
	if c.Follow == 0 {
		c.Follow = DefaultFollow
	}
	if c.Follow < time.Second {
		return nil, errors.New("keeper: Follow is a second at least")
	}
	if err := migrate(ctx, c.DB); err != nil {
		return nil, fmt.Errorf("keeper: %w", err)
	}
	return &Keeper{
		Register: c.Register, party: c.Party, db: c.DB, store: c.Store, now: c.Now, log: c.Log, follow: c.Follow, wake: make(chan struct{}, 1),
	}, nil
}

// Over drops a tie that the hub says is over, and remembers that.
func (k *Keeper) Over(ctx context.Context, t rp.Tie) error {
	now := k.now()
	err := k.db.Tx(ctx, func(ctx context.Context) error {
		if err := k.Drop(ctx, t); err != nil {
			return err
		}
		return insertEnding(ctx, k.db, ending{sub: t.Sub, tie: t.Name, next: now}, now, now)
	})
	if err != nil {
		return fmt.Errorf("drop tie: %w", err)
	}
	return nil
}

// Ended reports whether a tie ended here, or was dropped.
func (k *Keeper) Ended(ctx context.Context, sub, tie string) (bool, error) {
	return tieEnded(ctx, k.db, sub, tie)
}

// Cursor is how far the hub's changes were read.
func (k *Keeper) Cursor(ctx context.Context) (string, error) { return findCursor(ctx, k.db) }

// SetCursor keeps it.
func (k *Keeper) SetCursor(ctx context.Context, cursor string) error {
	return setCursor(ctx, k.db, cursor)
}

// Reconcile does what is due to keep the ties and the hub's links in agreement: it reads what changed there, and once a day names all ties. Of any
// number of processes one does it. With now it reads whether that is due or not.
func (k *Keeper) Reconcile(ctx context.Context, now bool) error {
	due, err := takeTurn(ctx, k.db, turnFollow, k.now(), k.now().Add(k.follow))
	if err != nil {
		return fmt.Errorf("take turn: %w", err)
	}
	if due || now {
		if err := k.party.Follow(ctx, k); err != nil {
			return err
		}
	}
	// A process that dies in the middle delays the next census by censusRetry, and so does a hub that does not answer.
	if due, err = takeTurn(ctx, k.db, turnCensus, k.now(), k.now().Add(censusRetry)); err != nil || !due {
		return err
	}
	if err := k.party.Census(ctx, k); err != nil {
		return err
	}
	if _, err := takeTurn(ctx, k.db, turnCensus, k.now().Add(2*censusRetry), k.now().Add(censusEvery)); err != nil {
		return fmt.Errorf("note census: %w", err)
	}
	return forgetEndings(ctx, k.db, k.now().Add(-keepEnded))
}

// Wake makes Run ask the hub at once. It is for rp.Config.Told.
func (k *Keeper) Wake() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// Run compares, and tells of what ended, until ctx ends. Any number of processes may do so.
func (k *Keeper) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return k.compare(ctx) })
	group.Go(func() error { return k.tell(ctx) })
	return group.Wait()
}

// compare is Reconcile until ctx ends.
func (k *Keeper) compare(ctx context.Context) error {
	tick := time.NewTicker(min(k.follow, endingEvery))
	defer tick.Stop()
	for now := false; ; {
		if err := k.Reconcile(ctx, now); err != nil && ctx.Err() == nil {
			k.log.WarnContext(ctx, "ties not compared with the hub", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			now = false
		case <-k.wake:
			now = true
		}
	}
}

// tell is Deliver until ctx ends.
func (k *Keeper) tell(ctx context.Context) error {
	tick := time.NewTicker(endingEvery)
	defer tick.Stop()
	for {
		if err := k.Deliver(ctx); err != nil && ctx.Err() == nil {
			k.log.ErrorContext(ctx, "outbox", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
