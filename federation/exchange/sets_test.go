package exchange

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// TestBasesTakeTwoPeople: nobody approves his own set, in no spelling; nothing is approved twice; everything is on record.
func TestBasesTakeTwoPeople(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r, c := open(t, db)
		s, err := r.Propose(t.Context(), strings.NewReader(head+line), "sato")
		if err != nil || s.Version != 1 || s.Bases != 1 {
			t.Fatalf("%+v, %v", s, err)
		}
		approve := func(version int64, as string, from, until time.Time) Reason {
			_, err := r.Approve(t.Context(), version, as, from, until)
			return reasonOf(err)
		}
		now := c.now()
		for what, got := range map[string][2]Reason{
			"the proposer":         {approve(1, "sato", time.Time{}, time.Time{}), SamePerson},
			"with a capital":       {approve(1, "Sato", time.Time{}, time.Time{}), OperatorName},
			"with a space":         {approve(1, "sato ", time.Time{}, time.Time{}), OperatorName},
			"in other letters":     {approve(1, "sаto", time.Time{}, time.Time{}), OperatorName}, // a Cyrillic one
			"nobody":               {approve(1, "", time.Time{}, time.Time{}), OperatorName},
			"no such set":          {approve(2, "tanaka", time.Time{}, time.Time{}), UnknownSet},
			"ends before it began": {approve(1, "tanaka", now, now), PeriodBad},
			"over":                 {approve(1, "tanaka", now.AddDate(-1, 0, 0), now), PeriodBad},
			"for three years":      {approve(1, "tanaka", now, now.AddDate(3, 0, 0)), PeriodBad},
		} {
			if got[0] != got[1] {
				t.Errorf("%s: %s, want %s", what, got[0], got[1])
			}
		}
		if _, err := r.Judge(t.Context(), request("her")); reasonOf(err) != BasisNotInForce {
			t.Errorf("a draft: %v", err)
		}
		if got := approve(1, "tanaka", time.Time{}, time.Time{}); got != 0 {
			t.Errorf("another person: %s", got)
		}
		if got := approve(1, "suzuki", time.Time{}, time.Time{}); got != SetApproved {
			t.Errorf("again: %s", got)
		}
		if n := rows(t, db, `SELECT count(*) FROM audit_event WHERE kind IN ('bases.proposed', 'bases.approved')`); n != 2 {
			t.Errorf("%d audit events", n)
		}
		judged(t, r, request("her"))
	})
}

// TestBadFileStoresNothing: not the set, not its good lines, no event.
func TestBadFileStoresNothing(t *testing.T) {
	r, _ := open(t, sqldbtest.Open(t))
	file := head
	for i := range 200 {
		file += strings.Replace(line, "KODOMO-01", fmt.Sprintf("B-%d", i), 1)
	}
	if _, err := r.Propose(t.Context(), strings.NewReader(file+strings.Replace(line, item, "TM", 1)), "sato"); err == nil || !strings.Contains(err.Error(), "line 202: item") {
		t.Errorf("%v", err)
	}
	if n := rows(t, r.db, `SELECT (SELECT count(*) FROM exchange_set) + (SELECT count(*) FROM exchange_basis) + (SELECT count(*) FROM audit_event)`); n != 0 {
		t.Errorf("%d rows", n)
	}
	if _, err := r.db.Exec(t.Context(), `ALTER TABLE audit_event RENAME TO audit_event_away`); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Propose(t.Context(), strings.NewReader(file), "sato"); err == nil {
		t.Error("proposed without a trace")
	}
	if n := rows(t, r.db, `SELECT (SELECT count(*) FROM exchange_set) + (SELECT count(*) FROM exchange_basis)`); n != 0 {
		t.Errorf("%d rows of a set that was not written down", n)
	}
}

