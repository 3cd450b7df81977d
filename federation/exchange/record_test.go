package exchange

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/govcode"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

func confirmed(t testing.TB, r *Register, id string, said Confirmation) Provision {
	t.Helper()
	p, err := r.Confirm(t.Context(), "pension", id, said)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func listed(t testing.TB, r *Register, f Filter) []View {
	t.Helper()
	p, err := r.List(t.Context(), "her", f)
	if err != nil {
		t.Fatal(err)
	}
	return p.Views
}

// TestUnrecordedExchangeMustNotBe: what cannot be written down, in the record or the audit log, is neither allowed nor half written.
func TestUnrecordedExchangeMustNotBe(t *testing.T) {
	for _, table := range []string{"exchange_record", "audit_event"} {
		r, _ := open(t, sqldbtest.Open(t))
		inForce(t, r, head+line)
		if _, err := r.db.Exec(t.Context(), `ALTER TABLE `+table+` RENAME TO away`); err != nil {
			t.Fatal(err)
		}
		if p, err := r.Judge(t.Context(), request("her")); err == nil || reasonOf(err) != 0 || p.ID != "" {
			t.Errorf("without %s: %+v, %v", table, p, err)
		}
		if _, err := r.db.Exec(t.Context(), `ALTER TABLE away RENAME TO `+table); err != nil {
			t.Fatal(err)
		}
		if n := rows(t, r.db, `SELECT (SELECT count(*) FROM exchange_record) + (SELECT count(*) FROM audit_event WHERE kind = 'exchange.requested')`); n != 0 {
			t.Errorf("without %s: %d rows", table, n)
		}
	}
}

// TestWithheldExchangeTellsNothing: whoever of the two offices knows the ground, the citizen reads when and by which ground, the filters
// do not give it away, and the auditor reads everything.
func TestWithheldExchangeTellsNothing(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r, c := open(t, db)
		inForce(t, r, head+line)
		flagged := request("her")
		flagged.Ask.Ground = PersonalInfo
		early := judged(t, r, flagged)
		confirmed(t, r, early, Confirmation{Provided, Disclosed})
		late := judged(t, r, request("her"))
		confirmed(t, r, late, Confirmation{Nothing, NumberActRead})
		refused := flagged
		refused.Ask.Item = "TM00000000000099"
		if _, err := r.Judge(t.Context(), refused); reasonOf(err) != WrongItem {
			t.Fatal(err)
		}
		open := judged(t, r, request("her"))
		confirmed(t, r, open, Confirmation{Provided, Disclosed})

		for _, v := range listed(t, r, Filter{}) {
			if v.ID == open {
				if !v.Open || v.Item != item || v.Ground != Disclosed {
					t.Errorf("the open one: %+v", v)
				}
				continue
			}
			want := map[string]Ground{early: PersonalInfo, late: NumberActRead}[v.ID]
			if want == Disclosed {
				want = PersonalInfo // the refused one
			}
			bare := View{Record: Record{ID: v.ID, Account: "her", Requested: v.Requested}, Ground: want}
			if v != bare {
				t.Errorf("withheld: %+v", v)
			}
			one, err := r.One(t.Context(), "her", v.ID)
			if err != nil || one != bare {
				t.Errorf("alone: %+v, %v", one, err)
			}
		}
		for what, f := range map[string]Filter{
			"requester": {Body: ward}, "provider": {Body: pension}, "item": {Item: item}, "both": {Body: ward, Item: item}, "refused item": {Item: "TM00000000000099"},
		} {
			want := 1
			if what == "refused item" {
				want = 0
			}
			if got := listed(t, r, f); len(got) != want || want == 1 && got[0].ID != open {
				t.Errorf("by %s: %+v", what, got)
			}
		}
		rec, err := r.Record(t.Context(), early)
		if err != nil || rec.Item != item || rec.Requester.Body != ward || rec.Outcome != Provided || rec.HiddenByRequester != PersonalInfo {
			t.Errorf("the auditor: %+v, %v", rec, err)
		}
		log, err := r.log.List(t.Context(), audit.Query{Kind: EventProvided, Limit: 10})
		if err != nil || len(log) != 3 || log[1].Facts["item"] != item || log[1].Facts["nondisclosure"] != "2" {
			t.Errorf("audit: %+v, %v", log, err)
		}
		c.advance(time.Hour)
	})
}

