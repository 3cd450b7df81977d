package exchange

import (
	"errors"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// TestProtectedPersonsExchangesAreWithheld, from the moment an office says so until its period or its word ends them: of every office, refused
// ones too, and those that waited; and what was withheld stays so.
func TestProtectedPersonsExchangesAreWithheld(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r, c := open(t, db)
		inForce(t, r, head+line)
		protect := func(office string, g Ground, until time.Time) {
			t.Helper()
			p := Protection{Ground: g}
			if g != Disclosed {
				p.Until = until
			}
			if err := r.Protect(t.Context(), clients.ID(office), "her", p); err != nil {
				t.Fatal(err)
			}
		}
		one := func(id string) View {
			t.Helper()
			v, err := r.One(t.Context(), "her", id)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		exchanged := func() string {
			t.Helper()
			c.advance(time.Second)
			id := judged(t, r, request("her"))
			confirmed(t, r, id, Confirmation{Provided, Disclosed})
			return id
		}
		before, late := exchanged(), judged(t, r, request("her"))
		c.advance(answerTime + time.Second) // nobody answers that one in time
		waiting := judged(t, r, request("her"))
		protect("ward", PersonalInfo, c.now().Add(time.Hour))
		during := exchanged()
		wrong := request("her")
		wrong.Ask.Item = "TM00000000000099"
		_, err := r.Judge(t.Context(), wrong)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Reason != WrongItem {
			t.Fatal(err)
		}
		confirmed(t, r, waiting, Confirmation{Provided, Disclosed})
		confirmed(t, r, late, Confirmation{Provided, Disclosed})
		if !one(before).Open {
			t.Error("what she has read is hidden")
		}
		for what, id := range map[string]string{"waiting": waiting, "answered late": late, "during": during, "refused": e.ID} {
			v := one(id)
			if v != (View{Record: Record{ID: id, Account: "her", Requested: v.Requested}, Ground: PersonalInfo}) {
				t.Errorf("%s: %+v", what, v)
			}
		}
		for what, f := range map[string]Filter{"office": {Body: ward}, "item": {Item: item}} {
			if got := listed(t, r, f); len(got) != 1 || got[0].ID != before {
				t.Errorf("by %s: %+v", what, got)
			}
		}
		rec, err := r.Record(t.Context(), during)
		if err != nil || rec.Item != item || rec.Protected != PersonalInfo {
			t.Errorf("the auditor: %+v, %v", rec, err)
		}
		other := judged(t, r, request("him"))
		confirmed(t, r, other, Confirmation{Provided, Disclosed})
		if v, err := r.One(t.Context(), "him", other); err != nil || !v.Open {
			t.Errorf("somebody else: %+v, %v", v, err)
		}

		protect("pension", NumberActRead, c.now().Add(2*time.Hour))
		protect("pension", Disclosed, time.Time{})
		if v := one(exchanged()); v.Open {
			t.Error("an office ended another's protection")
		}
		c.advance(time.Hour)
		if v := one(exchanged()); !v.Open {
			t.Errorf("after the period: %+v", v)
		}
		protect("ward", PersonalInfo, c.now().Add(time.Hour))
		protect("ward", NumberActRead, c.now().Add(time.Hour))
		if v := one(exchanged()); v.Ground != NumberActRead {
			t.Errorf("said anew: %+v", v)
		}
		protect("ward", Disclosed, time.Time{})
		protect("ward", Disclosed, time.Time{})
		if v := one(exchanged()); !v.Open {
			t.Errorf("after the end: %+v", v)
		}
		if v := one(during); v.Open {
			t.Error("what was withheld came out")
		}
		for kind, want := range map[audit.Kind]int{EventProtected: 4, EventUnprotected: 2} {
			log, err := r.log.List(t.Context(), audit.Query{Kind: kind, Limit: 10})
			if err != nil || len(log) != want || log[0].Account != "her" {
				t.Errorf("%s: %+v, %v", kind, log, err)
			}
		}
		c.advance(2 * time.Hour)
		if _, err := r.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := rows(t, db, `SELECT count(*) FROM exchange_protection`); n != 0 {
			t.Errorf("%d protections", n)
		}
	})
}

// TestProtectionHasAPeriod: of two years at most, and not over.
func TestProtectionHasAPeriod(t *testing.T) {
	r, c := open(t, sqldbtest.Open(t))
	for _, until := range []time.Time{{}, c.now(), c.now().AddDate(3, 0, 0)} {
		if err := r.Protect(t.Context(), "ward", "her", Protection{PersonalInfo, until}); reasonOf(err) != PeriodBad {
			t.Errorf("until %s: %v", until, err)
		}
	}
	if n := rows(t, r.db, `SELECT count(*) FROM exchange_protection`); n != 0 {
		t.Errorf("%d protections", n)
	}
}
