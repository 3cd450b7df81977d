package audit_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// TestSearchFindsWhatFits compares every combination of filters with the plain truth.
func TestSearchFindsWhatFits(t *testing.T) {
	eachLog(t, func(t *testing.T, db *sqldb.DB, _ *audit.Log) {
		ctx := t.Context()
		now := start
		l, err := audit.New(ctx, db, func() time.Time { return now })
		if err != nil {
			t.Fatal(err)
		}
		pick := func(i int, of ...string) string { return of[i%len(of)] }
		for i := range 120 {
			err := l.Append(ctx, audit.Event{
				Kind: audit.Kind(pick(i, "login.succeeded", "login.refused", "client.saved")), Account: pick(i/2, "a1", "a2", ""),
				Client: pick(i/3, "c1", "", "c2"), Actor: pick(i/5, "", "op1", "op2"), Trace: pick(i, "", fmt.Sprintf("0000-%04X", i/4)),
			})
			if err != nil {
				t.Fatal(err)
			}
			if i%3 == 0 { // three rows share a time
				now = now.Add(time.Second)
			}
		}
		all, err := l.List(ctx, audit.Query{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for mask := range 1 << 7 {
			f := audit.Filter{}
			set := func(bit int) bool { return mask&(1<<bit) != 0 }
			if set(0) {
				f.Kind = "login.succeeded"
			}
			if set(1) {
				f.Account = "a2"
			}
			if set(2) {
				f.Client = "c2"
			}
			if set(3) {
				f.Actor = "op1"
			}
			if set(4) {
				f.Trace = "0000-0009"
			}
			if set(5) {
				f.From = all[20].At
			}
			if set(6) {
				f.To = all[90].At
			}
			var want []int64
			for _, r := range all {
				if (f.Kind == "" || r.Kind == f.Kind) && (f.Account == "" || r.Account == f.Account) && (f.Client == "" || r.Client == f.Client) &&
					(f.Actor == "" || r.Actor == f.Actor) && (f.Trace == "" || r.Trace == f.Trace) &&
					(f.From.IsZero() || !r.At.Before(f.From)) && (f.To.IsZero() || r.At.Before(f.To)) {
					want = append(want, r.Seq)
				}
			}
			var oldest []int64
			for after, pages := "", 0; pages == 0 || after != ""; pages++ {
				page, err := l.Oldest(ctx, f, after, 9)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range page.Rows {
					oldest = append(oldest, r.Seq)
				}
				after = page.Next
			}
			if !slices.Equal(oldest, want) {
				t.Fatalf("%+v: got %v, want %v", f, oldest, want)
			}
			if n, more, err := l.Count(ctx, f); err != nil || more || n != int64(len(want)) {
				t.Fatal(n, more, err)
			}
			slices.Reverse(want)
			var newest []int64
			for after, pages := "", 0; pages == 0 || after != ""; pages++ {
				page, err := l.Search(ctx, f, after, 7)
				if err != nil || len(page.Rows) > 7 {
					t.Fatal(len(page.Rows), err)
				}
				for _, r := range page.Rows {
					newest = append(newest, r.Seq)
				}
				after = page.Next
			}
			if !slices.Equal(newest, want) {
				t.Fatalf("%+v: got %v, want %v", f, newest, want)
			}
		}
	})
}

// TestSearchRefusesForeignCursors: what no page gave is refused, in whatever spelling.
func TestSearchRefusesForeignCursors(t *testing.T) {
	l := aside(t)
	fill(t, l, 3)
	page, err := l.Search(t.Context(), audit.Filter{}, "", 1)
	if err != nil || page.Next == "" {
		t.Fatal(page, err)
	}
	for _, after := range []string{".", "1", "1.", ".1", "01.1", "1.2.3", "+1.1", "1.1 ", " 1.1", "A.1", "'.1", page.Next + ".", "0" + page.Next, strings.Repeat("1", 40) + ".1", "é.1"} {
		if _, err := l.Search(t.Context(), audit.Filter{}, after, 1); !errors.Is(err, audit.ErrCursor) {
			t.Errorf("%q: %v", after, err)
		}
	}
}

// FuzzSearchCursor: whatever comes as a cursor is a page or ErrCursor.
func FuzzSearchCursor(f *testing.F) {
	l := open(f, sqldbtest.Open(f))
	fill(f, l, 3)
	page, err := l.Search(f.Context(), audit.Filter{}, "", 1)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"", page.Next, "1.1", "-1.-1", "zzzzzzzzzzzzz.1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, after string) {
		page, err := l.Search(t.Context(), audit.Filter{}, after, 2)
		if err != nil && !errors.Is(err, audit.ErrCursor) || len(page.Rows) > 2 {
			t.Fatal(len(page.Rows), err)
		}
	})
}

// Two hubs write, and their clocks differ: what is exported is the chain all the same.
func TestOldestIsTheChainWhateverTheClocksSay(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ahead, behind := open(t, db), openVouched(t, db, func() time.Time { return clock().Add(-time.Second) })
		for range 5 {
			fill(t, ahead, 1)
			fill(t, behind, 1)
		}
		var x audit.Exported
		for after, more := "", true; more; more = after != "" {
			page, err := ahead.Oldest(t.Context(), audit.Filter{To: clock().Add(time.Hour)}, after, 3)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Rows {
				if err := x.Next(r); err != nil {
					t.Fatal(err)
				}
			}
			after = page.Next
		}
		if seq, _ := x.Last(); seq != 10 {
			t.Errorf("ends at %d", seq)
		}
	})
}

// An export that retention overtakes ends with an error: it does not go on behind a gap.
func TestOldestTellsOfRowsThatWereTakenOut(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		l := openVouched(t, db, clock)
		fill(t, l, 10)
		page, err := l.Oldest(t.Context(), audit.Filter{}, "", 3)
		if err != nil {
			t.Fatal(err)
		}
		checkpoint(t, l)
		if through, err := l.Retain(t.Context(), clock().Add(time.Hour)); err != nil || through != 10 {
			t.Fatal(through, err)
		}
		if _, err := l.Oldest(t.Context(), audit.Filter{}, page.Next, 3); !errors.Is(err, audit.ErrTakenOut) {
			t.Errorf("%v", err)
		}
	})
}