// TestUnansweredExchangeIsShownAfterTenMinutes, and not before; a late answer is taken, and marked.
func TestUnansweredExchangeIsShownAfterTenMinutes(t *testing.T) {
	r, c := open(t, sqldbtest.Open(t))
	inForce(t, r, head+line)
	id := judged(t, r, request("her"))
	c.advance(answerTime)
	if v := listed(t, r, Filter{})[0]; v.Open || v.Outcome != Asked || v.Requester.Body != "" || len(listed(t, r, Filter{Body: ward})) != 0 {
		t.Errorf("in time: %+v", v)
	}
	c.advance(time.Second)
	if v := listed(t, r, Filter{})[0]; !v.Open || v.Outcome != Unanswered || v.Requester.Body != ward || len(listed(t, r, Filter{Body: ward})) != 1 {
		t.Errorf("after: %+v", v)
	}
	if p := confirmed(t, r, id, Confirmation{Provided, PersonalInfo}); !p.Late || !p.At.Equal(c.now()) {
		t.Errorf("late: %+v", p)
	}
	if v := listed(t, r, Filter{})[0]; v.Open || v.Ground != PersonalInfo {
		t.Errorf("answered late: %+v", v)
	}
	log, err := r.log.List(t.Context(), audit.Query{Kind: EventProvided, Limit: 10})
	if err != nil || len(log) != 1 || log[0].Facts["late"] != "true" || log[0].Client != "ward" || log[0].Actor != "pension" {
		t.Errorf("audit: %+v, %v", log, err)
	}
}

// TestOnlyTheProviderConfirms: to any other, and of what was refused, there is no such exchange; and nobody reads another's.
func TestOnlyTheProviderConfirms(t *testing.T) {
	r, _ := open(t, sqldbtest.Open(t))
	inForce(t, r, head+line)
	id := judged(t, r, request("her"))
	bad := request("her")
	bad.Ask.Item = "TM00000000000099"
	_, err := r.Judge(t.Context(), bad)
	e, ok := errors.AsType[*Error](err)
	if !ok || e.ID == "" {
		t.Fatal(err)
	}
	said := Confirmation{Provided, Disclosed}
	for what, got := range map[string]error{
		"the requester":  func() error { _, err := r.Confirm(t.Context(), "ward", id, said); return err }(),
		"a refused one":  func() error { _, err := r.Confirm(t.Context(), "pension", e.ID, said); return err }(),
		"none":           func() error { _, err := r.Confirm(t.Context(), "pension", strings.Repeat("A", 26), said); return err }(),
		"another person": func() error { _, err := r.One(t.Context(), "him", id); return err }(),
		"no person":      func() error { _, err := r.One(t.Context(), "", id); return err }(),
	} {
		if reasonOf(got) != UnknownExchange {
			t.Errorf("%s: %v", what, got)
		}
	}
	if v := listed(t, r, Filter{}); len(v) != 2 || v[1].Outcome != Asked && v[0].Outcome != Asked {
		t.Errorf("%+v", v)
	}
}

// TestPagesOfExchanges: newest first, none twice and none left out, also where many were asked for in one instant.
func TestPagesOfExchanges(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r, c := open(t, db)
		inForce(t, r, head+line)
		var want []string
		for i := range 60 {
			if i%7 == 0 {
				c.advance(time.Hour)
			}
			id := judged(t, r, request("her"))
			confirmed(t, r, id, Confirmation{Provided, Disclosed})
			want = append(want, id)
			judged(t, r, request("him"))
		}
		for _, f := range []Filter{{Limit: 7}, {Limit: 7, Body: pension}, {Limit: 7, Item: item}, {Limit: 9, Body: ward, Item: item}} {
			var got []string
			for {
				p, err := r.List(t.Context(), "her", f)
				if err != nil {
					t.Fatal(err)
				}
				for _, v := range p.Views {
					got = append(got, v.ID)
				}
				if p.Next == (Cursor{}) {
					break
				}
				if f.After, err = ParseCursor(p.Next.String()); err != nil {
					t.Fatal(err)
				}
			}
			a, b := slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
			if !slices.Equal(a, b) {
				t.Errorf("%+v: %d of %d", f, len(got), len(want))
			}
		}
		first := c.now()
		if got := listed(t, r, Filter{From: first, Limit: 100}); len(got) != 4 {
			t.Errorf("from the last hour: %d", len(got))
		}
		if got := listed(t, r, Filter{Until: first, Limit: 100}); len(got) != 56 {
			t.Errorf("until it: %d", len(got))
		}
	})
}