// TestOneApprovalOfASet: a hundred at once, of two people and the proposer, approve once.
func TestOneApprovalOfASet(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r, _ := open(t, db)
		s, err := r.Propose(t.Context(), strings.NewReader(head+line), "sato")
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var won atomic.Int64
		for i := range 100 {
			wg.Go(func() {
				_, err := r.Approve(context.WithoutCancel(t.Context()), s.Version, []string{"tanaka", "suzuki", "sato"}[i%3], time.Time{}, time.Time{})
				switch reason := reasonOf(err); {
				case err == nil && i%3 != 2:
					won.Add(1)
				case reason != SetApproved && reason != SamePerson:
					t.Errorf("%d: %v", i, err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d approvals", won.Load())
		}
	})
}

// TestNewestSetInForceReplacesTheOlder, from its first day on, and as a whole.
func TestNewestSetInForceReplacesTheOlder(t *testing.T) {
	r, c := open(t, sqldbtest.Open(t))
	inForce(t, r, head+line)
	s, err := r.Propose(t.Context(), strings.NewReader(head+strings.Replace(line, "KODOMO-01", "KODOMO-09", 1)), "sato")
	if err != nil {
		t.Fatal(err)
	}
	july := time.Date(2026, 7, 1, 0, 0, 0, 0, japan)
	if _, err := r.Approve(t.Context(), s.Version, "tanaka", july, july.AddDate(0, 1, 0)); err != nil {
		t.Fatal(err)
	}
	ask := func(basis BasisName) Reason {
		q := request("her")
		q.Ask.Basis = basis
		_, err := r.Judge(t.Context(), q)
		return reasonOf(err)
	}
	for _, at := range []struct {
		when     time.Time
		old, new Reason
	}{
		{july.Add(-time.Second), 0, BasisNotInForce}, {july, BasisExpired, 0}, {july.AddDate(0, 1, 0), BasisExpired, BasisExpired},
	} {
		c.set(at.when)
		if a, b := ask("KODOMO-01"), ask("KODOMO-09"); a != at.old || b != at.new {
			t.Errorf("%s: old %s, new %s", at.when, a, b)
		}
	}
	sets, err := r.Sets(t.Context())
	if err != nil || len(sets) != 2 || sets[0].Version != 2 || sets[1].ApprovedBy != "tanaka" {
		t.Errorf("%+v, %v", sets, err)
	}
}

// TestNobodyApprovesForThePast: a set that was to have begun before the one in force is in force at once, and not never.
func TestNobodyApprovesForThePast(t *testing.T) {
	r, c := open(t, sqldbtest.Open(t))
	inForce(t, r, head+line)
	c.advance(time.Hour)
	s, err := r.Propose(t.Context(), strings.NewReader(head+strings.Replace(line, "KODOMO-01", "KODOMO-09", 1)), "sato")
	if err != nil {
		t.Fatal(err)
	}
	if s, err = r.Approve(t.Context(), s.Version, "tanaka", c.now().AddDate(0, 0, -1), time.Time{}); err != nil || !s.From.Equal(c.now()) {
		t.Errorf("%+v, %v", s, err)
	}
	q := request("her")
	q.Ask.Basis = "KODOMO-09"
	if _, err := r.Judge(t.Context(), q); err != nil {
		t.Error(err)
	}
}

// TestDaysOfABasisAreJapans: the first and the last moment of its validity.
func TestDaysOfABasisAreJapans(t *testing.T) {
	r, c := open(t, sqldbtest.Open(t))
	s, err := r.Propose(t.Context(), strings.NewReader(head+line), "sato")
	if err != nil {
		t.Fatal(err)
	}
	first := time.Date(2026, 4, 1, 0, 0, 0, 0, japan)
	c.set(first.AddDate(0, -1, 0))
	if _, err := r.Approve(t.Context(), s.Version, "tanaka", first.AddDate(0, -1, 0), first.AddDate(1, 2, 0)); err != nil {
		t.Fatal(err)
	}
	for _, at := range []struct {
		when time.Time
		want Reason
	}{{first.Add(-time.Millisecond), BasisNotInForce}, {first, 0}, {first.AddDate(1, 0, 0).Add(-time.Millisecond), 0}, {first.AddDate(1, 0, 0), BasisExpired}} {
		c.set(at.when)
		if _, err := r.Judge(t.Context(), request("her")); reasonOf(err) != at.want {
			t.Errorf("%s: %v, want %s", at.when, err, at.want)
		}
	}
}
