package federation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// receiver calls the transmitter's API. A token is "client scope".
type receiver struct {
	*transmitter
	e *echo.Echo
}

func newReceiver(t *testing.T, db *sqldb.DB) *receiver {
	t.Helper()
	r := &receiver{newTransmitter(t, db), echo.New()}
	r.Mount(r.e, StreamAPIDeps{
		Authorize: func(_ context.Context, r *http.Request, need Need) (Caller, error) {
			f := strings.Fields(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
			if len(f) != 2 || f[1] != need.Scope && f[1] != need.Or || !need.Machine {
				return Caller{}, errRefused
			}
			return Caller{Client: clients.ID(f[0])}, nil
		},
		Refuse: func(w http.ResponseWriter, _ *http.Request, err error) {
			if errors.Is(err, errRefused) {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			t.Errorf("internal error: %v", err)
			w.WriteHeader(http.StatusInternalServerError)
		},
	})
	return r
}

// call answers the status and the decoded body.
func (r *receiver) call(method, path, token, body string) (int, map[string]any) {
	r.t.Helper()
	req := httptest.NewRequestWithContext(r.t.Context(), method, path, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	r.e.ServeHTTP(w, req)
	var out map[string]any
	if b := w.Body.Bytes(); len(b) > 0 && b[0] == '{' {
		if err := json.Unmarshal(b, &out); err != nil {
			r.t.Fatal(err)
		}
	} else if len(b) > 0 {
		out = map[string]any{"raw": w.Body.String()}
	}
	return w.Code, out
}

func (r *receiver) want(status int, method, path, token, body string) map[string]any {
	r.t.Helper()
	got, out := r.call(method, path, token, body)
	if got != status {
		r.t.Errorf("%s %s %s: %d %v, want %d", method, path, body, got, out, status)
	}
	return out
}

const asEtax, asShop = "etax ssf.manage", "shop ssf.manage"

// made makes a stream and returns its id.
func (r *receiver) made(token, body string) string {
	r.t.Helper()
	id, _ := r.want(http.StatusCreated, http.MethodPost, pathStreams, token, body)["stream_id"].(string)
	return id
}

// polled polls and returns the jtis, sorted, and the claims.
func (r *receiver) polled(id, body string) ([]string, map[string]setClaims) {
	r.t.Helper()
	out := r.want(http.StatusOK, http.MethodPost, pathPoll+"/"+id, "etax ssf.read", body)
	var jtis []string
	all := map[string]setClaims{}
	sets, _ := out["sets"].(map[string]any)
	for jti, set := range sets {
		typ, claims, _ := strings.Cut(fmt.Sprint(set), " ")
		var c setClaims
		if err := json.Unmarshal([]byte(claims), &c); err != nil || typ != setType || c.ID != jti {
			r.t.Fatalf("%s: %v, %v", jti, set, err)
		}
		jtis, all[jti] = append(jtis, jti), c
	}
	slices.Sort(jtis)
	return jtis, all
}

func TestLifeOfAStream(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r := newReceiver(t, db)
		if got := r.want(200, "GET", pathStreams, "etax ssf.read", ""); got["raw"] != "[]\n" {
			t.Errorf("%v", got)
		}
		body := `{"delivery":{"method":"urn:ietf:rfc:8935","endpoint_url":"https://etax.example/events","authorization_header":"Bearer sesame"},
			"events_requested":["` + string(EventSessionRevoked) + `","https://example.com/unknown"],"description":"first","unknown":[1]}`
		made := r.want(201, "POST", pathStreams, asEtax, body)
		id, _ := made["stream_id"].(string)
		delivered, _ := made["events_delivered"].([]any)
		delivery, _ := made["delivery"].(map[string]any)
		if id == "" || made["iss"] != "https://hub.example" || made["aud"] != "etax" || len(delivered) != 1 || delivered[0] != string(EventSessionRevoked) ||
			delivery["endpoint_url"] != "https://etax.example/events" || delivery["authorization_header"] != nil {
			t.Errorf("%v", made)
		}
		if supported := fmt.Sprint(made["events_supported"]); !strings.Contains(supported, string(EventLinkEnded)) {
			t.Errorf("a service with links hears nothing of their end: %s", supported)
		}
		if shop := r.want(201, "POST", pathStreams, asShop, `{}`); strings.Contains(fmt.Sprint(shop["events_supported"]), string(EventLinkEnded)) {
			t.Errorf("a service without links: %v", shop["events_supported"])
		}
		r.want(409, "POST", pathStreams, asEtax, `{}`)
		// Nobody sees or changes another's stream, or with a token that does not do.
		r.want(404, "GET", pathStreams+"?stream_id="+id, "shop ssf.read", "")
		r.want(404, "DELETE", pathStreams+"?stream_id="+id, asShop, "")
		r.want(401, "DELETE", pathStreams+"?stream_id="+id, "etax ssf.read", "")
		r.want(401, "GET", pathStreams, "etax link", "")
		// PATCH changes what it names; PUT takes back what it does not.
		patched := r.want(200, "PATCH", pathStreams, asEtax, `{"stream_id":"`+id+`","description":"second"}`)
		if d, _ := patched["delivery"].(map[string]any); patched["description"] != "second" || d["method"] != methodPush {
			t.Errorf("%v", patched)
		}
		put := r.want(200, "PUT", pathStreams, asEtax, `{"stream_id":"`+id+`","iss":"https://hub.example","aud":"etax"}`)
		d, _ := put["delivery"].(map[string]any)
		if put["description"] != nil || d["method"] != methodPoll || d["endpoint_url"] != "https://hub.example"+pathPoll+"/"+id || len(put["events_delivered"].([]any)) != len(eventTypes(true)) {
			t.Errorf("%v", put)
		}
		r.want(400, "PATCH", pathStreams, asEtax, `{"stream_id":"`+id+`","aud":"shop"}`)
		r.want(400, "PUT", pathStreams, asEtax, `{"stream_id":"`+id+`","min_verification_interval":1}`)
		r.want(404, "PATCH", pathStreams, asEtax, `{"stream_id":"x"}`)
		r.want(204, "DELETE", pathStreams+"?stream_id="+id, asEtax, "")
		for _, gone := range []struct{ method, path, body string }{
			{"GET", pathStreams + "?stream_id=" + id, ""}, {"DELETE", pathStreams + "?stream_id=" + id, ""}, {"PUT", pathStreams, `{"stream_id":"` + id + `"}`},
			{"GET", pathStatus + "?stream_id=" + id, ""}, {"POST", pathStatus, `{"stream_id":"` + id + `","status":"paused"}`},
			{"POST", pathVerify, `{"stream_id":"` + id + `"}`}, {"POST", pathPoll + "/" + id, `{}`},
			{"POST", pathAdd, `{"stream_id":"` + id + `","subject":{"format":"email","email":"a@b"}}`},
		} {
			r.want(404, gone.method, gone.path, asEtax, gone.body)
		}
		for kind, n := range map[audit.Kind]int{EventStreamMade: 2, EventStreamChanged: 2, EventStreamEnded: 1} {
			if rows, err := r.log.List(t.Context(), audit.Query{Kind: kind, Limit: 10}); err != nil || len(rows) != n {
				t.Errorf("%s: %+v, %v", kind, rows, err)
			}
		}
	})
}

func TestStreamRefusals(t *testing.T) {
	r := newReceiver(t, sqldbtest.Open(t))
	for name, body := range map[string]string{
		"no JSON": `;{ broken`, "an array": `[]`, "nothing": ``, "two documents": `{}{}`, "a member twice": `{"description":"a","description":"b"}`,
		"a member of a member twice": `{"delivery":{"method":"urn:ietf:rfc:8936","method":"urn:ietf:rfc:8936"}}`,
		"a stream_id":                `{"stream_id":"mine"}`, "another method": `{"delivery":{"method":"https://example.com/fax"}}`,
		"push to nowhere":          `{"delivery":{"method":"urn:ietf:rfc:8935"}}`,
		"push into our network":    `{"delivery":{"method":"urn:ietf:rfc:8935","endpoint_url":"https://127.0.0.1/"}}`,
		"push in the clear":        `{"delivery":{"method":"urn:ietf:rfc:8935","endpoint_url":"http://etax.example/"}}`,
		"a header in a header":     `{"delivery":{"method":"urn:ietf:rfc:8935","endpoint_url":"https://etax.example/","authorization_header":"a\r\nHost: b"}}`,
		"a credential for poll":    `{"delivery":{"method":"urn:ietf:rfc:8936","authorization_header":"a"}}`,
		"a poll address":           `{"delivery":{"method":"urn:ietf:rfc:8936","endpoint_url":"https://etax.example/"}}`,
		"an event twice":           `{"events_requested":["a","a"]}`,
		"an event with a space":    `{"events_requested":["a b"]}`,
		"a long description":       `{"description":"` + strings.Repeat("x", 256) + `"}`,
		"a very long body":         `{"description":"` + strings.Repeat(" ", maxStreamBody) + `"}`,
		"what is the hub's to say": `{"events_supported":[]}`,
	} {
		if out := r.want(400, "POST", pathStreams, asEtax, body); out["error"] != "invalid_request" {
			t.Errorf("%s: %v", name, out)
		}
	}
	if got := r.want(200, "GET", pathStreams, asEtax, ""); got["raw"] != "[]\n" {
		t.Errorf("%v", got)
	}
}

// Told, kept or dropped: enabled, paused, disabled.
func TestStreamStatus(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r := newReceiver(t, db)
		id := r.made(asEtax, `{}`)
		set := func(status string) {
			t.Helper()
			r.want(200, "POST", pathStatus, asEtax, `{"stream_id":"`+id+`","status":"`+status+`","reason":"why"}`)
			if got := r.want(200, "GET", pathStatus+"?stream_id="+id, "etax ssf.read", ""); got["status"] != status || got["reason"] != "why" || got["stream_id"] != id {
				t.Errorf("%v", got)
			}
		}
		event := Signal{Account: newAccount(), Client: "etax", Event: AccountDisabled("")}
		poll := func() int {
			t.Helper()
			jtis, _ := r.polled(id, `{"returnImmediately":true}`)
			return len(jtis)
		}
		set("paused")
		r.emit(event)
		if poll() != 0 {
			t.Error("told while paused")
		}
		set("enabled")
		if poll() != 1 {
			t.Error("not kept while paused")
		}
		set("disabled")
		r.emit(event)
		set("enabled")
		if poll() != 0 {
			t.Error("kept while disabled")
		}
		for _, body := range []string{`{"stream_id":"` + id + `"}`, `{"stream_id":"` + id + `","status":"asleep"}`, `{"status":"paused"}`, `{"stream_id":1,"status":"paused"}`} {
			r.want(400, "POST", pathStatus, asEtax, body)
		}
	})
}

