package agency

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

const (
	testItem    = "TM00000000000041"
	testPurpose = "JT01010000000214"
)

// open is an office that both asks and answers, whose hub does not answer. Its clock stands still.
func open(t testing.TB, db *sqldb.DB, at time.Time) *Office {
	t.Helper()
	key, err := rp.OpenKey(filepath.Join(t.TempDir(), "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	o, err := New(t.Context(), Config{
		Issuer: "http://127.0.0.1:9", BaseURL: "http://127.0.0.1:8403", ClientID: "office", Slug: "office", Name: Text{"役所", "Office"}, Key: key, DB: db,
		Now: func() time.Time { return at }, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Sample: true,
		Inquiries: []Inquiry{{Item: testItem, Basis: "B-1", Purpose: testPurpose, Resource: "http://127.0.0.1:9/items", Name: Text{"項目", "item"}, From: Text{"相手", "other"}}},
		Records: []Record{
			{Number: "1234-567890", Born: "1980-02-17", Item: testItem, Category: 2, Since: "2003-04-01", AsOf: "2026-11-01"},
			{Number: "2345678901", Born: "1980-02-17", Item: testItem, Category: 1, Since: "2003-04-01", AsOf: "2026-11-01"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

var testTime = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

const crowd = 100

// atOnce runs fn in a crowd and returns how many times it said yes.
func atOnce(t *testing.T, fn func(i int) (bool, error)) int {
	t.Helper()
	var wg sync.WaitGroup
	var won atomic.Int64
	start := make(chan struct{})
	for i := range crowd {
		wg.Go(func() {
			<-start
			ok, err := fn(i)
			if err != nil {
				t.Error(err)
			}
			if ok {
				won.Add(1)
			}
		})
	}
	close(start)
	wg.Wait()
	return int(won.Load())
}

// An invitation lets one of a hundred in, and nobody later.
func TestInvitationIsGoodOnce(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		o := open(t, db, testTime)
		code, err := o.Invite(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		won := atOnce(t, func(i int) (bool, error) { return o.join(t.Context(), fmt.Sprintf("sub-%d", i), code.Reveal()) })
		if won != 1 {
			t.Errorf("%d joined", won)
		}
		if ok, err := o.join(t.Context(), "late", code.Reveal()); ok || err != nil {
			t.Errorf("spent code: %v, %v", ok, err)
		}
		second, err := o.Invite(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		o.now = func() time.Time { return testTime.Add(invitationLife) }
		if ok, err := o.join(t.Context(), "late", second.Reveal()); ok || err != nil {
			t.Errorf("old code: %v, %v", ok, err)
		}
		if err := o.DismissAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		if staffed, err := o.Staffed(t.Context()); staffed || err != nil {
			t.Errorf("after everybody was dismissed: %v, %v", staffed, err)
		}
	})
}

// A record becomes one person's, and a person has one record, whoever comes at once.
func TestRecordIsOnePersons(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		o := open(t, db, testTime)
		key := o.key("1234567890")
		atOnce(t, func(i int) (bool, error) {
			return true, insertTie(t.Context(), db, fmt.Sprintf("sub-%d", i), key, testTime)
		})
		var n int
		if err := db.QueryRow(t.Context(), `SELECT count(*) FROM agency_tie`).Scan(&n); err != nil || n != 1 {
			t.Errorf("%d tied the record, %v", n, err)
		}
		if err := o.tie(t.Context(), "another", "1234567890", "1980-02-17"); reasonOf(err) != NumberTaken {
			t.Errorf("taken: %v", err)
		}
		if err := o.tie(t.Context(), "hers", "2345678901", "1980-02-18"); reasonOf(err) != RecordUnknown {
			t.Errorf("another birth date: %v", err)
		}
		if err := o.tie(t.Context(), "hers", "0000000000", "1980-02-17"); reasonOf(err) != RecordUnknown {
			t.Errorf("no such number: %v", err)
		}
		for range 2 {
			if err := o.tie(t.Context(), "hers", "2345678901", "1980-02-17"); err != nil {
				t.Errorf("hers: %v", err)
			}
		}
		if err := o.tie(t.Context(), "hers", "1234567890", "1980-02-17"); reasonOf(err) != AlreadyTied {
			t.Errorf("a second record: %v", err)
		}
	})
}

// Guesses at a number end, whoever makes them, and so do the guesses of one person.
func TestGuessesAreLimited(t *testing.T) {
	o := open(t, sqldbtest.Open(t), testTime)
	for i := range 10 {
		if err := o.tie(t.Context(), fmt.Sprintf("sub-%d", i), "1234567890", "1999-01-01"); reasonOf(err) != RecordUnknown {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	if err := o.tie(t.Context(), "sub-x", "1234567890", "1980-02-17"); reasonOf(err) != TooMany {
		t.Errorf("the eleventh: %v", err)
	}
	for i := range 10 {
		if err := o.tie(t.Context(), "guesser", fmt.Sprintf("00000000%02d", i), "1999-01-01"); reasonOf(err) != RecordUnknown {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	if err := o.tie(t.Context(), "guesser", "2345678901", "1980-02-17"); reasonOf(err) != TooMany {
		t.Errorf("the eleventh of one person: %v", err)
	}
}

func reasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return 0
}

// A hundred hands at one inquiry: one holds it, and when its hold has ended without a word, one other.
func TestInquiryIsHeldByOne(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		o := open(t, db, testTime)
		a, err := o.apply(t.Context(), "taro", allowance{Children: 2, Youngest: "2024-04-01"})
		if err != nil {
			t.Fatal(err)
		}
		held := atOnce(t, func(i int) (bool, error) {
			if err := openInquiry(t.Context(), db, a.id, testItem, "clerk", testTime); err != nil {
				return false, err
			}
			claim := claimInquiry
			if i%2 == 0 {
				claim = func(ctx context.Context, db *sqldb.DB, now time.Time) (*inquiry, error) {
					return claimThis(ctx, db, a.id, testItem, now)
				}
			}
			one, err := claim(t.Context(), db, testTime)
			return one != nil, err
		})
		if held != 1 {
			t.Errorf("held by %d", held)
		}
		later := testTime.Add(outboxHold)
		held = atOnce(t, func(int) (bool, error) {
			one, err := claimInquiry(t.Context(), db, later)
			return one != nil, err
		})
		if held != 1 {
			t.Errorf("taken over by %d", held)
		}
	})
}

// Whoever lost the hold writes nothing over what came after.
func TestLostHoldWritesNothing(t *testing.T) {
	db := sqldbtest.Open(t)
	o := open(t, db, testTime)
	a, err := o.apply(t.Context(), "taro", allowance{Children: 1, Youngest: "2024-04-01"})
	if err != nil {
		t.Fatal(err)
	}
	if err := openInquiry(t.Context(), db, a.id, testItem, "clerk", testTime); err != nil {
		t.Fatal(err)
	}
	slow, err := claimInquiry(t.Context(), db, testTime)
	if err != nil || slow == nil {
		t.Fatal(slow, err)
	}
	quick, err := claimInquiry(t.Context(), db, testTime.Add(outboxHold))
	if err != nil || quick == nil {
		t.Fatal(quick, err)
	}
	quick.state, quick.result = answered, none
	if err := settle(t.Context(), db, quick, testTime); err != nil {
		t.Fatal(err)
	}
	slow.exchange, slow.token = "late", "late"
	if kept, err := keepToken(t.Context(), db, slow); kept || err != nil {
		t.Errorf("kept a token: %v, %v", kept, err)
	}
	slow.state, slow.reason = refused, "late"
	if err := settle(t.Context(), db, slow, testTime); err == nil {
		t.Error("settled twice")
	}
	if err := postpone(t.Context(), db, slow, testTime, "late"); err != nil {
		t.Error(err)
	}
	stands, err := listInquiries(t.Context(), db, a.id)
	if err != nil || stands[testItem].state != answered || stands[testItem].exchange == "late" || stands[testItem].reason != "" {
		t.Errorf("%+v, %v", stands[testItem], err)
	}
	// Once answered, the button does nothing.
	if err := o.askNow(t.Context(), a.id, testItem, "clerk"); err != nil {
		t.Error(err)
	}
	if stands, err = listInquiries(t.Context(), db, a.id); err != nil || stands[testItem].state != answered {
		t.Errorf("%+v, %v", stands[testItem], err)
	}
}

// An application is one, however often the form arrives, and nothing of it lies open in the database.
func TestApplicationIsOneAndSealed(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		o := open(t, db, testTime)
		var ids sync.Map
		atOnce(t, func(int) (bool, error) {
			a, err := o.apply(t.Context(), "taro", allowance{Children: 2, Youngest: "2024-04-01"})
			if err == nil {
				ids.Store(a.id, true)
			}
			return true, err
		})
		n := 0
		ids.Range(func(any, any) bool { n++; return true })
		if n != 1 {
			t.Errorf("%d applications", n)
		}
		var content string
		if err := db.QueryRow(t.Context(), `SELECT content FROM agency_application`).Scan(&content); err != nil || len(content) < 40 {
			t.Errorf("%q, %v", content, err)
		}
		if a, err := o.application(t.Context(), "sub", "taro"); err != nil || a.Children != 2 || a.Youngest != "2024-04-01" {
			t.Errorf("%+v, %v", a, err)
		}
	})
}

// What was said of an exchange stands: asked again, even about a record that has changed since, the office says the same result.
func TestExchangeIsAnsweredOnce(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		o := open(t, db, testTime)
		if err := o.tie(t.Context(), "hers", "1234567890", "1980-02-17"); err != nil {
			t.Fatal(err)
		}
		g := rp.Grant{Subject: "hers", Client: "city", Exchange: "x-1"}
		atOnce(t, func(int) (bool, error) {
			a, err := o.provide(t.Context(), g, "132993", testItem)
			if err == nil && (a.Result != provided || a.Content == nil || a.Content.Category != 2 || a.AsOf != "2026-11-01") {
				err = fmt.Errorf("answered %+v", a)
			}
			return true, err
		})
		taken := atOnce(t, func(int) (bool, error) {
			p, err := claimProvision(t.Context(), db, testTime)
			return p != nil, err
		})
		if taken != 1 {
			t.Errorf("%d confirmations", taken)
		}
		g.Exchange, g.Subject = "x-2", "stranger"
		if a, err := o.provide(t.Context(), g, "132993", testItem); err != nil || a.Result != none || a.Content != nil {
			t.Errorf("of a stranger: %+v, %v", a, err)
		}
		g.Subject = "hers" // the same exchange cannot become another answer
		if a, err := o.provide(t.Context(), g, "132993", testItem); err != nil || a.Result != none || a.Content != nil {
			t.Errorf("of the same exchange: %+v, %v", a, err)
		}
		if _, err := o.provide(t.Context(), g, "132993", "TM00000000000042"); err == nil {
			t.Error("an exchange was used for a second item")
		}
	})
}

func TestTwoOfficesAtOneHostAreRefused(t *testing.T) {
	a, b := open(t, sqldbtest.Open(t), testTime), open(t, sqldbtest.Open(t), testTime)
	if _, err := Hosts(a, b); err == nil {
		t.Error("two offices share a host: they would share cookies and the citizens' names")
	}
}
