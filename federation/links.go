package federation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// Deps is what Open needs. Every field is required.
type Deps struct {
	DB    *sqldb.DB
	Audit *audit.Log
	Now   func() time.Time
}

// Open migrates the tables and returns both registers over them.
func Open(ctx context.Context, d Deps) (*Subjects, *Links, error) {
	if d.DB == nil || d.Audit == nil || d.Now == nil {
		return nil, nil, errors.New("federation: Deps needs DB, Audit and Now")
	}
	if err := migrate(ctx, d.DB); err != nil {
		return nil, nil, fmt.Errorf("migrate federation: %w", err)
	}
	return &Subjects{db: d.DB, now: d.Now}, &Links{db: d.DB, log: d.Audit, now: d.Now}, nil
}

// Link is the connection of a person and a service. Since is when it entered
// its State, to the second; zero in state None.
type Link struct {
	Account AccountID
	Client  clients.ID
	State   State
	Since   time.Time
	moves   int64
}

// Move is one change of a link.
type Move struct {
	From, To State
	By       Actor
	Why      Why
	At       time.Time
}

// Kinds of audit events. Account and Client are those of the link, Actor and
// Reason those of the move.
const (
	EventOffered audit.Kind = "link.offered"
	EventLinked  audit.Kind = "link.linked"
	EventBroken  audit.Kind = "link.broken"
	EventEnded   audit.Kind = "link.ended"
)

// Links is the register of connections.
type Links struct {
	db  *sqldb.DB
	log *audit.Log
	now func() time.Time
}

// Offer records that the person wants to connect the service. A link that
// stands is left as it is.
func (l *Links) Offer(ctx context.Context, account AccountID, client clients.ID, by Actor) (Link, error) {
	return l.move(ctx, account, client, Offered, by, WhyChosen)
}

// Confirm records that the service tied the person to an account of its own.
func (l *Links) Confirm(ctx context.Context, account AccountID, client clients.ID, by Actor) (Link, error) {
	return l.move(ctx, account, client, Linked, by, WhyBound)
}

// Break records that the service can no longer use the account it tied.
func (l *Links) Break(ctx context.Context, account AccountID, client clients.ID, by Actor) (Link, error) {
	return l.move(ctx, account, client, Broken, by, WhyAccountLost)
}

// End ends a link; ending one that has ended, or never was, changes nothing.
func (l *Links) End(ctx context.Context, account AccountID, client clients.ID, by Actor, why Why) (Link, error) {
	return l.move(ctx, account, client, Ended, by, why)
}

// Find returns the link of a person and a service, in state None if they never had one.
func (l *Links) Find(ctx context.Context, account AccountID, client clients.ID) (Link, error) {
	return findLink(ctx, l.db, account, client)
}

// List returns every link a person has or had, in the order of client ids.
func (l *Links) List(ctx context.Context, account AccountID) ([]Link, error) {
	return listLinks(ctx, l.db, account)
}

// maxHistory bounds one answer; a link that moved more often shows its latest moves.
const maxHistory = 100

// History returns the latest moves of a link, newest first.
func (l *Links) History(ctx context.Context, account AccountID, client clients.ID) ([]Move, error) {
	return listMoves(ctx, l.db, account, client, maxHistory)
}

// maxRaces is how often a move is tried again after another request moved the
// same link first. The table of moves is so short that a third loss in a row
// means something else is wrong.
const maxRaces = 3

// move brings a link to state to: the row, its history and the audit entry in
// one transaction. A lost race is decided again on what stands now.
func (l *Links) move(ctx context.Context, account AccountID, client clients.ID, to State, by Actor, why Why) (Link, error) {
	for range maxRaces {
		var link Link
		stored := false
		err := l.db.Tx(ctx, func(ctx context.Context) (err error) {
			link, stored, err = l.tryMove(ctx, account, client, to, by, why)
			return err
		})
		if err != nil || stored {
			return link, err
		}
	}
	return Link{}, fmt.Errorf("move link of %s to %s: lost every race", client, to)
}

func (l *Links) tryMove(ctx context.Context, account AccountID, client clients.ID, to State, by Actor, why Why) (Link, bool, error) {
	link, err := findLink(ctx, l.db, account, client)
	if err != nil {
		return Link{}, false, err
	}
	if link.State == None && to == Ended {
		return link, true, nil
	}
	state, err := next(link.State, to)
	if err != nil || state == link.State {
		return link, true, err
	}
	move := Move{From: link.State, To: state, By: by, Why: why, At: l.now()}
	link.State, link.Since, link.moves = state, time.Unix(move.At.Unix(), 0), link.moves+1
	stored, err := storeLink(ctx, l.db, link)
	if err != nil || !stored {
		return Link{}, false, err
	}
	if err := insertMove(ctx, l.db, link, move); err != nil {
		return Link{}, false, fmt.Errorf("record move: %w", err)
	}
	err = l.log.Append(ctx, audit.Event{
		Kind: eventOf(state), Account: string(account), Client: string(client), Actor: string(by), Reason: string(why),
	})
	if err != nil {
		return Link{}, false, fmt.Errorf("audit move: %w", err)
	}
	return link, true, nil
}

func eventOf(s State) audit.Kind {
	switch s {
	case Offered:
		return EventOffered
	case Linked:
		return EventLinked
	case Broken:
		return EventBroken
	case Ended:
		return EventEnded
	case None: // no move leads there
	}
	return ""
}