// RFC 8936: what is acknowledged is not handed out again, what is not is; a refusal ends it and is audited.
func TestPollAndAcknowledge(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r := newReceiver(t, db)
		id := r.made(asEtax, `{}`)
		taro := newAccount()
		for range 3 {
			r.emit(Signal{Account: taro, Client: "etax", Event: AccountEnabled()})
		}
		first, _ := r.polled(id, `{"maxEvents":2,"returnImmediately":true}`)
		out := r.want(200, "POST", pathPoll+"/"+id, asEtax, `{"maxEvents":2,"returnImmediately":true}`)
		if len(first) != 2 || out["moreAvailable"] != true {
			t.Fatalf("%v %v", first, out)
		}
		if none, _ := r.polled(id, `{"maxEvents":0,"ack":["`+first[0]+`"]}`); len(none) != 0 {
			t.Errorf("an acknowledgement alone: %v", none)
		}
		// Twice, with one that was never handed out, and with a refusal.
		rest, claims := r.polled(id, `{"returnImmediately":true,"ack":["`+first[0]+`","never"],"setErrs":{"`+first[1]+`":{"err":"invalid_issuer","description":"who?"}}}`)
		if len(rest) != 1 || slices.Contains(first, rest[0]) || claims[rest[0]].Audience != "etax" {
			t.Errorf("%v", rest)
		}
		rows, err := r.log.List(t.Context(), audit.Query{Kind: EventSignalLost, Limit: 10})
		if err != nil || len(rows) != 1 || rows[0].Account != string(taro) || rows[0].Reason != eventRefused || rows[0].Facts["error"] != "invalid_issuer" {
			t.Errorf("%+v, %v", rows, err)
		}
		r.made(asShop, `{}`)
		r.want(404, "POST", pathPoll+"/"+id, asShop, `{"ack":["`+rest[0]+`"]}`)
		for _, body := range []string{
			`{"maxEvents":-1}`, `{"maxEvents":1.5}`, `{"maxEvents":"1"}`, `{"maxEvents":null}`, `{"returnImmediately":1}`, `{"ack":"a"}`, `{"ack":[1]}`, `{"ack":["a","a"]}`,
			`{"setErrs":[]}`, `{"setErrs":{"a":1}}`, `{"setErrs":{"a":{}}}`, `{"setErrs":{"a":{"err":"a b"}}}`,
		} {
			r.want(400, "POST", pathPoll+"/"+id, asEtax, body)
		}
		if again, _ := r.polled(id, `{"returnImmediately":true}`); !slices.Equal(again, rest) {
			t.Errorf("%v, want %v", again, rest)
		}
	})
}

