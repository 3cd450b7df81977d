package federation

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

func TestLifeOfALink(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		_, links, log := open(t, db)
		taro := newAccount()
		for _, step := range []struct {
			do   func() (Link, error)
			want State
		}{
			{func() (Link, error) { return links.Offer(ctx, taro, "etax", ByCitizen) }, Offered},
			{func() (Link, error) { return links.Confirm(ctx, taro, "etax", "") }, Linked},
			{func() (Link, error) { return links.Offer(ctx, taro, "etax", ByCitizen) }, Linked}, // stands
			{func() (Link, error) { return links.Break(ctx, taro, "etax", "") }, Broken},
			{func() (Link, error) { return links.Confirm(ctx, taro, "etax", "") }, Linked},
			{func() (Link, error) { return links.End(ctx, taro, "etax", ByCitizen, WhyAccessRevoked) }, Ended},
			{func() (Link, error) { return links.End(ctx, taro, "etax", ByService, WhyUnbound) }, Ended}, // already
			{func() (Link, error) { return links.Offer(ctx, taro, "etax", ByCitizen) }, Offered},
		} {
			l, err := step.do()
			if err != nil || l.State != step.want || !l.Since.Equal(start) {
				t.Fatalf("got %+v, %v; want state %s", l, err, step.want)
			}
			if found, err := links.Find(ctx, taro, "etax"); err != nil || found != l {
				t.Fatalf("Find = %+v, %v; want %+v", found, err, l)
			}
		}
		want := []Move{
			{From: Ended, To: Offered, By: ByCitizen, Why: WhyChosen, At: start},
			{From: Linked, To: Ended, By: ByCitizen, Why: WhyAccessRevoked, At: start},
			{From: Broken, To: Linked, By: ByService, Why: WhyBound, At: start},
			{From: Linked, To: Broken, By: ByService, Why: WhyAccountLost, At: start},
			{From: Offered, To: Linked, By: ByService, Why: WhyBound, At: start},
			{From: None, To: Offered, By: ByCitizen, Why: WhyChosen, At: start},
		}
		history, err := links.History(ctx, taro, "etax")
		if err != nil || !slices.EqualFunc(history, want, equalMove) {
			t.Errorf("history %+v, %v\nwant %+v", history, err, want)
		}
		checkAudit(t, log, taro, want)
	})
}

func equalMove(a, b Move) bool {
	return a.From == b.From && a.To == b.To && a.By == b.By && a.Why == b.Why && a.At.Equal(b.At)
}

// checkAudit compares the log with the moves, which are newest first.
func checkAudit(t *testing.T, log *audit.Log, account AccountID, moves []Move) {
	t.Helper()
	rows, err := log.List(t.Context(), audit.Query{Limit: 100, Account: string(account)})
	if err != nil || len(rows) != len(moves) {
		t.Fatalf("%d audit rows, %v; want %d", len(rows), err, len(moves))
	}
	slices.SortFunc(rows, func(a, b audit.Row) int { return int(b.Seq - a.Seq) })
	for i, m := range moves {
		e := rows[i].Event
		if e.Kind != eventOf(m.To) || e.Client != "etax" || e.Actor != string(m.By) || e.Reason != string(m.Why) {
			t.Errorf("audit row %+v does not tell the move %+v", e, m)
		}
	}
	if err := log.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestForbiddenMoveLeavesNoTrace(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		_, links, log := open(t, db)
		taro := newAccount()
		_, err := links.Break(t.Context(), taro, "etax", "")
		if e, ok := errors.AsType[*Error](err); !ok || e.Reason != MoveForbidden {
			t.Errorf("got %v, want MoveForbidden", err)
		}
		if l, err := links.End(t.Context(), taro, "etax", ByCitizen, WhyAccessRevoked); err != nil || l.State != None {
			t.Errorf("ending a link that never was gave %+v, %v", l, err)
		}
		checkAudit(t, log, taro, nil)
		if all, err := links.List(t.Context(), taro); err != nil || len(all) != 0 {
			t.Errorf("List = %+v, %v; want nothing", all, err)
		}
	})
}

func TestListIsOnePersonsOnly(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		_, links, _ := open(t, db)
		taro, hanako := newAccount(), newAccount()
		for _, of := range []struct {
			who    AccountID
			client clients.ID
		}{{taro, "etax"}, {taro, "bank"}, {hanako, "etax"}} {
			if _, err := links.Offer(t.Context(), of.who, of.client, ByCitizen); err != nil {
				t.Fatal(err)
			}
		}
		all, err := links.List(t.Context(), taro)
		if err != nil || len(all) != 2 || all[0].Client != "bank" || all[1].Client != "etax" {
			t.Errorf("List = %+v, %v; want bank and etax", all, err)
		}
	})
}

// A hundred presses of the same button are one move, whichever database decides.
func TestHundredOffersAreOneMove(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		_, links, log := open(t, db)
		taro := newAccount()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if l, err := links.Offer(t.Context(), taro, "etax", ByCitizen); err != nil || l.State != Offered {
					t.Errorf("got %+v, %v", l, err)
				}
			})
		}
		wg.Wait()
		checkAudit(t, log, taro, []Move{{From: None, To: Offered, By: ByCitizen, Why: WhyChosen, At: start}})
	})
}

// A caller's own transaction decides about the move as well.
func TestMoveJoinsTheCallersTransaction(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		_, links, log := open(t, db)
		taro := newAccount()
		stop := errors.New("changed my mind")
		err := db.Tx(t.Context(), func(ctx context.Context) error {
			if _, err := links.Offer(ctx, taro, "etax", ByCitizen); err != nil {
				return err
			}
			return stop
		})
		if !errors.Is(err, stop) {
			t.Fatal(err)
		}
		if l, err := links.Find(t.Context(), taro, "etax"); err != nil || l.State != None {
			t.Errorf("after the rollback: %+v, %v", l, err)
		}
		checkAudit(t, log, taro, nil)
	})
}
