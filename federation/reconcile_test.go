package federation

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

func reasonOf(err error) Reason {
	e, _ := errors.AsType[*Error](err)
	if e == nil {
		return 0
	}
	return e.Reason
}

// TestTieThatEndedStaysEnded is the whole rule: every state, with the tie that stands, one that stood before and one never heard of, said
// with the person there and without her.
func TestTieThatEndedStaysEnded(t *testing.T) {
	const refused = State("refused")
	for _, row := range []struct {
		state          State
		tie            string // standing "b", before "a", new "c"
		present, alone State
	}{
		{None, "c", Linked, Linked},
		{Offered, "a", refused, refused},
		{Offered, "b", refused, refused},
		{Offered, "c", Linked, Linked},
		{Linked, "a", refused, refused},
		{Linked, "b", Linked, Linked},
		{Linked, "c", Linked, Linked},
		{Broken, "a", refused, refused},
		{Broken, "b", Linked, Linked},
		{Broken, "c", Linked, Linked},
		{Ended, "a", refused, refused},
		{Ended, "b", refused, refused},
		{Ended, "c", Linked, refused},
	} {
		l := Link{State: row.state, Tie: "b", tied: 1}
		if row.state == None {
			l = Link{State: None}
		}
		for _, present := range []bool{true, false} {
			want := row.alone
			if present {
				want = row.present
			}
			got, err := decide(l, wish{to: Linked, tie: row.tie, present: present}, row.tie != "c")
			if reasonOf(err) == MoveForbidden {
				got = refused
			}
			if got != want {
				t.Errorf("%s, tie %s, person there: %v: %s, want %s", row.state, row.tie, present, got, want)
			}
		}
		// What is said of another tie than the one that stands changes nothing.
		for _, to := range []State{Broken, Ended} {
			if got, err := decide(l, wish{to: to, tie: "x"}, false); got != l.State || err != nil {
				t.Errorf("%s of another tie: %s, %v", to, got, err)
			}
		}
	}
}

// A service that names no ties may do while the person is there what it always could.
func TestServiceWithoutNamesOfTies(t *testing.T) {
	for state, want := range map[State]State{None: Linked, Offered: Linked, Linked: Linked, Broken: Linked, Ended: Linked} {
		if got, err := decide(Link{State: state}, wish{to: Linked, present: true}, true); got != want || err != nil {
			t.Errorf("%s: %s, %v", state, got, err)
		}
	}
	if _, err := decide(Link{State: Ended, tied: 1}, wish{to: Linked}, true); reasonOf(err) != MoveForbidden {
		t.Errorf("raised without the person: %v", err)
	}
}

// all reads a client's changes after a cursor, a page at a time.
func (l *Links) all(t *testing.T, client clients.ID, after cursor, page int) (links []Link, at cursor) {
	t.Helper()
	for {
		some, next, more, err := l.changes(t.Context(), client, after, page)
		if err != nil {
			t.Fatal(err)
		}
		links, after = append(links, some...), next
		if !more {
			return links, next
		}
	}
}