// A poll waits for the next event, of this process or another, and not for ever.
func TestLongPoll(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r := newReceiver(t, db)
		id := r.made(asEtax, `{}`)
		for _, from := range []*transmitter{r.transmitter, r.twin()} {
			got := make(chan []string)
			go func() {
				jtis, _ := r.polled(id, `{}`)
				got <- jtis
			}()
			for r.waiting(id) == 0 {
				time.Sleep(time.Millisecond)
			}
			from.emit(Signal{Account: "taro", Client: "etax", Event: AccountEnabled()})
			jtis := <-got
			if len(jtis) != 1 {
				t.Fatalf("%v", jtis)
			}
			r.polled(id, `{"maxEvents":0,"ack":["`+jtis[0]+`"]}`)
		}
		// Whoever hangs up does not wait on.
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			req := httptest.NewRequestWithContext(ctx, "POST", pathPoll+"/"+id, strings.NewReader(`{}`))
			req.Header = http.Header{"Authorization": {"Bearer " + asEtax}, "Content-Type": {"application/json"}}
			a := &streamAPI{Signals: r.Signals}
			st, err := findStream(ctx, db, "etax")
			if err != nil {
				t.Error(err)
			}
			if _, err := a.await(ctx, st, pollRequest{Max: 1}); !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
		}()
		for r.waiting(id) == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
		<-done
		if n := r.waiting(id); n != 0 {
			t.Errorf("%d still wait", n)
		}
	})
}

