package federation

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

const etaxEvents = "https://etax.example/events"

const pushBody = `{"delivery":{"method":"urn:ietf:rfc:8935","endpoint_url":"` + etaxEvents + `","authorization_header":"Bearer sesame"}}`

func (w *transmitter) answer(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status[etaxEvents] = status
}

func (w *transmitter) pushed() []setClaims {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []setClaims
	for _, m := range w.got[etaxEvents] {
		var c setClaims
		typ, claims, _ := strings.Cut(m.Body, " ")
		if err := json.Unmarshal([]byte(claims), &c); err != nil || typ != setType || m.ContentType != "application/secevent+jwt" {
			w.t.Fatalf("%+v, %v", m, err)
		}
		out = append(out, c)
	}
	return out
}

// RFC 8935: posted with the receiver's own credential until it is accepted, each time with the same jti, and then no more.
func TestPushUntilAccepted(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r := newReceiver(t, db)
		r.made(asEtax, pushBody)
		var sealed []byte
		if err := db.QueryRow(t.Context(), `SELECT credential FROM signal_stream WHERE client = 'etax'`).Scan(&sealed); err != nil || bytes.Contains(sealed, []byte("sesame")) {
			t.Errorf("%q, %v", sealed, err)
		}
		r.answer(http.StatusServiceUnavailable)
		r.emit(Signal{Account: "taro", Client: "etax", Event: AccountEnabled()})
		r.deliver()
		r.deliver() // not due
		if n := len(r.pushed()); n != 1 {
			t.Fatalf("%d tries, want 1", n)
		}
		r.answer(http.StatusAccepted)
		r.advance(firstPause * 5 / 4)
		r.deliver()
		r.deliver()
		all := r.pushed()
		if len(all) != 2 || all[0].ID != all[1].ID || all[0].IssuedAt != all[1].IssuedAt || r.got[etaxEvents][0].Authorization != "Bearer sesame" {
			t.Errorf("%+v", all)
		}
		// What was told is not kept.
		var left int
		if err := db.QueryRow(t.Context(), `SELECT COUNT(*) FROM signal_event WHERE state <> 'told' OR LENGTH(body) > 0`).Scan(&left); err != nil || left != 0 {
			t.Errorf("%d, %v", left, err)
		}
		// A credential is for the address it came with.
		r.want(200, "PATCH", pathStreams, asEtax, `{"stream_id":"`+r.id("etax")+`","delivery":{"method":"urn:ietf:rfc:8935","endpoint_url":"https://etax.example/other"}}`)
		r.mu.Lock()
		r.status["https://etax.example/other"] = http.StatusAccepted
		r.mu.Unlock()
		r.emit(Signal{Account: "taro", Client: "etax", Event: AccountEnabled()})
		r.deliver()
		if got := r.got["https://etax.example/other"]; len(got) != 1 || got[0].Authorization != "" {
			t.Errorf("%+v", got)
		}
	})
}

func (r *receiver) id(client string) string {
	r.t.Helper()
	var id string
	if err := r.d.DB.QueryRow(r.t.Context(), `SELECT id FROM signal_stream WHERE client = $1`, client).Scan(&id); err != nil {
		r.t.Fatal(err)
	}
	return id
}

// A process that is killed after it claimed a try, or after the receiver had the event, loses nothing: another one comes again.
func TestPushKilledInTheMiddle(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r := newReceiver(t, db)
		r.made(asEtax, pushBody)
		r.answer(http.StatusAccepted)
		r.emit(Signal{Account: "taro", Client: "etax", Event: AccountEnabled()})
		rows, err := listQueued(t.Context(), db, `state = 'pending'`)
		if err != nil || len(rows) != 1 {
			t.Fatal(rows, err)
		}
		if won, err := claimQueued(t.Context(), db, rows[0], r.d.Now().Add(leaseLife)); !won || err != nil {
			t.Fatal(won, err)
		}
		next := r.twin()
		next.deliver()
		if n := len(r.pushed()); n != 0 {
			t.Errorf("%d posts while the claim stands", n)
		}
		r.advance(leaseLife)
		next.deliver()
		if n := len(r.pushed()); n != 1 {
			t.Errorf("%d posts", n)
		}
	})
}

// Whoever claims a try makes it; the other ninety-nine, in this process and in another, do not.
func TestHundredWorkersPushOnce(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r := newReceiver(t, db)
		r.made(asEtax, pushBody)
		r.answer(http.StatusAccepted)
		r.emit(Signal{Account: "taro", Client: "etax", Event: AccountEnabled()})
		rows, err := listQueued(t.Context(), db, `state = 'pending'`)
		if err != nil || len(rows) != 1 {
			t.Fatal(rows, err)
		}
		st, err := findStream(t.Context(), db, "etax")
		if err != nil {
			t.Fatal(err)
		}
		c, err := r.client(t.Context(), "etax")
		if err != nil {
			t.Fatal(err)
		}
		twin := r.twin()
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				if err := []*transmitter{r.transmitter, twin}[i%2].try(t.Context(), c, st, rows[0]); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := len(r.pushed()); n != 1 {
			t.Errorf("%d posts", n)
		}
	})
}