func TestChangesInTheirOrder(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		_, links, _ := open(t, db)
		tie := func(account AccountID, client clients.ID, name string) {
			t.Helper()
			if _, err := links.Confirm(ctx, account, client, name); err != nil {
				t.Fatal(err)
			}
		}
		for _, a := range []AccountID{"a", "b", "c"} {
			tie(a, "etax", string(a)+"1")
			tie(a, "bank", string(a)+"2")
		}
		if _, err := links.Offer(ctx, "d", "etax", ByCitizen); err != nil { // whom the service has not met
			t.Fatal(err)
		}
		got, at := links.all(t, "etax", cursor{}, 2)
		if len(got) != 3 || got[0].Account != "a" || got[2].Tie != "c1" {
			t.Fatalf("%+v", got)
		}
		if again, same := links.all(t, "etax", at, 2); len(again) != 0 || same != at {
			t.Errorf("%+v, %s after %s", again, same, at)
		}
		if _, err := links.End(ctx, "b", "etax", ByCitizen, WhyAccessRevoked); err != nil {
			t.Fatal(err)
		}
		if got, _ = links.all(t, "etax", at, 1); len(got) != 1 || got[0].Account != "b" || got[0].State != Ended || got[0].Tie != "b1" {
			t.Errorf("%+v", got)
		}
		for name, c := range map[string]cursor{
			"another mark": {at.seq, "x"}, "ahead": {at.seq + 1000, at.mark}, "another service's": {2, at.mark},
		} {
			if _, _, _, err := links.changes(ctx, "bank", c, 10); reasonOf(err) != CursorUnknown {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// A reader that follows the cursor while a hundred links move misses none: no number is seen before a smaller one.
func TestNoChangeIsMissedWhileAHundredMove(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		_, links, _ := open(t, db)
		var writers sync.WaitGroup
		for i := range 100 {
			writers.Go(func() {
				if _, err := links.Confirm(t.Context(), AccountID(fmt.Sprint(i)), "etax", "t"); err != nil {
					t.Error(err)
				}
			})
		}
		done := make(chan struct{})
		go func() { writers.Wait(); close(done) }()
		seen := map[AccountID]int{}
		var at cursor
		for last := false; ; {
			got, next := links.all(t, "etax", at, 7)
			at = next
			for _, l := range got {
				seen[l.Account]++
			}
			if last {
				break
			}
			select {
			case <-done:
				last = true
			default:
			}
		}
		if len(seen) != 100 {
			t.Errorf("%d of 100 links seen", len(seen))
		}
	})
}

// While the person ends the link, a hundred times the service remembers the tie: in the end it has ended.
func TestHundredRecallsDoNotUndoAnEnd(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		_, links, _ := open(t, db)
		if _, err := links.Confirm(t.Context(), "taro", "etax", "a"); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				if i == 50 {
					if _, err := links.End(t.Context(), "taro", "etax", ByCitizen, WhyAccessRevoked); err != nil {
						t.Error(err)
					}
					return
				}
				if _, err := links.Recall(t.Context(), "taro", "etax", "a"); err != nil && reasonOf(err) != MoveForbidden {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if l, err := links.Find(t.Context(), "taro", "etax"); err != nil || l.State != Ended {
			t.Errorf("%+v, %v", l, err)
		}
		if moves, err := links.History(t.Context(), "taro", "etax"); err != nil || len(moves) != 2 {
			t.Errorf("%+v, %v", moves, err)
		}
	})
}

func TestCensusBreaksWhatIsNotNamed(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		_, links, log := open(t, db)
		for _, a := range []AccountID{"kept", "forgotten", "moving"} {
			if _, err := links.Confirm(ctx, a, "etax", string(a)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := links.Confirm(ctx, "kept", "bank", "x"); err != nil {
			t.Fatal(err)
		}
		c, err := links.beginCensus(ctx, "etax")
		if err != nil {
			t.Fatal(err)
		}
		kept, _ := links.Find(ctx, "kept", "etax")
		moving, _ := links.Find(ctx, "moving", "etax")
		// Tied while the census goes on: the service read its ties before.
		for account, tie := range map[AccountID]string{"newcomer": "n", "moving": "again"} {
			if _, err := links.Confirm(ctx, account, "etax", tie); err != nil {
				t.Fatal(err)
			}
		}
		if err := links.affirmed(ctx, []Link{kept, moving}, c); err != nil {
			t.Fatal(err)
		}
		n, err := links.endCensus(ctx, "etax", c)
		if n != 1 || err != nil {
			t.Errorf("%d broken, %v", n, err)
		}
		for account, want := range map[AccountID]State{"kept": Linked, "forgotten": Broken, "moving": Linked, "newcomer": Linked} {
			if l, err := links.Find(ctx, account, "etax"); l.State != want || err != nil {
				t.Errorf("%s: %s, %v", account, l.State, err)
			}
		}
		if l, err := links.Find(ctx, "kept", "bank"); l.State != Linked || err != nil {
			t.Errorf("of another service: %s, %v", l.State, err)
		}
		if h, err := links.History(ctx, "forgotten", "etax"); err != nil || h[0].By != ByHub || h[0].Why != WhyNotKnown {
			t.Errorf("%+v, %v", h, err)
		}
		if err := links.inCensus(ctx, "etax", c); reasonOf(err) != CursorUnknown {
			t.Errorf("goes on after its end: %v", err)
		}
		if err := log.Verify(ctx); err != nil {
			t.Error(err)
		}
	})
}

