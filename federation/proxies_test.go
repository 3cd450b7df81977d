package federation

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// mandateWorld is a register of mandates with a clock of its own.
type mandateWorld struct {
	*Mandates
	log  *audit.Log
	time time.Time
	told []Use
}

func openMandates(t testing.TB, db *sqldb.DB) *mandateWorld {
	t.Helper()
	_, _, log := open(t, db)
	w := &mandateWorld{log: log, time: start}
	var err error
	if w.Mandates, err = NewMandates(Deps{DB: db, Audit: log, Now: func() time.Time { return w.time }}); err != nil {
		t.Fatal(err)
	}
	return w
}

// offer returns the code of a new mandate, and its id.
func (w *mandateWorld) offer(t testing.TB, principal AccountID, services ...clients.ID) ([]byte, MandateID) {
	t.Helper()
	code, id := []byte(rand.Text()), MandateID(rand.Text())
	if err := w.Offer(t.Context(), Invitation{
		ID: id, Principal: principal, Services: services, Code: code, AnswerBy: w.time.Add(7 * 24 * time.Hour), Until: w.time.Add(30 * 24 * time.Hour),
		Name: []byte("name"), Note: []byte("note"),
	}); err != nil {
		t.Fatal(err)
	}
	return code, id
}

func (w *mandateWorld) inForce(t testing.TB, principal, representative AccountID, services ...clients.ID) Mandate {
	t.Helper()
	code, id := w.offer(t, principal, services...)
	if _, err := w.Accept(t.Context(), code, representative, "4711"); err != nil {
		t.Fatal(err)
	}
	m, err := w.Confirm(t.Context(), id, principal, "4711")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (w *mandateWorld) tell(_ context.Context, _ Mandate, uses []Use) error {
	w.told = append(w.told, uses...)
	return nil
}

func wantReason(t testing.TB, err error, want Reason) {
	t.Helper()
	if e, ok := errors.AsType[*Error](err); !ok || e.Reason != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestMandateMoves compares the whole table with what a reader of the diagram expects.
func TestMandateMoves(t *testing.T) {
	states := []MandateState{MandateNone, MandateOffered, MandateAccepted, MandateInForce, MandateEnded}
	golden := map[MandateState][]MandateState{
		MandateNone: {MandateOffered}, MandateOffered: {MandateAccepted, MandateEnded},
		MandateAccepted: {MandateInForce, MandateEnded}, MandateInForce: {MandateEnded}, MandateEnded: nil,
	}
	for _, from := range states {
		for _, to := range states {
			if got, want := slices.Contains(mandateMoves[from], to), slices.Contains(golden[from], to); got != want {
				t.Errorf("%s to %s: %t, want %t", from, to, got, want)
			}
		}
		if (mandateEvent(from) == "") != (from == MandateNone) {
			t.Errorf("state %s leaves audit event %q", from, mandateEvent(from))
		}
	}
}

func TestLifeOfAMandate(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		w, ctx := openMandates(t, db), t.Context()
		taro, hanako := newAccount(), newAccount()
		code, id := w.offer(t, taro, "etax", "pension")
		if list, err := w.Usable(ctx, hanako, "etax"); err != nil || len(list) != 0 {
			t.Errorf("usable before it was accepted: %v, %v", list, err)
		}
		if m, err := w.Accept(ctx, code, hanako, "4711"); err != nil || m.State != MandateAccepted || m.Representative != hanako {
			t.Fatalf("accepted %+v, %v", m, err)
		}
		if list, err := w.Usable(ctx, hanako, "etax"); err != nil || len(list) != 0 {
			t.Errorf("usable before it was confirmed: %v, %v", list, err)
		}
		_, err := w.Confirm(ctx, id, hanako, "4711")
		wantReason(t, err, MandateUnknown) // who accepted knows the number, and cannot say that she was the right person
		m, err := w.Confirm(ctx, id, taro, "4711")
		if err != nil || m.State != MandateInForce {
			t.Fatalf("confirmed %+v, %v", m, err)
		}
		if list, err := w.Usable(ctx, hanako, "etax"); err != nil || len(list) != 1 || string(list[0].Name) != "name" {
			t.Fatalf("usable: %+v, %v", list, err)
		}
		for _, other := range []struct {
			who    AccountID
			client clients.ID
		}{{hanako, "portal"}, {taro, "etax"}} {
			if list, err := w.Usable(ctx, other.who, other.client); err != nil || len(list) != 0 {
				t.Errorf("usable by %v: %v, %v", other, list, err)
			}
		}
		if err := w.Enter(ctx, m, Use{Client: "etax", Session: "s1", SID: "sid1"}); err != nil {
			t.Fatal(err)
		}
		wantReason(t, w.Enter(ctx, m, Use{Client: "portal", Session: "s1", SID: "sid1"}), MandateUnknown)
		if ok, err := w.Stands(ctx, id, taro, hanako, "etax"); err != nil || !ok {
			t.Errorf("stands: %t, %v", ok, err)
		}
		wantReason(t, w.End(ctx, id, newAccount(), start, w.tell), MandateUnknown)
		if err := w.End(ctx, id, hanako, start, w.tell); err != nil {
			t.Fatal(err)
		}
		if err := w.End(ctx, id, taro, start, w.tell); err != nil { // already
			t.Fatal(err)
		}
		if len(w.told) != 1 || w.told[0].SID != "sid1" || w.told[0].Client != "etax" {
			t.Errorf("to be told: %+v", w.told)
		}
		if ok, err := w.Stands(ctx, id, taro, hanako, "etax"); err != nil || ok {
			t.Errorf("stands after its end: %t, %v", ok, err)
		}
		wantReason(t, w.Enter(ctx, m, Use{Client: "etax"}), MandateUnknown)
		history, err := w.History(ctx, id)
		want := []MandateMove{
			{MandateInForce, MandateEnded, ByRepresentative, MandateGivenUp, start}, {MandateAccepted, MandateInForce, ByCitizen, MandateConfirmed, start},
			{MandateOffered, MandateAccepted, ByRepresentative, MandateTaken, start}, {MandateNone, MandateOffered, ByCitizen, MandateChosen, start},
		}
		if err != nil || !slices.EqualFunc(history, want, func(a, b MandateMove) bool {
			return a.From == b.From && a.To == b.To && a.By == b.By && a.Why == b.Why && a.At.Equal(b.At)
		}) {
			t.Errorf("history %+v, %v", history, err)
		}
		checkMandateAudit(t, w.log, taro, hanako, id)
	})
}