// A receiver that says it does not want an event is asked a few times; one that is not there, for a day. Both are audited, and a
// sign-out that was to be told so is not confirmed.
func TestLostSignalsAreAudited(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		for status, want := range map[int]string{http.StatusBadRequest: eventRefused, 0: eventFailed} {
			r := newReceiver(t, db)
			if _, err := db.Exec(t.Context(), `DELETE FROM signal_stream`); err != nil {
				t.Fatal(err)
			}
			r.made(asEtax, pushBody)
			r.answer(status)
			o := r.outbox(t, db)
			taro := newAccount()
			batch, err := o.Enqueue(t.Context(), LogoutSession, []Notice{{Account: taro, Client: "etax", Session: "s1", SID: "etax-1"}})
			if err != nil {
				t.Fatal(err)
			}
			for end := r.d.Now().Add(giveUpAfter); r.d.Now().Before(end); r.advance(10 * time.Minute) {
				r.deliver()
			}
			for range 2 { // once is enough
				if err := r.sweep(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			rows, err := r.log.List(t.Context(), audit.Query{Kind: EventSignalLost, Account: string(taro), Limit: 10})
			if err != nil || len(rows) != 1 || rows[0].Reason != want || rows[0].Client != "etax" || rows[0].Facts["event"] != string(EventSessionRevoked) {
				t.Errorf("%d: %+v, %v", status, rows, err)
			}
			if n := len(r.pushed()); want == eventRefused && n != refusedAfter || want == eventFailed && n < 100 {
				t.Errorf("%d: %d tries", status, n)
			}
			all, err := o.Batch(t.Context(), batch, 0)
			if err != nil || len(all) != 1 || all[0].State != Failed {
				t.Errorf("%+v, %v", all, err)
			}
		}
	})
}

// A stream whose receiver is silent for a month is paused, and goes on when it says so; the receiver is told of it by the stream.
func TestSilentReceiverIsPaused(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r := newReceiver(t, db)
		id := r.made(asEtax, `{}`)
		r.advance(inactivity)
		if err := r.sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		st, err := findStream(t.Context(), db, "etax")
		if err != nil || st.Status != streamEnabled {
			t.Fatalf("%+v, %v", st, err)
		}
		r.advance(time.Second)
		for range 2 { // told once
			if err := r.sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		r.emit(Signal{Account: "taro", Client: "etax", Event: AccountEnabled()})
		jtis, claims := r.polled(id, `{"returnImmediately":true}`)
		if len(jtis) != 1 || claims[jtis[0]].Events[eventStreamUpdated]["status"] != "paused" {
			t.Fatalf("%+v", claims)
		}
		r.want(200, "POST", pathStatus, asEtax, `{"stream_id":"`+id+`","status":"enabled"}`)
		if err := r.sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := typesOf(r.queue(stream{ID: id, Client: "etax"})); len(got) != 2 || got[0] != EventAccountEnabled {
			t.Errorf("%v", got)
		}
		r.advance(keepQueued)
		if err := r.sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := r.queue(stream{ID: id, Client: "etax"}); len(got) != 0 {
			t.Errorf("kept for ever: %+v", got)
		}
	})
}

// A stream that nobody empties is disabled: what waited is dropped, and its receiver reads why.
func TestFullStreamIsDisabled(t *testing.T) {
	r := newReceiver(t, sqldbtest.Open(t))
	id := r.made(asEtax, `{}`)
	if _, err := r.d.DB.Exec(t.Context(), `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <= 10000)
		INSERT INTO signal_event (id, stream, type, account, body, delivery, always, state, reason, tries, next_ms, created_ms)
		SELECT 'e' || i, $1, 'x', 'taro', $2, '', 0, 'pending', '', 0, $3, $3 FROM n`, id, []byte{}, r.d.Now().UnixMilli()); err != nil {
		t.Fatal(err)
	}
	if err := r.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.want(200, "GET", pathStatus+"?stream_id="+id, asEtax, ""); got["status"] != "disabled" || got["reason"] != reasonFull {
		t.Errorf("%v", got)
	}
	if got := typesOf(r.queue(stream{ID: id, Client: "etax"})); len(got) != 1 || got[0] != eventStreamUpdated {
		t.Errorf("%v", got)
	}
}
