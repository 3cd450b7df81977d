package shapes

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// Bounds. Those of shapes are for each client, and each of what only the client can cause and what anybody can.
const (
	hours      = 24 // that are kept, beside the one under way
	flushEvery = 20 * time.Second
	maxHeld    = 200      // shapes in memory, between two flushes
	maxKept    = 400      // shapes in the database, of one hour
	maxClients = 20_000   // clients in memory, each in one hour
	maxProved  = 8 << 10  // bytes of a shape that only the client can cause; a certificate has 2 KiB
	maxOpen    = 2 << 10  // bytes of another
	maxBytes   = 32 << 20 // of all shapes in memory
	maxRead    = 20_000   // rows of one Day
)

// Deps is what New needs. All of it is required.
type Deps struct {
	DB  *sqldb.DB
	Now func() time.Time
	Log *slog.Logger
}

// Recorder counts shapes. It is safe for concurrent use, and nil counts nothing.
type Recorder struct {
	d    Deps
	mu   sync.Mutex
	held map[bucket]*tally
	size int        // bytes of the shapes in held
	gate sync.Mutex // one flush at a time: a count that is under way is in neither place
}

// bucket is one client in one hour.
type bucket struct {
	client clients.ID
	hour   int64
}

// tally counts the shapes of a bucket, by their JSON.
type tally struct {
	counts       map[string]int64
	proved, open int // shapes that only the client can cause, and others
}

// New migrates the tables and returns a recorder. It adds nothing to the database by itself: see Run.
func New(ctx context.Context, d Deps) (*Recorder, error) {
	if d.DB == nil || d.Now == nil || d.Log == nil {
		return nil, errors.New("shapes: Deps has an empty field")
	}
	if err := migrate(ctx, d.DB); err != nil {
		return nil, err
	}
	return &Recorder{d: d, held: map[bucket]*tally{}}, nil
}

// Note counts one request.
func (r *Recorder) Note(client clients.ID, s Shape) {
	if r == nil {
		return
	}
	text, err := json.Marshal(s)
	proved := s.proved()
	if err != nil || len(text) > maxProved || len(text) > maxOpen && !proved {
		text, proved = []byte(beyondText), false
	}
	at := bucket{client, hourOf(r.d.Now())}
	r.mu.Lock()
	defer r.mu.Unlock()
	t, there := r.held[at]
	if !there {
		if len(r.held) >= maxClients {
			return // a flood of clients is not there to be counted
		}
		t = &tally{counts: map[string]int64{}}
		r.held[at] = t
	}
	r.add(t, text, proved, 1)
}

// add counts a shape, or one beyond the bounds.
func (r *Recorder) add(t *tally, text []byte, proved bool, n int64) {
	if _, there := t.counts[string(text)]; !there && string(text) != beyondText { // no allocation: the compiler knows this form
		of := &t.open
		if proved {
			of = &t.proved
		}
		if *of >= maxHeld || r.size+len(text) > maxBytes {
			t.counts[beyondText] += n
			return
		}
		*of++
		r.size += len(text)
	}
	t.counts[string(text)] += n
}

// beyondText is the shape of what has none.
const beyondText = `{"kind":"beyond"}`

func hourOf(t time.Time) int64 { return t.Unix() / 3600 }

// Run adds what was counted to the database, and deletes what is old, until ctx ends; then once more. It returns only with ctx.
func (r *Recorder) Run(ctx context.Context) error {
	every := time.NewTicker(flushEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			last, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer stop()
			return errors.Join(ctx.Err(), r.Flush(last))
		case <-every.C:
		}
		if err := r.Flush(ctx); err != nil && ctx.Err() == nil {
			r.d.Log.ErrorContext(ctx, "shapes of requests are not being kept", "err", err) // until the database is back
		}
		if err := r.Sweep(ctx); err != nil && ctx.Err() == nil {
			r.d.Log.ErrorContext(ctx, "old shapes of requests are not being deleted", "err", err)
		}
	}
}

// first is the oldest hour that counts.
func (r *Recorder) first() int64 { return hourOf(r.d.Now()) - hours }

// Sweep deletes what is older than a day.
func (r *Recorder) Sweep(ctx context.Context) error { return sweep(ctx, r.d.DB, r.first()) }

// Flush adds what was counted to the database. What could not be added is counted still.
func (r *Recorder) Flush(ctx context.Context) error {
	if r == nil {
		return nil
	}
	r.gate.Lock()
	defer r.gate.Unlock()
	r.mu.Lock()
	taken := r.held
	r.held, r.size = map[bucket]*tally{}, 0
	r.mu.Unlock()
	for at, t := range taken {
		if err := keep(ctx, r.d.DB, at, t); err != nil {
			r.giveBack(taken)
			return err
		}
		delete(taken, at)
	}
	return nil
}

// giveBack joins counts that were not stored with what was counted meanwhile, within the same bounds: a database that is away for long does not
// fill the memory.
func (r *Recorder) giveBack(taken map[bucket]*tally) {
	first := r.first()
	r.mu.Lock()
	defer r.mu.Unlock()
	for at, t := range taken {
		now, there := r.held[at]
		if !there {
			if at.hour < first || len(r.held) >= maxClients {
				continue
			}
			now = &tally{counts: map[string]int64{}}
			r.held[at] = now
		}
		for text, n := range t.counts {
			s, err := decode(text)
			r.add(now, []byte(text), err == nil && s.proved(), n)
		}
	}
}

// Day returns the shapes of the last day of a client, those of this process up to now and those of others up to their last flush.
func (r *Recorder) Day(ctx context.Context, client clients.ID) (Day, error) {
	if r == nil {
		return Day{}, nil
	}
	if err := r.Flush(ctx); err != nil {
		return Day{}, err
	}
	first := r.first()
	shapes, err := read(ctx, r.d.DB, client, first)
	return Day{Since: time.Unix(first*3600, 0).UTC(), Shapes: shapes}, err
}
