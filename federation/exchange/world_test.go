package exchange

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/govcode"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

func (c *clock) advance(d time.Duration) { c.set(c.now().Add(d)) }

const (
	ward    = "132993"
	pension = "4000012990001"
	benefit = "JT01010000000214"
	item    = "TM00000000000041"

	head = "basis,requester,purpose,purpose_name,purpose_name_en,provider,item,item_name,item_name_en,valid_from,valid_until,law\n"
	line = "KODOMO-01," + ward + "," + benefit + ",児童手当の認定,Child allowance," + pension + "," + item + ",年金の加入状況,,2026-04-01,2027-03-31,番号法第19条第8号\n"
)

// open returns a register on the first of June 2026, and its clock.
func open(t testing.TB, db *sqldb.DB) (*Register, *clock) {
	t.Helper()
	c := &clock{t: time.Date(2026, 6, 1, 9, 0, 0, 0, japan)}
	log, err := audit.New(t.Context(), db, c.now)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(t.Context(), Deps{DB: db, Audit: log, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return r, c
}

// inForce has sato propose a file and tanaka approve it.
func inForce(t testing.TB, r *Register, file string) Set {
	t.Helper()
	s, err := r.Propose(t.Context(), strings.NewReader(file), "sato")
	if err != nil {
		t.Fatal(err)
	}
	if s, err = r.Approve(t.Context(), s.Version, "tanaka", time.Time{}, time.Time{}); err != nil {
		t.Fatal(err)
	}
	return s
}

func party(client, body string) Party {
	return Party{Client: clients.ID(client), Agency: clients.Agency{Body: govcode.Body(body), Name: client + "役所"}}
}

func request(account federation.AccountID) Request {
	return Request{
		Account: account, Requester: party("ward", ward), Provider: party("pension", pension),
		Ask: Ask{Basis: "KODOMO-01", Purpose: benefit, Item: item},
	}
}

func judged(t testing.TB, r *Register, q Request) string {
	t.Helper()
	p, err := r.Judge(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return p.ID
}

func reasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return 0
}

func rows(t testing.TB, db *sqldb.DB, statement string, args ...any) int {
	t.Helper()
	var n int
	if err := db.QueryRow(t.Context(), statement, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