func (w *transmitter) waiting(id string) int {
	w.Signals.mu.Lock()
	defer w.Signals.mu.Unlock()
	if p := w.polls[id]; p != nil {
		return p.waiting
	}
	return 0
}

// Too many polls that wait are answered at once.
func TestPollsThatWaitAreBounded(t *testing.T) {
	r := newReceiver(t, sqldbtest.Open(t))
	for range perStream {
		if !r.mayWait("one") {
			t.Fatal("not even these")
		}
	}
	if r.mayWait("one") {
		t.Error("one stream more than it may")
	}
	for i := range maxWaiting - 1 {
		if !r.mayWait(fmt.Sprint("s", i)) {
			t.Fatal(i)
		}
	}
	if r.mayWait("late") {
		t.Error("one process more than it may")
	}
	for range perStream {
		r.waited("one")
	}
	if !r.mayWait("late") {
		t.Error("nobody may come when others have gone")
	}
}

// Of a hundred verifications at once one is due; it comes with the state that was given.
func TestHundredVerificationsAtOnce(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r := newReceiver(t, db)
		id := r.made(asEtax, `{}`)
		var mu sync.Mutex
		seen := map[int]int{}
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				status, _ := r.call("POST", pathVerify, asEtax, `{"stream_id":"`+id+`","state":"s"}`)
				mu.Lock()
				defer mu.Unlock()
				seen[status]++
			})
		}
		all.Wait()
		if seen[204] != 1 || seen[429] != 99 {
			t.Errorf("%v", seen)
		}
		jtis, claims := r.polled(id, `{"returnImmediately":true}`)
		if len(jtis) != 1 {
			t.Fatalf("%v", claims)
		}
		c := claims[jtis[0]]
		if c.Subject["format"] != "opaque" || c.Subject["id"] != id || c.Events[eventVerification]["state"] != "s" {
			t.Errorf("%+v", c)
		}
		r.advance(verifyEvery)
		r.want(204, "POST", pathVerify, asEtax, `{"stream_id":"`+id+`"}`)
		_, claims = r.polled(id, `{"returnImmediately":true,"ack":["`+jtis[0]+`"]}`)
		for _, c := range claims {
			if _, has := c.Events[eventVerification]["state"]; has || len(claims) != 1 {
				t.Errorf("%+v", claims)
			}
		}
	})
}

