package federation

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
)

// Both sides keep a record of a link, and either database may be restored from a backup. What brings them together again:
//
//   - A tie has a name that the service chose at random when it made it. Two records speak of the same act only if they name the same tie:
//     a restored service that remembers an earlier tie of the same person to another account is not believed.
//   - Every move of a client's links has a number, counted without gaps in the order of commits, and a random mark. A service reads what
//     changed since a number. If the mark it remembers is not the one here, the hub's history is another than the service knows: one of
//     the two was restored, and the service goes through everything.
//   - A census: the service names all its ties. Ties that ended here are over, and it hears so; ties made here before the census began
//     that it did not name are broken.
//   - What ended stays ended, until the person comes by and makes a new tie.

// maxPage bounds the links and ties of one request.
const maxPage = 500

// cursor is a place in a client's history of moves. The zero value is before its beginning.
type cursor struct {
	seq  int64
	mark string
}

func (c cursor) String() string {
	if c.seq == 0 {
		return ""
	}
	return strconv.FormatInt(c.seq, 10) + "-" + c.mark
}

// parseCursor reads what String wrote.
func parseCursor(s string) (cursor, error) {
	if s == "" {
		return cursor{}, nil
	}
	number, mark, ok := strings.Cut(s, "-")
	seq, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || seq <= 0 || strconv.FormatInt(seq, 10) != number || !named(mark, maxMark) {
		return cursor{}, malformed("since is not a cursor")
	}
	return cursor{seq, mark}, nil
}

const (
	maxMark = 64
	maxTie  = 64
)

// named reports whether s is 1 to most characters of A-Z a-z 0-9 _ -.
func named(s string, most int) bool {
	if s == "" || len(s) > most {
		return false
	}
	for i := range len(s) {
		switch b := s[i]; {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '_', b == '-':
		default:
			return false
		}
	}
	return true
}

// changes returns the links of a client that were ever tied and moved after a cursor, in the order of their last moves, and where to go on. It refuses
// a cursor that is not of this history with CursorUnknown.
func (l *Links) changes(ctx context.Context, client clients.ID, after cursor, limit int) (_ []Link, at cursor, more bool, err error) {
	if after.seq != 0 {
		mark, err := markOf(ctx, l.db, client, after.seq)
		if err != nil {
			return nil, cursor{}, false, err
		}
		if mark == "" || mark != after.mark {
			return nil, cursor{}, false, &Error{Reason: CursorUnknown, Detail: "this history has no such place: read from the beginning, and take a census"}
		}
	}
	all, err := listLinks(ctx, l.db, `client = $1 AND seq > $2 ORDER BY seq LIMIT $3`, string(client), after.seq, limit+1)
	if err != nil {
		return nil, cursor{}, false, err
	}
	if more = len(all) > limit; more {
		all = all[:limit]
	}
	at = after
	if n := len(all); n > 0 {
		at.seq = all[n-1].seq
		// The link may have moved on since it was read: the mark is of the move, which stays.
		if at.mark, err = markOf(ctx, l.db, client, at.seq); err != nil {
			return nil, cursor{}, false, err
		}
	}
	tied := all[:0]
	for _, one := range all {
		if one.WasTied() { // of others the service has not heard
			tied = append(tied, one)
		}
	}
	return tied, at, more, nil
}

// keepCensuses is how long a census may take, with much to spare.
const keepCensuses = 7 * 24 * time.Hour

// openCensuses bounds what a service leaves behind that begins and does not end: more than the processes of one service.
const openCensuses = 100

// beginCensus returns the name of a new census.
func (l *Links) beginCensus(ctx context.Context, client clients.ID) (c cursor, err error) {
	c.mark = rand.Text()
	err = l.db.Tx(ctx, func(ctx context.Context) error {
		if c.seq, err = tick(ctx, l.db, client); err != nil {
			return fmt.Errorf("number census: %w", err)
		}
		now := l.now()
		return insertCensus(ctx, l.db, client, c.seq, c.mark, now, now.Add(-keepCensuses))
	})
	return c, err
}

// inCensus refuses what is not the name of a census that goes on.
func (l *Links) inCensus(ctx context.Context, client clients.ID, c cursor) error {
	ok, err := openCensus(ctx, l.db, client, c.seq, c.mark)
	if err == nil && !ok {
		err = &Error{Reason: CursorUnknown, Detail: "no such census: begin another"}
	}
	return err
}

// affirmed notes that a census named the ties of links, as they were read.
func (l *Links) affirmed(ctx context.Context, links []Link, c cursor) error {
	return l.db.Tx(ctx, func(ctx context.Context) error {
		for _, one := range links {
			if err := affirm(ctx, l.db, one, c.seq); err != nil {
				return err
			}
		}
		return nil
	})
}

// endCensus breaks the links that were tied before the census began and that it did not name, and returns how many. A crash in between leaves the
// census open, and it can be ended again.
func (l *Links) endCensus(ctx context.Context, client clients.ID, c cursor) (broken int, err error) {
	for {
		silent, err := listLinks(ctx, l.db, `client = $1 AND state = 'linked' AND linked_seq < $2 AND affirmed < $2 ORDER BY seq LIMIT $3`,
			string(client), c.seq, maxPage)
		if err != nil {
			return broken, err
		}
		n, err := l.breakAll(ctx, silent, WhyNotKnown)
		broken += n
		if err != nil {
			return broken, err
		}
		if len(silent) < maxPage {
			return broken, endCensus(ctx, l.db, client, c.seq, l.now())
		}
	}
}

// breakAll breaks links that have not moved since they were read, and returns how many did break.
func (l *Links) breakAll(ctx context.Context, links []Link, why Why) (broken int, err error) {
	for _, one := range links {
		was := one.moves
		after, err := l.move(ctx, one.Account, one.Client, wish{
			to: Broken, by: ByHub, why: why, only: func(now Link) bool { return now.moves == was },
		})
		if err != nil {
			return broken, err
		}
		if after.moves != was && after.State == Broken {
			broken++
		}
	}
	return broken, nil
}

// Lapse breaks the links of services that once went through their ties and have not done so since before: whether they still know them nobody can say. A
// census that comes later mends them. It is safe to run in any number of processes.
func (l *Links) Lapse(ctx context.Context, before time.Time) (broken int, err error) {
	silent, err := silentClients(ctx, l.db, before)
	if err != nil {
		return 0, err
	}
	for _, client := range silent {
		for {
			old, err := listLinks(ctx, l.db, `client = $1 AND state = 'linked' AND since < $2 ORDER BY since LIMIT $3`, string(client), before.Unix(), maxPage)
			if err != nil {
				return broken, err
			}
			n, err := l.breakAll(ctx, old, WhyNotAffirmed)
			broken += n
			if err != nil {
				return broken, err
			}
			if len(old) < maxPage {
				break
			}
		}
	}
	return broken, nil
}