// fill writes n records of her, a minute apart, every thousandth from a rare office about a rare item.
func fill(t testing.TB, r *Register, n int) {
	t.Helper()
	_, err := r.db.Exec(t.Context(), `INSERT INTO exchange_record (id, account, requested_ms, deadline_ms, requester, requester_body, requester_ja, requester_en,
		provider, provider_body, provider_ja, provider_en, basis, version, purpose, item, outcome, reason, answered_ms, hidden_requester, hidden_provider)
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
		SELECT 'R' || i, 'her', 1700000000000 + i * CAST(60000 AS bigint), 0, 'ward', CASE WHEN i % 1000 = 0 THEN '472999' ELSE '132993' END, 'x', '', 'pension', '4000012990001', 'y', '',
		'KODOMO-01', 1, 'JT01010000000214', CASE WHEN i % 1000 = 0 THEN 'TM00000000000099' ELSE 'TM00000000000041' END, 'provided', '', 1, 0, 0 FROM n`, n)
	if err != nil {
		t.Fatal(err)
	}
}

// lists are the ways to ask for a page of what fill wrote.
func lists() map[string]Filter {
	return map[string]Filter{
		"newest": {}, "far back": {After: Cursor{1_700_001_000_000, "R5"}}, "a month": {From: time.UnixMilli(1_700_100_000_000), Until: time.UnixMilli(1_700_200_000_000)},
		"a rare office": {Body: "472999"}, "a usual office": {Body: pension}, "a rare item": {Item: "TM00000000000099"}, "both": {Body: pension, Item: "TM00000000000099"},
		"an office there is not": {Body: "131041"},
	}
}

