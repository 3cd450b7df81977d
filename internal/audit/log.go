package audit

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// appendTimeout bounds the wait for the database outside a transaction.
const appendTimeout = 10 * time.Second

// Log is the audit log of one database.
type Log struct {
	db  *sqldb.DB
	now func() time.Time

	observers map[Kind][]Observer
	queue     queue

	notary *Notary              // nil: nobody vouches for the log
	made   atomic.Pointer[mark] // the last checkpoint that this process made
}

// Observer is told of an event in the transaction that writes it: what it stores stands if and only if the event does. Its error
// is the transaction's. It must keep to the database, and must not append events of the kinds it observes.
type Observer func(ctx context.Context, e Event) error

// Observe has o told of every event of these kinds. It is for the time when a program puts itself together: never beside Append.
func (l *Log) Observe(o Observer, kinds ...Kind) {
	if l.observers == nil {
		l.observers = make(map[Kind][]Observer)
	}
	for _, k := range kinds {
		l.observers[k] = append(l.observers[k], o)
	}
}

// New returns the log on db and brings its tables up to date.
func New(ctx context.Context, db *sqldb.DB, now func() time.Time) (*Log, error) {
	if db == nil || now == nil {
		return nil, errors.New("audit: database and clock are needed")
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx, "audit", files); err != nil {
		return nil, err
	}
	return &Log{db: db, now: now}, nil
}

// Append adds an event. In a transaction the event is written as the last thing before the commit, and an error is the error of
// the commit; otherwise it is in the log when Append returns. An event that is malformed in our own code (kind, fact names) is
// an error at once; texts from outside are cut and cleaned instead.
//
// The end of ctx does not keep an event out: what happened, happened.
func (l *Log) Append(ctx context.Context, e Event) error {
	s, err := encode(e)
	if err != nil {
		return err
	}
	if len(l.observers[e.Kind]) > 0 {
		return l.appendObserved(ctx, e, s)
	}
	if l.db.BeforeCommit(ctx, func(ctx context.Context) error { return l.write(ctx, []stored{s}) }) {
		return nil
	}
	return l.queue.join(s, func(events []stored) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), appendTimeout)
		defer cancel()
		return l.db.Tx(ctx, func(ctx context.Context) error { return l.write(ctx, events) })
	})
}

// appendObserved tells the observers of e first, in the transaction in ctx or in one of its own.
func (l *Log) appendObserved(ctx context.Context, e Event, s stored) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), appendTimeout)
	defer cancel()
	return l.db.Tx(ctx, func(ctx context.Context) error {
		for _, o := range l.observers[e.Kind] {
			if err := o(ctx, e); err != nil {
				return fmt.Errorf("audit: observer of %s: %w", e.Kind, err)
			}
		}
		l.db.BeforeCommit(ctx, func(ctx context.Context) error { return l.write(ctx, []stored{s}) })
		return nil
	})
}

// write adds rows and moves the head, in the transaction in ctx.
func (l *Log) write(ctx context.Context, events []stored) error {
	// The first statement takes the lock on the head; from here to the commit we are alone.
	seq, prev, err := advanceHead(ctx, l.db, len(events))
	if err != nil {
		return fmt.Errorf("audit: head: %w", err)
	}
	at := l.now().UnixMicro()
	rows := make([]row, len(events))
	for i, s := range events {
		seq++
		s.seq, s.prev, s.at = seq, prev, at
		prev = s.hash()
		rows[i] = row{s, prev}
	}
	if err := insertRows(ctx, l.db, rows); err != nil {
		return fmt.Errorf("audit: row: %w", err)
	}
	if err := setHead(ctx, l.db, prev); err != nil {
		return fmt.Errorf("audit: head: %w", err)
	}
	return nil
}
