package federation

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/keys"
)

const (
	listOpen = 24 * time.Hour // a list takes new sessions
	listKept = 48 * time.Hour // and is served afterwards, and for as long as one of its sessions lives

	// statusFirstLook is how soon after a position was given it is looked at whether its session stands: a process that was killed between
	// the end of a session and what follows it leaves such a position for no longer.
	statusFirstLook = time.Minute
	statusLook      = 5 * time.Minute // and how often from then on: how late an expired session may be seen
	statusLookBatch = 200
	// statusLookFailures is how many sessions nobody can say anything of before it is not for them but for what they are kept in.
	statusLookFailures = 10

	// StatusTTL is how long a service need not ask again; StatusLife is how long any copy of a list is believed, and so the longest that
	// a service which looks by itself goes without knowing.
	StatusTTL  = time.Minute
	StatusLife = 5 * time.Minute
)

// ErrNoStatusList reports a list that does not exist, or no longer. What its positions stood for is over.
var ErrNoStatusList = errors.New("no such status list")

// StatusRef is the position of one session of one person at one client (draft-ietf-oauth-status-list-21 §6.2).
type StatusRef struct {
	Index int    `json:"idx"`
	URI   string `json:"uri"`
}

// StatusLists are where services look by themselves whether a session ended. Each client has lists of its own, under addresses that nobody
// can guess, and positions in them are drawn at random: what one client has says nothing about a position at another, nor about who
// came before whom.
type StatusLists struct {
	issuer  string
	db      *sqldb.DB
	clients *clients.Registry
	sign    func(alg keys.Alg, typ string, claims any) (string, error)
	now     func() time.Time

	mu    sync.Mutex
	built map[string]*builtList
}

// StatusPath is where the lists are, below the issuer.
const StatusPath = "/status-lists/"

func newStatusLists(d DeliveriesDeps) *StatusLists {
	return &StatusLists{issuer: d.Issuer, db: d.DB, clients: d.Clients, sign: d.Sign, now: d.Now, built: map[string]*builtList{}}
}

// maxLists bounds how many lists one request may find full.
const maxLists = 4

// Index returns the position of a session at a client, and gives it one if it has none. The account is whom the client takes it to be about:
// a session in which a representative acts has another position for that. A session that ended at the client and was entered
// again gets another: a position that is shown as ended stays so. It must not be called inside a transaction.
func (s *StatusLists) Index(ctx context.Context, account AccountID, client clients.ID, session string) (StatusRef, error) {
	for range maxLists {
		e, found, err := liveEntry(ctx, s.db, account, session, client)
		if err != nil || found {
			return s.ref(e), err
		}
		l, err := s.open(ctx, client)
		if err != nil {
			return StatusRef{}, err
		}
		e, found, err = s.place(ctx, l, statusEntry{client: client, account: account, session: session, look: s.now().Add(statusFirstLook)})
		if err != nil || found {
			return s.ref(e), err
		}
		if err := closeList(ctx, s.db, l.id, s.now()); err != nil {
			return StatusRef{}, err
		}
	}
	return StatusRef{}, fmt.Errorf("status lists of %s are full", client)
}

func (s *StatusLists) ref(e statusEntry) StatusRef {
	return StatusRef{Index: e.idx, URI: s.issuer + StatusPath + e.list}
}

// open returns the list that takes a client's new sessions. Two processes that make one at once leave two, which is as good.
func (s *StatusLists) open(ctx context.Context, client clients.ID) (statusList, error) {
	now := s.now()
	l, found, err := openList(ctx, s.db, client, now)
	if err != nil || found {
		return l, err
	}
	l = statusList{id: rand.Text(), client: client, opened: now, closes: now.Add(listOpen)}
	_, _ = rand.Read(l.seed[:]) // cannot fail since Go 1.24
	return l, insertList(ctx, s.db, l)
}

// anyPosition draws from all positions of a list, whose number is a power of two.
func anyPosition() int {
	var b [2]byte
	_, _ = rand.Read(b[:]) // cannot fail since Go 1.24
	return int(binary.BigEndian.Uint16(b[:])) % statusSize
}

// placeTries: a list is full when so many positions in a row were taken, which begins to happen when it is half full.
const placeTries = 8

// place draws positions until one is free, and reports false if the list is full.
func (s *StatusLists) place(ctx context.Context, l statusList, e statusEntry) (statusEntry, bool, error) {
	nobody := l.decoys()
	e.list = l.id
	for tries := 0; tries < placeTries; {
		e.idx = anyPosition()
		if _, decoy := nobody.at(e.idx); decoy {
			continue
		}
		tries++
		won, err := insertEntry(ctx, s.db, e)
		if err != nil || won {
			return e, won, err
		}
		// Either the position was taken or somebody gave the session one just now.
		if other, found, err := liveEntry(ctx, s.db, e.account, e.session, e.client); err != nil || found {
			return other, found, err
		}
	}
	return e, false, nil
}

// End shows as ended what a notice speaks of, and reports whether the client had a position for any of it. It joins the transaction in ctx.
func (s *StatusLists) End(ctx context.Context, n Notice) (bool, error) {
	return endEntries(ctx, s.db, n, s.now())
}

// Look asks stands about sessions that were not looked at for a while, and shows as ended those that are gone: a session whose time ran out
// tells nobody. It returns how many it looked at, and an error if it learned nothing of some.
func (s *StatusLists) Look(ctx context.Context, stands func(ctx context.Context, session string, client clients.ID) (bool, error)) (int, error) {
	now := s.now()
	due, err := dueEntries(ctx, s.db, now, statusLookBatch)
	if err != nil {
		return 0, err
	}
	var unknown error
	failures := 0
	for _, e := range due {
		ok, err := stands(ctx, e.session, e.client)
		if err != nil { // of one session: the others do not wait for it
			unknown = cmp.Or(unknown, err)
			if failures++; failures >= statusLookFailures {
				return 0, unknown
			}
			continue
		}
		if ok {
			err = lookLater(ctx, s.db, e, now.Add(statusLook))
		} else {
			err = endEntry(ctx, s.db, e, now)
		}
		if err != nil {
			return 0, err
		}
	}
	return len(due), unknown
}

// forget removes lists whose time is over.
func (s *StatusLists) forget(ctx context.Context) error {
	ids, err := oldLists(ctx, s.db, s.now().Add(-listKept), expireBatch)
	if err != nil {
		return err
	}
	for _, id := range ids {
		s.mu.Lock()
		delete(s.built, id)
		s.mu.Unlock()
		if err := deleteList(ctx, s.db, id); err != nil {
			return err
		}
	}
	return nil
}