// checkMandateAudit wants both people in every row since there are two.
func checkMandateAudit(t *testing.T, log *audit.Log, taro, hanako AccountID, id MandateID) {
	t.Helper()
	rows, err := log.List(t.Context(), audit.Query{Limit: 100, Account: string(taro)})
	if err != nil {
		t.Fatal(err)
	}
	actors := map[audit.Kind]string{
		EventMandateOffered: "citizen", EventMandateAccepted: string(hanako), EventMandateInForce: "citizen",
		EventMandateUsed: string(hanako), EventMandateEnded: string(hanako),
	}
	if len(rows) != len(actors) {
		t.Errorf("%d audit rows, want %d", len(rows), len(actors))
	}
	for _, r := range rows {
		if r.Actor != actors[r.Kind] || r.Facts["mandate"] != string(id) {
			t.Errorf("audit row %+v", r)
		}
		if rep := r.Facts["representative"]; r.Kind == EventMandateInForce && rep != string(hanako) {
			t.Errorf("%s names representative %q", r.Kind, rep)
		}
	}
}

func TestInvitationIsAcceptedOnce(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		w := openMandates(t, db)
		code, id := w.offer(t, newAccount(), "etax")
		won := make(chan AccountID, 100)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				who := newAccount()
				m, err := w.Accept(t.Context(), code, who, "4711")
				if err == nil && m.Representative == who {
					won <- who
				} else {
					wantReason(t, err, MandateUnknown)
				}
			})
		}
		all.Wait()
		close(won)
		winner := <-won
		if len(won) != 0 {
			t.Errorf("%d others won as well", len(won))
		}
		if m, err := w.Of(t.Context(), id, winner); err != nil || m.Representative != winner || m.State != MandateAccepted {
			t.Errorf("stored %+v, %v; want the winner %s", m, err, winner)
		}
	})
}

func TestInvitationRefused(t *testing.T) {
	w := openMandates(t, sqldbtest.Open(t))
	ctx, taro, hanako := t.Context(), newAccount(), newAccount()
	code, id := w.offer(t, taro, "etax")
	_, err := w.Accept(ctx, []byte("another"), hanako, "1")
	wantReason(t, err, MandateUnknown)
	_, err = w.Accept(ctx, code, taro, "1")
	wantReason(t, err, MandateOwn)
	w.time = start.Add(7 * 24 * time.Hour)
	_, err = w.Accept(ctx, code, hanako, "1")
	wantReason(t, err, MandateUnknown)
	if n, err := w.Expire(ctx, start, w.tell); err != nil || n != 1 {
		t.Errorf("expired %d, %v", n, err)
	}
	if m, err := w.Of(ctx, id, taro); err != nil || m.State != MandateEnded {
		t.Errorf("after its time: %+v, %v", m, err)
	}
	for range maxMandates {
		w.offer(t, taro, "etax")
	}
	err = w.Offer(ctx, Invitation{ID: "x", Principal: taro, Services: []clients.ID{"etax"}, Code: []byte("c"), AnswerBy: w.time, Until: w.time.Add(time.Hour)})
	wantReason(t, err, MandateTooMany)
}