// Of a hundred acknowledgements at once each is harmless, and the sign-out that the event told of is confirmed once.
func TestHundredAcknowledgementsAtOnce(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r := newReceiver(t, db)
		r.made(asEtax, `{}`)
		o := r.outbox(t, db)
		taro := newAccount()
		batch, err := o.Enqueue(t.Context(), LogoutSession, []Notice{{Account: taro, Client: "etax", Session: "s1", SID: "etax-1"}})
		if err != nil {
			t.Fatal(err)
		}
		state := func() DeliveryState {
			t.Helper()
			all, err := o.Batch(t.Context(), batch, 0)
			if err != nil || len(all) != 1 {
				t.Fatal(all, err)
			}
			return all[0].State
		}
		if got := state(); got != Collects {
			t.Fatalf("%q", got)
		}
		st, err := findStream(t.Context(), db, "etax")
		if err != nil {
			t.Fatal(err)
		}
		jtis, claims := r.polled(st.ID, `{"returnImmediately":true}`)
		if c := claims[jtis[0]]; len(jtis) != 1 || c.Subject["format"] != "complex" || c.Events[EventSessionRevoked] == nil {
			t.Fatalf("%+v", claims)
		}
		if got := state(); got != Collects {
			t.Errorf("%q before it said so", got)
		}
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				w := r.transmitter
				if i%2 == 1 {
					w = r.twin()
				}
				a := &streamAPI{Signals: w.Signals}
				if err := a.take(t.Context(), st, pollRequest{Acks: []string{jtis[0]}}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if got := state(); got != Confirmed {
			t.Errorf("%q", got)
		}
	})
}

// outbox is a Deliveries that tells streams too.
func (w *transmitter) outbox(t *testing.T, db *sqldb.DB) *Deliveries {
	t.Helper()
	o := newOutbox(t, db)
	d := o.d
	d.Signals, d.Clients = w.Signals, w.d.Clients
	out, err := NewDeliveries(d)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