// BenchmarkHundredThousandExchangesOfOnePerson: a page each, on both databases.
func BenchmarkHundredThousandExchangesOfOnePerson(b *testing.B) {
	for name, dsn := range map[string]func(testing.TB) string{"sqlite": sqldbtest.SQLite, "postgres": sqldbtest.Postgres} {
		b.Run(name, func(b *testing.B) {
			r, _ := open(b, sqldbtest.OpenDSN(b, dsn(b)))
			inForce(b, r, head+line)
			fill(b, r, 100_000)
			for what, f := range lists() {
				b.Run(strings.ReplaceAll(what, " ", "-"), func(b *testing.B) {
					for b.Loop() {
						if _, err := r.List(b.Context(), "her", f); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		})
	}
}

// TestManyExchangesOfOnePersonAreFoundByIndex: every list, without a look at all that she has. How long it takes with a hundred thousand
// is for the benchmark.
func TestManyExchangesOfOnePersonAreFoundByIndex(t *testing.T) {
	r, _ := open(t, sqldbtest.Open(t))
	inForce(t, r, head+line)
	fill(t, r, 5000)
	for what, f := range lists() {
		statement, args := listStatement("her", f, 21, r.now())
		rs, err := r.db.Query(t.Context(), `EXPLAIN QUERY PLAN `+statement, args...)
		if err != nil {
			t.Fatal(err)
		}
		used := false
		for rs.Next() {
			var a, b, c int
			var step string
			if err := rs.Scan(&a, &b, &c, &step); err != nil {
				t.Fatal(err)
			}
			used = used || strings.Contains(step, "USING INDEX exchange_record_")
			if strings.Contains(step, "SCAN exchange_record") || strings.Contains(step, "SCAN r USING") || step == "SCAN exchange_record r" {
				t.Errorf("%s: %s", what, step)
			}
		}
		if err := errors.Join(rs.Err(), rs.Close()); err != nil || !used {
			t.Errorf("%s: no index is used, %v", what, err)
		}
		want := map[string]int{"far back": 16, "a rare office": 5, "a rare item": 5, "both": 5, "an office there is not": 0}
		n, ok := want[what]
		if !ok {
			n = 20
		}
		if views := listed(t, r, f); len(views) != n {
			t.Errorf("%s: %d, want %d", what, len(views), n)
		}
	}
}

// TestRecordsGoAfterSevenYears, a bounded number at a time, and no earlier.
func TestRecordsGoAfterSevenYears(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r, c := open(t, db)
		fill(t, r, purgeRows*2+200) // a minute apart
		last := time.UnixMilli(1700000000000 + int64(purgeRows*2)*60_000)
		c.set(last.AddDate(keptYears, 0, 0))
		if n, err := r.Purge(t.Context()); err != nil || n != purgeRows*2-1 {
			t.Errorf("%d, %v", n, err)
		}
		if n := rows(t, db, `SELECT count(*) FROM exchange_record`); n != 201 {
			t.Errorf("%d are left", n)
		}
	})
}

func FuzzOutside(f *testing.F) {
	f.Add(`[{"type":"urn:tsunagu:exchange","basis":"KODOMO-01","purpose":"JT01010000000214","items":["TM00000000000041"],"nondisclosure":1}]`)
	f.Add(`{"result":"provided","nondisclosure":0}`)
	f.Add(`from=2026-04-01&to=2026-04-30&body=132993&item=TM00000000000041&limit=20`)
	f.Add(Cursor{1, strings.Repeat("A", 26)}.String())
	f.Fuzz(func(t *testing.T, s string) {
		if a, err := ParseAsk(s); err == nil {
			again := fmt.Sprintf(`[{"type":"%s","basis":"%s","purpose":"%s","items":["%s"],"nondisclosure":%d}]`, Type, a.Basis, a.Purpose, a.Item, a.Ground)
			if b, err := ParseAsk(again); err != nil || a != b {
				t.Errorf("%q: %+v, %+v, %v", s, a, b, err)
			}
		} else if reasonOf(err) != Malformed {
			t.Errorf("%q: %v", s, err)
		}
		if c, err := parseConfirmation([]byte(s)); err == nil && (c.Outcome == Asked || c.Outcome == Refused || c.Ground < 0 || c.Ground > 2) {
			t.Errorf("%q: %+v", s, c)
		} else if err != nil && reasonOf(err) != Malformed {
			t.Errorf("%q: %v", s, err)
		}
		if q, err := parseFilter(s); err == nil {
			if _, bad := govcode.ParseBody(string(q.Body)); q.Body != "" && bad != nil || q.Limit < 0 || q.Limit > MaxPage {
				t.Errorf("%q: %+v", s, q)
			}
		} else if reasonOf(err) != Malformed {
			t.Errorf("%q: %v", s, err)
		}
		if c, err := ParseCursor(s); err == nil && c.String() != s {
			t.Errorf("%q: %+v", s, c)
		}
	})
}

// TestOutsideIsReadOneWay: what two readers could take differently is refused.
func TestOutsideIsReadOneWay(t *testing.T) {
	for _, s := range []string{
		"", "null", "{}", `{"result":"provided"}`, `{"nondisclosure":0}`, `{"result":"provided","nondisclosure":0,"x":1}`, `{"result":"provided","result":"none","nondisclosure":0}`,
		`{"Result":"provided","nondisclosure":0}`, `{"result":null,"nondisclosure":0}`, `{"result":"provided","nondisclosure":null}`, `{"result":"provided","nondisclosure":"0"}`,
		`{"result":"provided","nondisclosure":3}`, `{"result":"provided","nondisclosure":-1}`, `{"result":"provided","nondisclosure":0.0}`, `{"result":"requested","nondisclosure":0}`,
		`{"result":"declined","nondisclosure":0}`, `{"result":"provided","nondisclosure":0}{}`,
	} {
		if c, err := parseConfirmation([]byte(s)); reasonOf(err) != Malformed {
			t.Errorf("%s: %+v, %v", s, c, err)
		}
	}
	for _, s := range []string{
		"limit=0", "limit=101", "limit=x", "limit=1&limit=1", "page=1", "from=2026-4-1", "to=2026-02-30", "body=132994", "item=JT00000000000001", "after=x", "after=" + strings.Repeat("A", 101), "%zz",
	} {
		if f, err := parseFilter(s); reasonOf(err) != Malformed {
			t.Errorf("%s: %+v, %v", s, f, err)
		}
	}
	f, err := parseFilter("from=2026-04-01&to=2026-04-01")
	if err != nil || f.Until.Sub(f.From) != 24*time.Hour {
		t.Errorf("%+v, %v", f, err)
	}
}