func TestWrongNumbersEndTheMandate(t *testing.T) {
	w := openMandates(t, sqldbtest.Open(t))
	ctx, taro, thief := t.Context(), newAccount(), newAccount()
	code, id := w.offer(t, taro, "etax")
	if _, err := w.Accept(ctx, code, thief, "4711"); err != nil {
		t.Fatal(err)
	}
	for range maxMandateMisses {
		_, err := w.Confirm(ctx, id, taro, "1147")
		wantReason(t, err, MandateNumber)
	}
	_, err := w.Confirm(ctx, id, taro, "4711")
	wantReason(t, err, MoveForbidden)
	if m, err := w.Of(ctx, id, taro); err != nil || m.State != MandateEnded {
		t.Errorf("after %d wrong numbers: %+v, %v", maxMandateMisses, m, err)
	}
}

func TestMandateIsOverWithItsPeriod(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		w, ctx := openMandates(t, db), t.Context()
		taro, hanako := newAccount(), newAccount()
		m := w.inForce(t, taro, hanako, "etax")
		if err := w.Enter(ctx, m, Use{Client: "etax", Session: "s", SID: "sid"}); err != nil {
			t.Fatal(err)
		}
		w.time = m.Until
		// At once, and before anything swept it up.
		if ok, err := w.Stands(ctx, m.ID, taro, hanako, "etax"); err != nil || ok {
			t.Errorf("stands after its period: %t, %v", ok, err)
		}
		wantReason(t, w.Enter(ctx, m, Use{Client: "etax"}), MandateUnknown)
		if n, err := w.Expire(ctx, start, w.tell); err != nil || n != 1 || len(w.told) != 1 {
			t.Errorf("expired %d, told %v, %v", n, w.told, err)
		}
		if n, err := w.Expire(ctx, start, w.tell); err != nil || n != 0 {
			t.Errorf("expired again: %d, %v", n, err)
		}
	})
}

// TestEveryUseIsToldOrRefused lets a mandate end while it is used: who was let in before is told, who comes after is refused.
func TestEveryUseIsToldOrRefused(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		w, ctx := openMandates(t, db), t.Context()
		taro, hanako := newAccount(), newAccount()
		m := w.inForce(t, taro, hanako, "etax")
		let := make(chan string, 40)
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				if i == 20 {
					if err := w.End(ctx, m.ID, taro, start, w.tell); err != nil {
						t.Error(err)
					}
					return
				}
				sid := rand.Text()
				if err := w.Enter(ctx, m, Use{Client: "etax", Session: "s", SID: sid}); err == nil {
					let <- sid
				} else {
					wantReason(t, err, MandateUnknown)
				}
			})
		}
		all.Wait()
		close(let)
		n := 0
		for sid := range let {
			n++
			if !slices.ContainsFunc(w.told, func(u Use) bool { return u.SID == sid }) {
				t.Errorf("%s was let in and is not told", sid)
			}
		}
		if n != len(w.told) {
			t.Errorf("%d let in, %d told", n, len(w.told))
		}
	})
}

func TestUsesAreBounded(t *testing.T) {
	w := openMandates(t, sqldbtest.Open(t))
	m := w.inForce(t, newAccount(), newAccount(), "etax")
	for range mandateUses + 20 {
		w.time = w.time.Add(time.Second)
		if err := w.Enter(t.Context(), m, Use{Client: "etax", Session: "s", SID: "sid"}); err != nil {
			t.Fatal(err)
		}
	}
	uses, err := w.Uses(t.Context(), m.ID, 1000)
	if err != nil || len(uses) != mandateUses || !uses[0].At.Equal(w.time) {
		t.Errorf("%d uses, %v", len(uses), err)
	}
}

// TestServiceIsToldHoweverOftenOthersWereEntered: a representative cannot have a session forgotten by entering other services.
func TestServiceIsToldHoweverOftenOthersWereEntered(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		w, taro := openMandates(t, db), newAccount()
		hanako := newAccount()
		m := w.inForce(t, taro, hanako, "etax", "portal")
		enter := func(client clients.ID, sid string) {
			t.Helper()
			w.time = w.time.Add(time.Second)
			if err := w.Enter(t.Context(), m, Use{Client: client, Session: "s", SID: sid}); err != nil {
				t.Fatal(err)
			}
		}
		enter("etax", "one")
		for range mandateUses + 20 {
			enter("portal", "two")
		}
		at, err := w.EnteredAt(t.Context(), taro, "etax", start)
		if err != nil || len(at) != 1 || at[0].SID != "one" || at[0].By != hanako {
			t.Errorf("at the service: %v, %v", at, err)
		}
		if err := w.End(t.Context(), m.ID, taro, start, w.tell); err != nil {
			t.Fatal(err)
		}
		if len(w.told) != 2 || w.told[0].SID != "one" || w.told[1].SID != "two" {
			t.Errorf("told of %v", w.told)
		}
	})
}