// Two processes of one service go through the ties at once: neither breaks what the other named.
func TestTwoCensusesAtOnce(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		_, links, _ := open(t, db)
		const people = 20
		for i := range people {
			if _, err := links.Confirm(ctx, AccountID(fmt.Sprint(i)), "etax", "t"); err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				c, err := links.beginCensus(ctx, "etax")
				if err != nil {
					t.Error(err)
					return
				}
				for i := range people {
					l, err := links.Find(ctx, AccountID(fmt.Sprint(i)), "etax")
					if err == nil {
						err = links.affirmed(ctx, []Link{l}, c)
					}
					if err != nil {
						t.Error(err)
					}
				}
				if n, err := links.endCensus(ctx, "etax", c); n != 0 || err != nil {
					t.Errorf("%d broken, %v", n, err)
				}
			})
		}
		wg.Wait()
	})
}

// A service that once went through its ties and stopped: after a while nobody knows whether it still has them. One that never did is left alone.
func TestLinksLapseOfAServiceThatFellSilent(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		_, links, _ := open(t, db)
		for _, client := range []clients.ID{"etax", "bank"} {
			if _, err := links.Confirm(ctx, "taro", client, "t"); err != nil {
				t.Fatal(err)
			}
		}
		c, err := links.beginCensus(ctx, "etax")
		if err != nil {
			t.Fatal(err)
		}
		l, _ := links.Find(ctx, "taro", "etax")
		if err := links.affirmed(ctx, []Link{l}, c); err != nil {
			t.Fatal(err)
		}
		if _, err := links.endCensus(ctx, "etax", c); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			before time.Time
			want   int
		}{{start, 0}, {start.Add(time.Second), 1}, {start.Add(time.Second), 0}} {
			if n, err := links.Lapse(ctx, step.before); n != step.want || err != nil {
				t.Errorf("%d lapsed, %v; want %d", n, err, step.want)
			}
		}
		if l, err := links.Find(ctx, "taro", "bank"); l.State != Linked || err != nil {
			t.Errorf("%+v, %v", l, err)
		}
		if l, err := links.Recall(ctx, "taro", "etax", "t"); l.State != Linked || err != nil {
			t.Errorf("not mended: %+v, %v", l, err)
		}
	})
}

func TestCursorReadsAsItWasWritten(t *testing.T) {
	for _, c := range []cursor{{}, {1, "a"}, {1 << 60, "ABC234"}} {
		if got, err := parseCursor(c.String()); got != c || err != nil {
			t.Errorf("%v, %v; want %v", got, err, c)
		}
	}
	for _, s := range []string{"1", "-a", "0-a", "-1-a", "01-a", "1-", "1-a b", "x-a", "99999999999999999999-a", "1-" + string(slices.Repeat([]byte("a"), 65))} {
		if _, err := parseCursor(s); reasonOf(err) != RequestMalformed {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// FuzzParseCursor: what is accepted reads as itself.
func FuzzParseCursor(f *testing.F) {
	for _, s := range []string{"", "1-a", "9223372036854775807-Z_-", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := parseCursor(s); err == nil && c.String() != s {
			t.Errorf("%q reads as %q", s, c)
		}
	})
}

// A service that begins censuses and ends none leaves few rows behind, and its last one still goes on.
func TestCensusesThatNeverEndDoNotPileUp(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		_, links, _ := open(t, db)
		first, err := links.beginCensus(ctx, "etax")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := links.endCensus(ctx, "etax", first); err != nil {
			t.Fatal(err)
		}
		var last cursor
		for range 2 * openCensuses {
			if last, err = links.beginCensus(ctx, "etax"); err != nil {
				t.Fatal(err)
			}
		}
		var rows int
		if err := db.QueryRow(ctx, `SELECT COUNT(*) FROM federation_census`).Scan(&rows); err != nil || rows > openCensuses+1 {
			t.Errorf("%d rows, %v", rows, err)
		}
		if err := links.inCensus(ctx, "etax", last); err != nil {
			t.Error(err)
		}
		if silent, err := silentClients(ctx, db, start.Add(time.Hour)); err != nil || len(silent) != 1 {
			t.Errorf("when it last went through its ties is forgotten: %v, %v", silent, err)
		}
	})
}
