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
	Tie     string // the service's name for the tie it made last; empty if there was none, or it names none
	moves   int64
	seq     int64 // of the last move, among those of all links of the client
	tied    int64 // seq of the move that made the tie; 0: there was never one
}

// WasTied reports whether the service ever said that it tied the person.
func (l Link) WasTied() bool { return l.tied != 0 }

// Move is one change of a link.
type Move struct {
	From, To State
	By       Actor
	Why      Why
	At       time.Time
	tie      string
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
	return l.move(ctx, account, client, wish{to: Offered, by: by, why: WhyChosen})
}

// Confirm records that the service tied the person to an account of its own, in an act that it calls tie, while the person is there. A
// tie that ended is refused with MoveForbidden.
func (l *Links) Confirm(ctx context.Context, account AccountID, client clients.ID, tie string) (Link, error) {
	return l.move(ctx, account, client, wish{to: Linked, by: ByService, why: WhyBound, tie: tie, present: true})
}

// Recall is Confirm by a service that speaks for itself. It raises nothing that has ended: see decide.
func (l *Links) Recall(ctx context.Context, account AccountID, client clients.ID, tie string) (Link, error) {
	return l.move(ctx, account, client, wish{to: Linked, by: ByService, why: WhyBound, tie: tie})
}

// Break records that the service can no longer use the account it tied. If tie is not empty, only of that tie.
func (l *Links) Break(ctx context.Context, account AccountID, client clients.ID, tie string) (Link, error) {
	return l.move(ctx, account, client, wish{to: Broken, by: ByService, why: WhyAccountLost, tie: tie})
}

// End ends a link; ending one that has ended, or never was, changes nothing.
func (l *Links) End(ctx context.Context, account AccountID, client clients.ID, by Actor, why Why) (Link, error) {
	return l.move(ctx, account, client, wish{to: Ended, by: by, why: why})
}

// Find returns the link of a person and a service, in state None if they never had one.
func (l *Links) Find(ctx context.Context, account AccountID, client clients.ID) (Link, error) {
	return findLink(ctx, l.db, account, client)
}

// List returns every link a person has or had, in the order of client ids.
func (l *Links) List(ctx context.Context, account AccountID) ([]Link, error) {
	return listLinks(ctx, l.db, `account = $1 ORDER BY client`, string(account))
}

// Count returns how many people are connected with a service.
func (l *Links) Count(ctx context.Context, client clients.ID) (n int64, err error) {
	if err = l.db.QueryRow(ctx, `SELECT count(*) FROM federation_link WHERE client = $1 AND state = $2`, string(client), string(Linked)).Scan(&n); err != nil {
		return 0, fmt.Errorf("count links: %w", err)
	}
	return n, nil
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

// move brings a link to where it is wished to be: the row, its history and the audit entry in one transaction. A lost race is decided
// again on what stands now.
func (l *Links) move(ctx context.Context, account AccountID, client clients.ID, w wish) (Link, error) {
	for range maxRaces {
		var link Link
		stored := false
		err := l.db.Tx(ctx, func(ctx context.Context) (err error) {
			link, stored, err = l.tryMove(ctx, account, client, w)
			return err
		})
		if err != nil || stored {
			return link, err
		}
	}
	return Link{}, fmt.Errorf("move link of %s to %s: lost every race", client, w.to)
}

func (l *Links) tryMove(ctx context.Context, account AccountID, client clients.ID, w wish) (Link, bool, error) {
	link, err := findLink(ctx, l.db, account, client)
	if err != nil {
		return Link{}, false, err
	}
	if link.State == None && w.to == Ended {
		return link, true, nil
	}
	seen := false
	if w.to == Linked {
		if seen, err = tieSeen(ctx, l.db, account, client, w.tie); err != nil {
			return Link{}, false, err
		}
	}
	state, err := decide(link, w, seen)
	if err != nil || !moved(link, state, w) {
		return link, true, err
	}
	move := Move{From: link.State, To: state, By: w.by, Why: w.why, At: l.now()}
	link.State, link.Since, link.moves = state, time.Unix(move.At.Unix(), 0), link.moves+1
	if link.seq, err = tick(ctx, l.db, client); err != nil {
		return Link{}, false, fmt.Errorf("number move: %w", err)
	}
	if state == Linked {
		link.Tie, link.tied = w.tie, link.seq
	}
	move.tie = link.Tie
	stored, err := storeLink(ctx, l.db, link)
	if err != nil || !stored {
		return Link{}, false, err
	}
	if err := insertMove(ctx, l.db, link, move); err != nil {
		return Link{}, false, fmt.Errorf("record move: %w", err)
	}
	err = l.log.Append(ctx, audit.Event{
		Kind: eventOf(state), Account: string(account), Client: string(client), Actor: string(w.by), Reason: string(w.why),
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
